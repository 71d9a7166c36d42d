# SPDX-License-Identifier: Apache-2.0
"""The core's API is away for longer than the TTL, and comes back: in which order and how fast
the numbers do, by breakout-core's own book."""

import yaml

from core import *

TTL, COUNT = 9, 150

core = Core("--ttl", f"{TTL}s")
tas = Daemon(core)


def more_numbers():
    config = yaml.safe_load(tas.config.read_text())
    tas.numbers += [f"+4798{i:06d}" for i in range(COUNT - len(tas.numbers))]
    known = {r["number"] for r in config["registrations"]}
    config["registrations"] += [{"number": n, "route_type": "loop"} for n in tas.numbers
                                if n not in known]
    tas.config.write_text(yaml.safe_dump(config))


def held():
    """Until when the core holds each, by our clock."""
    now = time.monotonic()
    return {r["number"]: now + r["expires_in_ms"] / 1000
            for r in core.must("registrations")["registrations"] if r["expires_in_ms"] > 0}


def the_longest_lapsed_come_back_first():
    time.sleep(TTL)  # they come due at times of their own
    ends = held()
    assert len(ends) == COUNT, len(ends)
    core.must("fault", kind="unavailable")
    away = time.monotonic()

    def watch():
        seen = held()
        ends.update(seen)
        return not seen

    wait_until(watch, 3 * TTL, "all have lapsed")
    time.sleep(1)
    core.must("clear-faults")
    back, come = time.monotonic(), {}

    def note():
        for number, until in sorted(held().items(), key=lambda held: held[1]):
            come.setdefault(number, time.monotonic())
        return len(come) == COUNT

    wait_until(note, 60, "all are back")
    place = {n: i for i, n in enumerate(sorted(ends, key=ends.get))}
    off = sorted(abs(i - place[n]) for i, n in enumerate(come))
    first, last = min(come.values()), max(come.values())
    print(f"     away for {back - away:.1f} s, the first is back {first - back:.1f} s after the "
          f"API, all {last - first:.1f} s later; places off: median {off[COUNT // 2]}, "
          f"{sum(o > 30 for o in off)} more than 30")
    # Those that failed as it went away wait for a time of their own.
    assert sum(o > 30 for o in off) <= COUNT // 3, off
    tas.wait_registered(5)


more_numbers()
tas.start()
tas.wait_registered()
finish(run_tests([the_longest_lapsed_come_back_first], core), core, tas)
