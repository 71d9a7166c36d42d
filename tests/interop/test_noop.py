# SPDX-License-Identifier: Apache-2.0
"""A loop with no rule changes nothing that a subscriber or a biller could notice:
what the core sends as leg 2 comes back as leg 3, and what it answers there comes
back on leg 2, byte for byte outside the lists below."""

import contextlib
import json
import pathlib
import re
import secrets
import sys
import tempfile

from harness import Daemon, Pki, Tally, wait_until
from sipwire import Sbc

REGISTERED, STRANGER, CALLEE = "+4799000001", "+4790000009", "+4722334455"

# Of the hop or the dialog: every B2BUA writes its own. What is left of From, To,
# Contact, the request line, Supported and the body is compared by itself.
OWN = {"via", "call-id", "cseq", "max-forwards", "content-length", "route", "record-route",
       "allow", "session-expires", "min-se", "timestamp", "rseq", "rack",
       "from", "to", "contact", "supported", "require", "content-type"}
# What we add where none came: the mark that ends circles, and our own name.
ADDED = {"breakout-hop", "user-agent", "server"}
# Option tags of one dialog, which each side settles with us.
PER_LEG = {"100rel", "timer"}

PASSED_SDP = ("v=0\r\no=alice 2890844526 2890844527 IN IP4 203.0.113.7\r\ns=a subject\r\n"
              "i=info\r\nc=IN IP4 203.0.113.7\r\nb=AS:64\r\nt=0 0\r\na=x-own:1\r\n"
              "m=audio 40000 RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\n"
              "a=rtpmap:101 telephone-event/8000\r\na=curr:qos local none\r\n"
              "m=text 0 RTP/AVP 98\r\n")


def webrtc_sdp(which, setup):
    return ("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            "m=audio 40000 UDP/TLS/RTP/SAVPF 8\r\na=rtpmap:8 PCMA/8000\r\na=rtcp-mux\r\n"
            f"a=ice-ufrag:frag{which}\r\na=ice-pwd:{which}{'p' * 23}\r\na=setup:{setup}\r\n"
            f"a=fingerprint:sha-256 {':'.join(['AB'] * 32)}\r\n"
            "a=candidate:1 1 udp 2130706431 127.0.0.1 40000 typ host\r\n")


FEATURES = (";+sip.instance=\"<urn:uuid:00000000-0000-1000-8000-000A95A0E128>\""
            ";+g.3gpp.icsi-ref=\"urn%3Aurn-7%3A3gpp-service.ims.icsi.mmtel\";audio;isfocus")

