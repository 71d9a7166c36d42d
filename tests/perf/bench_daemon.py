# SPDX-License-Identifier: Apache-2.0
"""What a million registrations cost a whole breakoutd, with its gRPC, its store and its
clock: memory beyond the empty daemon, time to serving, CPU at the paced rate, an outage.

The core is breakout-core, over TLS with a token. Time cannot be hurried here, so the rate
of a million numbers is that of a tenth of them with a tenth of the TTL. The store is
filled before, as a daemon in the middle of its hour has it: then all is steady at once.

    bench_daemon.py [NUMBERS [SECONDS]]
"""

import contextlib
import random
import re
import sqlite3
import subprocess
import sys
import time

from core import BIN, Core, Daemon
from growth import metric, status_kb
from subjects import process_cpu_s

FIRST = 4790000000
TTL_S = 3600
TENTH = 10  # of the numbers, of the TTL
SETTLE_S = 3
OUTAGE_S = 60
URI = "sips:tas.example.com"


def write_numbers(path, count, changed=0):
    """`changed` of them are others than before."""
    with open(path, "w") as file:
        for i in range(count):
            file.write(f"+{FIRST + 2 * i + (i < changed)},loop\n")


class Measured(Daemon):
    """With a list of `count` numbers; 0: those of the sample configuration."""

    def __init__(self, core, count):
        super().__init__(core)
        self.csv, self.store = core.folder / "numbers.csv", core.folder / "breakout.db"
        text = self.config.read_text()
        if count:
            write_numbers(self.csv, count)
            text = re.sub(r"^registrations:\n(?:[ -].*\n|\n)*",
                          f"registrations:\n  - {{ file: {self.csv} }}\n", text,
                          flags=re.MULTILINE)
            assert str(self.csv) in text, "the sample configuration looks otherwise"
        self.config.write_text(text + "log: { level: notice }\n")

    def ctl(self, *arguments, seconds=120):
        return subprocess.run([BIN / "breakoutctl", "-s", self.core.folder / "breakout.sock",
                               *arguments], capture_output=True, text=True, timeout=seconds)

    def metrics(self):
        return self.ctl("metrics").stdout

    def serve(self):
        """Seconds until it takes calls and answers its operator, and of CPU."""
        begin = time.monotonic()
        self.process = subprocess.Popen([BIN / "breakoutd", "--config", self.config],
                                        stdout=open(self.log_path, "ab"), stderr=subprocess.STDOUT)
        while not self.listens() or self.ctl("status").returncode:
            time.sleep(.002)
        return time.monotonic() - begin, process_cpu_s(self.process.pid)

    def status_mb(self, name):
        return status_kb(self.process.pid, name) * 1024 / 1e6

    def forget_peak(self):
        with open(f"/proc/{self.process.pid}/clear_refs", "w") as file:
            file.write("5")

    def end(self):
        self.process.terminate()
        self.process.wait(60)

    def fill_store(self, count, ttl_s):
        """As if the core had been told all of them, each at its own time."""
        with contextlib.closing(sqlite3.connect(self.store)) as db, db:
            params, = db.execute("SELECT id FROM params LIMIT 1").fetchone() or (None,)
            now = time.time() * 1000
            rows = ((FIRST + 2 * i, params, int(now + ttl_s * random.uniform(550, 1000)), ttl_s)
                    for i in range(count))
            db.execute("DELETE FROM told")
            db.executemany("INSERT INTO told(number, params, expires_ms, ttl_s, tenant)"
                           " VALUES(?, ?, ?, ?, '')", rows)


def serving(took):
    return f"{took[0]:.2f} s ({took[1]:.2f} of CPU)"


@contextlib.contextmanager
def measured(count, ttl_s):
    core = Core("--ttl", f"{ttl_s}s", "--log", "error")
    tas = Measured(core, count)
    try:
        yield tas
    finally:
        tas.close()
        core.close()


def fill(tas, count, ttl_s):
    """A first start makes the tables, and the row of what the core is told."""
    tas.serve()
    time.sleep(SETTLE_S)
    tas.end()
    tas.fill_store(count, ttl_s)


def empty():
    with measured(0, TTL_S) as tas:
        took = [tas.serve()]
        time.sleep(SETTLE_S)
        base = tas.status_mb("VmRSS")
        tas.end()
        took.append(tas.serve())
        tas.end()
    print(f"empty daemon            serving after {serving(took[0])}, again "
          f"{serving(took[1])}; {base:.1f} MB", flush=True)
    return base


