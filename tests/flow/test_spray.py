# SPDX-License-Identifier: Apache-2.0
"""Calls that are set up while a stranger says hello to all our media ports at once,
as it resets calls of media servers that let the first ClientHello win
(CVE-2023-49786, CVE-2023-51275)."""

import http.client
import re
import socket
import struct
import threading
import time

from core import Core, Daemon, finish, run_tests, wait_until

CALLS, PORTS, RATE = 20, 120, 2000
INVALID = bytes([22, 0xfe, 0xff]) + bytes(9) + bytes([102, 1]) + bytes(10) + b"\x5a" + bytes(90)


def _hello():
    """A ClientHello that a server of use_srtp would answer at once (RFC 5764 4.1)."""
    extensions = b"".join(struct.pack("!HH", kind, len(body)) + body for kind, body in (
        (10, b"\0\2\0\x17"), (11, b"\1\0"), (13, b"\0\2\4\3"), (14, b"\0\4\0\7\0\1\0"), (23, b"")))
    body = (b"\xfe\xfd" + bytes(32) + b"\0\0" + b"\0\2\xc0\x2b" + b"\1\0" +
            struct.pack("!H", len(extensions)) + extensions)
    size = len(body).to_bytes(3, "big")
    message = b"\1" + size + b"\0\0" + b"\0\0\0" + size + body
    return b"\x16\xfe\xff" + bytes(8) + struct.pack("!H", len(message)) + message


class Sprayer:
    """From one socket to every port of the range, round and round."""

    def __init__(self, ports):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.ports, self.sent, self.stop = ports, 0, False
        self.thread = threading.Thread(target=self.run)
        self.began = time.monotonic()
        self.thread.start()

    def run(self):
        hellos = (INVALID, _hello())
        while not self.stop:
            for port in self.ports:
                for hello in hellos:
                    self.sock.sendto(hello, ("127.0.0.1", port))
            self.sent += len(hellos) * len(self.ports)
            ahead = self.began + self.sent / RATE - time.monotonic()
            time.sleep(max(ahead, 0))

    def end(self):
        """Datagrams a second, and what came back."""
        self.stop = True
        self.thread.join()
        rate = self.sent / (time.monotonic() - self.began)
        self.sock.setblocking(False)
        try:
            heard = self.sock.recv(2048)
        except BlockingIOError:
            heard = b""
        self.sock.close()
        return rate, heard


assert len(INVALID) == 115
core = Core()
_first = int(core.daemon_media.split("-")[0])
_range = range(_first, _first + PORTS)
core.daemon_media = f"{_range[0]}-{_range[-1]}"
tas = Daemon(core)
SOCKET = core.folder / "http.sock"
ORIGINAL = tas.config.read_text()


def _start(ice):
    (core.folder / "read.token").write_text("read-token-of-some-length\n")
    (core.folder / "read.token").chmod(0o600)
    admin = (f"admin:\n  socket: {core.folder}/breakout.sock\n  http:\n"
             f"    listen: ['unix:{SOCKET}']\n    tokens:\n"
             f"      - {{ name: read, role: read, token_file: {core.folder}/read.token }}\n")
    text = re.sub(r"^admin:.*\n", lambda _: admin, ORIGINAL, flags=re.M)
    changed = text.replace("threads: 1 }", f"threads: 1, ice: {ice} }}")
    assert changed != text
    tas.config.write_text(changed)
    tas.start()
    tas.wait_registered()


def _metric(name):
    connection = http.client.HTTPConnection("localhost")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(str(SOCKET))
    connection.request("GET", "/metrics",
                       headers={"Authorization": "Bearer read-token-of-some-length"})
    text = connection.getresponse().read().decode()
    connection.close()
    found = re.search(rf"^{re.escape(name)} (\d+)", text, re.M)
    return int(found.group(1)) if found else 0  # shown from the first event on


def _calls():
    core.phone(tas.numbers[0], "answer")
    verdicts = []

    def place(number):
        result = core.ask("call", **{"from": number, "to": tas.numbers[0], "talk_ms": 1000})
        verdicts.append(result.get("verdict"))

    threads = [threading.Thread(target=place, args=(f"+47900001{i:02}",)) for i in range(CALLS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return verdicts


def _sprayed(ice):
    """Returns how many datagrams the stranger has sent."""
    _start(ice)
    sprayer = Sprayer(_range)
    time.sleep(0.2)  # it is there before the first offer
    verdicts = _calls()
    rate, heard = sprayer.end()
    assert verdicts == ["two-way"] * CALLS, verdicts
    assert heard == b"", f"the stranger was told {heard.hex()}"
    assert rate >= RATE / 2, f"only {rate:.0f} datagrams a second"
    wait_until(lambda: core.must("status")["calls"] == 0, 10, "calls are over")
    assert _metric('breakout_media_dtls_total{result="ready"}') == 2 * CALLS
    assert _metric('breakout_media_dtls_total{result="failed"}') == 0
    return sprayer.sent


def calls_with_full_ice_do_not_notice_a_stranger_who_says_hello():
    try:
        _sprayed("full")
    finally:
        assert tas.close() == 0


def calls_on_the_one_port_do_not_notice_a_stranger_who_says_hello():
    sent = _sprayed("lite")
    seen = _metric("breakout_ice_lite_strangers_total")
    assert 0 < seen <= sent, (seen, sent)


TESTS = [value for name, value in list(globals().items())
         if callable(value) and getattr(value, "__module__", "") == "__main__"
         and getattr(value, "__name__", "").startswith("calls_")]

if __name__ == "__main__":
    finish(run_tests(TESTS, core), core, tas)
