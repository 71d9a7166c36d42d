# SPDX-License-Identifier: Apache-2.0
"""Whole calls with AMR and AMR-WB, which nobody here can decode: offered and answered with
their parameters, numbered as each side wants, carried to the last bit, and in the call's
receipt under their names."""

import contextlib
import pathlib
import secrets
import socket
import struct
import sys
import tempfile
import threading

from harness import Daemon, Pki, Tally, free_port
from sipwire import Message, Sbc, parse
from talk import STRANGER, webrtc_sdp
from test_threats import PlainPeer

AMR = {"AMR": (8000, "octet-align=1; mode-set=0,2,4,7"),
       "AMR-WB": (16000, "octet-align=1; mode-set=0,1,2,8; mode-change-capability=2")}


def sdp(port, name, number, fmtp=None):
    rate, usual = AMR[name]
    return ("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            f"m=audio {port} RTP/AVP {number}\r\na=rtpmap:{number} {name}/{rate}\r\n"
            f"a=fmtp:{number} {fmtp or usual}\r\n")


def values(text, kind):
    """Of the lines a=<kind>: by payload number."""
    lines = [line[len(kind) + 3:] for line in text.splitlines() if line.startswith(f"a={kind}:")]
    return dict(line.split(" ", 1) for line in lines)


class Pbx:
    """Answers on UDP with AMR of its own number, and sends back what it hears."""

    number = 113

    def __init__(self):
        self.port, self.offered, self.heard = free_port(), "", []
        self.name, self.fmtp = "AMR-WB", None
        self.sip, self.rtp = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in "ab")
        self.sip.bind(("127.0.0.1", self.port))
        self.rtp.bind(("127.0.0.1", 0))
        for work in (self.signal, self.echo):
            threading.Thread(target=work, daemon=True).start()

    def echo(self):
        with contextlib.suppress(OSError):
            while True:
                packet, source = self.rtp.recvfrom(2048)
                self.heard.append(packet)
                self.rtp.sendto(packet, source)

    def signal(self):
        with contextlib.suppress(OSError):
            while True:
                data, source = self.sip.recvfrom(65536)
                request = parse(*data.split(b"\r\n\r\n", 1))
                if request.method == "ACK" or request.status:
                    continue
                headers = [(n, v) for n, v in request.headers
                           if n in ("via", "from", "call-id", "cseq", "record-route")]
                headers += [("to", request.get("to").split(";tag")[0] + ";tag=t"),
                            ("contact", f"<sip:127.0.0.1:{self.port}>")]
                answer = ""
                if request.method == "INVITE":
                    self.offered = request.body
                    answer = sdp(self.rtp.getsockname()[1], self.name, self.number, self.fmtp)
                    headers.append(("content-type", "application/sdp"))
                self.sip.sendto(Message("SIP/2.0 200 OK", headers, answer).encode(), source)

    def close(self):
        self.sip.close()
        self.rtp.close()


class Caller:
    """A PBX of another trunk, over TCP."""

    number = 97

    def __init__(self, daemon, sbc, name):
        self.peer, self.sbc = PlainPeer(daemon, "127.0.0.2"), sbc
        self.rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.rtp.bind(("127.0.0.1", 0))
        self.rtp.settimeout(5)
        self.invite = self.plain(sbc.invite(
            "sip:office@127.0.0.1", f"sip:{STRANGER}@pbx.example", "sip:office@pbx.example",
            sdp(self.rtp.getsockname()[1], name, self.number)))
        self.peer.send(self.invite.encode())
        self.answer = self.peer.answer()

    @staticmethod
    def plain(message):
        message.start = message.start.replace("sips:", "sip:")
        message.headers = [(n, v.replace("/TLS", "/TCP").replace("sips:", "sip:"))
                           for n, v in message.headers]
        return message

    def say(self, method):
        self.peer.send(self.plain(self.sbc.in_dialog(method, self.invite, self.answer)).encode())

    def exchange(self, payload, sequence):
        """Sends one packet; what comes back."""
        line = next(x for x in self.answer.body.splitlines() if x.startswith("m=audio"))
        header = struct.pack("!BBHII", 0x80, self.number, sequence, 320 * sequence, 77)
        self.rtp.sendto(header + payload, ("127.0.0.1", int(line.split()[1])))
        return self.rtp.recv(2048)

    def close(self):
        self.peer.close()
        self.rtp.close()


