# SPDX-License-Identifier: Apache-2.0
"""Goodput beyond saturation: what comes of calls when more are offered than can be
served, with the overload control and without it.

SIPp behind stunnel offers loops with media.bypass: loops, so that what is short is the
SIP thread's time. The load has the second core, the daemon the first, which it shares
with BENCH_RIVALS busy loops (1): SIPp and stunnel alone could not offer three times of
what a whole core serves. BENCH_SECONDS is how long each rate is offered (8)."""

import contextlib
import csv
import os
import pathlib
import subprocess
import sys
import tempfile
import time

from bench_call import pinned
from harness import Pki
from sippcore import sipp_core

LOOPED = "+004722334455"
SECONDS = int(os.environ.get("BENCH_SECONDS", "8"))
RIVALS = int(os.environ.get("BENCH_RIVALS", "1"))
SHARES = (0.5, 0.75, 1, 1.5, 2, 3)
PATIENCE_S = 12  # what is not over so long after the last was offered has failed
CONTROL = {"with control": 95, "without": 0}


@contextlib.contextmanager
def rivals():
    """Busy loops on the daemon's core."""
    with pinned(0):
        children = [subprocess.Popen([sys.executable, "-c", "while True: pass"])
                    for _ in range(RIVALS)]
    try:
        yield
    finally:
        for child in children:
            child.kill()
            child.wait()


def setup_ms(folder):
    """From INVITE to 200 of every call that got so far, in order."""
    times = []
    for path in folder.glob("leg2_*_rtt.csv"):
        with open(path, newline="") as file:
            times += [float(row[1]) for row in list(csv.reader(file, delimiter=";"))[1:]]
        path.unlink()
    return sorted(times)


def offer(pki, busy, rate):
    """Complete calls per second and the 99th percentile of their set-up."""
    with tempfile.TemporaryDirectory(prefix="breakout-bench-") as name:
        folder = pathlib.Path(name)
        changes = {"log": {"level": "error"}, "limits": {"calls": 100000, "busy": busy},
                   "media": {"address": "127.0.0.1", "bypass": "loops"}}
        with sipp_core(folder, pki, changes) as (core, daemon):
            os.sched_setaffinity(daemon.process.pid, {min(os.sched_getaffinity(0))})
            with pinned(1):
                os.sched_setaffinity(core.children[0].pid, os.sched_getaffinity(0))
                begin = time.monotonic()
                done, failed, _, _ = core.run(rate * SECONDS, rate, LOOPED, talk_ms=0,
                                              seconds=SECONDS + PATIENCE_S, more=("-trace_rtt",
                                                                                  "-rtt_freq", "1"))
                took = max(time.monotonic() - begin, SECONDS)
            times = setup_ms(folder)
    late = times[int(0.99 * (len(times) - 1))] if times else float("nan")
    print(f"  {rate}/s busy={busy}: {done} done, {failed} failed in {took:.1f} s, "
          f"p99 {late:.0f} ms", file=sys.stderr, flush=True)
    return done / took, late


def find_saturation(pki):
    """The best goodput of the rates up to the first that is not served whole."""
    rate, best = 100, 0
    while rate < 6000:
        goodput, _ = offer(pki, CONTROL["with control"], rate)
        best = max(best, goodput)
        if goodput < 0.9 * rate:
            break
        rate = round(1.4 * rate)
    return best


def main():
    with tempfile.TemporaryDirectory(prefix="breakout-bench-") as name, rivals():
        pki = Pki(pathlib.Path(name))
        saturation = find_saturation(pki)
        print(f"saturation: {saturation:.0f} calls/s beside {RIVALS} busy loops on one core")
        print(f"{'offered':>14}" + "".join(f"{f'{name}: calls/s':>24}{'set-up p99, ms':>16}"
                                           for name in CONTROL))
        for share in SHARES:
            rate = max(1, round(share * saturation))
            print(f"{share:5}x {rate:6}/s" + "".join(
                "{:24.0f}{:16.0f}".format(*offer(pki, busy, rate)) for busy in CONTROL.values()),
                flush=True)


if __name__ == "__main__":
    main()
