# SPDX-License-Identifier: Apache-2.0
"""What a PBX learns of a caller, on the wire: nothing of a hidden one in any byte
it is sent, nothing that was not allowed, and no line that a peer made up."""

import contextlib
import pathlib
import re
import secrets
import socket
import sys
import tempfile
import threading

from harness import Daemon, Pki, Tally
from sipwire import Flow, Sbc
from test_noop import webrtc_sdp

CALLER, CALLEE = "+4799000001", "+4722334455"
HIDDEN = ("99000001", "lovelace", "secret", "core.example", "198.51.100.77", "s3cr3t-host")
ALLOWED = ["X-Account", "Subject", "Session-ID", "User-Agent"]


class Pbx:
    """A TCP listener whose connections end in the SBC's inbox."""

    def __init__(self, inbox):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port, self.inbox = self.listener.getsockname()[1], inbox
        self.acceptor = threading.Thread(target=self._accept, daemon=True)
        self.acceptor.start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                Flow(self.listener.accept()[0], self.inbox)

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.acceptor.join(5)
        self.listener.close()


def call(scene, headers, display="\"Ada Lovelace\" ", caller=CALLER):
    """The INVITE the PBX gets of a call with these header lines, as text; refused."""
    sbc, daemon = scene
    flow = sbc.connect(daemon.port)
    dialled = "+00" + str(secrets.randbelow(10**9) + 10**9)
    invite = sbc.invite(f"sips:{dialled}@127.0.0.1", "unused", f"sip:{dialled}@core.example",
                        webrtc_sdp(0, "actpass").replace("s=-", "s=Ada Lovelace s3cr3t-host")
                        .replace("o=-", "o=lovelace"), [])
    invite.headers = [(n, f"{display}<sip:{caller}@core.example>;tag={secrets.token_hex(4)}"
                       if n == "from" else v) for n, v in invite.headers]
    head, _, body = invite.encode().partition(b"\r\n\r\n")
    flow.sock.sendall(head + b"\r\n" + b"".join(h + b"\r\n" for h in headers) + b"\r\n" + body)
    flow_b, seen = sbc.wait(lambda m: m.start.startswith("INVITE") and dialled[3:] in m.start)
    flow_b.send(sbc.reply(seen, 486, "Busy Here", tag="pbx"))
    sbc.wait(lambda m: m.status == 486 and m.get("call-id") == invite.get("call-id"))
    return seen


LEAKS = [b"P-Asserted-Identity: \"Ada Lovelace\" <sip:+4799000001@core.example>",
         b"P-Preferred-Identity: <tel:+47-990-00-001>",
         b"Remote-Party-ID: <sip:+4799000001@core.example>;screen=yes",
         b"Diversion: <sip:+4799000001@core.example>;reason=away",
         b"History-Info: <sip:+4799000001@s3cr3t-host>;index=1, "
         b"<sip:+4722@core.example;cause=302>;index=1.1",
         b"Subject: call Ada", b"User-Agent: Lovelace phone", b"X-Account: 0047 990 00 001",
         b"Call-Info: <http://core.example/lovelace.jpg>", b"Reply-To: <sip:+4799000001@b>",
         b"Organization: Lovelace Ltd", b"Warning: 399 core.example \"x\"", b"X-Secret: secret",
         b"P-Access-Network-Info: 3GPP; x=secret", b"Geolocation: <cid:lovelace>",
         b"P-Charging-Vector: icid-value=secret;orig-ioi=core.example"]


def hidden(scene, privacy):
    seen = call(scene, [b"Privacy: " + privacy, b"Session-ID: " + secrets.token_hex(16).encode(),
                        *LEAKS])
    text = seen.encode().decode().lower()
    for word in HIDDEN:
        assert word not in text, f"{word}:\n{text}"
    assert "anonymous.invalid" in seen.get("from") and seen.get("session-id")


def shown(scene):
    seen = call(scene, LEAKS)
    assert seen.get("p-asserted-identity") == \
        "\"Ada Lovelace\" <sip:99000001@localhost>", seen.headers
    assert seen.get("remote-party-id").endswith(";party=calling;screen=yes;privacy=off")
    assert seen.get("diversion").startswith("<sip:99000001@localhost>;reason=unconditional")
    assert not set(n for n, _ in seen.headers) & {"x-secret", "call-info", "geolocation"}
    assert "core.example" not in seen.encode().decode(), seen.encode().decode()


