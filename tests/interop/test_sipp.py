# SPDX-License-Identifier: Apache-2.0
"""Signalling with SIPp as the core's SBC on both legs."""

import concurrent.futures
import contextlib
import pathlib
import re
import sys
import tempfile
import time

from harness import Pki, Tally
from sippcore import sipp_core


def calls_complete(core, daemon, calls, rate, dialled, manner=""):
    done, failed, uas_status, errors = core.run(calls, rate, dialled, manner)
    assert (done, failed, uas_status) == (calls, 0, 0), \
        f"{done} done, {failed} failed, callee's SIPp ended with {uas_status}\n{errors}"


def two_daemons_share_a_range(folder, pki):
    """Both get every port they need, though both look in one range at once."""
    with contextlib.ExitStack() as stack:
        cores = []
        for name in ("one", "two"):
            (folder / name).mkdir()
            core, _ = stack.enter_context(
                sipp_core(folder / name, pki, {"log": {"level": "error"}}))
            cores.append(core)
        with concurrent.futures.ThreadPoolExecutor() as pool:
            for result in pool.map(lambda core: core.run(100, 50, "+004722334455"), cores):
                assert result[:3] == (100, 0, 0), result


def loops_bypass(core, daemon):
    daemon.reload({"media": {**daemon.config()["media"], "bypass": "loops"}})
    calls_complete(core, daemon, 20, 20, "+004722334455")
    ends = [line for line in daemon.log().splitlines() if " end cause=" in line][-20:]
    assert all("media=passed bypass=loops" in line for line in ends), ends


def overload_is_shed(core, daemon):
    daemon.reload({"limits": {"busy": 1}})  # a load that a test can make
    done, failed, _, _ = core.run(120, 60, "+004722334455", seconds=5)
    daemon.wait_log("too much to do: the SIP thread .* new calls get 503")
    assert failed >= 40 and done + failed == 120, f"{done} done, {failed} failed"
    calls_complete(core, daemon, 60, 60, "00112")
    status = daemon.ctl("status").stdout
    assert re.search(r"load +shedding: sip", status), status
    refused = re.search(r"breakout_overload_shed_total (\d+)", daemon.ctl("metrics").stdout)
    assert int(refused.group(1)) == failed, refused
    daemon.reload({"limits": {}})
    daemon.wait_log("all admitted again")


def nothing_left(daemon):
    end = time.monotonic() + 5
    while time.monotonic() < end:
        out = daemon.ctl("-o", "json", "calls").stdout
        if '"call_id_a"' not in out:
            return
        time.sleep(0.1)
    raise AssertionError("calls are left over: " + out)


def main():
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="breakout-sipp-") as name:
        folder = pathlib.Path(name)
        pki = Pki(folder)
        with sipp_core(folder, pki) as (core, daemon):
            tally.run("SIPp: 20 emergency calls pass straight through, 183 then 180 in order",
                      calls_complete, core, daemon, 20, 20, "00112")
            tally.run("SIPp: 200 looped calls with anchored media complete", calls_complete,
                      core, daemon, 200, 40, "+004722334455")
            tally.run("SIPp: PRACK, UPDATE before the answer and a session timer on both legs",
                      calls_complete, core, daemon, 20, 20, "+004722334455", "_reliable")
            tally.run("SIPp: the same with SDP passed through", calls_complete, core, daemon, 20,
                      20, "00112", "_reliable")
            tally.run("SIPp: media.bypass lets the SDP of loops pass", loops_bypass, core, daemon)
            tally.run("SIPp: an overload is shed, emergency calls are not", overload_is_shed, core,
                      daemon)
            tally.run("no call is left over", nothing_left, daemon)
        tally.run("two daemons at once share one range of media ports",
                  two_daemons_share_a_range, folder, pki)
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
