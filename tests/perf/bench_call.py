# SPDX-License-Identifier: Apache-2.0
"""What a complete call with two TLS legs costs, next to Kamailio as a TLS proxy
under the same load in the same run.

SIPp behind stunnel places and takes the calls. Where there are two cores, the
program under test has the first and all of the load the second; what counts is
the program's own CPU time, not the machine's. BENCH_HELD sets how many calls
are held for the memory figures (3000; 10000 takes 85 s for each subject)."""

import concurrent.futures
import contextlib
import math
import os
import pathlib
import sys
import tempfile
import time

from harness import Pki, wait_listening
from sippcore import SippCore
from sipwire import Sbc
from subjects import Breakout, Kamailio, Nothing, process_cpu_s

PASSED, ANCHORED = "00112", "+004722334455"  # an emergency call keeps its SDP
SESSION_ID = ("session-id", "0123456789abcdef" * 2 + ";remote=" + "0" * 32)
OFFER = """v=0\r
o=- 1 1 IN IP4 127.0.0.1\r
s=-\r
c=IN IP4 127.0.0.1\r
t=0 0\r
m=audio 9 RTP/AVP 8\r
"""
HELD = int(os.environ.get("BENCH_HELD", "3000"))
HELD_RATE = max(300, HELD // 25)  # calls/s at which they are placed
SETTLE_S = 34  # by then what a set-up left behind is gone: 64*T1 and a little
STEADY = 200  # calls/s at which the subjects are compared
ALIKE = 600  # calls/s at which the delays of both are compared
LIMIT = 3200  # calls/s beyond which nobody looks
PROBES = 300  # calls whose post-dial delay is taken: three are beyond the 99th percentile
WARM_UP = 20  # calls before them, which pay for what is made once
PROBED_S = 15  # seconds of load, in which all of them fit
CORES = sorted(os.sched_getaffinity(0))


@contextlib.contextmanager
def pinned(core):
    """What starts within runs on this core only."""
    os.sched_setaffinity(0, {CORES[core % len(CORES)]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, CORES)


@contextlib.contextmanager
def place(pki, kind):
    """(SippCore, subject), each on its core."""
    with tempfile.TemporaryDirectory(prefix="breakout-bench-") as folder, \
            contextlib.ExitStack() as stack:
        core = SippCore(pathlib.Path(folder), pki)
        with pinned(0):
            subject = stack.enter_context(kind(pki, core.sbc_port))
        stack.callback(core.close)
        with pinned(1):
            core.tunnels(subject.port)
        yield core, subject


class Run:
    """One run of the load: what was done, how long it took, what it cost."""

    def __init__(self, core, subject, calls, rate, dialled=PASSED, probes=0):
        cpu = getattr(subject, "cpu_s", lambda: 0.0)
        tunnel, before, begin = core.children[0].pid, cpu(), time.monotonic()
        load_before = load_cpu_s(tunnel)
        with concurrent.futures.ThreadPoolExecutor() as pool, pinned(1):
            prober = pool.submit(delays_ms, core, subject.port, dialled, probes)
            self.done, self.failed, _, self.errors = core.run(
                calls, rate, dialled, seconds=calls // rate + 8, guests=probes)
            self.delays_ms = sorted(prober.result()[WARM_UP:])
        self.seconds = time.monotonic() - begin
        self.cpu_us = 1e6 * (cpu() - before) / max(self.done + probes, 1)
        self.load_busy = (load_cpu_s(tunnel) - load_before) / self.seconds
        self.rate = rate
        self.clean = self.done == calls and self.failed == 0

    def delay(self, share):
        if len(self.delays_ms) < PROBES:
            return float("nan")  # a probe was lost
        return self.delays_ms[int(share * len(self.delays_ms))]


def load_cpu_s(tunnel):
    """Of the load: the stunnel that runs and the SIPps that have ended."""
    ended = os.times()
    return process_cpu_s(tunnel) + ended.children_user + ended.children_system


def delays_ms(core, port, dialled, count):
    """From INVITE to 183 of calls placed one by one beside SIPp's, which counts
    time in whole milliseconds."""
    pki, delays = core.pki, []
    if not count:
        return delays
    wait_listening(core.uas_port)
    with contextlib.closing(Sbc(pki.cert, pki.key, pki.ca)) as sbc:
        flow = sbc.connect(port)
        with contextlib.suppress(AssertionError):  # a lost call is the load's to count
            for _ in range(count):
                delays.append(1000 * probe(sbc, flow, dialled))
        flow.close()
    return delays


def probe(sbc, flow, dialled):
    """One whole call; the seconds until its 183."""
    invite = sbc.invite(f"sips:{dialled}@127.0.0.1", "sip:+4799000001@core.example",
                        "sip:+4722334455@core.example", OFFER, [SESSION_ID])
    begin = time.perf_counter()
    flow.send(invite)
    sbc.wait(lambda m: m.status == 183 and m.get("call-id") == invite.get("call-id"))
    delay = time.perf_counter() - begin
    _, answer = sbc.wait(lambda m: m.status == 200 and m.get("cseq") == invite.get("cseq"))
    flow.send(routed(sbc.in_dialog("ACK", invite, answer), answer))
    flow.send(routed(sbc.in_dialog("BYE", invite, answer), answer))
    sbc.wait(lambda m: m.status == 200 and m.method == "BYE")
    return delay


def routed(request, answer):
    request.headers[1:1] = [("route", v) for v in reversed(answer.all("record-route"))]
    return request


def run(pki, kind, calls, rate, dialled=PASSED, probes=0):
    with place(pki, kind) as (core, subject):
        return Run(core, subject, calls, rate, dialled, probes)


def highest_rate(pki, kind):
    """The last run that was clean, by doubling and then halving the distance. The
    machine is not ours alone: a rate has failed when it failed twice."""
    def attempt(rate, again=True):
        result = run(pki, kind, 3 * rate, rate)
        print(f"  {kind.__name__.lower()} at {rate}/s: {result.done} of {3 * rate} done, "
              f"{result.failed} failed, load {100 * result.load_busy:.0f} % of its core",
              file=sys.stderr, flush=True)
        return attempt(rate, again=False) if again and not result.clean else result

    best, rate = None, STEADY
    while rate <= LIMIT:
        result = attempt(rate)
        if not result.clean:
            break
        best, rate = result, rate * 2
    if best is None:
        sys.exit(f"{kind.__name__}: not even {STEADY} calls/s\n{result.errors}")
    step = best.rate // 2
    while rate <= LIMIT and step >= best.rate // 8:
        result = attempt(best.rate + step)
        best = result if result.clean else best
        step //= 2
    return best


def memory_per_call_kb(pki, kind, calls, rate, dialled, hold_s):
    """Of established calls, taken while all are up: a second before the first ends.
    No figure if the load was too slow for that, or lost a call."""
    with place(pki, kind) as (core, subject), concurrent.futures.ThreadPoolExecutor() as pool:
        with pinned(1):
            core.run(20, 20, dialled)  # what is made once, for the first call
        before, begin = subject.pss_kb(), time.monotonic()
        load = pool.submit(on_load_core, core, calls, rate, dialled, hold_s)
        time.sleep(hold_s - 1)
        used = subject.pss_kb() - before
        done, failed, _, errors = load.result()
        last_placed_s = time.monotonic() - begin - hold_s
    print(f"  {kind.__name__.lower()}: {done} of {calls} held calls done, {failed} failed, "
          f"the last placed after {last_placed_s:.0f} s, looked at after {hold_s - 1} s",
          file=sys.stderr, flush=True)
    all_up = (done, failed) == (calls, 0) and last_placed_s < hold_s - 1
    if failed:
        print(errors[:500], file=sys.stderr, flush=True)
    return used / calls if all_up else float("nan")


def settled_hold_s(calls, rate):
    """How long to hold calls so that the last has settled before the first ends."""
    return math.ceil(calls / rate) + SETTLE_S


def on_load_core(core, calls, rate, dialled, hold_s):
    with pinned(1):
        return core.run(calls, rate, dialled, talk_ms=1000 * hold_s,
                        seconds=calls // rate + hold_s + 15)


def added_delays_ms(pki, kind, rate):
    """What it adds to the post-dial delay at a rate: the median, the 99th percentile."""
    through, bare = (run(pki, k, PROBED_S * rate, rate, probes=WARM_UP + PROBES)
                     for k in (kind, Nothing))
    return [through.delay(share) - bare.delay(share) for share in (.5, .99)]


def measure(pki, kind):
    """The figures of one subject, by name."""
    steady = run(pki, kind, 10 * STEADY, STEADY)
    best = highest_rate(pki, kind)
    at_half = added_delays_ms(pki, kind, best.rate // 2)
    alike = added_delays_ms(pki, kind, ALIKE)
    return {
        f"CPU per call at {STEADY}/s, ms": steady.cpu_us / 1000,
        "CPU per call at the highest rate, ms": best.cpu_us / 1000,
        "highest rate without failure, calls/s": best.rate,
        "added post-dial delay at half of it, p50, ms": at_half[0],
        "added post-dial delay at half of it, p99, ms": at_half[1],
        f"added post-dial delay at {ALIKE}/s, p50, ms": alike[0],
        f"added post-dial delay at {ALIKE}/s, p99, ms": alike[1],
        f"memory per held call ({HELD}), kB":
            memory_per_call_kb(pki, kind, HELD, HELD_RATE, PASSED,
                               settled_hold_s(HELD, HELD_RATE)),
    }


def main():
    with tempfile.TemporaryDirectory(prefix="breakout-bench-") as folder:
        pki = Pki(pathlib.Path(folder))
        ours, theirs = measure(pki, Breakout), measure(pki, Kamailio)
        media = run(pki, Breakout, 400, 40, ANCHORED)
        media_kb = memory_per_call_kb(pki, Breakout, 200, 50, ANCHORED, 8)

    print(f"{'complete call, two TLS legs':48}{'breakoutd':>12}{'kamailio':>12}{'ratio':>8}")
    for name, figure in ours.items():
        other = theirs[name]
        ratio = f"{figure / other:8.2f}" if other > 0 else f"{'-':>8}"
        print(f"{name:48}{figure:12.2f}{other:12.2f}{ratio}")
    print(f"{'with two ICE and DTLS legs: CPU at 40/s, ms':48}{media.cpu_us / 1000:12.2f}{'-':>12}{'-':>8}")
    print(f"{'with two ICE and DTLS legs: memory, kB':48}{media_kb:12.0f}{'-':>12}{'-':>8}")


if __name__ == "__main__":
    main()
