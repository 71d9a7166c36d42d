# SPDX-License-Identifier: Apache-2.0
"""A call through the daemon as its SBC sees it, step by step."""

import secrets

from sipwire import Message

RTP_OFFER = ("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
             "m=audio 40000 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n")
ICE_PASSWORDS = "0ffer1cepassword9aaaaaaaa", "4nswer1cepassword9bbbbbbb"
STRANGER, CALLEE = "+4790000009", "+4722334455"


def webrtc_sdp(which, setup):
    return ("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            "m=audio 40000 UDP/TLS/RTP/SAVPF 8\r\na=rtpmap:8 PCMA/8000\r\na=rtcp-mux\r\n"
            f"a=ice-ufrag:frag{which}\r\na=ice-pwd:{ICE_PASSWORDS[which]}\r\na=setup:{setup}\r\n"
            f"a=fingerprint:sha-256 {':'.join(['AB'] * 32)}\r\n"
            "a=candidate:1 1 udp 2130706431 127.0.0.1 40000 typ host\r\n")


def in_step(sbc, flow):
    """Returns when the daemon has handled all that was sent on `flow`: an ACK has no answer,
    and what is sent on another connection meanwhile may overtake it."""
    options = sbc.invite("sips:127.0.0.1", f"sip:{STRANGER}@core.example", "sip:x@core.example", "")
    options.start = options.start.replace("INVITE", "OPTIONS", 1)
    options.headers = [(n, v.replace("INVITE", "OPTIONS") if n == "cseq" else v)
                       for n, v in options.headers]
    flow.send(options)
    sbc.wait(lambda m: m.status and m.get("call-id") == options.get("call-id"))


class Talk:
    """One looped call: leg 2 on `flow`, leg 3 taken by the same SBC."""

    def __init__(self, sbc, flow, caller=STRANGER, callee="+00" + CALLEE[1:], sdp=RTP_OFFER,
                 extra=()):
        self.sbc, self.flow = sbc, flow
        self.leg2 = sbc.invite(f"sips:{callee}@127.0.0.1", f"sip:{caller}@core.example",
                               f"sip:{callee}@core.example", sdp, extra)
        self.leg3 = self.flow3 = self.ok2 = self.ok3 = None
        flow.send(self.leg2)

    def mine(self, message):
        return message.get("call-id") == self.leg2.get("call-id")

    def final(self, seconds=10):
        return self.sbc.wait(lambda m: self.mine(m) and m.status >= 200 and m.method == "INVITE",
                             seconds)[1]

    def refused(self, seconds=10):
        answer = self.final(seconds)
        ack = self.sbc.in_dialog("ACK", self.leg2, answer) if answer.get("contact") else None
        if not ack:  # RFC 3261 17.1.1.3: the request URI and branch of the INVITE
            ack = Message(self.leg2.start.replace("INVITE", "ACK", 1), [
                ("via", self.leg2.get("via")), ("max-forwards", "70"),
                ("from", self.leg2.get("from")), ("to", answer.get("to")),
                ("call-id", self.leg2.get("call-id")),
                ("cseq", self.leg2.get("cseq").replace("INVITE", "ACK"))])
        self.flow.send(ack)
        return answer.status

    def ring(self):
        known = self.leg2.get("session-id")
        self.flow3, self.leg3 = self.sbc.wait(lambda m: m.start.startswith("INVITE") and
                                              m.get("session-id") == known)
        return self

    def answer(self, sdp=RTP_OFFER):
        self.ok3 = self.sbc.reply(self.leg3, 200, "OK", sdp, "callee")
        self.flow3.send(self.ok3)
        self.ok2 = self.final()
        assert self.ok2.status == 200, self.ok2.start
        self.flow.send(self.sbc.in_dialog("ACK", self.leg2, self.ok2))
        self.sbc.wait(lambda m: m.start.startswith("ACK") and
                      m.get("call-id") == self.leg3.get("call-id"))
        in_step(self.sbc, self.flow)
        return self

    def bye_from(self, leg):
        flow, bye = self.sbc.wait(lambda m: m.start.startswith("BYE") and
                                  m.get("call-id") == leg.get("call-id"))
        flow.send(self.sbc.reply(bye, 200, "OK"))
        return bye

    def hang_up(self):
        self.flow.send(self.sbc.in_dialog("BYE", self.leg2, self.ok2))
        self.bye_from(self.leg3)
        ended = self.sbc.wait(lambda m: m.method == "BYE" and m.status and self.mine(m))[1]
        assert ended.status == 200, ended.start


def session():
    return [("session-id", secrets.token_hex(16))]


def talk(sbc, flow, *arguments, sdp=RTP_OFFER, answer=RTP_OFFER):
    return Talk(sbc, flow, *arguments, sdp=sdp, extra=session()).ring().answer(answer)
