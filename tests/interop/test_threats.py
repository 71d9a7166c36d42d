# SPDX-License-Identifier: Apache-2.0
"""What an attacker or a misconfigured core does to SIP signalling, at small scale:
connections reset in the middle of an INVITE, methods nobody needs, slow senders,
requests of a call led astray, calls that go round in circles, and SDP that names
somebody who has not asked for any media."""

import contextlib
import os
import pathlib
import random
import secrets
import socket
import ssl
import struct
import sys
import tempfile
import threading
import time

from harness import Daemon, Pki, Tally, free_port, wait_until
from sipwire import Sbc
from talk import RTP_OFFER, STRANGER, Talk, session, webrtc_sdp
from test_hostile import Peer, healthy, request

LOOPED = "+4799000001"
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close() sends RST
HANDSHAKE_S, MESSAGE_S = 3, 32  # configured here; 64*T1 of RFC 3261


def daemon_for(sbc, pki, hop_key=None):
    """Trusts 127.0.0.1 only; a trunk may call from 127.0.0.2 over TCP."""
    daemon = Daemon(sbc.port, pki)
    config = daemon.config()
    daemon.tcp_port = free_port()
    config["sip"]["listen"].append(f"tcp://127.0.0.1:{daemon.tcp_port}")
    config["sip"]["handshake_timeout"] = f"{HANDSHAKE_S}s"
    config["core"]["sbc"]["trusted"] = ["127.0.0.1/32"]
    if hop_key:
        config["core"]["sbc"]["hop_key_file"] = str(hop_key)
    daemon.changes = {
        "sip": config["sip"], "core": config["core"],
        "trunks": [{"name": "pbx", "uris": ["sip:127.0.0.2:9;transport=tcp"], "ingress": True}]}
    return daemon


def descriptors(daemon):
    return len(os.listdir(f"/proc/{daemon.process.pid}/fd"))


def no_call_left(daemon):
    wait_until("calls are left over",
               lambda: '"call_id_a"' not in daemon.ctl("-o", "json", "calls").stdout)


# ---- connections reset within an INVITE ----

def resets_within_an_invite(daemon, sbc):
    healthy(daemon)
    before, dice = descriptors(daemon), random.Random(4475)
    for _ in range(300):
        data = sbc.invite("sips:+004722334455@127.0.0.1", f"sip:{STRANGER}@core.example",
                          "sip:+4722334455@core.example", RTP_OFFER).encode()
        peer = Peer(daemon)
        peer.send(data[:dice.randrange(len(data) + 1)])
        peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        peer.close()
    healthy(daemon)
    no_call_left(daemon)
    # The connection of leg 3 may stay.
    wait_until("descriptors are left over", lambda: descriptors(daemon) <= before + 1)


# ---- methods nobody needs ----

UNNEEDED = ("MESSAGE", "SUBSCRIBE", "REGISTER", "NOTIFY", "PUBLISH", "REFER")


class PlainPeer(Peer):
    """The same over TCP."""

    def __init__(self, daemon, source):
        self.sock = socket.socket()
        self.sock.bind((source, 0))
        self.sock.settimeout(5)
        self.sock.connect(("127.0.0.1", daemon.tcp_port))


def answer_to(peer, method, transport):
    data = request(method).encode().replace(b"SIP/2.0/TLS", b"SIP/2.0/" + transport)
    peer.send(data)
    answer = peer.answer()
    peer.close()
    return answer and answer.status


def unneeded_methods(daemon, _sbc):
    for method in UNNEEDED:
        core = answer_to(Peer(daemon), method, b"TLS")
        trunk = answer_to(PlainPeer(daemon, "127.0.0.2"), method, b"TCP")
        stranger = answer_to(PlainPeer(daemon, "127.0.0.77"), method, b"TCP")
        assert core in (403, 405, 481), f"{method} from the core: {core}"
        assert trunk in (403, 405, 481), f"{method} from a trunk: {trunk}"
        assert stranger in (None, 403), f"{method} from a stranger: {stranger}"
    no_call_left(daemon)
    healthy(daemon)