RICH = [
    ("P-Asserted-Identity", "\"Ada L.\" <sip:CALLER@core.example;user=phone>"),
    ("p-asserted-identity  ", "  <tel:CALLER>"),
    ("Privacy", "none"),
    ("Diversion", "<sip:+4722000001@core.example>;reason=user-busy;counter=1;privacy=off"),
    ("Diversion", "<sip:+4722000002@core.example>;reason=no-answer,\r\n"
                  "\t<sip:+4722000003@core.example>;reason=unconditional"),
    ("History-Info", "<sip:+4722000001@core.example?Privacy=history&Reason=SIP%3Bcause%3D486>"
                     ";index=1, <sip:+4722334455@core.example;cause=302>;index=1.1;mp=1"),
    ("P-Charging-Vector", "icid-value=\"AyretyU0dm+6O2IrT5tAFrbHLso=023551024\";\r\n"
                          "   icid-generated-at=192.0.6.8; orig-ioi=home1.net"),
    ("P-Charging-Function-Addresses", "ccf=192.1.1.1;  ccf=192.1.1.2"),
    ("P-Access-Network-Info", "3GPP-E-UTRAN-FDD; utran-cell-id-3gpp=2420100120001234"),
    ("P-Visited-Network-ID", "\"Visited network number 1\""),
    ("P-Early-Media", "supported"),
    ("P-Preferred-Service", "urn:urn-7:3gpp-service.ims.icsi.mmtel"),
    ("P-Asserted-Service", "urn:urn-7:3gpp-service.ims.icsi.mmtel"),
    ("Geolocation", "<cid:target123@atlanta.example.com>"),
    ("Geolocation-Routing", "no"),
    ("User-to-User", "56a390f3d2b7310023a2;encoding=hex"),
    ("Alert-Info", "<http://www.example.com/sounds/moo.wav>"),
    ("Call-Info", "<http://wwww.example.com/alice/photo.jpg> ;purpose=icon"),
    ("Priority", "non-urgent"),
    ("Accept-Contact", "*;+g.3gpp.icsi-ref=\"urn%3Aurn-7%3A3gpp-service.ims.icsi.mmtel\";explicit"),
    ("Reject-Contact", "*;video"),
    ("Request-Disposition", "no-fork, directive"),
    ("Reason", "SIP;cause=302;text=\"moved, (really)\""),
    ("User-Agent", "Phone/7.1 (\"x\") build;42"),
    ("Accept-Language", "nb, en;q=0.8"),
    ("Subject", "=?utf-8?q?h=C3=A6?= \u00e6\u00f8\u00e5"),
    ("Organization", ""),
    ("Date", "Sat, 13 Nov 2010 23:29:00 GMT"),
    ("Expires", "120"),
    ("In-Reply-To", "a@b, c@d"),
    ("Reply-To", "Bob <sip:bob@biloxi.example>"),
    ("Referred-By", "<sip:referrer@referrer.example>;cid=\"2UWQFN309shb3@referrer.example\""),
    ("Identity", "eyJhbGciOiJFUzI1NiJ9..sig;info=<https://cert.example/a.cer>;ppt=shaken"),
    ("Feature-Caps", "*;+g.3gpp.srvcc"),
    ("Session-ID", ""),  # filled in for each call
    ("X-Unknown", "one"),
    ("X-UNKNOWN", "  two   with  inner   blanks\t;\"quoted, comma\" "),
    ("X-Empty", ""),
    ("X-Long", "z" * 3000),
    ("Warning", "399 core.example \"not \\\"quite\\\"\""),
    ("Resource-Priority", "ets.4"),
    ("MIME-Version", "1.0"),
    ("Supported", "100rel, histinfo,timer ,  uui,precondition"),
]

ANSWER_HEADERS = [
    ("P-Asserted-Identity", "\"Bo\" <sip:+4722334455@core.example>"),
    ("Privacy", "id"),
    ("P-Charging-Vector", "icid-value=x; term-ioi=y"),
    ("P-Access-Network-Info", "IEEE-802.11"),
    ("P-Early-Media", "sendrecv"),
    ("Feature-Caps", "*;+g.3gpp.x"),
    ("Alert-Info", "<urn:alert:service:call-waiting>"),
    ("Server", "Phone (answering)/1"),
    ("History-Info", "<sip:a@b>;index=1"),
    ("Session-ID", "0123456789abcdef0123456789abcdef;remote=0"),
    ("User-to-User", "00"),
    ("Organization", "Biloxi"),
    ("Reply-To", "<sip:x@y>"),
    ("X-Core", "a"),
    ("X-Core", "b,  c"),
    ("Warning", "370 devnull \"Choose a bigger pipe\""),
    ("Date", "not a date at all"),
    ("Error-Info", "<sip:announcement10@example.com>"),
]


def unfolded(value):
    return re.sub(r"[ \t]*\r\n[ \t]+", " ", value).strip(" \t")


def told(message):
    """name -> values in order, of what has to cross."""
    found = {}
    for name, value in message.headers:
        name = name.strip().lower()
        if name not in OWN:
            found.setdefault(name, []).append(unfolded(value))
    return found


def tags(message, name):
    return {tag.strip() for n, value in message.headers if n.lower() == name
            for tag in value.split(",")} - {""}


def name_addr(value):
    """display name without quotes, URI"""
    display, _, rest = value.rpartition("<")
    return display.strip().strip('"').replace("\\", ""), rest.split(">")[0]


def same_headers(sent, received):
    want, have = told(sent), told(received)
    for name in want.keys() | have.keys():
        if name in ADDED and name not in want:
            continue
        assert want.get(name) == have.get(name), f"{name}: {want.get(name)} -> {have.get(name)}"


def features(message):
    contact = next(v for n, v in message.headers if n.lower() == "contact")
    return contact.split(">", 1)[1]


