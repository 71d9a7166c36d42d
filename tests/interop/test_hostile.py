# SPDX-License-Identifier: Apache-2.0
"""Bad input from the network: after each piece the daemon still answers a
healthy neighbour at once, and says in its log or answer what was wrong."""

import pathlib
import secrets
import select
import socket
import ssl
import sys
import tempfile
import time

from harness import Daemon, Pki, Tally
from sipwire import Message, Sbc, parse
from talk import webrtc_sdp

RTP_OFFER = ("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
             "m=audio 40000 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n")
NUMBER = "sips:+004722334455@127.0.0.1"
CALLER, CALLEE = "sip:+4799000001@core.example", "sip:+4722334455@core.example"


class Peer:
    """A raw TLS connection to the daemon, from any loopback address."""

    def __init__(self, daemon, source="127.0.0.1"):
        context = ssl.create_default_context(cafile=daemon.pki.ca)
        raw = socket.socket()
        raw.bind((source, 0))
        raw.settimeout(5)
        # The request follows the handshake at once: Nagle would hold it for 40 ms.
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        raw.connect(("127.0.0.1", daemon.port))
        self.sock = context.wrap_socket(raw, server_hostname="127.0.0.1")

    def send(self, data):
        try:
            self.sock.sendall(data)
        except OSError:
            pass  # the daemon may hang up on us in the middle, that is its right

    def answer(self, final=True):
        """The next (final) response, or None when the connection ends or stays silent."""
        data = b""
        try:
            while True:
                while b"\r\n\r\n" in data:
                    head, _, rest = data.partition(b"\r\n\r\n")
                    size = int(parse(head, b"").get("content-length") or 0)
                    if len(rest) < size:
                        break
                    message, data = parse(head, rest[:size]), rest[size:]
                    if message.status >= (200 if final else 100):
                        return message
                chunk = self.sock.recv(65536)
                if not chunk:
                    return None
                data += chunk
        except (TimeoutError, OSError):
            return None

    def close(self):
        self.sock.close()


def request(method, uri="sips:127.0.0.1", body="", extra=(), cseq=None):
    return Message(f"{method} {uri} SIP/2.0", [
        ("via", f"SIP/2.0/TLS 127.0.0.1:9;branch=z9hG4bK{secrets.token_hex(8)}"),
        ("max-forwards", "70"), ("from", f"<{CALLER}>;tag={secrets.token_hex(4)}"),
        ("to", f"<{CALLEE}>"), ("call-id", secrets.token_hex(8)),
        ("cseq", cseq or f"1 {method}"), ("contact", "<sips:x@127.0.0.1:9>"), *extra], body)


def healthy(daemon):
    peer = Peer(daemon)
    peer.send(request("OPTIONS").encode())
    answer = peer.answer()
    peer.close()
    assert answer and answer.status == 200, f"a healthy neighbour got {answer and answer.start}"


def expect(daemon, data, *statuses, source="127.0.0.1"):
    """Sends and wants one of these statuses; None allows silence or hang-up."""
    peer = Peer(daemon, source)
    peer.sock.settimeout(2 if None in statuses else 8)
    peer.send(data)
    answer = peer.answer()
    peer.close()
    status = answer.status if answer else None
    assert status in statuses, f"answered {answer.start if answer else 'nothing'}"
    healthy(daemon)
    return answer


def garbage(daemon):
    expect(daemon, secrets.token_bytes(3000) + b"\r\n\r\n", None, 400)


def huge_header(daemon):
    expect(daemon, request("OPTIONS", extra=[("x-big", "a" * 200000)]).encode(), None, 400, 413, 513)


def lying_length(daemon):
    data = request("OPTIONS").encode().replace(b"Content-Length: 0", b"Content-Length: 999999999")
    expect(daemon, data, None, 400, 413, 513)


def negative_length(daemon):
    data = request("OPTIONS").encode().replace(b"Content-Length: 0", b"Content-Length: -5")
    expect(daemon, data, None, 400)


