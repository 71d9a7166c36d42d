# SPDX-License-Identifier: Apache-2.0
"""SIPp as the core's SBC for signalling: it calls with leg 2 and takes leg 3.
Debian's SIPp speaks no TLS, so a stunnel stands on either side of it."""

import contextlib
import pathlib
import re
import subprocess

from harness import Daemon, free_port, wait_listening

HERE = pathlib.Path(__file__).resolve().parent


def ended(process, seconds=20):
    """Its status; one that does not end by itself is ended, and failed."""
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


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

    def sipp(self, scenario, port, calls, *more, seconds=90):
        return ["sipp", "-sf", HERE / "sipp" / scenario, "-t", "t1", "-i", "127.0.0.1",
                "-p", str(port), "-m", str(calls), "-nostdin", "-timeout", str(seconds),
                "-timeout_error", "-key", "sbc_port", str(self.sbc_port), *more]

    def call(self, calls, rate, dialled, manner="", talk_ms=200, seconds=90, more=()):
        """Places leg 2 so many times, each `talk_ms` long; (successful, failed, errors) as
        SIPp counted. seconds: for all of it; more: of SIPp's options."""
        uac = subprocess.run(
            self.sipp(f"leg2{manner}.xml", free_port(), calls, "-r", str(rate), "-key", "dialled",
                      dialled, "-d", str(talk_ms), "-l", str(calls), "-trace_err", *more,
                      f"127.0.0.1:{self.uac_tunnel}", seconds=seconds),
            cwd=self.folder, capture_output=True, text=True, timeout=seconds + 30)
        counts = [int(re.findall(name + r"\s*\|\s*\d+\s*\|\s*(\d+)", uac.stdout)[-1])
                  for name in ("Successful call", "Failed call")]
        errors = "".join(p.read_text(errors="replace")[:2000]
                         for p in self.folder.glob("*errors.log"))
        return (*counts, errors)

    def run(self, calls, rate, dialled, manner="", talk_ms=200, seconds=90, guests=0,
            more=()):
        """Places the calls and takes their leg 3; (successful, failed, the callee's status,
        errors). manner: which scenarios, such as "_reliable"; guests: calls of others
        that the callee's SIPp shall take too."""
        with open(self.folder / "uas.out", "wb") as out:
            uas = subprocess.Popen(self.sipp(f"leg3{manner}.xml", self.uas_port, calls + guests,
                                             seconds=seconds),
                                   cwd=self.folder, stdout=out, stderr=out)
            self.children.append(uas)
            wait_listening(self.uas_port)
            done, failed, errors = self.call(calls, rate, dialled, manner, talk_ms, seconds, more)
            uas_status = ended(uas, 20 if done + guests >= calls else 0)
        return done, failed, uas_status, errors

    def close(self):
        for child in self.children:
            if child.poll() is None:
                child.terminate()
                child.wait(5)


@contextlib.contextmanager
def sipp_core(folder, pki, changes=None, prepare=lambda core: None):
    """(SippCore, the running Daemon it calls); both end with the block. prepare: told the
    core's ports before the daemon starts."""
    core = SippCore(folder, pki)
    prepare(core)
    with Daemon(core.sbc_port, pki, changes) as daemon:
        daemon.start()
        try:
            core.tunnels(daemon.port)
            yield core, daemon
        finally:
            core.close()
