# SPDX-License-Identifier: Apache-2.0
"""Calls that are set up while a stranger says hello to all our media ports at once,
as it resets calls of media servers that let the first ClientHello win
(CVE-2023-49786, CVE-2023-51275)."""

import collections
import http.client
import os
import pathlib
import random
import re
import socket
import struct
import threading
import time

from core import Core, Daemon, finish, run_tests, wait_until

# BREAKOUT_SPRAYED_CALLS: another number of calls for each of the two ways of ICE; 500 make
# the thousand that docs/security.md speaks of. Calls last long enough for a machine that does
# other things too.
CALLS, AT_ONCE, TALK_MS = int(os.environ.get("BREAKOUT_SPRAYED_CALLS", 80)), 40, 1500
CALLS_A_SECOND = 10
RATE = 1000  # datagrams of each kind a second

NULL, GOOD = b"\0\0", b"\xc0\x2b"  # suites; the second is one of ours
ECDSA_SHA256, SHA1 = b"\4\3", b"\2\1\2\3"
# As it was published: lengths that lie, the suite TLS_NULL_WITH_NULL_NULL.
INVALID = bytes([22, 0xfe, 0xff]) + bytes(9) + bytes([102, 1]) + bytes(10) + b"\x5a" + bytes(90)


def _hello(suite, signatures):
    """A ClientHello; with what is good a server of use_srtp answers it at once (RFC 5764 4.1)."""
    extensions = b"".join(struct.pack("!HH", kind, len(body)) + body for kind, body in (
        (10, b"\0\2\0\x17"), (11, b"\1\0"),
        (13, struct.pack("!H", len(signatures)) + signatures),
        (14, b"\0\4\0\7\0\1\0"), (23, b"")))
    body = (b"\xfe\xfd" + bytes(32) + b"\0\0" + b"\0\2" + suite + b"\1\0" +
            struct.pack("!H", len(extensions)) + extensions)
    size = len(body).to_bytes(3, "big")
    message = b"\1" + size + b"\0\0" + b"\0\0\0" + size + body
    return b"\x16\xfe\xff" + bytes(8) + struct.pack("!H", len(message)) + message


HELLOS = (INVALID, _hello(NULL, ECDSA_SHA256), _hello(GOOD, ECDSA_SHA256), _hello(GOOD, SHA1))


def _open_ports(ports):
    """Those of the range that are bound: the stranger guesses well."""
    lines = pathlib.Path("/proc/net/udp").read_text().splitlines()[1:]
    bound = {int(line.split()[1].split(":")[1], 16) for line in lines}
    return [port for port in ports if port in bound]


class Sprayer:
    """From one socket to every open port of the range, round and round."""

    def __init__(self, ports):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.ports, self.sent, self.stop = ports, 0, False
        self.thread = threading.Thread(target=self.run)
        self.began = time.monotonic()
        self.thread.start()

    def run(self):
        while not self.stop:
            owed = (time.monotonic() - self.began) * RATE - self.sent / len(HELLOS)
            for port in random.choices(_open_ports(self.ports) or self.ports, k=int(owed)):
                for hello in HELLOS:
                    self.sock.sendto(hello, ("127.0.0.1", port))
                self.sent += len(HELLOS)
            time.sleep(0.02)

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
tas = Daemon(core)
SOCKET = core.folder / "http.sock"
ORIGINAL = tas.config.read_text()


def _start(ice):
    """Returns its media ports."""
    (core.folder / "read.token").write_text("read-token-of-some-length\n")
    (core.folder / "read.token").chmod(0o600)
    admin = (f"admin:\n  socket: {core.folder}/breakout.sock\n  http:\n"
             f"    listen: ['unix:{SOCKET}']\n    tokens:\n"
             f"      - {{ name: read, role: read, token_file: {core.folder}/read.token }}\n")
    text = re.sub(r"^admin:.*\n", lambda _: admin, ORIGINAL, flags=re.M)
    assert "threads: 1 }" in text
    tas.config.write_text(text.replace("threads: 1 }", f"threads: 1, ice: {ice} }}"))
    tas.start()
    tas.wait_registered()
    first, last = map(int, core.daemon_media.split("-"))
    return range(first, last + 1)


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
    core.phone(tas.numbers[0], "answer", ring_ms=0)
    callers = iter([f"+4791{i:06}" for i in range(CALLS)])
    verdicts, began = collections.Counter(), time.monotonic()
    lock, counting = threading.Lock(), threading.Lock()

    def next_caller():
        """In their turn and not before it; None after the last."""
        with lock:
            caller = next(callers, None)
            if caller:
                due = began + int(caller[5:]) / CALLS_A_SECOND
                time.sleep(max(0, due - time.monotonic()))
            return caller

    def place():
        while caller := next_caller():
            result = core.ask("call", **{"from": caller, "to": tas.numbers[0],
                                         "talk_ms": TALK_MS})
            verdict = result.get("verdict") or str(result)
            if verdict != "two-way":
                print(caller, verdict, result.get("caller"), result.get("callee"))
            with counting:
                verdicts[verdict] += 1

    threads = [threading.Thread(target=place) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return verdicts


def _sprayed(ice):
    """Returns how many datagrams the stranger has sent."""
    sprayer = Sprayer(_start(ice))  # it is there before the first offer
    began = time.monotonic()
    verdicts = _calls()
    seconds = time.monotonic() - began
    rate, heard = sprayer.end()
    print(f"{CALLS} calls with ice: {ice} in {seconds:.1f} s, {rate:.0f} ClientHellos a second: "
          f"{dict(verdicts)}, 0 bytes back: {heard == b''}")
    assert verdicts == {"two-way": CALLS}, verdicts
    assert heard == b"", f"the stranger was told {heard.hex()}"
    assert rate >= 0.9 * RATE * len(HELLOS), f"only {rate:.0f} datagrams a second"
    wait_until(lambda: core.must("status")["calls"] == 0, 10, "calls are over")
    # Two associations a call have begun, and no other: each made its SSL for a proven address.
    made = [_metric(f'breakout_media_dtls_total{{result="{how}"}}') for how in ("ready", "failed")]
    assert made == [2 * CALLS, 0], f"{made[0]} associations, {made[1]} failed"
    wait_until(lambda: _metric("breakout_media_dtls_handshakes") == 0, 10, "no SSL is left")
    return sprayer.sent


def calls_with_full_ice_do_not_notice_a_stranger_who_says_hello():
    try:
        _sprayed("full")
    finally:
        assert tas.close() == 0


def calls_on_the_one_port_do_not_notice_a_stranger_who_says_hello():
    sent = _sprayed("lite")
    seen = _metric("breakout_ice_lite_strangers_total")
    assert seen > sent * 0.9, f"{seen} of {sent} came to the one port"


TESTS = [value for name, value in list(globals().items())
         if callable(value) and getattr(value, "__module__", "") == "__main__"
         and getattr(value, "__name__", "").startswith("calls_")]

if __name__ == "__main__":
    finish(run_tests(TESTS, core), core, tas)