def same_body(sent, received, sdp_differs):
    want, have = sent.body, received.body
    types = [next((v for n, v in m.headers if n.lower() == "content-type"), "")
             for m in (sent, received)]
    assert types[0] == types[1], types
    if sdp_differs:
        sdp = re.compile(r"v=0\r\n(?:[a-z]=[^\r\n]*\r\n)+")
        assert sdp.search(have), have
        want, have = sdp.sub("<sdp>\r\n", want), sdp.sub("<sdp>\r\n", have)
        want, have = (t.replace("\r\n\r\n--", "\r\n--") for t in (want, have))
    assert want == have, f"\n{want!r}\n{have!r}"


def multipart(sdp):
    return (f"preamble\r\n--unique-b:1\r\nContent-Type: application/sdp\r\n"
            f"Content-Disposition: session\r\n\r\n{sdp}\r\n"
            "--unique-b:1\r\nContent-Type: application/pidf+xml\r\n"
            "Content-ID: <target123@atlanta.example.com>\r\n\r\n"
            "<?xml version=\"1.0\"?>\n<presence>\u00e6 -- not --a boundary</presence>\r\n"
            "--unique-b:1\r\nContent-Type: application/resource-lists+xml\r\n"
            "Content-Disposition: recipient-list;handling=optional\r\n\r\n<lists/>\r\n"
            "--unique-b:1--\r\nepilogue\r\n",
            [("Content-Type", "multipart/mixed; boundary=\"unique-b:1\"")])


class Call:
    """Leg 2 on a flow of its own, leg 3 taken by the same SBC."""

    def __init__(self, sbc, daemon, caller, body, types, extra):
        self.sbc = sbc
        self.flow = sbc.connect(daemon.port)
        self.session = secrets.token_hex(16) + ";remote=" + "0" * 32
        dialled = "+00" + CALLEE[1:]
        invite = sbc.invite(f"sips:{dialled}@127.0.0.1;user=phone;cause=302;x-own=1;transport=tls",
                            "unused", "unused", "", [])
        replaced = {"from": f"\"Ada \\\"Q\\\" L\" <sip:{caller}@core.example;user=phone;isub=1>"
                            f";tag={secrets.token_hex(4)}",
                    "to": f"Bob <sip:{dialled}@core.example;user=phone>",
                    "contact": sbc.contact()[:-1] + ";ob>" + FEATURES + ";methods=\"INVITE,INFO\""}
        invite.headers = [(n, replaced.get(n, v)) for n, v in invite.headers]
        invite.headers += [(n, self.session if n == "Session-ID" else v.replace("CALLER", caller))
                           for n, v in extra] + types
        invite.body = body
        self.leg2, self.dialled = invite, dialled
        self.flow.send(invite)
        self.flow3, self.leg3 = sbc.wait(lambda m: m.start.startswith("INVITE") and
                                         m.get("session-id") == self.session)

    def back(self, status, method="INVITE"):
        return self.sbc.wait(lambda m: m.status == status and m.method == method and
                             m.get("call-id") == self.leg2.get("call-id"))[1]

    def reply(self, status, phrase, sdp="", extra=(), types=(), features=""):
        reply = self.sbc.reply(self.leg3, status, phrase, "", "callee")
        reply.headers = [(n, v + features if n == "contact" else v) for n, v in reply.headers]
        reply.headers += [*extra, *(types or [("content-type", "application/sdp")] if sdp else types)]
        reply.body = sdp
        self.flow3.send(reply)
        return reply

    def answered(self, sdp):
        self.reply(200, "OK", sdp)
        self.ok2 = self.back(200)
        self.ok3 = self.sbc.reply(self.leg3, 200, "OK", sdp, "callee")
        self.flow.send(self.sbc.in_dialog("ACK", self.leg2, self.ok2))
        self.sbc.wait(lambda m: m.start.startswith("ACK") and
                      m.get("call-id") == self.leg3.get("call-id"))
        return self

    def refuse(self):
        self.reply(486, "Busy Here")
        self.back(486)


def check_invite(call):
    leg2, leg3 = call.leg2, call.leg3
    same_headers(leg2, leg3)
    uri = leg3.start.split()[1]
    assert re.fullmatch(rf"sips:\{CALLEE}@127\.0\.0\.1:\d+;user=phone;cause=302;x-own=1", uri), uri
    assert name_addr(leg3.get("from")) == name_addr(leg2.get("from")), leg3.get("from")
    display, uri = name_addr(leg3.get("to"))
    assert (display, uri) == ("Bob", f"sip:{CALLEE}@core.example;user=phone"), leg3.get("to")
    assert leg3.get("max-forwards") == "69"
    assert features(leg3) == FEATURES, features(leg3)
    assert tags(leg3, "supported") - PER_LEG == {"histinfo", "uui"}, leg3.all("supported")
    assert tags(leg3, "require") - PER_LEG == tags(leg2, "require") - PER_LEG, leg3.all("require")


