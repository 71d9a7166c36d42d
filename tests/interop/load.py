# SPDX-License-Identifier: Apache-2.0
"""Many calls at once through the daemon, as its core and a PBX see them: an SBC over TLS,
with connections that last and some that are made for one call, and a PBX over UDP. One
thread; a call that does not go as it should is kept with what happened."""

import contextlib
import heapq
import itertools
import re
import secrets
import selectors
import socket
import ssl
import time

from sipwire import Message, parse
from talk import RTP_OFFER, webrtc_sdp

CALLEE, CALLER = "+4722334455", "+4790000009"
T1, PATIENCE = 0.5, 8


class Stream:
    """One TLS connection, either way round."""

    def __init__(self, load, sock):
        self.load, self.sock, self.data, self.open = load, sock, b"", True
        self.half = False  # when the other side has ended it, ours stays open
        sock.setblocking(False)
        load.selector.register(sock, selectors.EVENT_READ, self.readable)
        self.readable()  # what came with the handshake

    def readable(self):
        try:
            while self.open:
                chunk = self.sock.recv(65536)
                if not chunk:
                    self.close()
                self.data += chunk
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        except OSError:
            self.close()
        while b"\r\n\r\n" in self.data:
            head, _, rest = self.data.partition(b"\r\n\r\n")
            length = int(parse(head, b"").get("content-length") or 0)
            if len(rest) < length:
                return
            self.data = rest[length:]
            self.load.take(self, parse(head, rest[:length]))

    def send(self, message):
        data = message.encode()
        while data:
            try:
                data = data[self.sock.send(data):]
            except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
                time.sleep(0.001)

    def close(self):
        if self.open:
            self.open = False
            self.load.selector.unregister(self.sock)
            if not self.half:
                self.sock.close()


class Datagrams:
    """The PBX's one socket."""
    open = True

    def __init__(self, load, daemon_port):
        self.load, self.to = load, ("127.0.0.1", daemon_port)
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.sock.setblocking(False)
        self.port = self.sock.getsockname()[1]
        load.selector.register(self.sock, selectors.EVENT_READ, self.readable)

    def readable(self):
        with contextlib.suppress(BlockingIOError):
            while True:
                head, _, body = self.sock.recv(65536).partition(b"\r\n\r\n")
                self.load.take(self, parse(head, body))

    def send(self, message):
        self.sock.sendto(message.encode(), self.to)


class Leg:
    """One side of a call: what was said last, and on which way."""

    def __init__(self, call, flow, udp):
        self.call, self.flow, self.udp = call, flow, udp
        self.invite = self.ok = self.answer = None
        self.confirmed = self.over = self.heard = False


class Call:
    def __init__(self, kind, talk, by_callee, fresh):
        self.kind, self.talk, self.by_callee, self.fresh = kind, talk, by_callee, fresh
        self.session = secrets.token_hex(16)
        self.a = self.b = None
        self.began, self.done, self.story = time.monotonic(), False, []

    def __str__(self):
        return f"{self.kind} fresh={self.fresh} by_callee={self.by_callee}: {self.story}"