def unknown_method(daemon):
    answer = expect(daemon, request("FROBNICATE").encode(), 405, 501)
    assert "INVITE" in answer.get("allow"), answer.headers


def register_refused(daemon):
    expect(daemon, request("REGISTER").encode(), 403, 405)


def out_of_dialog(daemon):
    expect(daemon, request("BYE").encode(), 481)
    expect(daemon, request("CANCEL").encode(), 481)
    expect(daemon, request("ACK").encode(), None)


def sdp_garbage(daemon):
    body = "this is no session description\r\n"
    expect(daemon, request("INVITE", NUMBER, body, [("content-type", "application/sdp")]).encode(),
           400, 488)


def body_of_another_kind(daemon):
    expect(daemon, request("INVITE", NUMBER, "<x/>", [("content-type", "text/xml")]).encode(), 415)


def plain_rtp_towards_webrtc(daemon):
    answer = expect(daemon, request("INVITE", NUMBER, RTP_OFFER,
                                    [("content-type", "application/sdp")]).encode(), 488)
    assert answer.get("warning"), "488 without a Warning that says why"


FOREIGN = ["AMR-WB/16000", "AMR/8000", "EVS/16000", "iLBC/8000", "speex/8000", "speex/16000",
           "G726-32/8000", "G726-24/8000", "G726-40/8000", "SILK/16000", "SILK/24000", "L16/44100",
           "GSM-EFR/8000", "GSM-HR-08/8000", "QCELP/8000", "VMR-WB/16000"]


def nothing_in_common(daemon):
    """What the caller has and what the other side has, whole: of ourselves (a tone), and
    of a trunk that may use two codecs only."""
    types = range(96, 96 + len(FOREIGN))
    offer = webrtc_sdp(0, "actpass").replace(
        "SAVPF 8\r\na=rtpmap:8 PCMA/8000\r\n", f"SAVPF {' '.join(map(str, types))}\r\n" +
        "".join(f"a=rtpmap:{t} {name}\r\n" for t, name in zip(types, FOREIGN)))
    for callee, others in (("+4799000002", "PCMA/8000"), ("+4799000003", "G722, PCMA")):
        answer = expect(daemon, request("INVITE", f"sips:+01{callee[1:]}@127.0.0.1", offer,
                                        [("content-type", "application/sdp")]).encode(), 488)
        warning = answer.get("warning")
        assert f"one side offers {', '.join(FOREIGN)}; the other has " in warning, warning
        assert others in warning.split("the other has ")[1], warning
        assert warning.endswith('"'), warning


def no_hops_left(daemon):
    data = request("INVITE", NUMBER, RTP_OFFER, [("content-type", "application/sdp")]).encode()
    expect(daemon, data.replace(b"max-forwards: 70", b"max-forwards: 0"), 483)


def required_extension(daemon):
    expect(daemon, request("INVITE", NUMBER, RTP_OFFER, [
        ("content-type", "application/sdp"), ("require", "teleportation")]).encode(), 420)


def stranger(daemon):
    answer = expect(daemon, request("INVITE", NUMBER, RTP_OFFER, [
        ("content-type", "application/sdp")]).encode(), 403, source="127.0.0.77")
    assert answer.status == 403


def half_open(daemon):
    """Two hundred connections that never finish, in the TLS handshake or in a message."""
    stuck = []
    for number in range(200):
        if number % 2:
            raw = socket.create_connection(("127.0.0.1", daemon.port), 5)
            raw.sendall(b"\x16\x03\x01\x02")
            stuck.append(raw)
        else:
            peer = Peer(daemon)
            peer.send(b"OPTIONS sips:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TLS")
            stuck.append(peer.sock)
    healthy(daemon)
    for sock in stuck:
        sock.close()
    healthy(daemon)