KINDS = {"passed": (STRANGER, PASSED_SDP, PASSED_SDP),
         "anchored": (REGISTERED, webrtc_sdp(0, "actpass"), webrtc_sdp(1, "active"))}


def place(scene, kind, extra=tuple(RICH), parts=False):
    caller, offer, _ = KINDS[kind]
    body, types = multipart(offer) if parts else (offer, [("Content-Type", "application/sdp")])
    return Call(*scene, caller, body, types, extra)


def an_invite(scene, kind, parts):
    call = place(scene, kind, parts=parts)
    check_invite(call)
    same_body(call.leg2, call.leg3, kind == "anchored")
    call.refuse()


def a_required_extension(scene, kind):
    call = place(scene, kind, RICH + [("Require", "resource-priority, histinfo")])
    check_invite(call)
    reply = call.reply(420, "Bad Extension", extra=[("Unsupported", "resource-priority")])
    same_headers(reply, call.back(420))


def answers(scene, kind):
    call = place(scene, kind)
    answer = KINDS[kind][2]
    for status, phrase, sdp in ((183, "Session  Progress, really", ""), (180, "Ringing", ""),
                                (183, "Again", answer), (200, "Fine", answer)):
        reply = call.reply(status, phrase, sdp, ANSWER_HEADERS, features=FEATURES)
        back = call.back(status)
        same_headers(reply, back)
        assert features(back) == FEATURES, features(back)
        assert status == 200 or back.start.split(" ", 2)[2] == phrase, back.start
        if sdp:
            same_body(reply, back, kind == "anchored")
    call.flow.send(scene[0].in_dialog("ACK", call.leg2, back))
    scene[0].wait(lambda m: m.start.startswith("ACK") and m.get("call-id") == call.leg3.get("call-id"))
    call.ok2, call.ok3 = back, reply
    bye_from_a(scene, call)


def an_answer_in_company(scene, kind):
    call = place(scene, kind)
    body, types = multipart(KINDS[kind][2])
    reply = call.reply(200, "OK", body, ANSWER_HEADERS, types)
    back = call.back(200)
    same_headers(reply, back)
    same_body(reply, back, kind == "anchored")
    call.flow.send(scene[0].in_dialog("ACK", call.leg2, back))
    call.ok2, call.ok3 = back, reply
    bye_from_a(scene, call)


def refusals(scene, kind):
    cases = [
        (486, "Busy Here", [("Reason", "Q.850;cause=17;text=\"User busy\"")], "", []),
        (503, "Service Unavailable", [("Retry-After", "18000;duration=3600 (maintenance)")], "", []),
        (480, "Nobody  home", [], "", []),
        (603, "Decline", [("Retry-After", "7"), ("Reason", "SIP;cause=603"),
                          ("Reason", "Q.850;cause=21")], "", []),
        (404, "Not Found", [("Error-Info", "<sip:x@y>")], "", []),
        (380, "Alternative Service", [("Contact", "<sip:sos@core.example>;q=0.5")],
         "<ims-3gpp version=\"1\"/>", [("Content-Type", "application/3gpp-ims+xml"),
                                       ("Content-Disposition", "render;handling=optional")]),
        (302, "Moved Temporarily", [("Contact", "<sip:+4711111111@core.example>;q=0.7"),
                                    ("Contact", "<tel:+4722222222>")], "", []),
    ]
    for status, phrase, extra, body, types in cases:
        call = place(scene, kind, [("Session-ID", "")])
        reply = scene[0].reply(call.leg3, status, phrase, "", "callee")
        reply.headers = [(n, v) for n, v in reply.headers if n != "contact"]
        reply.headers += ANSWER_HEADERS + extra + types
        reply.body = body
        call.flow3.send(reply)
        back = call.back(status)
        same_headers(reply, back)
        assert back.start == reply.start, back.start
        assert back.body == body, back.body
        contacts = [v for n, v in reply.headers if n.lower() == "contact"]
        assert ", ".join(back.all("contact")) == ", ".join(contacts), back.all("contact")
        if types:
            assert back.get("content-type") == types[0][1], back.headers


