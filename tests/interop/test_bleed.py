# SPDX-License-Identifier: Apache-2.0
"""Audio for whoever sends first (the "RTP bleed" class, CVE-2025-53399), and foreign audio
let in: a trunk's calls, with somebody who sprays all media ports from before the INVITE
on, while the party itself sends its first packet 0.2 s after the answer."""

import contextlib
import json
import pathlib
import select
import socket
import struct
import sys
import tempfile
import threading
import time

from harness import Daemon, Pki, Tally, free_port
from sipwire import Sbc, parse
from talk import STRANGER
from test_hostile import Peer

MEDIA, PORTS = "127.0.0.3", range(24000, 24024)  # an address of this test's own
PBX, ELSEWHERE = "127.0.0.2", "127.0.0.66"
FOREIGN, OWN = b"\x2a" * 160, b"\xd5" * 160
ATTACK_S, LATE_S, PERIOD_S = 8, 0.2, 0.02


def udp(host):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((host, 0))
    return sock


def rtp(ssrc, sequence, payload, kind=8, timestamp=None):
    timestamp = 160 * sequence if timestamp is None else timestamp
    return struct.pack("!BBHII", 0x80, kind, sequence & 0xffff, timestamp & 0xffffffff,
                       ssrc) + payload


class Sender:
    """A stream of 50 packets a second to each port; what comes back is kept."""

    def __init__(self, sock, ports, payload, ssrc):
        self.sock, self.ports, self.payload, self.ssrc = sock, ports, payload, ssrc
        self.sent, self.heard, self.over = 0, [], threading.Event()
        self.threads = [threading.Thread(target=run) for run in (self.send, self.listen)]
        for thread in self.threads:
            thread.start()

    def send(self):
        begin = time.monotonic()
        while not self.over.wait(max(0, begin + self.sent * PERIOD_S - time.monotonic())):
            for port in self.ports:
                self.sock.sendto(rtp(self.ssrc, self.sent, self.payload), (MEDIA, port))
            self.sent += 1

    def listen(self):
        while not self.over.is_set():
            if select.select([self.sock], [], [], 0.1)[0]:
                self.heard.append(self.sock.recv(2048))

    def end(self):
        self.over.set()
        for thread in self.threads:
            thread.join()
        self.sock.close()
        return self


class TrunkPeer(Peer):
    """The PBX's SIP, over TCP."""

    def __init__(self, daemon):
        self.sock = socket.socket()
        self.sock.bind((PBX, 0))
        self.sock.settimeout(10)
        self.sock.connect(("127.0.0.1", daemon.tcp_port))

    def answer(self, final=True):
        """The next final response, with its body."""
        while True:
            data = b""
            while b"\r\n\r\n" not in data:
                data += self.sock.recv(1)
            head, _, _ = data.partition(b"\r\n\r\n")
            length, body = int(parse(head, b"").get("content-length") or 0), b""
            while len(body) < length:
                body += self.sock.recv(length - len(body))
            message = parse(head, body)
            if message.status >= (200 if final else 100):
                return message


class Call:
    """From the PBX to our echo, or a number; its SDP names this address."""

    def __init__(self, daemon, sbc, address, to="echo"):
        self.peer, self.sbc = TrunkPeer(daemon), sbc
        sdp = (f"v=0\r\no=- 1 1 IN IP4 {PBX}\r\ns=-\r\nc=IN IP4 {address[0]}\r\nt=0 0\r\n"
               f"m=audio {address[1]} RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\n"
               "a=rtpmap:101 telephone-event/8000\r\n")
        self.invite = self.over_tcp(sbc.invite(
            f"sip:{to}@127.0.0.1", f"sip:{STRANGER}@pbx.example", f"sip:{to}@pbx.example", sdp))
        self.peer.send(self.invite.encode())
        self.ok = self.peer.answer()
        assert self.ok and self.ok.status == 200, self.ok and self.ok.start
        self.say("ACK")

    def over_tcp(self, message):
        message.headers = [(n, v.replace("/TLS", "/TCP").replace("sips:", "sip:"))
                           for n, v in message.headers]
        return message

    def say(self, method):
        self.peer.send(self.over_tcp(self.sbc.in_dialog(method, self.invite, self.ok)).encode())

    def port(self):
        """Where our answer wants the media."""
        return int(self.ok.body.split("m=audio ")[1].split()[0])

    def end(self):
        self.say("BYE")
        assert self.peer.answer().status == 200
        self.peer.close()


def media_of(daemon):
    """The receipt of the caller's side."""
    calls = json.loads(daemon.ctl("-o", "json", "calls").stdout)
    assert len(calls) == 1, calls
    return calls[0]["a"]


def attacked(daemon, sbc, attacker, party, named):
    """A call of 8 s. Returns what the attacker and the party had, and our receipt."""
    spray = Sender(attacker, PORTS, FOREIGN, 0x66666666)
    time.sleep(0.1)  # it is there first
    call = Call(daemon, sbc, named)
    time.sleep(LATE_S)
    talk = Sender(party, [call.port()], OWN, 0x11111111)
    time.sleep(ATTACK_S)
    receipt = media_of(daemon)
    spray.end()
    talk.end()
    call.end()
    assert spray.sent > 0.9 * ATTACK_S / PERIOD_S, f"only {spray.sent} rounds"
    return spray, talk, receipt