def start_and_memory(count, base):
    with measured(count, TTL_S) as tas:
        cold = tas.serve()
        time.sleep(SETTLE_S)
        fresh = tas.status_mb("VmRSS") - base
        tas.end()
        tas.fill_store(count, TTL_S)
        warm = tas.serve()
        peak = tas.status_mb("VmHWM") - base
        time.sleep(SETTLE_S)
        told = tas.status_mb("VmRSS") - base
        print(f"{count:8} from a file    serving after {serving(cold)}, from the store "
              f"{serving(warm)}\n"
              f"{'':24}memory beyond the empty one {fresh:.1f} MB, from the store {told:.1f} MB "
              f"({peak:.1f} at its peak)", flush=True)
        reload_once(tas, count, base)
        tas.end()


def reload_once(tas, count, base):
    write_numbers(tas.csv, count, changed=count // 100)
    tas.forget_peak()
    begin = time.monotonic()
    done = tas.ctl("reload", seconds=300)
    took = time.monotonic() - begin
    assert done.returncode == 0, done.stderr
    time.sleep(SETTLE_S)
    print(f"{'':24}reload, 1 % others, {took:.2f} s: {tas.status_mb('VmHWM') - base:.1f} MB at its "
          f"peak, {tas.status_mb('VmRSS') - base:.1f} MB after", flush=True)


def added_by_api(count, base):
    with measured(0, TTL_S) as tas:
        write_numbers(tas.csv, count)
        tas.serve()
        tas.forget_peak()
        begin = time.monotonic()
        done = tas.ctl("regs", "import", "--into", "api", "--yes", str(tas.csv),
                       seconds=300)
        took = time.monotonic() - begin
        assert done.returncode == 0, done.stdout + done.stderr
        time.sleep(SETTLE_S)
        peak, after = tas.status_mb("VmHWM") - base, tas.status_mb("VmRSS") - base
        tas.end()
        again = tas.serve()
        time.sleep(SETTLE_S)
        print(f"{count:8} by the API     added in {took:.2f} s: {peak:.1f} MB at its peak, "
              f"{after:.1f} MB after; again after {serving(again)}, "
              f"{tas.status_mb('VmRSS') - base:.1f} MB", flush=True)
        tas.end()


def upserts(tas):
    return metric(tas.metrics(), 'breakout_upserts_total{result="ok"}')


def paced(count, seconds):
    with measured(count, TTL_S // TENTH) as tas:
        fill(tas, count, TTL_S // TENTH)
        tas.serve()
        time.sleep(20)
        sent, cpu, begin = upserts(tas), process_cpu_s(tas.process.pid), time.monotonic()
        time.sleep(seconds)
        cpu = process_cpu_s(tas.process.pid) - cpu
        sent, passed = upserts(tas) - sent, time.monotonic() - begin
        print(f"{count * TENTH:8} paced          {sent / passed:.0f} upserts/s, "
              f"{100 * cpu / passed:.2f} % of a core, {cpu * 1e6 / sent:.0f} us CPU each",
              flush=True)
        outage(tas, sent / passed)
        tas.end()


def outage(tas, steady):
    tas.core.must("fault", kind="unavailable")
    time.sleep(OUTAGE_S)
    tas.core.must("clear-faults")
    begin, before, highest = time.monotonic(), upserts(tas), 0
    while (passed := time.monotonic() - begin) < 600:
        time.sleep(5)
        now = upserts(tas)
        rate, before = (now - before) / (time.monotonic() - begin - passed), now
        highest = max(highest, rate)
        if highest > 1.3 * steady > rate * 1.1:
            break
    margin = metric(tas.metrics(), "breakout_registration_first_expiry_seconds")
    print(f"{'':24}after {OUTAGE_S} s of outage caught up within {passed:.0f} s, at most "
          f"{highest:.0f} upserts/s; the first to lapse has {margin} s left", flush=True)


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000000
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 60
    base = empty()
    start_and_memory(max(count // 100, 1), base)
    start_and_memory(count, base)
    added_by_api(count, base)
    paced(count // TENTH, seconds)


if __name__ == "__main__":
    main()