def payloads_cross_to_the_last_bit(daemon, sbc, pbx, name):
    rate, fmtp = AMR[name]
    pbx.name, pbx.heard = name, []
    caller = Caller(daemon, sbc, name)
    assert caller.answer and caller.answer.status == 200, caller.answer
    assert values(pbx.offered, "rtpmap")["97"].startswith(f"{name}/{rate}"), pbx.offered
    assert values(pbx.offered, "fmtp")["97"] == fmtp, pbx.offered
    assert values(caller.answer.body, "rtpmap") == {"97": f"{name}/{rate}"}, caller.answer.body
    assert values(caller.answer.body, "fmtp") == {"97": fmtp}, caller.answer.body
    caller.say("ACK")
    for sequence in range(200):
        payload = secrets.token_bytes(1 + sequence % 61)
        back = caller.exchange(payload, sequence)
        assert pbx.heard[-1][1] == pbx.number and pbx.heard[-1][12:] == payload
        assert back[1] == caller.number and back[12:] == payload
    assert len(pbx.heard) == 200
    caller.say("BYE")
    assert caller.peer.answer().status == 200
    caller.close()
    daemon.wait_log(f"codec={name}/{name} a_in=200 a_out=200 b_in=200 b_out=200", 5)


def another_layout_is_not_taken(daemon, sbc, pbx):
    """Bandwidth-efficient against octet-aligned: nothing here can turn one into the other."""
    pbx.name, pbx.fmtp = "AMR-WB", "octet-align=0"
    caller = Caller(daemon, sbc, "AMR-WB")
    assert caller.answer and caller.answer.status == 488, caller.answer
    assert "AMR-WB" in (caller.answer.get("warning") or ""), caller.answer.headers
    caller.close()
    pbx.fmtp = None


def the_core_offers_amr(daemon, sbc, pbx):
    """From the core to the PBX: the core's numbers and parameters, and the PBX's answer in
    them; behind them what the core's Opus, had it any, could be turned into."""
    pbx.name = "AMR-WB"
    rate, fmtp = AMR["AMR-WB"]
    offer = webrtc_sdp(0, "actpass").replace("SAVPF 8", "SAVPF 104").replace(
        "a=rtpmap:8 PCMA/8000", f"a=rtpmap:104 AMR-WB/{rate}\r\na=fmtp:104 {fmtp}")
    flow = sbc.connect(daemon.port)
    invite = sbc.invite("sips:+4799000001@127.0.0.1", f"sip:{STRANGER}@core.example",
                        "sip:+4799000001@core.example", offer)
    flow.send(invite)
    _, ok = sbc.wait(lambda m: m.status >= 200 and m.get("call-id") == invite.get("call-id"))
    assert ok.status == 200, ok.start
    flow.send(sbc.in_dialog("ACK", invite, ok))
    assert values(pbx.offered, "rtpmap") == {"104": f"AMR-WB/{rate}"}, pbx.offered
    assert values(pbx.offered, "fmtp") == {"104": fmtp}, pbx.offered
    assert values(ok.body, "rtpmap") == {"104": f"AMR-WB/{rate}"}, ok.body
    assert values(ok.body, "fmtp") == {"104": fmtp}, ok.body
    assert "UDP/TLS/RTP/SAVPF 104" in ok.body, ok.body
    flow.send(sbc.in_dialog("BYE", invite, ok))
    sbc.wait(lambda m: m.status and m.method == "BYE")
    flow.close()


def main():
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="breakout-opaque-") as name, \
            contextlib.ExitStack() as ends:
        pki = Pki(pathlib.Path(name))
        sbc = ends.enter_context(contextlib.closing(Sbc(pki.cert, pki.key, pki.ca)))
        pbx = ends.enter_context(contextlib.closing(Pbx()))
        daemon = Daemon(sbc.port, pki)
        config = daemon.config()
        daemon.tcp_port = free_port()
        config["sip"]["listen"] += [f"tcp://127.0.0.1:{daemon.tcp_port}",
                                    f"udp://127.0.0.1:{free_port()}"]
        daemon.changes = {
            "sip": config["sip"],
            "trunks": [{"name": "pbx", "uris": [f"sip:127.0.0.1:{pbx.port};transport=udp"]},
                       {"name": "other", "uris": ["sip:127.0.0.2:9;transport=tcp"],
                        "ingress": True, "service": "office"}],
            "services": {"office": [{"do": [{"dial": "pbx"}]}]},
            "registrations": [{"number": "+4799000001", "route_type": "fork",
                               "service": "office"}]}
        with daemon:
            daemon.start()
            for name in AMR:
                if not tally.run(f"{name} crosses to the last bit", payloads_cross_to_the_last_bit,
                                 daemon, sbc, pbx, name):
                    print(daemon.log()[-3000:])
            tally.run("another layout of AMR-WB is refused with both lists",
                      another_layout_is_not_taken, daemon, sbc, pbx)
            if not tally.run("the core's AMR-WB is offered on and answered", the_core_offers_amr,
                             daemon, sbc, pbx):
                print(daemon.log()[-3000:])
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
