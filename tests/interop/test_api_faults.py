# SPDX-License-Identifier: Apache-2.0
"""The registrar against an API that is not ours, and that is short of time, slow, far away, gone,
or does not know the token any more: judged by what the API saw, by its own clock and its own
book."""

import random
import sys
import threading
import time

from driver import numbers, run_scenes, wait_for
from fake_api import busiest_second


class Limit:
    """So many requests a second, and half a second's worth at once."""

    def __init__(self, rate):
        self.rate, self.lock = rate, threading.Lock()
        self.tokens, self.at = rate / 2, time.monotonic()

    def __call__(self, _):
        with self.lock:
            now = time.monotonic()
            self.tokens = min(self.tokens + self.rate * (now - self.at), self.rate / 2)
            self.at = now
            if self.tokens < 1:
                return "resource_exhausted"
            self.tokens -= 1
            return None


def the_pace_fits_a_limit_that_the_api_sets(scene):
    limit = 60
    driver = scene.starts(200, ttl=20, max_rate=120)  # they need 26 a second
    scene.api.fault = Limit(limit)
    refused = []
    for _ in range(3):
        storm = time.monotonic()
        driver.ask("refresh")
        wait_for("all refreshed", lambda: {
            d.number for d in list(scene.api.book.done) if d.at > storm} == set(numbers(200)))
        refused.append(len(scene.api.failures("resource_exhausted", storm)))
        time.sleep(4)
    busiest = busiest_second([s.at for s in scene.api.of(since=storm)])
    print(f"     refused in each storm {refused}, busiest second of the last {busiest}")
    # Unabated 120 a second would come, of which half are refused.
    assert busiest <= limit * 1.5, busiest
    assert refused[-1] <= 30, refused
    scene.nobody_lapsed()
    driver.end()


def an_api_that_slows_down_gets_fewer_at_a_time(scene):
    api = scene.api
    driver = scene.starts(300, ttl=20)
    scene.nobody_lapsed()
    api.late_s = 1.0
    for storm in range(2):
        api.busiest, since = 0, time.monotonic()
        driver.ask("refresh")
        wait_for("all refreshed", scene.all_were_asked_for(numbers(300), since))
        print(f"     at most {api.busiest} at a time within {time.monotonic() - since:.1f} s")
        assert api.busiest <= (256, 160)[storm], "more in flight than the window has"
        time.sleep((10, 0)[storm])
    scene.nobody_lapsed()
    assert "API does not work" not in driver.log(), driver.log()
    driver.end()


def a_distant_api_is_asked_for_many_at_a_time(scene):
    scene.api.late_s = 0.8
    begin = time.monotonic()
    driver = scene.starts(500, ttl=30)
    took = time.monotonic() - begin
    print(f"     500 numbers within {took:.1f} s, at most {scene.api.busiest} at a time")
    assert scene.api.busiest <= 256
    assert took < 20, "one after the other that takes 400 s"
    driver.end()


def a_token_that_is_revoked_under_load_is_fetched_once(scene):
    scene.api.late_s = 0.3
    driver = scene.starts(300, ttl=12)  # 64 a second
    for slow_s in (0, 2.5, 0):
        scene.tokens.late_s = slow_s
        issued, revoked = scene.tokens.issued, time.monotonic()
        driver.ask("refresh")
        scene.tokens.revoke()
        wait_for("a new token", lambda: scene.tokens.issued == issued + 1)
        wait_for("all go on with it", lambda: {
            s.number for s in scene.api.of(since=revoked)
            if s.token in scene.tokens.valid} == set(numbers(300)))
        time.sleep(1)
        in_vain = scene.api.failures("unauthenticated", revoked)
        print(f"     {len(in_vain)} shown the dead token, the last one after "
              f"{max(in_vain, default=revoked) - revoked:.1f} s")
        assert scene.tokens.issued == issued + 1, "fetched more than once"
        assert len(in_vain) <= 256, "more than were on their way"
        assert not scene.tokens.refused
    scene.nobody_lapsed()
    driver.end()


def places_off(order, wanted):
    """How far each is from its place."""
    place = {n: i for i, n in enumerate(wanted)}
    return [abs(i - place[n]) for i, n in enumerate(order)]


def after_an_outage_longer_than_the_ttl_the_longest_lapsed_come_first(scene):
    api, old = scene.api, numbers(200)
    new = [f"+4798{i:06d}" for i in range(40)]
    lives = {n: 6 + i % 6 * 2 for i, n in enumerate(random.Random(9).sample(old, 200))}
    driver = scene.starts(200, ttl=lambda number: lives.get(number, 30))
    time.sleep(6)  # they come due at times of their own
    api.stop()
    away = time.monotonic()
    wait_for("the outage is noticed", lambda: "API does not work" in driver.log())
    driver.ask(f"reload {scene.config(old + new, 'second.yaml')}")
    wait_for("all have lapsed", lambda: not api.book.routes())
    ends = {n: done.until for n, done in api.book.held.items()}
    time.sleep(1)
    back = time.monotonic()
    api.start()
    wait_for("all are back", lambda: len(api.book.routes()) == 240, 90)
    seen = {}
    for s in api.of(since=back):
        seen.setdefault(s.number, s.at)
    order = sorted(seen, key=seen.get)
    again = [n for n in order if n in ends]
    off = places_off(again, sorted(ends, key=ends.get))
    first = seen[order[0]]
    print(f"     away for {back - away:.1f} s, asked again {first - back:.1f} s after it was back, "
          f"240 numbers within {max(seen.values()) - first:.1f} s, places off: "
          f"median {sorted(off)[100]}, {sum(o > 30 for o in off)} more than 30")
    # Those that failed as it went down wait for a time of their own; one was the probe.
    assert sum(o > 30 for o in off) <= 50, "not by the end of their TTL"
    # The new ones have every fifth turn.
    share = sum(n in new for n in order[:100])
    assert 10 <= share <= 35, f"{share} new ones among the first hundred"
    assert sum(at - first < 1 for at in seen.values()) <= 150, "it was run down as it came back"
    driver.end()


TESTS = [after_an_outage_longer_than_the_ttl_the_longest_lapsed_come_first,
         the_pace_fits_a_limit_that_the_api_sets, an_api_that_slows_down_gets_fewer_at_a_time,
         a_distant_api_is_asked_for_many_at_a_time,
         a_token_that_is_revoked_under_load_is_fetched_once]

if __name__ == "__main__":
    sys.exit(run_scenes(TESTS))
