# SPDX-License-Identifier: Apache-2.0
"""registrar_driver as a child of a test, in a scene with an API and a token endpoint
that are not ours."""

import contextlib
import os
import pathlib
import queue
import subprocess
import sys
import tempfile
import threading
import time

import yaml

from fake_api import FakeApi, FakeTokens
from harness import Pki, Tally, free_port

DRIVER = pathlib.Path(os.environ.get("BREAKOUT_TESTS", "build/tests")) / "registrar_driver"
LOOP, LOOP_MO = 1, 4  # on the wire


def numbers(count):
    return [f"+4799{i:06d}" for i in range(1, count + 1)]


def wait_for(what, condition, seconds=30.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s: {what}")


class Driver:
    """registrar_driver as a child: commands in, lines out, log aside."""

    def __init__(self, config):
        self.process = subprocess.Popen([DRIVER, config], stdin=subprocess.PIPE, text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.out, self.lines = queue.Queue(), []
        threading.Thread(target=self._read, args=(self.process.stdout, self.out.put),
                         daemon=True).start()
        threading.Thread(target=self._read, args=(self.process.stderr, self.lines.append),
                         daemon=True).start()

    @staticmethod
    def _read(stream, put):
        for line in stream:
            put(line.rstrip("\n"))

    def ask(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        answer = []
        while (line := self.out.get(timeout=10)) != "ok":
            answer.append(line)
        return answer

    def states(self):
        return {line.split()[0]: line.split()[1] for line in self.ask("list")}

    def log(self):
        return "\n".join(self.lines)

    def end(self, how=""):
        if self.process.poll() is None:
            if how:
                self.process.stdin.write(how + "\n")
            self.process.stdin.close()
        status = self.process.wait(15)
        time.sleep(0.05)  # its last lines
        assert status == 0, f"ended with {status}:\n{self.log()}"


def all_active(driver):
    return lambda: set(driver.states().values()) == {"active"}


class Scene:
    """A folder, a PKI, an API, a token endpoint, and drivers on configurations."""

    def __init__(self, pki, folder, ttl=2):
        self.pki, self.folder = pki, folder
        self.tokens = FakeTokens(pki, free_port())
        self.api = FakeApi(pki, free_port(), ttl, self.tokens).start()
        self.secret = folder / "secret"
        self.secret.write_text("s3cret\n")
        self.drivers = []

    def config(self, numbers, name="breakout.yaml", route="loop", domain="tas.example.com",
               more=(), store=None, **api):
        """more: registrations as a file has them."""
        path = self.folder / name
        api_section = {"target": f"127.0.0.1:{self.api.port}", "ca_file": self.pki.ca,
                       "token_url": f"https://127.0.0.1:{self.tokens.server.server_port}/oauth2/token",
                       "client_id": "client", "client_secret_file": str(self.secret), **api}
        path.write_text(yaml.safe_dump({
            "domain": domain,
            "sip": {"listen": ["tls://127.0.0.1:5061"], "certificate": self.pki.cert,
                    "private_key": self.pki.key},
            "core": {"api": api_section,
                     "sbc": {"uri": "sips:127.0.0.1", "trusted": ["127.0.0.0/8"]}},
            "prefixes": {"mobile_originating": "00", "mobile_terminating": "01"},
            "store": store or {"sqlite": str(self.folder / "store.db")},
            "admin": {"socket": str(self.folder / "ctl.sock")},
            "media": {"address": "127.0.0.1"},
            "registrations": [{"number": n, "route_type": route} for n in numbers] + list(more)}))
        return path

    def on(self, config):
        driver = Driver(config)
        self.drivers.append(driver)
        return driver

    def driver(self, numbers, **more):
        return self.on(self.config(numbers, **more))

    def starts(self, count, ttl, **more):
        """A registrar whose numbers the API all has."""
        self.api.ttl = ttl
        driver = self.driver(numbers(count), **more)
        wait_for("all are registered", lambda: len(self.api.book.routes()) == count)
        return driver

    def nobody_lapsed(self, but=()):
        """By the API's own book."""
        lapsed = [n for n, _ in self.api.book.lapsed() if n not in but]
        assert not lapsed, f"{len(lapsed)} lapsed: {lapsed[:5]}"

    def all_were_asked_for(self, wanted, since):
        return lambda: {s.number for s in self.api.of(since=since)} >= set(wanted)

    def close(self):
        for driver in self.drivers:
            if driver.process.poll() is None:
                driver.process.kill()
            driver.process.wait()
        self.api.stop()
        self.tokens.stop()


def run_scenes(tests, kind=Scene):
    """Each in a scene of its own, or those that the command line names; the exit status."""
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="breakout-api-") as scratch:
        scratch = pathlib.Path(scratch)
        pki = Pki(scratch)
        for number, test in enumerate(tests):
            if len(sys.argv) > 1 and test.__name__ not in sys.argv[1:]:
                continue
            folder = scratch / str(number)
            folder.mkdir()
            with contextlib.closing(kind(pki, folder)) as scene:
                if not tally.run(test.__name__.replace("_", " "), test, scene):
                    for driver in scene.drivers:
                        print(driver.log())
    return tally.close()
