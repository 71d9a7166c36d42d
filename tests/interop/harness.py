# SPDX-License-Identifier: Apache-2.0
"""A breakoutd for one test: certificates, configuration, start, log, stop."""

import contextlib
import json
import os
import pathlib
import random
import re
import signal
import socket
import subprocess
import tempfile
import time

import yaml

from growth import status_kb

BIN = pathlib.Path(os.environ.get("BREAKOUT_BIN", "build/bin"))
# AddressSanitizer keeps freed memory back: growth says nothing then.
SANITIZED = bool(os.environ.get("BREAKOUT_SANITIZE"))


def free_port():
    """Below the media's ports and those the kernel gives to outgoing connections:
    one of thousands of these, ended and in TIME_WAIT, would bar its port."""
    while True:
        port = random.SystemRandom().randrange(10000, 20000)
        try:
            with socket.create_server(("127.0.0.1", port)):
                return port
        except OSError:
            pass


def wait_until(what, condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.1)


def wait_listening(port, seconds=10, process=None):
    end = time.monotonic() + seconds
    while time.monotonic() < end and (process is None or process.poll() is None):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"nobody listens on port {port}")


def openssl(*arguments):
    return subprocess.run(["openssl", *arguments], check=True, capture_output=True,
                          text=True).stdout


class Pki:
    """A test CA with one certificate for 127.0.0.1 (and localhost, and a name that
    only a DNS of the test knows)."""

    def __init__(self, folder):
        self.ca, self.cert, self.key = (str(folder / n) for n in ("ca.pem", "cert.pem", "key.pem"))
        ca_key, request = str(folder / "ca.key"), str(folder / "request.pem")
        names = folder / "names.cnf"
        names.write_text("subjectAltName=DNS:localhost,DNS:sbc.test,IP:127.0.0.1\n")
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        openssl("req", "-x509", *curve, "-keyout", ca_key, "-out", self.ca, "-days", "90",
                "-subj", "/CN=breakout test CA")
        openssl("req", *curve, "-keyout", self.key, "-out", request, "-subj", "/CN=localhost")
        openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", ca_key, "-out", self.cert,
                "-days", "60", "-extfile", str(names))
        os.chmod(self.key, 0o600)


