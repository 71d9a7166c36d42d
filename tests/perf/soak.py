# SPDX-License-Identifier: Apache-2.0
"""make soak: so many calls with media at once, each replaced when it ends, for so many
minutes; fails if one call fails or if the daemon grows.

The simulated core places them: two thirds are looped between two phones (ICE-lite and
DTLS-SRTP on both legs), a third rings at a phone and is answered by the PBX (RTP), and
every fifth is held and resumed. Each is heard both ways, or has failed.

Every 10 s it is noted what the daemon holds. What counts is the line fitted through all
notes after the calls are up and the first of them have left what stays for 32 s after
their end: it may not rise by more than BOUNDS says."""

import random
import subprocess
import sys
import threading
import time

import yaml

from core import BIN, Core, Daemon
from growth import descriptors, fitted_growth, metric, settled, status_kb, threads

USAGE = "usage: soak.py [MINUTES [CALLS]]"
SAMPLE_S = 10
WARM_UP_S = 150  # at most, and never more than half of the run
RAMP_S = 30
TALK_MS = 12000, 36000
# Of tests that run beside it none has these; a port that was given back rests for a while.
CORE_PORTS, DAEMON_PORTS = "61000-64499", "64500-65499"
FAILURES_SHOWN = 10
PATIENCE_MS = 60000  # the load beside us may be heavy: slow is no failure here

# What the fitted line may rise by over the whole time that counts: a share of the
# mean, and so much more. The number of calls moves by some as they are replaced.
BOUNDS = {"rss_kb": (.02, 1024), "heap_kb": (.02, 1024), "descriptors": (.02, 4),
          "threads": (0, 1), "ports": (.05, 8), "tls_sessions": (0, 2)}


class Soaked(Daemon):
    """The sample configuration on one port for all phones, as at the core's edge."""

    def __init__(self, core):
        super().__init__(core)
        config = yaml.safe_load(self.config.read_text())
        config["media"]["ice"] = "lite"
        config.setdefault("log", {})["level"] = "notice"
        # The ring of messages fills up to its size, which is no growth: here a small one.
        config["trace"]["memory"] = "64KiB"
        self.config.write_text(yaml.safe_dump(config, sort_keys=False))

    def metrics(self):
        return subprocess.run(
            [BIN / "breakoutctl", "-s", self.core.folder / "breakout.sock", "metrics"],
            check=True, capture_output=True, text=True, timeout=60).stdout

    def holds(self):
        pid, text = self.process.pid, self.metrics()
        return {"rss_kb": status_kb(pid, "VmRSS"), "heap_kb": status_kb(pid, "RssAnon"),
                "descriptors": descriptors(pid), "threads": threads(pid),
                "ports": metric(text, 'breakout_media_ports{state="used"}'),
                "tls_sessions": metric(text, "breakout_tls_sessions")}

    def sessions(self):
        return metric(self.metrics(), "breakout_media_sessions")


def heard_both_ways(result):
    """Answered, ended by both, and each end had the other's tone in its ear. Whether it
    still had at the last moment depends on how busy the machine is just then."""
    return (result.get("outcome") == "answered" and result.get("both_ends_hung_up") and
            all((result.get(end) or {}).get("audio_ms") for end in ("caller", "callee")))


class Callers:
    """Threads that each hold one call after the other."""

    def __init__(self, core, tas, count, minutes):
        self.core, self.over = core, threading.Event()
        self.loop, self.fork = tas.numbers[0], tas.numbers[3]
        self.talk_ms = [min(t, int(minutes * 60000 / 6)) for t in TALK_MS]
        self.lock, self.done, self.live, self.failures = threading.Lock(), 0, 0, []
        ramp = min(RAMP_S, minutes * 60 / 6)
        self.threads = [threading.Thread(target=self.place_all, daemon=True,
                                         args=(i, ramp * i / count)) for i in range(count)]

    def prepare(self):
        """One call of each sort, for what is made once and stays."""
        self.core.phone(self.loop, "answer")
        self.core.phone(self.fork, "no-answer")
        self.core.pbx("answer")
        for turn in range(3):
            self.place("+4791999999", turn, talk_ms=2000)

    def start(self):
        for thread in self.threads:
            thread.start()

    def place_all(self, index, delay_s):
        placed = 0
        self.over.wait(delay_s)
        while not self.over.is_set():
            self.place(f"+4791{index:06}", index + placed, random.randint(*self.talk_ms))
            placed += 1

    def place(self, caller, turn, talk_ms):
        with self.lock:
            self.live += 1
        try:
            result = self.core.ask(
                "call", **{"from": caller, "to": self.fork if turn % 3 == 2 else self.loop,
                           "talk_ms": talk_ms, "hold": turn % 5 == 0,
                           "patience_ms": PATIENCE_MS})
        except (OSError, ValueError) as error:
            result = {"reason": f"the core gave no result: {error!r}"}
        fine = heard_both_ways(result)
        with self.lock:
            self.live -= 1
            self.done += fine
            if not fine:
                self.failures.append(f"{caller} {result.get('outcome')} {result.get('verdict')}: "
                                     f"{result.get('reason')}")
                if len(self.failures) <= FAILURES_SHOWN:
                    print(f"FAIL {self.failures[-1]}", flush=True)
        if not fine:
            self.over.wait(1)  # whatever it is, it must not be asked for without end

    def finish(self):
        self.over.set()
        for thread in self.threads:
            thread.join()


def soak(tas, callers, seconds):
    """Notes of what was held: (seconds, figures), once it counts."""
    begin, warm_up = time.monotonic(), min(WARM_UP_S, seconds / 2)
    period = min(SAMPLE_S, seconds / 20)
    notes = []
    print("seconds, calls, done, failed; then what the daemon holds", flush=True)
    while (now := time.monotonic() - begin) < seconds and tas.process.poll() is None:
        held = tas.holds()
        print(f"{now:5.0f} {callers.live:4} {callers.done:6} {len(callers.failures):3}  " +
              "  ".join(f"{name} {value}" for name, value in held.items()), flush=True)
        if now >= warm_up:
            notes.append((now, held))
        time.sleep(period)
    return notes


def growth_findings(notes):
    """Prints what became of each figure; the sentences of those that grew."""
    times, findings = [at for at, _ in notes], []
    print(f"fitted over {times[-1] - times[0]:.0f} s, {len(notes)} notes:")
    for name, (share, more) in BOUNDS.items():
        values = [held[name] for _, held in notes]
        mean, grew = sum(values) / len(values), fitted_growth(times, values)
        bound = share * mean + more
        print(f"  {name:13} mean {mean:9.1f}  least {min(values):7}  most {max(values):7}  "
              f"grew {grew:+8.1f}, may {bound:.1f}")
        if grew > bound:
            findings.append(f"{name} grew by {grew:.1f}, more than {bound:.1f}")
    return findings


def left_findings(tas, before):
    """What the calls left behind."""
    findings = []
    if sessions := settled(tas.sessions, 0, 60):
        findings.append(f"{sessions} media sessions are left")
    for name in "descriptors", "threads", "ports", "tls_sessions":
        if (after := settled(lambda: tas.holds()[name], before[name], 60)) > before[name]:
            findings.append(f"{name}: {before[name]} before the calls, {after} after them")
    return findings


def run(core, minutes, count):
    tas = Soaked(core)
    tas.start()
    tas.wait_registered()
    callers = Callers(core, tas, count, minutes)
    callers.prepare()
    settled(tas.sessions, 0)
    before = tas.holds()
    callers.start()
    notes = soak(tas, callers, minutes * 60)
    callers.finish()
    findings = [f"{len(callers.failures)} calls failed"] if callers.failures else []
    findings += growth_findings(notes) + left_findings(tas, before)
    status = tas.close()
    if findings or status:
        print(tas.log_path.read_text(errors="replace")[-3000:])
        findings += [f"breakoutd ended with status {status}"] if status else []
    print(f"{callers.done} calls heard both ways, {len(callers.failures)} failed")
    return findings


def main():
    try:
        minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 30
        count = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    except ValueError:
        sys.exit(USAGE)
    if minutes <= 0 or not 0 < count <= 1000:
        sys.exit(USAGE)
    core = Core("--media-ports", CORE_PORTS)
    core.daemon_media = DAEMON_PORTS
    core.patience_s = 300
    try:
        findings = run(core, minutes, count)
    finally:
        core.close()
    for finding in findings:
        print(f"FAIL {finding}")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
