# SPDX-License-Identifier: Apache-2.0
"""What phones of a PBX and the core see on the wire when several ring for one call;
all of them are Python and share nothing with the program under test."""

import pathlib
import socket
import sys
import tempfile

from harness import Daemon, Pki, Tally, free_port
from sipwire import Message, Sbc, parse

ELSEWHERE = 'SIP;cause=200;text="Call completed elsewhere"'
NUMBER, CALLER = "+4799000001", "+4790000009"
SESSION = "ab30317f1a784dc48ff824d0d3715d86;remote=47755a9de7794ba387653f2099600ef2"
OFFER = ("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
         "m=audio 40000 UDP/TLS/RTP/SAVPF 8\r\na=rtpmap:8 PCMA/8000\r\na=rtcp-mux\r\n"
         "a=ice-ufrag:frag\r\na=ice-pwd:0ffer1cepassword9aaaaaaaa\r\na=setup:actpass\r\n"
         f"a=fingerprint:sha-256 {':'.join(['AB'] * 32)}\r\n"
         "a=candidate:1 1 udp 2130706431 127.0.0.1 40000 typ host\r\n")


def rtp_answer(port, codec="8 PCMA"):
    number, name = codec.split()
    return ("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            f"m=audio {port} RTP/AVP {number}\r\na=rtpmap:{number} {name}/8000\r\n")


class Phone:
    """A phone of a PBX: plain SIP over UDP."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.invite = self.peer = None

    def wait(self, method, seconds=5):
        """The next request of this method; repetitions of others are passed over."""
        self.socket.settimeout(seconds)
        while True:
            data, self.peer = self.socket.recvfrom(65536)
            head, _, body = data.partition(b"\r\n\r\n")
            message = parse(head, body)
            if message.start.startswith(method + " "):
                return message

    def reply(self, request, status, phrase, sdp=""):
        headers = [("via", v) for v in request.all("via")]
        headers += [("from", request.get("from")), ("to", f"{self.invite.get('to')};tag=phone"),
                    ("call-id", request.get("call-id")), ("cseq", request.get("cseq")),
                    ("contact", f"<sip:phone@127.0.0.1:{self.port}>")]
        if sdp:
            headers.append(("content-type", "application/sdp"))
        self.socket.sendto(Message(f"SIP/2.0 {status} {phrase}", headers, sdp).encode(), self.peer)

    def ring(self):
        self.invite = self.wait("INVITE")
        self.reply(self.invite, 180, "Ringing")

    def answer(self, codec="8 PCMA"):
        self.reply(self.invite, 200, "OK", rtp_answer(41000, codec))
        self.wait("ACK")

    def close(self):
        self.socket.close()


class Scene:
    """An SBC, two phones, and a daemon that rings what `targets` says."""

    def __init__(self, pki, targets):
        self.sbc = Sbc(pki.cert, pki.key, pki.ca)
        self.phones = [Phone(), Phone()]
        self.daemon = Daemon(self.sbc.port, pki, {
            "trunks": [{"name": f"desk{i}", "uris": [f"sip:127.0.0.1:{phone.port}"]}
                       for i, phone in enumerate(self.phones)],
            "services": {"team": [{"do": {"ring": targets}}]},
            "registrations": [{"number": NUMBER, "route_type": "loop", "service": "team"}]})
        self.flow = self.leg2 = None

    def __enter__(self):
        config = self.daemon.config()
        config["sip"]["listen"].append(f"udp://127.0.0.1:{free_port()}")
        self.daemon.changes["sip"] = config["sip"]
        self.daemon.__enter__()
        self.daemon.start()
        self.flow = self.sbc.connect(self.daemon.port)
        called = "+01" + NUMBER[1:]
        self.leg2 = self.sbc.invite(f"sips:{called}@127.0.0.1", f"sip:{CALLER}@core.example",
                                    f"sip:{called}@core.example", OFFER,
                                    [("session-id", SESSION)])
        self.flow.send(self.leg2)
        return self

    def heard(self, status):
        return self.sbc.wait(lambda m: m.status == status and m.method == "INVITE" and
                             m.get("call-id") == self.leg2.get("call-id"))[1]

    def answered(self):
        ok = self.heard(200)
        self.flow.send(self.sbc.in_dialog("ACK", self.leg2, ok))
        return ok

    def leg3(self):
        return self.sbc.wait(lambda m: m.start.startswith("INVITE"))

    def hang_up(self, ok, phone):
        self.flow.send(self.sbc.in_dialog("BYE", self.leg2, ok))
        phone.reply(phone.wait("BYE"), 200, "OK")

    def __exit__(self, *failure):
        self.daemon.__exit__(*failure)
        for phone in self.phones:
            phone.close()
        self.sbc.close()


def a_phone_that_loses_is_told_why(pki):
    with Scene(pki, ["desk0", "desk1"]) as scene:
        winner, loser = scene.phones
        winner.ring()
        loser.ring()
        winner.answer()
        cancel = loser.wait("CANCEL")
        assert cancel.all("reason") == [ELSEWHERE], cancel.headers
        loser.reply(cancel, 200, "OK")
        loser.reply(loser.invite, 487, "Request Terminated")
        loser.wait("ACK")
        scene.hang_up(scene.answered(), winner)


def an_answer_that_crosses_the_cancel_is_acknowledged_and_ended(pki):
    with Scene(pki, ["desk0", "desk1"]) as scene:
        winner, loser = scene.phones
        winner.ring()
        loser.ring()
        winner.answer()
        cancel = loser.wait("CANCEL")
        loser.reply(loser.invite, 200, "OK", rtp_answer(41002))
        loser.reply(cancel, 200, "OK")
        loser.wait("ACK")
        bye = loser.wait("BYE")
        assert bye.all("reason") == [ELSEWHERE], bye.headers
        loser.reply(bye, 200, "OK")
        scene.hang_up(scene.answered(), winner)


def the_core_is_told_that_the_pbx_has_answered(pki):
    with Scene(pki, ["desk0", "subscriber"]) as scene:
        phone = scene.phones[0]
        flow3, leg3 = scene.leg3()
        assert leg3.get("session-id") == SESSION, leg3.headers
        assert leg3.start.split()[1].startswith(f"sips:{NUMBER}@"), leg3.start
        flow3.send(scene.sbc.reply(leg3, 180, "Ringing", tag="core"))
        phone.ring()
        scene.heard(180)
        phone.answer()
        cancel = scene.sbc.wait(lambda m: m.start.startswith("CANCEL"))[1]
        assert cancel.all("reason") == [ELSEWHERE], cancel.headers
        flow3.send(scene.sbc.reply(cancel, 200, "OK"))
        flow3.send(scene.sbc.reply(leg3, 487, "Request Terminated", tag="core"))
        scene.hang_up(scene.answered(), phone)


def an_answer_without_a_common_codec_leaves_the_others_ringing(pki):
    with Scene(pki, ["desk0", "desk1"]) as scene:
        deaf, other = scene.phones
        deaf.ring()
        other.ring()
        deaf.answer("9 G722")
        deaf.reply(deaf.wait("BYE"), 200, "OK")
        other.answer()
        scene.hang_up(scene.answered(), other)


def main():
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="breakout-ring-") as folder:
        pki = Pki(pathlib.Path(folder))
        for test in (a_phone_that_loses_is_told_why,
                     an_answer_that_crosses_the_cancel_is_acknowledged_and_ended,
                     the_core_is_told_that_the_pbx_has_answered,
                     an_answer_without_a_common_codec_leaves_the_others_ringing):
            tally.run(test.__name__.replace("_", " "), test, pki)
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