# ---- slow senders ----

class SlowSenders:
    """Half handshakes, silent ones, and messages that come a byte a second."""

    def __init__(self, daemon):
        self.handshakes, self.messages = [], []
        for number in range(40):
            raw = socket.create_connection(("127.0.0.1", daemon.port), 5)
            if number % 2:
                raw.sendall(b"\x16\x03\x01\x02")
            self.handshakes.append(raw)
        for _ in range(20):
            self.messages.append(Peer(daemon).sock)
        self.begin = time.monotonic()
        self.closed = threading.Event()
        threading.Thread(target=self.drip, daemon=True).start()

    def drip(self):
        data = iter(request("OPTIONS", extra=[("x-slow", "x" * 100)]).encode())
        while not self.closed.wait(1):
            byte = bytes([next(data)])
            for sock in self.messages:
                with contextlib.suppress(OSError):
                    sock.sendall(byte)

    def until_hung_up(self, socks, deadline_s):
        for sock in socks:
            sock.settimeout(max(0.1, self.begin + deadline_s - time.monotonic()))
            try:
                assert not sock.recv(1), "something was answered"
            except (ConnectionResetError, ssl.SSLError):
                pass
            except TimeoutError:
                raise AssertionError(f"still open after {deadline_s} s") from None
            sock.close()