class Daemon:
    """breakoutd with a configuration of ours; `changes` is merged over the base, its
    `sip_more` into the base's sip, its `sbc_uri` is the core's. `pki` is the one its SBC
    shows certificates of."""

    program = BIN / "breakoutd"

    def __init__(self, sbc_port, pki, changes=None):
        self.scratch = tempfile.TemporaryDirectory(prefix="breakout-test-")
        self.folder = pathlib.Path(self.scratch.name)
        self.pki = pki
        self.sbc_port = sbc_port
        self.port = free_port()
        self.changes = changes or {}
        self.process = None
        self.log_path = self.folder / "log"

    def config(self):
        base = {
            "domain": "localhost",
            "sip": {"listen": [f"tls://127.0.0.1:{self.port}"], "certificate": self.pki.cert,
                    "private_key": self.pki.key, "ca_file": self.pki.ca,
                    # SIPp takes an OPTIONS for a call gone wrong.
                    "keepalive": 0},
            # Nobody answers there: calls must not depend on the API.
            "core": {"api": {"target": "127.0.0.1:9", "plaintext": True},
                     "sbc": {"uri": f"sips:127.0.0.1:{self.sbc_port}",
                             "trusted": ["127.0.0.0/8"]}},
            "prefixes": {"mobile_originating": "00", "mobile_terminating": "01"},
            "store": {"sqlite": str(self.folder / "store.db")},
            "cdr": {"file": str(self.folder / "cdr.jsonl")},
            "admin": {"socket": str(self.folder / "ctl.sock")},
            "media": {"address": "127.0.0.1", "ports": "20000-29999"},
            "registrations": [{"number": "+4799000001", "route_type": "loop"}],
        }
        changes = dict(self.changes)
        base["sip"].update(changes.pop("sip_more", {}))
        base["core"]["sbc"]["uri"] = changes.pop("sbc_uri", base["core"]["sbc"]["uri"])
        return {**base, **changes}

    def start(self):
        path = self.folder / "breakout.yaml"
        path.write_text(yaml.safe_dump(self.config()))
        log = open(self.log_path, "ab")
        self.process = subprocess.Popen([self.program, "--config", path],
                                        stderr=log, stdout=log)
        try:
            wait_listening(self.port, 20, self.process)
        except AssertionError:
            raise AssertionError("breakoutd did not start:\n" + self.log()) from None
        return self

    def reload(self, changes):
        self.changes.update(changes)
        (self.folder / "breakout.yaml").write_text(yaml.safe_dump(self.config()))
        before = self.log().count(" reloaded ")
        self.process.send_signal(signal.SIGHUP)
        wait_until("reloaded", lambda: self.log().count(" reloaded ") > before)

    def log(self):
        return self.log_path.read_text(errors="replace")

    def wait_log(self, pattern, seconds=10):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            match = re.search(pattern, self.log())
            if match:
                return match
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise AssertionError(f"no line like {pattern!r} in the log:\n{self.log()}")

    def ctl(self, *arguments):
        return subprocess.run([BIN / "breakoutctl", "-s", self.folder / "ctl.sock", *arguments],
                              capture_output=True, text=True, timeout=20)

    def rss_kb(self):
        return status_kb(self.process.pid, "VmRSS")

    def stop(self):
        """SIGTERM; returns the exit status."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return self.process.returncode if self.process else None

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        """A daemon that ends badly (a sanitizer's report too) fails its test."""
        status, log = self.stop(), self.log()
        self.scratch.cleanup()
        if kind is None and status != 0:
            raise AssertionError(f"breakoutd ended with status {status}\n{log[-6000:]}")


class Restarted(Daemon):
    """One whose process is another one after a restart: `pid` is the one that serves."""

    def __init__(self, sbc_port, pki, changes):
        super().__init__(sbc_port, pki, changes)
        self.pids, self.killed = [], False

    def hurry(self):
        """Nobody answers for the core's API, and a stop waits for what it was asked."""
        core = self.config()["core"]
        self.changes["core"] = {**core, "api": {**core["api"], "deadline": "500ms"}}

    def status(self):
        return json.loads(self.ctl("-o", "json", "status").stdout)

    def restart(self):
        done = self.ctl("restart")
        if done.returncode == 0:
            self.pids.append(self.status()["pid"])
        return done

    def shown_calls(self, count):
        """Once all of them talk."""
        calls = []

        def talk():
            calls[:] = json.loads(self.ctl("-o", "json", "calls").stdout)
            return len(calls) == count and all(c["state"] == "TALKING" for c in calls)
        wait_until(f"{count} calls talk", talk)
        return calls

    def kill(self):
        """The first one, whose end is then no finding."""
        self.process.kill()
        self.process.wait()
        self.killed = True

    def records(self):
        path = self.folder / "cdr.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def stop(self):
        """All of its processes; the status of the first, if that has ended by itself."""
        late = []
        for pid in reversed(self.pids):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
                end = time.monotonic() + 15
                while alive(pid) and time.monotonic() < end:
                    time.sleep(0.02)
                if alive(pid):
                    late.append(pid)
                    os.kill(pid, signal.SIGKILL)
        status = 0 if self.killed else super().stop()
        return f"{late} did not end" if late else status


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


class Tally:
    """Runs test functions, prints a line each and the closing counts."""

    def __init__(self):
        self.passed = self.failed = 0

    def run(self, name, test, *arguments):
        try:
            test(*arguments)
        except Exception as error:  # every failure is a finding, whatever its kind
            print(f"FAIL {name}: {type(error).__name__}: {error}", flush=True)
            self.failed += 1
            return False
        print(f"ok   {name}", flush=True)
        self.passed += 1
        return True

    def run_in_folders(self, tests):
        """Pairs of a title and a test, each with a folder of its own and one Pki."""
        with tempfile.TemporaryDirectory(prefix="breakout-tally-") as name:
            pki = Pki(pathlib.Path(name))
            for i, (title, test) in enumerate(tests):
                folder = pathlib.Path(name) / str(i)
                folder.mkdir()
                self.run(title, test, folder, pki)

    def close(self):
        print(f"{self.passed} passed, {self.failed} failed")
        return 1 if self.failed or not self.passed else 0
