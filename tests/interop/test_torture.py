# SPDX-License-Identifier: Apache-2.0
"""The torture messages of RFC 4475 and RFC 5118, each over UDP, TCP and TLS.

tests/data/rfc*/verdicts.txt says what each gets, and why. After each message the
daemon answers an OPTIONS on the same transport and takes a call. Only the
transport in Via is changed, and an rport (RFC 3581) added where the answer would
otherwise go to another port than ours."""

import contextlib
import pathlib
import re
import secrets
import socket
import ssl
import sys
import tempfile

from harness import Daemon, Pki, Tally, free_port
from sipwire import Message, Sbc, parse

DATA = pathlib.Path(__file__).resolve().parent.parent / "data"
TRANSPORTS = ("udp", "tcp", "tls")
SILENCE_S = 0.3  # how long nothing must come; an answer takes milliseconds
TOP_VIA = re.compile(rb"^((?:via|v)[ \t]*:\s*SIP\s*/\s*[\d.]+\s*/\s*UDP\s+[^\s;,]+)(?!.*;rport)",
                     re.IGNORECASE | re.MULTILINE)
NUMBER, CALLER = "sips:00112@127.0.0.1", "sip:+4799000001@core.example"


class Place:
    """A daemon that listens on all transports of one address."""

    def __init__(self, pki, sbc, host):
        self.host, self.sbc = host, sbc
        self.family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.address = f"[{host}]" if ":" in host else host
        self.daemon = Daemon(sbc.port, pki)
        self.ports = {"udp": free_port(), "tcp": free_port(), "tls": self.daemon.port}
        config = self.daemon.config()
        config["sip"]["listen"] = [f"{t}://{self.address}:{self.ports[t]}" for t in TRANSPORTS]
        if self.family == socket.AF_INET6:  # where the harness looks for it
            config["sip"]["listen"].append(f"tls://127.0.0.1:{self.daemon.port}")
        config["core"]["sbc"]["trusted"] = ["127.0.0.0/8", "::1/128"]
        # sips towards the core bars it from UDP and TCP: there the sender is a PBX.
        trunk = {"name": "pbx", "uris": [f"sip:{self.address}:9;transport=tcp"], "ingress": True,
                 "trusted": ["127.0.0.0/8", "::1/128"]}
        self.daemon.changes = {"sip": config["sip"], "core": config["core"], "trunks": [trunk],
                               "log": {"level": "error"}}

    def socket(self, transport):
        kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
        sock = socket.socket(self.family, kind)
        sock.settimeout(5)
        sock.connect((self.host, self.ports[transport]))
        if transport == "tls":
            context = ssl.create_default_context(cafile=self.daemon.pki.ca)
            context.check_hostname = False  # the certificate is for 127.0.0.1
            sock = context.wrap_socket(sock)
        return sock


def on_the_wire(data, transport):
    name = transport.upper().encode()
    if transport == "udp":
        data = re.sub(rb"/(TCP|TLS)\b", b"/UDP", data)
        return TOP_VIA.sub(rb"\1;rport", data, count=1)
    return re.sub(rb"/(UDP|TCP|TLS)\b", b"/" + name, data)


def verdict(sock, seconds):
    """The final status that comes back; `closed`, or `-` for nothing."""
    data = b""
    sock.settimeout(seconds)
    with contextlib.suppress(TimeoutError, ConnectionRefusedError):
        while True:
            for head in data.split(b"\r\n\r\n")[:-1]:
                status = parse(head.lstrip(b"\r\n"), b"").status
                if status >= 200:
                    return str(status)
            try:
                chunk = sock.recv(65536)
            except ConnectionResetError:
                chunk = b""
            if not chunk:
                return "closed"
            data += chunk
    return "-"


def torture(place, transport, data, wanted):
    sock = place.socket(transport)
    with contextlib.closing(sock):
        sock.sendall(on_the_wire(data, transport))
        silent = wanted in ("-", "closed")
        got = verdict(sock, SILENCE_S if silent else 5)
    assert got == wanted, f"{got}, not {wanted}"


def serves_on(place, transport):
    """An OPTIONS on the same transport, and a call from the core."""
    options = Message(f"OPTIONS sip:{place.address} SIP/2.0", [
        ("via", f"SIP/2.0/{transport.upper()} {place.address}:9;rport;"
                f"branch=z9hG4bK{secrets.token_hex(8)}"),
        ("max-forwards", "70"), ("from", f"<{CALLER}>;tag={secrets.token_hex(4)}"),
        ("to", "<sip:breakout@localhost>"), ("call-id", secrets.token_hex(8)),
        ("cseq", "1 OPTIONS")])
    sock = place.socket(transport)
    with contextlib.closing(sock):
        sock.sendall(options.encode())
        got = verdict(sock, 5)
    assert got == "200", f"a good OPTIONS after it got {got}"
    sbc = place.sbc
    invite = sbc.invite(NUMBER, CALLER, "sip:112@core.example", "v=0\r\n")
    place.flow.send(invite)
    flow3, leg3 = sbc.wait(lambda m: m.start.startswith("INVITE sips:112@"))
    flow3.send(sbc.reply(leg3, 486, "Busy Here", tag="busy"))
    sbc.wait(lambda m: m.status == 486 and m.get("call-id") == invite.get("call-id"))


def verdicts(corpus):
    """(name, verdict by transport, why) of each line."""
    for line in (DATA / corpus / "verdicts.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            name, udp, tcp, tls, why = line.split(None, 4)
            yield name, dict(zip(TRANSPORTS, (udp, tcp, tls))), why


def each_message_gets_its_verdict(place, corpus, transport):
    wrong, table = [], list(verdicts(corpus))
    files = {p.stem for p in (DATA / corpus).glob("*.dat")}
    assert files == {name for name, _, _ in table}, "messages and verdicts differ"
    for name, wanted, why in table:
        try:
            torture(place, transport, (DATA / corpus / f"{name}.dat").read_bytes(), wanted[transport])
            serves_on(place, transport)
        except AssertionError as error:
            wrong.append(f"{name}: {error} ({why})")
    assert not wrong, "\n     ".join([f"{len(wrong)} of {len(table)}", *wrong])


def ipv6_or_not():
    """Some build machines have no IPv6, not even on loopback."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        return "::1"
    except OSError:
        return "127.0.0.1"


def main():
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="breakout-torture-") as folder:
        pki = Pki(pathlib.Path(folder))
        for corpus, host in (("rfc4475", "127.0.0.1"), ("rfc5118", ipv6_or_not())):
            with contextlib.closing(Sbc(pki.cert, pki.key, pki.ca)) as sbc:
                place = Place(pki, sbc, host)
                with place.daemon as daemon:
                    place.flow = sbc.connect(daemon.start().port)
                    for transport in TRANSPORTS:
                        tally.run(f"{corpus}: every message gets its verdict over {transport} "
                                  f"on {host}", each_message_gets_its_verdict, place, corpus,
                                  transport)
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
