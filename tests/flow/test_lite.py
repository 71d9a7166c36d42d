# SPDX-License-Identifier: Apache-2.0
"""Whole calls with `media.ice: lite`: all of them on one port."""

import json
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import threading
import time

from core import Core, Daemon, expect, finish, run_tests, wait_until

core = Core()
first_port = int(core.daemon_media.split("-")[0])
core.daemon_media = f"{first_port}-{first_port + 99}"
tas = Daemon(core)
CTL = pathlib.Path(os.environ["BREAKOUT_BIN"]) / "breakoutctl"
tas.config.write_text(tas.config.read_text().replace("threads: 1 }", "threads: 1, ice: lite }"))
assert "ice: lite" in tas.config.read_text()
tas.start()
tas.wait_registered()
LOOP, FORK, TONE = tas.numbers[0], tas.numbers[3], tas.numbers[8]
TWO_WAY = {"outcome": "answered", "verdict": "two-way", "both_ends_hung_up": True}


def a_looped_call_is_heard_both_ways():
    core.phone(LOOP, "answer")
    expect(core.call("+4790000098", LOOP), **TWO_WAY, legs="1234")


def a_call_to_the_pbx_is_heard_both_ways():
    core.phone(FORK, "no-answer")
    core.pbx("answer")
    expect(core.call("+4790000098", FORK), **TWO_WAY)


def our_own_tone_is_heard():
    result = core.call("+4790000098", TONE)
    assert result["caller"]["heard_hz"] == 425, result["caller"]


def hold_and_resume_keep_the_media():
    core.phone(LOOP, "answer")
    expect(core.call("+4790000098", LOOP, hold=True), **TWO_WAY)


def twenty_calls_at_once_share_one_port():
    numbers = [f"+47900001{i:02}" for i in range(20)]
    core.phone(LOOP, "answer")
    results = []

    def place(number):
        results.append(core.ask("call", **{"from": number, "to": LOOP, "talk_ms": 1000}))

    threads = [threading.Thread(target=place, args=(n,)) for n in numbers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    verdicts = [r.get("verdict") for r in results]
    assert verdicts == ["two-way"] * 20, verdicts
    remotes = set(re.findall(r"ice connected remote=127.0.0.1:(\d+)",
                             tas.log_path.read_text(errors="replace")))
    assert len(remotes) >= 40, "each phone has a port of its own, and we have one"


class _Forger:
    """Sends what needs no key as if a phone did: STUN without a password, RTP that does not
    authenticate, a ClientHello. Without leave to (CAP_NET_RAW) it does nothing."""

    def __init__(self, source, ports):
        self.source, self.ports, self.sent, self.over = source, ports, 0, threading.Event()
        try:
            self.sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
        except PermissionError:
            self.sock = None
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        stun = struct.pack("!HHI12s", 1, 0, 0x2112a442, b"forged forged")
        kinds = (stun, b"\x80\x08" + bytes(170), b"\x16\xfe\xfd" + bytes(60))
        while self.sock and not self.over.wait(0.5):
            for port in self.ports:
                for body in kinds:
                    self.sock.sendto(struct.pack("!HHHH", self.source, port, 8 + len(body), 0) + body,
                                     ("127.0.0.1", 0))
                    self.sent += 1

    def end(self):
        self.over.set()
        self.thread.join()
        if self.sock:
            self.sock.close()


def _sent_to_the_phone():
    calls = json.loads(subprocess.run(
        [CTL, "-s", core.folder / "breakout.sock", "-o", "json", "calls"], capture_output=True,
        text=True, check=True, timeout=10).stdout)
    assert len(calls) == 1, calls
    return calls[0]["a"]["packets_out"]


def a_phone_that_stops_checking_is_sent_nothing_after_thirty_seconds():
    """RFC 7675: it is frozen, and somebody forges its address. Our tone goes on until then."""
    core.call("+4790000097", TONE, hangup="keep")
    remote = int(re.findall(r"ice connected remote=127.0.0.1:(\d+)",
                            tas.log_path.read_text(errors="replace"))[-1])
    first, last = map(int, core.daemon_media.split("-"))
    core.process.send_signal(signal.SIGSTOP)
    forger = _Forger(remote, range(first, last + 1))
    try:
        time.sleep(20)
        before = _sent_to_the_phone()
        time.sleep(2)
        assert _sent_to_the_phone() > before + 50, "consent ended too early"
        time.sleep(16)  # 30 s, and the 5 s between two looks
        before = _sent_to_the_phone()
        time.sleep(2)
        assert _sent_to_the_phone() == before, "a peer without consent is sent media"
        assert forger.sent > 0 or not forger.sock
    finally:
        forger.end()
        core.process.send_signal(signal.SIGCONT)
    core.must("hangup", id=core.last["id"])


def nothing_is_left_behind():
    wait_until(lambda: core.must("status")["calls"] == 0, 10, "calls are over")


TESTS = [value for name, value in list(globals().items())
         if callable(value) and getattr(value, "__module__", "") == "__main__" and not name.startswith("_")]

finish(run_tests(TESTS, core), core, tas)
