# SPDX-License-Identifier: Apache-2.0
"""RTCP of the daemon's own, as a PBX sees it: sender and receiver reports beside what is
played to it, whose round trip its answers tell; and one SSRC with one count when a call
follows an announcement (RFC 3550)."""

import contextlib
import math
import pathlib
import select
import socket
import struct
import sys
import tempfile
import threading
import time
import wave

from harness import Daemon, Pki, Tally, free_port, wait_until
from sipwire import Message, Sbc, parse
from test_bleed import OWN, PBX, Call, media_of, rtp

SR, RR, SDES, BYE = 200, 201, 202, 203
SO_TIMESTAMPNS = 35  # of Linux; the module has no name for it
CALLER, CALLEE = 0x11111111, 0x22222222


def pair():
    """RTP on an even port and RTCP on the next one."""
    while True:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind((PBX, 0))
        port, other = sock.getsockname()[1], socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with contextlib.suppress(OSError):
            if port % 2 == 0:
                other.bind((PBX, port + 1))
                return sock, other
        sock.close()
        other.close()


def stamped(sock):
    """All that has come, each with the time at which the kernel had it: on a busy machine this
    thread is late for both sockets, and not by the same."""
    with contextlib.suppress(BlockingIOError):
        while True:
            data, control, *_ = sock.recvmsg(2048, 64, socket.MSG_DONTWAIT)
            seconds, nanoseconds = struct.unpack("qq", control[0][2])
            yield data, seconds + nanoseconds / 1e9


class Report:
    """A compound, taken apart."""

    def __init__(self, data, at):
        self.at, self.sender, self.block, self.parts, self.cname = at, None, None, [], None
        while data:
            first, kind, words = struct.unpack_from("!BBH", data)
            part, data = data[:4 * words + 4], data[4 * words + 4:]
            assert first >> 6 == 2 and len(part) == 4 * words + 4, "no sound compound"
            self.parts.append(kind)
            self.read(kind, first & 31, part)
        assert self.parts[0] in (SR, RR), self.parts

    def read(self, kind, count, part):
        self.ssrc, at = struct.unpack_from("!I", part, 4)[0], 8
        if kind == SR:
            self.sender = struct.unpack_from("!QIII", part, 8)
            at += 20
        if kind in (SR, RR) and count:
            ssrc, lost, *rest = struct.unpack_from("!IIIIII", part, at)
            self.block = (ssrc, lost >> 24, lost & 0xffffff, *rest)
        if kind == SDES:
            self.cname = part[10:10 + part[9]]

    @property
    def middle(self):
        return self.sender[0] >> 16 & 0xffffffff


class Party:
    """Speaks, and keeps what it is sent; `skips` has the numbers that are lost."""

    def __init__(self, ssrc, skips=()):
        self.rtp, self.rtcp = pair()
        for sock in (self.rtp, self.rtcp):
            sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.ssrc, self.skips, self.to, self.number = ssrc, skips, None, 1000
        self.packets, self.reports, self.over = [], [], threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        due = time.monotonic()
        while not self.over.is_set():
            select.select([self.rtp, self.rtcp], [], [], 0.005)
            # What came before a report is there when that is.
            reports = [Report(*came) for came in stamped(self.rtcp)]
            self.packets += [(at, *struct.unpack_from("!HII", data, 2))
                             for data, at in stamped(self.rtp)]
            self.reports += reports
            if self.to and time.monotonic() >= due:
                due = max(due, time.monotonic() - 0.1) + 0.02
                self.number += 1
                if self.number not in self.skips:
                    self.rtp.sendto(rtp(self.ssrc, self.number, OWN), self.to)

    def report(self, about=None, lost=0, answers=0, delay=0.0, highest=0):
        """SR of ours, with a block about what we hear if `about` is its SSRC."""
        packet = struct.pack("!BBHIQIII", 0x80 | (about is not None), SR,
                             12 if about is not None else 6, self.ssrc, 0x1111aabbccdd2222,
                             160 * self.number, self.number - 1000, 160 * (self.number - 1000))
        if about is not None:
            packet += struct.pack("!IIIIII", about, lost, highest, 0, answers,
                                  int(delay * 65536))
        self.rtcp.sendto(packet, (self.to[0], self.to[1] + 1))

    def wait(self, wanted, what, seconds=10):
        """The first report that `wanted` accepts."""
        wait_until(what, lambda: any(wanted(r) for r in list(self.reports)), seconds)
        return next(r for r in list(self.reports) if wanted(r))

    def end(self):
        self.over.set()
        self.thread.join()
        self.rtp.close()
        self.rtcp.close()


