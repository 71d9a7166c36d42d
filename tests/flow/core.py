# SPDX-License-Identifier: Apache-2.0
"""The simulated core and breakoutd for whole-call tests, and the runner."""

import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import traceback

BIN = pathlib.Path(os.environ.get("BREAKOUT_BIN", "build/bin")).resolve()


def free_port(kind=socket.SOCK_STREAM):
    """Below the media's ports and those the kernel gives to outgoing connections."""
    while True:
        port = random.SystemRandom().randrange(10000, 20000)
        with socket.socket(socket.AF_INET, kind) as sock:
            try:
                sock.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass


def wait_until(condition, seconds, what):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {what}")


class Core:
    """One breakout-core in a folder of its own."""

    patience_s = 60  # for an answer: a call is answered when it is over

    def __init__(self, *options):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="breakout-flow-"))
        self.log_path = self.folder / "core.log"
        first = 20000 + os.getpid() % 40 * 1000
        self.media = f"{first + 500}-{first + 999}"
        self.daemon_media = f"{first}-{first + 499}"
        self.process = subprocess.Popen(
            [BIN / "breakout-core", "run", "--dir", self.folder, "--media-ports", self.media,
             *options], stdout=open(self.log_path, "ab"), stderr=subprocess.STDOUT)
        try:
            wait_until(lambda: (self.folder / "core.json").exists() or self.process.poll(), 20,
                       "core.json")
            self.about = json.loads((self.folder / "core.json").read_text())
        except (AssertionError, OSError):
            print(self.log_path.read_text(errors="replace"))
            raise

    def ask(self, do, **parameters):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(self.patience_s)
            sock.connect(str(self.folder / "core.sock"))
            sock.sendall(json.dumps({"do": do, **parameters}).encode() + b"\n")
            return json.loads(sock.makefile().readline())

    def must(self, do, **parameters):
        answer = self.ask(do, **parameters)
        assert answer.get("ok"), f"{do} {parameters}: {answer}"
        return answer

    def phone(self, number, when, ring_ms=150, **more):
        self.must("phone", number=number, when_called=when, ring_ms=ring_ms, **more)

    def pbx(self, when, ring_ms=150, **more):
        self.must("pbx", when_called=when, ring_ms=ring_ms, **more)

    def call(self, caller, callee, **more):
        self.last = self.must("call", **{"from": caller, "to": callee, "talk_ms": 400, **more})
        return self.last

    def upserts(self):
        return {r["number"]: r["upserts"] for r in self.must("registrations")["registrations"]}

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
        return self.process.returncode


class Daemon:
    """breakoutd with the sample configuration that fits a core."""

    def __init__(self, core):
        self.core = core
        self.port, self.trunk_port = free_port(), free_port(socket.SOCK_DGRAM)
        self.log_path = core.folder / "breakoutd.log"
        self.config = core.folder / "breakoutd.yaml"
        text = subprocess.run(
            [BIN / "breakout-core", "config", "--dir", core.folder, "--sip-port", str(self.port),
             "--trunk-port", str(self.trunk_port), "--media-ports", core.daemon_media],
            check=True, capture_output=True, text=True).stdout
        self.config.write_text(text)
        core.must("trunk", uri=f"sip:127.0.0.1:{self.trunk_port};transport=udp")
        self.numbers = re.findall(r'number: "(\+\d+)"', text)
        self.process = None

    def start(self):
        self.process = subprocess.Popen([BIN / "breakoutd", "--config", self.config],
                                        stdout=open(self.log_path, "ab"),
                                        stderr=subprocess.STDOUT)
        try:
            wait_until(self.listens, 15, "breakoutd listens")
        except AssertionError:
            print(self.log_path.read_text(errors="replace")[-4000:])
            raise
        return self

    def listens(self):
        """For calls, and for breakoutctl, which comes later."""
        assert self.process.poll() is None, f"breakoutd ended: {self.process.returncode}"
        control = self.core.folder / "breakout.sock"
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            if str(control) in self.config.read_text():
                with socket.socket(socket.AF_UNIX) as link:
                    link.connect(str(control))
            return True
        except OSError:
            return False

    def wait_registered(self, seconds=15):
        answer = self.core.ask("wait-registered", numbers=self.numbers, timeout_ms=seconds * 1000)
        assert answer["ok"], f"not registered: {answer}"

    def kill(self, number=signal.SIGKILL):
        self.process.send_signal(number)
        self.process.wait(20)

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()
        return self.process.returncode if self.process else None


