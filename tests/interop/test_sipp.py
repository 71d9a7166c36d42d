# SPDX-License-Identifier: Apache-2.0
"""SIPp as the core's SBC for signalling: it calls with leg 2 and takes leg 3.
Debian's SIPp speaks no TLS, so a stunnel stands on either side of it."""

import concurrent.futures
import contextlib
import pathlib
import re
import subprocess
import sys
import tempfile
import time

from harness import Daemon, Pki, Tally, free_port, wait_listening

HERE = pathlib.Path(__file__).resolve().parent


class SippCore:
    """SIPp behind stunnel as SBC: `sbc_port` speaks TLS and is where leg 3 goes."""

    def __init__(self, folder, pki):
        self.folder, self.pki = folder, pki
        self.sbc_port, self.uas_port, self.uac_tunnel = free_port(), free_port(), free_port()
        self.children = []

    def tunnels(self, daemon_port):
        path = self.folder / "stunnel.conf"
        path.write_text(f"""foreground = yes
pid =
[leg2]
client = yes
accept = 127.0.0.1:{self.uac_tunnel}
connect = 127.0.0.1:{daemon_port}
CAfile = {self.pki.ca}
verifyChain = yes
[leg3]
accept = 127.0.0.1:{self.sbc_port}
connect = 127.0.0.1:{self.uas_port}
cert = {self.pki.cert}
key = {self.pki.key}
""")
        log = open(self.folder / "stunnel.log", "wb")
        tunnel = subprocess.Popen(["stunnel4", path], stdout=log, stderr=log)
        self.children.append(tunnel)
        try:
            wait_listening(self.uac_tunnel, 10, tunnel)
        except AssertionError as error:
            said = (self.folder / "stunnel.log").read_text(errors="replace")
            raise AssertionError(f"{error}; stunnel said:\n{said}") from None

    def sipp(self, scenario, port, calls, *more):
        return ["sipp", "-sf", HERE / "sipp" / scenario, "-t", "t1", "-i", "127.0.0.1",
                "-p", str(port), "-m", str(calls), "-nostdin", "-timeout", "90", "-timeout_error",
                "-key", "sbc_port", str(self.sbc_port), *more]

    def run(self, calls, rate, dialled):
        """Places the calls; (successful, failed) as SIPp's caller counted."""
        with open(self.folder / "uas.out", "wb") as out:
            uas = subprocess.Popen(self.sipp("leg3.xml", self.uas_port, calls), cwd=self.folder,
                                   stdout=out, stderr=out)
            self.children.append(uas)
            wait_listening(self.uas_port)
            uac = subprocess.run(
                self.sipp("leg2.xml", free_port(), calls, "-r", str(rate), "-key", "dialled",
                          dialled, "-trace_err", f"127.0.0.1:{self.uac_tunnel}"),
                cwd=self.folder, capture_output=True, text=True, timeout=120)
            uas_status = uas.wait(20)
        counts = [int(re.findall(name + r"\s*\|\s*\d+\s*\|\s*(\d+)", uac.stdout)[-1])
                  for name in ("Successful call", "Failed call")]
        errors = "".join(p.read_text(errors="replace")[:2000]
                         for p in self.folder.glob("*errors.log"))
        return (*counts, uas_status, errors)

    def close(self):
        for child in self.children:
            if child.poll() is None:
                child.terminate()
                child.wait(5)


def calls_complete(core, daemon, calls, rate, dialled):
    done, failed, uas_status, errors = core.run(calls, rate, dialled)
    assert (done, failed, uas_status) == (calls, 0, 0), \
        f"{done} done, {failed} failed, callee's SIPp ended with {uas_status}\n{errors}"


def two_daemons_share_a_range(folder, pki):
    """Both get every port they need, though both look in one range at once."""
    with contextlib.ExitStack() as stack:
        cores = []
        for name in ("one", "two"):
            (folder / name).mkdir()
            core = SippCore(folder / name, pki)
            daemon = Daemon(core.sbc_port, {"log": {"level": "error"}})
            daemon.pki = pki
            stack.enter_context(daemon).start()
            stack.callback(core.close)
            core.tunnels(daemon.port)
            cores.append(core)
        with concurrent.futures.ThreadPoolExecutor() as pool:
            for result in pool.map(lambda core: core.run(100, 50, "+004722334455"), cores):
                assert result[:3] == (100, 0, 0), result


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
        core = SippCore(folder, pki)
        with Daemon(core.sbc_port) as daemon:
            daemon.pki = pki
            daemon.start()
            core.tunnels(daemon.port)
            try:
                tally.run("SIPp: 20 emergency calls pass straight through, 183 then 180 in order",
                          calls_complete, core, daemon, 20, 20, "00112")
                tally.run("SIPp: 200 looped calls with anchored media complete", calls_complete,
                          core, daemon, 200, 40, "+004722334455")
                tally.run("no call is left over", nothing_left, daemon)
            finally:
                core.close()
        tally.run("two daemons at once share one range of media ports",
                  two_daemons_share_a_range, folder, pki)
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