class Load:
    """`daemon`: of the harness, with our `port` as its SBC's and `pbx.port` as its trunk's,
    which exist before it starts."""

    def __init__(self, pki, daemon_port, daemon_udp_port):
        self.selector, self.timers, self.count = selectors.DefaultSelector(), [], itertools.count(1)
        self.pki, self.daemon_port = pki, daemon_port
        self.calls, self.known, self.legs, self.refused, self.connects = [], {}, {}, [], 0
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(pki.cert, pki.key)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.listener.getsockname()[1]
        self.server, self.client = server, ssl.create_default_context(cafile=pki.ca)
        self.selector.register(self.listener, selectors.EVENT_READ, self.accept)
        self.pbx = Datagrams(self, daemon_udp_port)
        self.lasting = []

    def accept(self):
        raw, _ = self.listener.accept()
        raw.settimeout(5)
        with contextlib.suppress(OSError):
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            Stream(self, self.server.wrap_socket(raw, server_side=True))

    def connect(self):
        raw = socket.create_connection(("127.0.0.1", self.daemon_port), 5)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return Stream(self, self.client.wrap_socket(raw, server_hostname="127.0.0.1"))

    def lasting_flow(self):
        """One of four connections; one that the daemon has ended is made anew."""
        self.lasting = [flow for flow in self.lasting if flow.open]
        while len(self.lasting) < 4:
            self.lasting.append(self.connect())
        return self.lasting[next(self.count) % 4]

    def at(self, when, what):
        heapq.heappush(self.timers, (when, next(self.count), what))

    def after(self, seconds, what):
        self.at(time.monotonic() + seconds, what)

    def run(self, until, seconds=60):
        """Until `until()` is true, which may also raise."""
        end = time.monotonic() + seconds
        while not until():
            now = time.monotonic()
            assert now < end, "nothing comes of it"
            while self.timers and self.timers[0][0] <= now:
                heapq.heappop(self.timers)[2]()
            wait = min(0.02, self.timers[0][0] - now if self.timers else 0.02)
            for key, _ in self.selector.select(max(0, wait)):
                key.data()

    # ---- messages ----

    def via(self, leg):
        where, port = ("UDP", self.pbx.port) if leg.udp else ("TLS", self.port)
        return f"SIP/2.0/{where} 127.0.0.1:{port};branch=z9hG4bK{secrets.token_hex(8)}"

    def contact(self, leg):
        return f"<sip:pbx@127.0.0.1:{self.pbx.port}>" if leg.udp else \
            f"<sips:sbc@127.0.0.1:{self.port}>"

    def say(self, leg, message):
        """Where the leg is, on the connection it began on while that is open."""
        if not leg.flow.open:
            leg.flow = self.lasting_flow()
        leg.call.story.append(f"{time.monotonic() - leg.call.began:.2f} > {message.start}")
        leg.flow.send(message)

    def start(self, kind, talk, by_callee=False, fresh=False, flow=None):
        call = Call(kind, talk, by_callee, fresh)
        udp = kind == "ingress"
        flow = flow or (self.pbx if udp else self.connect() if fresh else self.lasting_flow())
        call.a = leg = Leg(call, flow, udp)
        self.calls.append(call)
        # What the daemon tells the callee's side of the caller's: a core both, a PBX's call
        # loses its Session-ID.
        caller = f"+47900{len(self.calls):05}" if udp else "+4799000001" if kind == "loop" else CALLER
        self.known[caller if udp else call.session] = call
        to = {"loop": "+00" + CALLEE[1:], "trunk": "+014799000002", "ingress": "+4799000003"}[kind]
        scheme = "sip" if udp else "sips"
        leg.invite = Message(f"INVITE {scheme}:{to}@127.0.0.1 SIP/2.0", [
            ("via", self.via(leg)), ("max-forwards", "70"),
            ("from", f"<{scheme}:{caller}@127.0.0.1>;tag={secrets.token_hex(4)}"),
            ("to", f"<{scheme}:{to}@127.0.0.1>"), ("call-id", secrets.token_hex(12)),
            ("cseq", "1 INVITE"), ("contact", self.contact(leg)),
            ("session-id", call.session), ("content-type", "application/sdp")],
            RTP_OFFER if udp else webrtc_sdp(0, "actpass"))
        self.legs[leg.invite.get("call-id")] = leg
        flow.send(leg.invite)
        if udp:
            self.after(T1, lambda: self.again(leg, T1))
        return call

    def again(self, leg, waited):
        """RFC 3261 section 17.1.1.2, timer A."""
        if not leg.heard and waited < 8:
            self.say(leg, leg.invite)
            self.after(2 * waited, lambda: self.again(leg, 2 * waited))

    def take(self, flow, message):
        leg = self.legs.get(message.get("call-id"))
        if not message.status and message.method == "OPTIONS":
            flow.send(self.reply(message, 200, "OK"))
        elif leg:
            leg.call.story.append(f"{time.monotonic() - leg.call.began:.2f} < {message.start}")
            self.go_on(leg, flow, message)
        elif message.method == "INVITE" and not message.status:
            self.ring(flow, message)

    def ring(self, flow, invite):
        caller = re.search(r"sips?:([^@]*)@", invite.get("from")).group(1)
        call = self.known.get(invite.get("session-id")) or self.known.get(caller)
        if not call or call.b:
            return
        call.b = leg = Leg(call, flow, flow is self.pbx)
        leg.invite = invite
        leg.tag = secrets.token_hex(4)
        self.legs[invite.get("call-id")] = leg
        call.story.append(f"{time.monotonic() - call.began:.2f} < leg B {invite.start}")
        self.say(leg, self.reply(invite, 180, "Ringing", leg=leg))
        self.after(0.05, lambda: self.accept_call(leg))

    def accept_call(self, leg):
        leg.ok = self.reply(leg.invite, 200, "OK", leg=leg,
                            sdp=RTP_OFFER if leg.udp else webrtc_sdp(1, "active"))
        self.say(leg, leg.ok)
        if leg.udp:
            self.after(T1, lambda: self.accept_again(leg, T1))

    def accept_again(self, leg, waited):
        """RFC 3261 section 13.3.1.4."""
        if not leg.confirmed and waited < 8:
            self.say(leg, leg.ok)
            self.after(2 * waited, lambda: self.accept_again(leg, 2 * waited))

    def go_on(self, leg, flow, message):
        leg.heard = leg.heard or bool(message.status)
        if message.method == "INVITE" and not message.status:
            if leg.ok:
                self.say(leg, leg.ok)
        elif message.method == "ACK":
            leg.confirmed = True
        elif message.method == "BYE" and not message.status:
            flow.send(self.reply(message, 200, "OK"))
            leg.over = True
        elif message.method == "BYE":
            leg.over = message.status == 200
        elif message.method == "INVITE" and message.status == 200:
            self.confirm(leg, message)
        if leg.call.b and leg.call.a.over and leg.call.b.over and not leg.call.done:
            leg.call.done = True
            if leg.call.fresh and leg.call.a.flow.open:
                leg.call.a.flow.close()

    def confirm(self, leg, ok):
        first, leg.ok = not leg.ok, ok
        self.say(leg, self.request(leg, "ACK", ok, 1))
        if first and leg.call.talk is not None:
            self.after(leg.call.talk, lambda: self.hang_up(leg.call))

    def hang_up(self, call):
        leg = call.b if call.by_callee else call.a
        call.story.append(f"{time.monotonic() - call.began:.2f} hang up")
        self.bye(leg, self.request(leg, "BYE", leg.ok, 2), T1)

    def bye(self, leg, bye, waited):
        """RFC 3261 section 17.1.2.2, timer E."""
        if leg.over or waited > 8:
            return
        self.say(leg, bye)
        if leg.udp:
            self.after(waited, lambda: self.bye(leg, bye, 2 * waited))

    def request(self, leg, method, ok, number):
        """Inside the dialog; ok: ours to the INVITE of a leg B, theirs of a leg A."""
        outgoing = leg is leg.call.a
        target = (ok if outgoing else leg.invite).get("contact")
        local, remote = ("from", "to") if outgoing else ("to", "from")
        return Message(f"{method} {target[target.index('<') + 1:target.index('>')]} SIP/2.0", [
            ("via", self.via(leg)), ("max-forwards", "70"), ("from", ok.get(local)),
            ("to", ok.get(remote)), ("call-id", leg.invite.get("call-id")),
            ("cseq", f"{number} {method}"), ("contact", self.contact(leg))])

    def reply(self, request, status, phrase, leg=None, sdp=""):
        to = request.get("to")
        if leg and ";tag=" not in to:
            to += f";tag={leg.tag}"
        headers = [("via", v) for v in request.all("via")]
        headers += [("from", request.get("from")), ("to", to), ("call-id", request.get("call-id")),
                    ("cseq", request.get("cseq"))]
        if leg:
            headers.append(("contact", self.contact(leg)))
        if sdp:
            headers.append(("content-type", "application/sdp"))
        return Message(f"SIP/2.0 {status} {phrase}", headers, sdp)

    # ---- the whole ----

    def keep_connecting(self, every, until):
        """Somebody who connects all the time and is never turned away."""
        try:
            socket.create_connection(("127.0.0.1", self.daemon_port), 2).close()
            self.connects += 1
        except OSError as error:
            self.refused.append(str(error))
        if time.monotonic() < until:
            self.after(every, lambda: self.keep_connecting(every, until))

    def unfinished(self):
        return [call for call in self.calls if not call.done]

    def close(self):
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()
        self.selector.close()