def tls_exchange(port, ca, request, source="127.0.0.1", seconds=5):
    """Sends one SIP request over TLS from an address of ours; the final response or ''."""
    context = ssl.create_default_context(cafile=ca)
    with socket.create_connection(("127.0.0.1", port), seconds, (source, 0)) as plain:
        with context.wrap_socket(plain, server_hostname="127.0.0.1") as sock:
            sock.settimeout(seconds)
            sock.sendall(request.replace("\n", "\r\n").encode())
            text = ""
            try:
                while not re.search(r"^SIP/2.0 [2-6]\d\d.*?\r\n\r\n", text, re.M | re.S):
                    part = sock.recv(65536)
                    if not part:
                        break
                    text += part.decode(errors="replace")
            except TimeoutError:
                pass
            return text


def invite(to, port, source="127.0.0.1", **headers):
    more = "".join(f"{name.replace('_', '-')}: {value}\n" for name, value in headers.items())
    return (f"INVITE sip:{to}@127.0.0.1:{port} SIP/2.0\n"
            f"Via: SIP/2.0/TLS {source}:5999;branch=z9hG4bK{os.urandom(6).hex()}\n"
            f"From: <sip:+4711111111@{source}>;tag={os.urandom(4).hex()}\n"
            f"To: <sip:{to}@127.0.0.1>\nCall-ID: {os.urandom(8).hex()}\nCSeq: 1 INVITE\n"
            f"Contact: <sips:x@{source}:5999>\nMax-Forwards: 70\n{more}Content-Length: 0\n\n")


def last_record(core):
    """The call record of the last call of `core`: it is written after the call's end."""
    path = core.folder / "cdr.jsonl"
    dialogs = {leg["call_id"] for leg in (core.last["core"] or {}).get("legs", [])}

    def mine():
        lines = path.read_text().splitlines() if path.exists() else []
        return [r for r in map(json.loads, lines) if r["call_id_a"] in dialogs]
    return wait_until(mine, 5, "the call's record")[-1]


# Reading a call's result.
def legs(result):
    return {leg["leg"]: leg for leg in (result["core"] or {}).get("legs", [])}


def leg_numbers(result):
    return "".join(str(n) for n in sorted(legs(result)))


def headers(result, number, name):
    return [v for n, v in legs(result)[number]["headers"] if n.lower() == name.lower()]


def trace(result, number):
    return [e["text"] for e in result["core"]["trace"] if e.get("leg") == number]


def expect(result, **wanted):
    """Compares members of the result; `plan` and `legs` are those of the core."""
    seen = {}
    for name in wanted:
        if name == "plan":
            seen[name] = (result["core"] or {}).get("plan")
        elif name == "legs":
            seen[name] = leg_numbers(result)
        else:
            seen[name] = result.get(name)
    assert seen == wanted, f"wanted {wanted}, saw {seen}: {result['reason']}"


def run_tests(tests, core):
    """Runs functions whose names are the sentences they prove."""
    passed = failed = 0
    only = sys.argv[1] if len(sys.argv) > 1 else ""
    for test in tests:
        if only not in test.__name__:
            continue
        began = time.monotonic()
        core.last = None
        try:
            test()
            passed += 1
            word = "ok  "
        except Exception:  # one red test must not hide the others
            failed += 1
            word = "FAIL"
            traceback.print_exc(file=sys.stdout)
            if core.last:
                for entry in (core.last["core"] or {}).get("trace", []):
                    print("     ", entry)
        print(f"{word} {test.__name__.replace('_', ' ')} ({time.monotonic() - began:.1f} s)",
              flush=True)
    print(f"{passed} passed, {failed} failed", flush=True)
    return failed


def finish(failed, core, tas):
    """Stops both programs and ends the test; neither may have ended badly."""
    stopped = tas.close()
    if failed or stopped:
        print(tas.log_path.read_text(errors="replace")[-3000:])
        print(f"breakoutd ended with {stopped}")
    status = core.close()
    sys.exit(1 if failed or stopped or status else 0)