def fits_the_stream(party, report):
    """What a sender report says is what has come: SSRC, counts and the time line."""
    came = [p for p in party.packets if p[0] <= report.at]
    ntp, stamp, packets, octets = report.sender
    assert {p[3] for p in came} == {report.ssrc}, (report.ssrc, came[-1])
    assert abs(packets - len(came)) <= 2 and octets == 160 * packets, (packets, len(came))
    assert abs((ntp >> 32) - 2208988800 - report.at) < 2, ntp >> 32
    ahead = (stamp - came[-1][2] + 2**31) % 2**32 - 2**31
    assert -400 <= ahead <= 1200, ahead


def announcement_has_reports(daemon, sbc):
    party = Party(CALLER, skips=(1010, 1011))
    call = Call(daemon, sbc, party.rtp.getsockname())
    party.to = ("127.0.0.1", call.port())
    first = party.wait(lambda r: r.sender and r.block, "a sender report with a block", 5)
    fits_the_stream(party, first)
    assert first.parts == [SR, SDES] and len(first.cname) == 16, (first.parts, first.cname)
    assert first.block[0] == CALLER and first.block[2] == 2 and first.block[1] > 0, first.block
    assert abs((first.block[3] & 0xffff) - party.number) < 100, (first.block, party.number)
    party.report(first.ssrc, 3, first.middle, time.time() - first.at, 7)
    wait_until("the round trip", lambda: "rtt_ms" in media_of(daemon), 5)
    receipt = media_of(daemon)
    assert 0 <= receipt["rtt_ms"] < 500 and receipt["reported"]["lost"] == 3, receipt
    second = party.wait(lambda r: r.at > first.at and r.block and r.block[5], "an answer", 8)
    fits_the_stream(party, second)
    assert second.block[2] == 2 and second.block[1] == 0, second.block
    assert second.block[5] == 0xaabbccdd and 0 < second.block[6] < 8 * 65536, second.block
    assert 2 <= second.at - first.at < 7, second.at - first.at
    call.end()
    bye = party.wait(lambda r: BYE in r.parts, "BYE")
    party.end()
    assert bye.parts == [SR, SDES, BYE] and bye.ssrc == first.ssrc, bye.parts


class Callee:
    """Answers each INVITE on UDP with media of `party`."""

    def __init__(self):
        self.port, self.party, self.formats = free_port(), None, "8"
        self.sip = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sip.bind(("127.0.0.1", self.port))
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                data, source = self.sip.recvfrom(65536)
                request = parse(*data.split(b"\r\n\r\n", 1))
                if request.status or request.method == "ACK":
                    continue
                headers = [(n, v) for n, v in request.headers
                           if n in ("via", "from", "call-id", "cseq", "record-route")]
                headers += [("to", request.get("to").split(";tag")[0] + ";tag=t"),
                            ("contact", f"<sip:127.0.0.1:{self.port}>")]
                body = ""
                if request.method == "INVITE":
                    offered = int(request.body.split("m=audio ")[1].split()[0])
                    self.party.to = ("127.0.0.1", offered)
                    body = (f"v=0\r\no=- 1 1 IN IP4 {PBX}\r\ns=-\r\nc=IN IP4 {PBX}\r\nt=0 0\r\n"
                            f"m=audio {self.party.rtp.getsockname()[1]} RTP/AVP {self.formats}\r\n")
                    headers.append(("content-type", "application/sdp"))
                self.sip.sendto(Message("SIP/2.0 200 OK", headers, body).encode(), source)

    def close(self):
        self.sip.close()