# T23: ways to write a header so that a removal by name might miss it.
SMUGGLED = [b"P-Asserted-Identity : <sip:x-secret@a>", b"P-Asserted-Identity\t: <sip:secret@a>",
            b"p-ASSERTED-identity: <sip:secret@a>", b"P-Asserted-Identity:\r\n <sip:secret@a>",
            b"X-Account: a\r\n X-Secret: secret", b"X-Account:\r\n\tsecret\r\n\t: x",
            b"s: fine\r\nX-Secret: secret", b"X-Secret\x00: secret", b"X-Secret: secret\x00",
            b"x-account: 1\r\nX-SECRET : secret", b"m: <sip:secret@a>",
            b"X-Account: a\rX-Secret: secret", b"X-Account: a\nX-Secret: secret",
            b"X-Secret: a%0d%0aX-Account: secret", b"f: <sip:secret@a>;tag=1"]


def smuggled(scene, line):
    """Either the call is refused, or nothing unlisted crosses."""
    listed = {name.lower() for name in ALLOWED} | {
        "via", "max-forwards", "from", "to", "call-id", "cseq", "contact", "content-type",
        "content-length", "allow", "supported", "session-expires", "min-se", "remote-party-id",
        "p-asserted-identity", "privacy", "diversion", "history-info"}
    try:
        seen = call(scene, [b"Privacy: none", line])
    except AssertionError:
        seen = None  # 400, or the connection was closed: as good
    scene[0].waiting.clear()
    if seen and not seen.all("breakout-hop"):  # with it, it went back to the core
        names = {name for name, _ in seen.headers}
        assert names <= listed, names - listed
        assert seen.all("x-secret") == []


# T24: texts that could end a line, a quote or a bracket.
HOSTILE = [b"\"a\\\"b\\\\c\" ", b"\"<sip:x@y>, z\" ", b"\"a;tag=1\" ", b"\"\xc3\xa6 \\\x22\" ",
           b"\"Ada %0d%0aX-Secret: x\" "]


def hostile_display(scene, display):
    seen = call(scene, [], display.decode())
    want = re.sub(r"\\(.)", r"\1", display.decode().strip().removeprefix("\"").removesuffix("\""))
    have = seen.get("from").rsplit(" <sip:", 1)[0]
    assert have.startswith("\"") and have.endswith("\""), have
    assert re.sub(r"\\(.)", r"\1", have[1:-1]) == want, (have, want)
    assert not seen.all("x-secret")


def main():
    tally = Tally()
    with tempfile.TemporaryDirectory() as folder:
        pki = Pki(pathlib.Path(folder))
        with contextlib.closing(Sbc(pki.cert, pki.key, pki.ca)) as sbc, \
                contextlib.closing(Pbx(sbc.inbox)) as pbx:
            identity = {"send": ["asserted", "remote_party"], "diversion": "both",
                        "number_format": "national", "country_code": "47"}
            changes = {
                "trunks": [{"name": "pbx", "uris": [f"sip:127.0.0.1:{pbx.port};transport=tcp"],
                            "allow_headers": ALLOWED, "identity": identity}],
                "services": {"out": [{"do": {"dial": "pbx"}}]},
                "registrations": [{"number": CALLER, "route_type": "loop", "service": "out"}]}
            daemon = Daemon(sbc.port, pki, changes)
            changes["sip"] = {**daemon.config()["sip"],
                              "listen": [f"tls://127.0.0.1:{daemon.port}", "tcp://127.0.0.1:0"]}
            with daemon:
                daemon.start()
                scene = sbc, daemon
                tally.run("a caller is told as the trunk wants", shown, scene)
                for privacy in (b"id", b"user", b"header;critical", b"id;none"):
                    tally.run(f"hidden by {privacy.decode()}", hidden, scene, privacy)
                for display in HOSTILE:
                    tally.run(f"display {display!r}", hostile_display, scene, display)
                for line in SMUGGLED:
                    tally.run(f"smuggled {line!r}", smuggled, scene, line)
                tally.run("and the daemon is well", shown, scene)
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