def neighbours_do_not_notice(daemon, _sbc):
    times = []
    for _ in range(50):
        peer = Peer(daemon)
        begin = time.monotonic()
        peer.send(request("OPTIONS").encode())
        assert peer.answer().status == 200
        times.append(time.monotonic() - begin)
        peer.close()
    median = sorted(times)[len(times) // 2]
    assert median < 0.02, f"an OPTIONS took {1000 * median:.0f} ms"


def half_handshakes_are_hung_up(slow):
    slow.until_hung_up(slow.handshakes, HANDSHAKE_S + 3)


def slow_messages_are_hung_up(slow):
    slow.until_hung_up(slow.messages, MESSAGE_S + 5)


# ---- led astray ----

class Thief:
    """Listens on an address that is neither the core's nor a trunk's."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.66", 0))
        self.listener.settimeout(0.5)
        self.uri = f"sips:thief@127.0.0.66:{self.listener.getsockname()[1]}"

    def got_nothing(self):
        try:
            sock, source = self.listener.accept()
        except TimeoutError:
            return
        sock.close()
        raise AssertionError(f"a connection from {source} went there")


def with_contact(message, uri):
    message.headers = [(n, f"<{uri}>" if n == "contact" else v) for n, v in message.headers]
    return message


def a_redirect_is_not_followed(daemon, sbc):
    thief, flow = Thief(), sbc.connect(daemon.port)
    for status in (300, 301, 302, 305, 380):
        call = Talk(sbc, flow, extra=session()).ring()
        call.flow3.send(with_contact(sbc.reply(call.leg3, status, "Moved", tag="t"), thief.uri))
        assert call.refused() >= 300
    thief.got_nothing()
    flow.close()


def a_route_in_an_invite_is_not_followed(daemon, sbc):
    thief, flow = Thief(), sbc.connect(daemon.port)
    own = f"<sips:127.0.0.1:{daemon.port};lr>"
    for route in ([f"<{thief.uri};lr>"], [own, f"<{thief.uri};lr>"]):
        call = Talk(sbc, flow, extra=[*session(), *(("route", r) for r in route)]).ring()
        assert not call.leg3.all("route"), call.leg3.headers
        call.flow3.send(sbc.reply(call.leg3, 486, "Busy Here", tag="t"))
        assert call.refused() == 486
    thief.got_nothing()
    flow.close()


# ---- circles ----

class NaiveCore:
    """Gives each leg 3 to the next daemon as a new leg 2, its prefix put back, with
    every header of it except those of its dialog; `forgets` some more."""

    OWN = ("via", "from", "to", "call-id", "cseq", "contact", "content-type", "max-forwards",
           "content-length", "record-route")

    def __init__(self, sbc, daemons, forgets=()):
        self.sbc, self.forgets, self.passes, self.pending = sbc, forgets, 0, []
        self.flows = [sbc.connect(daemon.port) for daemon in daemons]

    def leg2(self, hops, extra=()):
        uri = f"sips:+01{LOOPED[1:]}@127.0.0.1"
        invite = self.sbc.invite(uri, f"sip:{STRANGER}@core.example",
                                 f"sip:{LOOPED}@core.example", RTP_OFFER, extra)
        invite.headers = [(n, str(hops) if n == "max-forwards" else v) for n, v in invite.headers]
        self.flows[self.passes % len(self.flows)].send(invite)
        self.passes += 1
        self.pending.append((None, None, invite))

    def step(self):
        """One leg 3 goes on, or one final response comes back; the status at the end."""
        flow, message = self.sbc.wait(lambda m: m.start.startswith("INVITE ") or
                                      m.status >= 200 and m.method == "INVITE")
        if not message.status:
            keep = [(n, v) for n, v in message.headers
                    if n not in self.OWN and n not in self.forgets]
            self.leg2(int(message.get("max-forwards")) - 1, keep)
            self.pending[-1] = (flow, message, self.pending[-1][2])
            return None
        flow, leg3, invite = self.pending.pop()
        assert message.get("call-id") == invite.get("call-id"), "an answer out of turn"
        if leg3:
            flow.send(self.sbc.reply(leg3, message.status, "Loop", tag=secrets.token_hex(4)))
            return None
        return message.status

    def play(self, hops=70):
        self.leg2(hops)
        while (status := self.step()) is None:
            assert self.passes < 100, "nobody ends it"
        for flow in self.flows:
            flow.close()
        return status, self.passes


def circles_end(sbc, pki, folder):
    """Alone, between two that share a key, and through a core that drops our mark."""
    key = folder / "hop-key"
    key.write_text(secrets.token_hex(32))
    with daemon_for(sbc, pki, key) as one, daemon_for(sbc, pki, key) as two:
        for daemon in (one, two):
            # Not the number that goes round: plain RTP passes an unknown one.
            daemon.changes["registrations"] = [{"number": "+4799000009", "route_type": "loop"}]
            daemon.start()
        for daemons in ([one], [one, two]):
            status, passes = NaiveCore(sbc, daemons).play()
            assert (status, passes) == (482, 2), (len(daemons), status, passes)
        status, passes = NaiveCore(sbc, [one, two], ["breakout-hop"]).play(hops=9)
        assert status == 483 and passes <= 9, (status, passes)
        for daemon in (one, two):
            no_call_left(daemon)


# ---- media to a third party ----

class Victim:
    """A UDP port that an SDP names, and that answers nothing."""

    def __init__(self):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.9", 0))
        self.port = self.sock.getsockname()[1]
        self.heard = []  # (when, the first byte)
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        with contextlib.suppress(OSError):
            while packet := self.sock.recv(2048):
                self.heard.append((time.monotonic(), packet[0]))

    def told(self, sdp):
        return sdp.replace("c=IN IP4 127.0.0.1", "c=IN IP4 127.0.0.9").replace(
            "127.0.0.1 40000", f"127.0.0.9 {self.port}").replace("m=audio 40000",
                                                                 f"m=audio {self.port}")

    def kinds(self):
        """RFC 7983: what it was sent."""
        return {"stun" if first < 4 else "rtp" if first > 127 else "other"
                for _, first in self.heard}


def call_of_the_trunk(daemon, sbc, victim):
    """Answered by our tone; returns what ends it, and when it was answered."""
    peer = PlainPeer(daemon, "127.0.0.2")
    invite = sbc.invite("sip:tone@127.0.0.1", f"sip:{STRANGER}@pbx.example", "sip:tone@pbx.example",
                        victim.told(RTP_OFFER))
    invite.headers = [(n, v.replace("/TLS", "/TCP").replace("sips:", "sip:"))
                      for n, v in invite.headers]
    peer.send(invite.encode())
    ok = peer.answer()
    assert ok and ok.status == 200, ok
    ack, bye = (sbc.in_dialog(method, invite, ok) for method in ("ACK", "BYE"))
    for message in (ack, bye):
        message.headers = [(n, v.replace("/TLS", "/TCP")) for n, v in message.headers]
    peer.send(ack.encode())

    def end():
        peer.send(bye.encode())
        assert peer.answer().status == 200
        peer.close()
    return end, time.monotonic()


def call_of_the_core(daemon, sbc, victim):
    flow = sbc.connect(daemon.port)
    invite = sbc.invite("sips:+4799000001@127.0.0.1", f"sip:{STRANGER}@core.example",
                        "sip:+4799000001@core.example", victim.told(webrtc_sdp(0, "actpass")))
    flow.send(invite)
    _, ok = sbc.wait(lambda m: m.status >= 200 and m.get("call-id") == invite.get("call-id"))
    assert ok.status == 200, ok.start
    flow.send(sbc.in_dialog("ACK", invite, ok))

    def end():
        flow.send(sbc.in_dialog("BYE", invite, ok))
        sbc.wait(lambda m: m.status and m.method == "BYE")
    return end


def third_parties_are_not_flooded(sbc, pki):
    """Whoever's address stands in an SDP gets 5 s of RTP at most without ICE, and with ICE
    nothing but connectivity checks (RFC 8826 section 9.1.2). Takes 8 s."""
    with daemon_for(sbc, pki) as daemon:
        daemon.changes["services"] = {"tone": [{"do": {"answer": {"tone": 425}}}]}
        daemon.changes["trunks"][0]["service"] = "tone"
        daemon.changes["registrations"] = [{"number": "+4799000001", "route_type": "fork",
                                            "service": "tone"}]
        daemon.start()
        plain, ice = Victim(), Victim()
        end_ice = call_of_the_core(daemon, sbc, ice)
        end_plain, answered = call_of_the_trunk(daemon, sbc, plain)
        daemon.wait_log("is sent nothing until it sends: no packet came from 127.0.0.9", 10)
        time.sleep(2)
        last = max(when for when, _ in plain.heard) - answered
        assert plain.kinds() == {"rtp"} and len(plain.heard) > 200, (plain.kinds(), len(plain.heard))
        assert 4 < last <= 5.1, f"the last packet came {last:.2f} s after the answer"
        assert ice.kinds() == {"stun"}, f"{ice.kinds()} before anybody has answered a check"
        assert len(ice.heard) < 100, len(ice.heard)
        end_plain()
        end_ice()
        no_call_left(daemon)


def main():
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="breakout-threats-") as name:
        folder = pathlib.Path(name)
        pki = Pki(folder)
        with contextlib.closing(Sbc(pki.cert, pki.key, pki.ca)) as sbc:
            with daemon_for(sbc, pki) as daemon:
                daemon.start()
                slow = SlowSenders(daemon)
                tally.run("20 senders of a byte a second do not slow a neighbour down",
                          neighbours_do_not_notice, daemon, sbc)
                tally.run("half handshakes are hung up on", half_handshakes_are_hung_up, slow)
                for name, test in [
                        ("methods nobody needs are refused, whoever sends them", unneeded_methods),
                        ("a redirect is not followed", a_redirect_is_not_followed),
                        ("a Route in an INVITE is not followed",
                         a_route_in_an_invite_is_not_followed)]:
                    tally.run(name, test, daemon, sbc)
                tally.run("messages that take more than 64*T1 are hung up on",
                          slow_messages_are_hung_up, slow)
                slow.closed.set()
                tally.run("300 connections reset within an INVITE leave nothing",
                          resets_within_an_invite, daemon, sbc)
        with contextlib.closing(Sbc(pki.cert, pki.key, pki.ca)) as sbc:
            tally.run("calls in a circle end after one more pass", circles_end, sbc, pki, folder)
            tally.run("an SDP that names a third party has it sent 5 s of RTP at most, and with "
                      "ICE none", third_parties_are_not_flooded, sbc, pki)
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