END = [("Reason", "Q.850;cause=31;text=\"a, b\""), ("Reason", "SIP;cause=200"),
       ("P-Charging-Vector", "icid-value=1;  term-ioi=2"), ("P-Access-Network-Info", "3GPP-NR"),
       ("User-Agent", "Phone/7"), ("X-Bye", "  both   ways "), ("Session-ID", "abc;remote=def")]


def ended(scene, bye, watched):
    flow, seen = scene[0].wait(lambda m: m.start.startswith(bye.start.split()[0] + " ") and
                               m.get("call-id") == watched.get("call-id"))
    flow.send(scene[0].reply(seen, 200, "OK"))
    reasons = [", ".join(m.all("reason") or [v for n, v in m.headers if n == "Reason"])
               for m in (bye, seen)]
    assert reasons[0] == reasons[1], reasons
    for message in (bye, seen):
        message.headers = [(n, v) for n, v in message.headers if n.lower() != "reason"]
    same_headers(bye, seen)


def bye_from_a(scene, call):
    bye = scene[0].in_dialog("BYE", call.leg2, call.ok2)
    bye.headers += END
    call.flow.send(bye)
    ended(scene, bye, call.leg3)


def bye_from_b(scene, kind):
    call = place(scene, kind).answered(KINDS[kind][2])
    bye = scene[0].in_dialog("BYE", call.leg3, call.ok3, outgoing=False)
    bye.headers += END
    call.flow3.send(bye)
    ended(scene, bye, call.leg2)


def a_bye_without_reason(scene, kind):
    call = place(scene, kind).answered(KINDS[kind][2])
    bye = scene[0].in_dialog("BYE", call.leg2, call.ok2)
    bye.headers.append(("User-Agent", "x"))
    call.flow.send(bye)
    ended(scene, bye, call.leg3)


def a_cancel(scene, kind):
    call = place(scene, kind)
    call.reply(180, "Ringing")
    call.back(180)
    cancel = scene[0].invite("unused", "", "", "")
    cancel.start = call.leg2.start.replace("INVITE", "CANCEL", 1)
    cancel.headers = [(n, v.replace("INVITE", "CANCEL") if n == "cseq" else v)
                      for n, v in call.leg2.headers
                      if n in ("via", "from", "to", "call-id", "cseq", "max-forwards")]
    cancel.headers += [h for h in END if h[0] != "User-Agent"]
    call.flow.send(cancel)
    ended(scene, cancel, call.leg3)
    call.reply(487, "Request Terminated")
    call.back(487)


def the_record_keeps_the_cause(scene, kind):
    call = place(scene, kind).answered(KINDS[kind][2])
    bye_from_a(scene, call)
    records = scene[1].folder / "cdr.jsonl"

    def causes():
        return [record["q850"] for record in map(json.loads, records.read_text().splitlines())
                if record["call_id_a"] == call.leg2.get("call-id")]

    # Written by a thread of its own, after the log's line.
    wait_until("the call's record", causes)
    assert causes() == [31], causes()


def main():
    tally = Tally()
    with tempfile.TemporaryDirectory() as folder:
        pki = Pki(pathlib.Path(folder))
        with contextlib.closing(Sbc(pki.cert, pki.key, pki.ca)) as sbc, \
                Daemon(sbc.port, pki) as daemon:
            daemon.start()
            scene = sbc, daemon
            for kind in KINDS:
                tally.run(f"{kind}: INVITE", an_invite, scene, kind, False)
                tally.run(f"{kind}: INVITE with more than SDP", an_invite, scene, kind, True)
                tally.run(f"{kind}: required extensions", a_required_extension, scene, kind)
                tally.run(f"{kind}: 183, 180, 183, 200 and BYE", answers, scene, kind)
                tally.run(f"{kind}: 200 with more than SDP", an_answer_in_company, scene, kind)
                tally.run(f"{kind}: final errors and redirections", refusals, scene, kind)
                tally.run(f"{kind}: BYE from the called side", bye_from_b, scene, kind)
                tally.run(f"{kind}: BYE without Reason", a_bye_without_reason, scene, kind)
                tally.run(f"{kind}: CANCEL", a_cancel, scene, kind)
                tally.run(f"{kind}: record", the_record_keeps_the_cause, scene, kind)
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