def a_call_goes_on_counting(daemon, sbc, callee):
    """Announcement of 4 s, answered; then the callee, who reports itself."""
    party, callee.party = Party(CALLER, skips=(1020,)), Party(CALLEE)
    call = Call(daemon, sbc, party.rtp.getsockname())
    party.to = ("127.0.0.1", call.port())
    own = party.wait(lambda r: r.sender and r.block, "a report of our own", 5)
    wait_until("the callee", lambda: callee.party.packets, 8)
    fits_the_stream(party, own)
    assert own.block[2] == 1, own.block
    time.sleep(0.3)
    mine, heard = callee.party, callee.party.packets
    before = len(party.reports)
    mine.report(heard[-1][3], lost=2, highest=heard[-1][1])
    relayed = party.wait(lambda r: r.at > own.at and r.block and r.block[2] > 1, "the callee's", 5)
    ntp, _, packets, octets = relayed.sender
    assert ntp == 0x1111aabbccdd2222 and relayed.ssrc == own.ssrc, relayed.sender
    assert packets > own.sender[2] and octets == 160 * packets, relayed.sender
    assert relayed.block[0] == CALLER and relayed.block[2] == 1 + 2, relayed.block
    assert relayed.block[3] > own.block[3], (relayed.block, own.block)
    time.sleep(6.5)  # longer than any interval
    assert len(party.reports) == before + 1, "reports of ours beside the callee's"
    assert not callee.party.reports, "the callee has them of a side that sends none"
    call.end()
    party.end()
    callee.party.end()


def write_tone(path, seconds):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(b"".join(struct.pack("<h", int(9000 * math.sin(i * 0.55)))
                                  for i in range(8000 * seconds)))


def changes_for(daemon, callee):
    config = daemon.config()
    daemon.tcp_port = free_port()
    config["sip"]["listen"] += [f"tcp://127.0.0.1:{daemon.tcp_port}",
                                f"udp://127.0.0.1:{free_port()}"]
    config["core"]["sbc"]["trusted"] = ["127.0.0.1/32"]
    tone = str(daemon.folder / "tone.wav")
    write_tone(tone, 4)
    return {
        "sip": config["sip"], "core": config["core"],
        "services": {
            "music": [{"do": {"answer": {"play": tone, "repeat": "forever"}}}],
            "desk": [{"do": [{"announce": {"play": tone, "answer_first": True}},
                             {"dial": "callee"}]}]},
        "trunks": [{"name": "pbx", "uris": [f"sip:{PBX}:9;transport=tcp"], "service": "music"},
                   {"name": "callee", "uris": [f"sip:127.0.0.1:{callee.port};transport=udp"]}]}


def main():
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="breakout-reports-") as name, \
            contextlib.ExitStack() as ends:
        pki = Pki(pathlib.Path(name))
        sbc = ends.enter_context(contextlib.closing(Sbc(pki.cert, pki.key, pki.ca)))
        callee = ends.enter_context(contextlib.closing(Callee()))
        daemon = Daemon(sbc.port, pki)
        daemon.changes = changes_for(daemon, callee)
        with daemon:
            daemon.start()
            if not tally.run("what is played has reports, and their answers a round trip",
                             announcement_has_reports, daemon, sbc):
                print(daemon.log()[-3000:])
            daemon.reload({"trunks": [daemon.changes["trunks"][0] | {"service": "desk"},
                                      daemon.changes["trunks"][1]]})
            if not tally.run("a call after an announcement goes on counting",
                             a_call_goes_on_counting, daemon, sbc, callee):
                print(daemon.log()[-3000:])
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