def burst(daemon):
    """As after a restart of the core's proxies: a dropped SYN would wait a second."""
    begin = time.monotonic()
    socks = []
    for _ in range(500):
        sock = socket.socket()
        sock.setblocking(False)
        sock.connect_ex(("127.0.0.1", daemon.port))
        socks.append(sock)
    for sock in socks:
        assert select.select([], [sock], [], 5)[1], "a connection was not taken for 5 s"
    took = time.monotonic() - begin
    for sock in socks:
        sock.close()
    assert took < 0.9, f"500 connections took {took:.2f} s"
    healthy(daemon)


def emergency_call_after_all(daemon, sbc):
    flow = sbc.connect(daemon.port)
    leg2 = sbc.invite("sips:00112@127.0.0.1", CALLER, "sip:112@core.example", RTP_OFFER)
    flow.send(leg2)
    flow3, leg3 = sbc.wait(lambda m: m.start.startswith("INVITE"))
    assert leg3.start.startswith(("INVITE sips:112@", "INVITE sip:112@")), leg3.start
    assert leg3.body == RTP_OFFER, "an emergency call's SDP was touched"
    flow3.send(sbc.reply(leg3, 200, "OK", RTP_OFFER, "psap"))
    _, ok2 = sbc.wait(lambda m: m.status == 200 and m.get("call-id") == leg2.get("call-id"))
    flow.send(sbc.in_dialog("ACK", leg2, ok2))
    sbc.wait(lambda m: m.method == "ACK")
    flow.send(sbc.in_dialog("BYE", leg2, ok2))
    flow_bye, bye = sbc.wait(lambda m: m.start.startswith("BYE"))
    flow_bye.send(sbc.reply(bye, 200, "OK"))


def main():
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="breakout-sbc-") as folder:
        pki = Pki(pathlib.Path(folder))
        sbc = Sbc(pki.cert, pki.key, pki.ca)
        with Daemon(sbc.port, pki) as daemon:
            config = daemon.config()
            config["core"]["sbc"]["trusted"] = ["127.0.0.1/32"]
            daemon.changes = {
                "core": config["core"],
                "trunks": [{"name": "pbx", "uris": ["sip:127.0.0.2:9;transport=tcp"],
                            "codecs": ["G722", "PCMA"]}],
                "services": {"tone": [{"do": {"answer": {"tone": 425}}}],
                             "office": {"on_failure": "reject",
                                        "rules": [{"do": {"dial": "pbx"}}]}},
                "registrations": config["registrations"] + [
                    {"number": "+4799000002", "route_type": "loop", "service": "tone"},
                    {"number": "+4799000003", "route_type": "loop", "service": "office"}]}
            daemon.start()
            for name, test in [
                    ("random bytes", garbage),
                    ("a header of 200 kB", huge_header),
                    ("a Content-Length far beyond the body", lying_length),
                    ("a negative Content-Length", negative_length),
                    ("an unknown method is told what is allowed", unknown_method),
                    ("REGISTER is refused", register_refused),
                    ("BYE, CANCEL and ACK without a dialog", out_of_dialog),
                    ("a body that is no SDP", sdp_garbage),
                    ("a body of another type gets 415", body_of_another_kind),
                    ("plain RTP offered on the WebRTC side gets 488 and a Warning",
                     plain_rtp_towards_webrtc),
                    ("an offer without a codec in common gets 488 and a Warning with both lists",
                     nothing_in_common),
                    ("an INVITE without hops left gets 483", no_hops_left),
                    ("an unknown required extension gets 420", required_extension),
                    ("an INVITE from an untrusted address gets 403", stranger),
                    ("200 half-open connections harm nobody", half_open),
                    ("500 connections at the same moment are all taken at once", burst)]:
                tally.run(name, test, daemon)
            tally.run("an emergency call goes through untouched after all that",
                      emergency_call_after_all, daemon, sbc)
            tally.run("the daemon stops cleanly", lambda: daemon.stop() == 0 or
                      (_ for _ in ()).throw(AssertionError(daemon.log()[-3000:])))
            if tally.failed:
                print(daemon.log()[-6000:])
        sbc.close()
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
