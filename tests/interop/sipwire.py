# SPDX-License-Identifier: Apache-2.0
"""Just enough SIP over TLS (RFC 3261) to be a mobile core's SBC in a test:
text in, text out, nothing shared with the program under test."""

import contextlib
import itertools
import queue
import secrets
import socket
import ssl
import threading

COMPACT = {"v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "l": "content-length",
           "c": "content-type", "k": "supported"}


class Message:
    """One request or response; header names are lower case, order is kept."""

    def __init__(self, start, headers, body=""):
        self.start, self.headers, self.body = start, headers, body

    def all(self, name):
        return [v for n, v in self.headers if n == name]

    def get(self, name):
        return next(iter(self.all(name)), "")

    @property
    def status(self):
        return int(self.start.split()[1]) if self.start.startswith("SIP/2.0") else 0

    @property
    def method(self):
        return self.get("cseq").split()[-1] if self.status else self.start.split()[0]

    def encode(self):
        lines = [self.start] + [f"{n}: {v}" for n, v in self.headers if n != "content-length"]
        body = self.body.encode()
        return "\r\n".join(lines + [f"Content-Length: {len(body)}", "", ""]).encode() + body


def parse(head, body):
    lines = head.decode().split("\r\n")
    headers = []
    for line in lines[1:]:
        name, _, value = line.partition(":")
        name = name.strip().lower()
        headers.append((COMPACT.get(name, name), value.strip()))
    return Message(lines[0], headers, body.decode())


class Flow:
    """One TLS connection, either way round; incoming messages queue up."""

    def __init__(self, sock, inbox):
        self.sock, self.inbox = sock, inbox
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def send(self, message):
        self.sock.sendall(message.encode())

    def _read(self):
        data = b""
        try:
            while chunk := self.sock.recv(65536):
                data += chunk
                while b"\r\n\r\n" in data.lstrip(b"\r\n"):
                    data = data.lstrip(b"\r\n")
                    head, _, rest = data.partition(b"\r\n\r\n")
                    length = int(parse(head, b"").get("content-length") or 0)
                    if len(rest) < length:
                        break
                    self.inbox.put((self, parse(head, rest[:length])))
                    data = rest[length:]
        except OSError:
            pass

    def close(self):
        """A reader still in recv() would take the bytes of the next connection that
        gets this descriptor."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.reader.join(5)
        self.sock.close()


class Sbc:
    """Listens for leg 3 and calls with leg 2. Pass certificate paths."""

    def __init__(self, certificate, key, ca):
        self.inbox = queue.Queue()
        self.waiting = []
        self.ca = ca
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.listener = context.wrap_socket(socket.create_server(("127.0.0.1", 0)),
                                            server_side=True)
        self.port = self.listener.getsockname()[1]
        self.numbers = itertools.count(1)
        self.acceptor = threading.Thread(target=self._accept, daemon=True)
        self.acceptor.start()

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
                Flow(sock, self.inbox)
            except ssl.SSLError:
                continue
            except OSError:
                return

    def connect(self, port, source="127.0.0.1"):
        context = ssl.create_default_context(cafile=self.ca)
        raw = socket.create_connection(("127.0.0.1", port), 5, (source, 0))
        # A request may follow the handshake or an ACK at once: Nagle would hold it for 40 ms.
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock = context.wrap_socket(raw, server_hostname="127.0.0.1")
        sock.settimeout(None)
        return Flow(sock, self.inbox)

    def wait(self, wanted, seconds=10):
        """(flow, message) of the first message, old or new, that `wanted` accepts."""
        for item in self.waiting:
            if wanted(item[1]):
                self.waiting.remove(item)
                return item
        while True:
            try:
                item = self.inbox.get(timeout=seconds)
            except queue.Empty:
                seen = [m.start for _, m in self.waiting]
                raise AssertionError(f"nothing came within {seconds} s; waiting: {seen}") from None
            if item[1].method == "OPTIONS" and not item[1].status:
                item[0].send(self.reply(item[1], 200, "OK"))
            elif wanted(item[1]):
                return item
            else:
                self.waiting.append(item)

    def contact(self):
        return f"<sips:sbc@127.0.0.1:{self.port}>"

    def invite(self, uri, sender, target, sdp, extra=()):
        return Message(f"INVITE {uri} SIP/2.0", [
            ("via", f"SIP/2.0/TLS 127.0.0.1:{self.port};branch=z9hG4bK{secrets.token_hex(8)}"),
            ("max-forwards", "70"),
            ("from", f"<{sender}>;tag={secrets.token_hex(4)}"),
            ("to", f"<{target}>"),
            ("call-id", secrets.token_hex(12)),
            ("cseq", f"{next(self.numbers)} INVITE"),
            ("contact", self.contact()),
            *extra,
            *([("content-type", "application/sdp")] if sdp else []),
        ], sdp or "")

    def reply(self, request, status, phrase, sdp="", tag="", extra=()):
        to = request.get("to")
        if tag and ";tag=" not in to:
            to += f";tag={tag}"
        headers = [("via", v) for v in request.all("via")]
        headers += [("record-route", v) for v in request.all("record-route")]
        headers += [("from", request.get("from")), ("to", to), ("call-id", request.get("call-id")),
                    ("cseq", request.get("cseq")), ("contact", self.contact()), *extra]
        if sdp:
            headers.append(("content-type", "application/sdp"))
        return Message(f"SIP/2.0 {status} {phrase}", headers, sdp)

    def in_dialog(self, method, invite, response, outgoing=True, sdp="", cseq=None):
        """A request inside the dialog of invite/response; outgoing: we sent the INVITE."""
        target = (response if outgoing else invite).get("contact")
        uri = target[target.index("<") + 1:target.index(">")]
        number = invite.get("cseq").split()[0] if method == "ACK" else cseq or next(self.numbers)
        local, remote = ("from", "to") if outgoing else ("to", "from")
        source = response
        headers = [
            ("via", f"SIP/2.0/TLS 127.0.0.1:{self.port};branch=z9hG4bK{secrets.token_hex(8)}"),
            ("max-forwards", "70"), ("from", source.get(local)), ("to", source.get(remote)),
            ("call-id", invite.get("call-id")), ("cseq", f"{number} {method}"),
            ("contact", self.contact())]
        if sdp:
            headers.append(("content-type", "application/sdp"))
        return Message(f"{method} {uri} SIP/2.0", headers, sdp)

    def close(self):
        """Linux: a thread blocked in accept() outlives the closed listener, keeps its
        port open and still takes connections."""
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.acceptor.join(5)
        self.listener.close()