def nothing_bled(spray, talk, receipt):
    assert not spray.heard, f"{len(spray.heard)} packets went to the attacker"
    assert talk.sent > 0.9 * ATTACK_S / PERIOD_S and receipt["packets_in"] <= talk.sent, \
        (talk.sent, receipt)
    foreign = sum(FOREIGN in packet for packet in talk.heard)
    assert foreign == 0, f"{foreign} packets of the attacker were let in"
    assert len(talk.heard) > 0.7 * talk.sent, (len(talk.heard), talk.sent, receipt)


def a_party_where_its_sdp_says(daemon, sbc):
    for attacker in (ELSEWHERE, PBX):  # a stranger, and another port of the same host
        party = udp(PBX)
        nothing_bled(*attacked(daemon, sbc, udp(attacker), party, party.getsockname()))


def a_party_behind_a_nat(daemon, sbc):
    """Its SDP names an address of its own network; SIP and media come from elsewhere."""
    nothing_bled(*attacked(daemon, sbc, udp(ELSEWHERE), udp(PBX), ("10.9.8.7", 4000)))


def the_stream_of_a_forged_address(daemon, sbc):
    """Whoever can send from the party's own address, even with its SSRC, but does not see
    where the stream is."""
    party = udp(PBX)
    call = Call(daemon, sbc, party.getsockname())
    to, heard = (MEDIA, call.port()), []
    for i in range(200):
        party.sendto(rtp(0x11111111, i, OWN), to)
        party.sendto(rtp(0x66666666, i, FOREIGN), to)
        party.sendto(rtp(0x11111111, 30000 + 7919 * i % 20000, FOREIGN), to)
        if select.select([party], [], [], PERIOD_S)[0]:
            heard.append(party.recv(2048))
    receipt = media_of(daemon)
    call.end()
    assert len(heard) > 100 and not any(FOREIGN in packet for packet in heard), len(heard)
    assert receipt["packets_in"] <= 200, receipt


def digits_under_another_ssrc(daemon, sbc):
    """A gateway that sends them as a stream of their own, while the speech goes on: our echo
    sends all but the first two packets of the first back, in the one stream that it is."""
    party, stranger = udp(PBX), udp(ELSEWHERE)
    call = Call(daemon, sbc, party.getsockname())
    to, heard, number = (MEDIA, call.port()), [], 0
    for i in range(60):
        party.sendto(rtp(0x11111111, i, OWN), to)
        event = bytes([7 if i < 30 else 8, 10]) + struct.pack("!H", 160 * (i % 30 + 1))
        if i % 30 < 10:  # two keys, 200 ms each
            party.sendto(rtp(0x22222222, number, event, 101, 777 + i // 30 * 4800), to)
            stranger.sendto(rtp(0x33333333, number, bytes([3]) + event[1:], 101), to)
            number += 1
        if select.select([party], [], [], PERIOD_S)[0]:
            heard.append(party.recv(2048))
    while select.select([party], [], [], 0.5)[0] and len(heard) < 78:
        heard.append(party.recv(2048))
    call.end()
    stranger.close()
    fields = [struct.unpack("!BBHII", packet[:12]) for packet in heard]
    assert len({ssrc for *_, ssrc in fields}) == 1, fields
    assert all((b[2] - a[2]) & 0xffff == 1 for a, b in zip(fields, fields[1:])), fields
    digits = [(packet[12], field[3]) for packet, field in zip(heard, fields)
              if field[1] & 0x7f == 101]
    assert [key for key, _ in digits] == 8 * [7] + 10 * [8], digits
    assert len(set(digits)) == 2, digits  # all packets of one have its time


def daemon_for(sbc, pki):
    daemon = Daemon(sbc.port, pki)
    config = daemon.config()
    daemon.tcp_port = free_port()
    config["sip"]["listen"].append(f"tcp://127.0.0.1:{daemon.tcp_port}")
    config["core"]["sbc"]["trusted"] = ["127.0.0.1/32"]
    daemon.changes = {
        "sip": config["sip"], "core": config["core"],
        "media": {"address": MEDIA, "ports": f"{PORTS[0]}-{PORTS[-1]}"},
        "services": {"echo": [{"do": {"answer": "echo"}}]},
        "trunks": [{"name": "pbx", "uris": [f"sip:{PBX}:9;transport=tcp"], "service": "echo"}]}
    return daemon


def main():
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="breakout-bleed-") as name:
        pki = Pki(pathlib.Path(name))
        with contextlib.closing(Sbc(pki.cert, pki.key, pki.ca)) as sbc, \
                daemon_for(sbc, pki) as daemon:
            daemon.start()
            for name, test in [
                    ("a sprayer of 8 s hears nothing and is not heard beside the SDP's address",
                     a_party_where_its_sdp_says),
                    ("nor beside a party behind a NAT", a_party_behind_a_nat),
                    ("who forges the address is not heard while the stream goes on",
                     the_stream_of_a_forged_address),
                    ("a gateway's digits under another SSRC are heard beside its speech",
                     digits_under_another_ssrc)]:
                if not tally.run(name, test, daemon, sbc):
                    print(daemon.log()[-3000:])
            daemon.reload({"trunks": [daemon.changes["trunks"][0] | {"latching": "any"}]})
            tally.run("nor with `latching: any` beside one behind a NAT", a_party_behind_a_nat,
                      daemon, sbc)
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
