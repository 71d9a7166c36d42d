# SPDX-License-Identifier: Apache-2.0
"""What stands between the two legs in a measurement: breakoutd, Kamailio as a
TLS proxy, or nothing. Each listens on `port` and sends calls on to the SBC."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile

from harness import Daemon, free_port, wait_listening

HERE = pathlib.Path(__file__).resolve().parent
TICK = os.sysconf("SC_CLK_TCK")


def process_cpu_s(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def process_pss_kb(pid):
    """Its share of what it has in memory: pages that several have count once."""
    rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"^Pss:\s+(\d+)", rollup, re.MULTILINE).group(1))


class Subject:
    """pids() are the processes whose CPU and memory count."""

    def cpu_s(self):
        return sum(process_cpu_s(pid) for pid in self.pids())

    def pss_kb(self):
        return sum(process_pss_kb(pid) for pid in self.pids())


class Breakout(Subject):
    def __init__(self, pki, sbc_port):
        self.daemon = Daemon(sbc_port, pki, {"log": {"level": "error"},
                                             "limits": {"calls": 100000}})

    def __enter__(self):
        self.port = self.daemon.start().port
        return self

    def __exit__(self, *failure):
        self.daemon.__exit__(*failure)

    def pids(self):
        return [self.daemon.process.pid]


class Kamailio(Subject):
    def __init__(self, pki, sbc_port):
        self.pki, self.sbc_port, self.port = pki, sbc_port, free_port()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="breakout-kamailio-"))

    def __enter__(self):
        words = {"PORT": self.port, "NEXT": self.sbc_port, "CERTIFICATE": self.pki.cert,
                 "KEY": self.pki.key, "CA": self.pki.ca}
        config = re.sub(r"@(\w+)@", lambda m: str(words[m.group(1)]),
                        (HERE / "kamailio.cfg").read_text())
        (self.folder / "kamailio.cfg").write_text(config)
        log = open(self.folder / "log", "wb")
        # -DD: in the foreground, yet with all its processes.
        self.process = subprocess.Popen(
            ["kamailio", "-DD", "-E", "-m", "256", "-M", "64", "-f", self.folder / "kamailio.cfg",
             "-Y", self.folder, "-w", self.folder], stdout=log, stderr=log)
        try:
            wait_listening(self.port, 20, self.process)
        except AssertionError:
            raise AssertionError("kamailio did not start:\n" +
                                 (self.folder / "log").read_text(errors="replace")) from None
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(10)
        shutil.rmtree(self.folder)

    def pids(self):
        main = self.process.pid
        children = pathlib.Path(f"/proc/{main}/task/{main}/children").read_text().split()
        return [main, *map(int, children)]


class Nothing:
    """The two stunnels talk to each other: what the load itself takes."""

    def __init__(self, _pki, sbc_port):
        self.port = sbc_port

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass
