# SPDX-License-Identifier: Apache-2.0
"""CPU per complete looped call (two TLS legs, signalling and with media), by
the process's own CPU time while SIPp behind stunnel places the calls."""

import os
import pathlib
import sys
import tempfile

from harness import Pki
from sippcore import sipp_core

TICK = os.sysconf("SC_CLK_TCK")


def cpu_s(process):
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def measure(label, core, daemon, calls, rate, dialled):
    before, memory = cpu_s(daemon.process), daemon.rss_kb()
    done, failed, _, errors = core.run(calls, rate, dialled)
    used = cpu_s(daemon.process) - before
    if done == 0:
        sys.exit(f"{label}: no call succeeded\n{errors}")
    print(f"call: {label}: {1e6 * used / done:.0f} us CPU each, {done} of {calls} done at "
          f"{rate}/s, {failed} failed, RSS {memory} -> {daemon.rss_kb()} kB")


def main():
    with tempfile.TemporaryDirectory(prefix="breakout-bench-") as name:
        folder = pathlib.Path(name)
        with sipp_core(folder, Pki(folder), {"log": {"level": "error"}}) as (core, daemon):
            measure("signalling only, SDP passed through", core, daemon, 2000, 200, "00112")
            measure("with two ICE/DTLS media legs set up", core, daemon, 400, 40, "+004722334455")


main()
