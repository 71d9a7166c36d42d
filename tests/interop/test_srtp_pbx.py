# SPDX-License-Identifier: Apache-2.0
"""PBXs that speak SRTP without ICE: baresip with keys in the SDP and with DTLS, and
rtpengine before a PBX in the clear. Audio must cross both ways."""

import contextlib
import json
import os
import pathlib
import re
import secrets
import select
import socket
import subprocess
import sys
import tempfile
import threading
import time

from harness import Daemon, Pki, Tally, free_port
from sipwire import Message, Sbc, parse
from test_baresip import CALLER, Baresip, call_to_pbx
from webdriver import ACCEPT, HEARD, OFFER, PEERS, Browser

PLAIN = ("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
         "m=audio {} RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n")


def bencode(value):
    if isinstance(value, dict):
        return b"d" + b"".join(bencode(k) + bencode(v) for k, v in sorted(value.items())) + b"e"
    if isinstance(value, list):
        return b"l" + b"".join(map(bencode, value)) + b"e"
    text = value.encode()
    return str(len(text)).encode() + b":" + text


class Rtpengine:
    """The daemon in user space, and its ng protocol: a cookie and a bencoded dictionary."""

    def __init__(self, folder):
        self.port = free_port()
        self.log = open(folder / "rtpengine.log", "wb")
        self.process = subprocess.Popen(
            ["rtpengine", "--table=-1", "--foreground", "--log-stderr", "--interface=127.0.0.1",
             f"--listen-ng=127.0.0.1:{self.port}", "--port-min=30000", "--port-max=30999",
             f"--pidfile={folder}/rtpengine.pid"], stdout=self.log, stderr=self.log)
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.settimeout(2)
        end = time.monotonic() + 10
        while b"pong" not in self.ask({"command": "ping"}) and time.monotonic() < end:
            time.sleep(0.1)

    def ask(self, command):
        cookie = secrets.token_hex(4).encode()
        with contextlib.suppress(OSError):
            self.sock.sendto(cookie + b" " + bencode(command), ("127.0.0.1", self.port))
            while not (reply := self.sock.recv(65536)).startswith(cookie):
                pass  # late, to a ping before
            return reply
        return b""

    def rewrite(self, command, sdp, **more):
        reply = self.ask({"command": command, "sdp": sdp, "call-id": "a", "from-tag": "f",
                          "ICE": "remove", "replace": ["origin", "session-connection"], **more})
        found = re.search(rb"3:sdp(\d+):", reply)
        assert found, reply
        return reply[found.end():found.end() + int(found[1])].decode()

    def close(self):
        self.process.terminate()
        self.process.wait(5)
        self.sock.close()
        self.log.close()


class EchoPbx:
    """Answers each INVITE on UDP in the clear, through rtpengine; sends back what it hears."""

    def __init__(self, engine):
        self.engine, self.port = engine, free_port()
        self.sip, self.rtp = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in "ab")
        self.sip.bind(("127.0.0.1", self.port))
        self.rtp.bind(("127.0.0.1", 0))
        self.offered = self.answered = ""
        for work in (self._signal, self._echo):
            threading.Thread(target=work, daemon=True).start()

    def _echo(self):
        with contextlib.suppress(OSError):
            while True:
                packet, source = self.rtp.recvfrom(2048)
                self.rtp.sendto(packet, source)

    def _answer(self, request):
        self.offered = request.body
        self.engine.rewrite("offer", request.body, **{"transport-protocol": "RTP/AVP"})
        self.answered = self.engine.rewrite("answer", PLAIN.format(self.rtp.getsockname()[1]),
                                            **{"to-tag": "t"})
        return self.answered

    def _signal(self):
        with contextlib.suppress(OSError):
            while True:
                data, source = self.sip.recvfrom(65536)
                head, _, body = data.partition(b"\r\n\r\n")
                request = parse(head, body)
                if request.method == "ACK" or request.status:
                    continue
                headers = [(n, v) for n, v in request.headers
                           if n in ("via", "from", "call-id", "cseq", "record-route")]
                headers += [("to", request.get("to").split(";tag")[0] + ";tag=t"),
                            ("contact", f"<sip:127.0.0.1:{self.port}>")]
                sdp = self._answer(request) if request.method == "INVITE" else ""
                if sdp:
                    headers.append(("content-type", "application/sdp"))
                self.sip.sendto(Message("SIP/2.0 200 OK", headers, sdp).encode(), source)

    def close(self):
        self.sip.close()
        self.rtp.close()


def call_through_rtpengine(page, sbc, daemon, pbx):
    """Chromium hears itself: WebRTC, SRTP with SDES to rtpengine, RTP, and back."""
    flow = sbc.connect(daemon.port)
    leg = sbc.invite("sips:+4799000003@127.0.0.1", CALLER, "sip:+4799000003@core.example",
                     page.run(OFFER, "engine", 500, ["audio/PCMA"]),
                     [("session-id", "00112233445566778899aabbccddeeff")])
    flow.send(leg)
    _, ok = sbc.wait(lambda m: m.status >= 200 and m.get("call-id") == leg.get("call-id"))
    assert ok.status == 200, ok.start
    flow.send(sbc.in_dialog("ACK", leg, ok))
    page.run(ACCEPT, "engine", ok.body)
    assert "RTP/SAVP " in pbx.offered and "a=crypto:1 AEAD_AES_128_GCM" in pbx.offered, pbx.offered
    assert "a=crypto:" in pbx.answered, pbx.answered
    assert page.wait(HEARD, "engine", 500), "Chromium does not hear itself through rtpengine"
    flow.send(sbc.in_dialog("BYE", leg, ok))
    sbc.wait(lambda m: m.status == 200 and m.method == "BYE")


class Stranger:
    """Says hello to the media ports of a daemon, each time to all that are open, as it resets
    rtpengine 10.5 (CVE-2023-51275)."""

    HELLO = bytes([22, 0xfe, 0xff]) + bytes(9) + bytes([102, 1]) + bytes(10) + b"\x5a" + bytes(90)

    def __init__(self, daemon):
        self.pid, self.sent, self.over = daemon.process.pid, 0, threading.Event()
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.66", 0))
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def ports(self):
        files = [os.readlink(file.path) for file in os.scandir(f"/proc/{self.pid}/fd")]
        table = [line.split() for line in pathlib.Path("/proc/net/udp").read_text().splitlines()]
        ports = [int(row[1].split(":")[1], 16) for row in table[1:]
                 if f"socket:[{row[9]}]" in files]
        return [port for port in ports if 20000 <= port < 30000]

    def run(self):
        while not self.over.wait(0.005):
            with contextlib.suppress(OSError):  # a file that was closed meanwhile
                for port in self.ports():
                    self.sock.sendto(self.HELLO, ("127.0.0.1", port))
                    self.sent += 1

    def close(self):
        self.over.set()
        self.thread.join()
        self.sock.close()

    def heard(self):
        return bool(select.select([self.sock], [], [], 0)[0])


def call_that_is_greeted(page, sbc, daemon, phone, number, hz):
    """While somebody else says hello from before the INVITE on."""
    with contextlib.closing(Stranger(daemon)) as stranger:
        call_to_pbx(page, sbc, daemon, phone, "greeted", "audio/PCMA", number, hz)
        assert stranger.sent > 200, f"only {stranger.sent} hellos"
        assert not stranger.heard(), "the stranger was answered"


def the_keys_are_in_no_log(daemon, pbx):
    keys = re.findall(r"inline:([^|\s]+)", pbx.offered + pbx.answered)
    assert len(keys) >= 4, keys
    assert not [key for key in keys if key in daemon.log()]
    assert "inline:" not in daemon.log()


def the_keys_are_in_no_trace(daemon, pbx):
    """Each number is traced: what is on disk, and what breakoutctl shows of it."""
    keys = re.findall(r"inline:([^|\s]+)", pbx.offered + pbx.answered)
    files = [f for f in (daemon.folder / "trace").iterdir() if f.suffix == ".trace"]
    kept = b"".join(file.read_bytes() for file in files).decode()
    calls = [call["call"] for call in json.loads(daemon.ctl("-o", "json", "trace", "list").stdout)["kept"]]
    assert len(calls) == len(files) == 5, (calls, files)
    shown = "".join(daemon.ctl("-o", "text", "trace", call).stdout for call in calls)
    for text in (kept, shown):
        assert not [key for key in keys if key in text]
        assert re.search(r"a=crypto:1 AEAD_AES_128_GCM inline:\*+", text)
        assert not re.search(r"inline:[^*]", text) and not re.search(r"ice-pwd:[^*]", text)
    assert "keys of the SDP in force: AEAD_AES_128_GCM" in shown
    assert "SDES none -> AEAD_AES_128_GCM" in daemon.ctl("trace", calls[-1]).stdout


def trunk(name, port, media):
    return {"name": name, "uris": [f"sip:127.0.0.1:{port};transport=udp"], "media": media,
            "keys_in_clear": True}


def main():
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="breakout-srtp-") as name:
        folder = pathlib.Path(name)
        pki = Pki(folder)
        ends = contextlib.ExitStack()
        enter = lambda thing: ends.enter_context(contextlib.closing(thing))
        for end in ("sdes", "optional", "dtls"):
            (folder / end).mkdir()
        sbc = enter(Sbc(pki.cert, pki.key, pki.ca))
        phones = [enter(Baresip(folder / end, hz, f"+479900001{n}", encryption=how))
                  for n, (end, hz, how) in enumerate((("sdes", 800, "srtp-mand"),
                                                      ("optional", 620, "srtp"),
                                                      ("dtls", 700, "dtls_srtp")))]
        pbx = enter(EchoPbx(enter(Rtpengine(folder))))
        trunks = [trunk("sdes", phones[0].port, "sdes"),
                  trunk("optional", phones[1].port, "sdes_or_rtp"),
                  trunk("dtls", phones[2].port, "dtls"), trunk("engine", pbx.port, "sdes")]
        numbers = dict(zip(("sdes", "optional", "dtls", "engine"),
                           ("+4799000010", "+4799000011", "+4799000012", "+4799000003")))
        changes = {
            "trace": {"memory": 0}, "trunks": trunks, "log": {"level": "debug"},
            "services": {t: [{"do": [{"dial": t}]}] for t in numbers},
            "registrations": [{"number": n, "route_type": "fork", "service": t}
                              for t, n in numbers.items()],
        }
        with ends, Daemon(sbc.port, pki, changes) as daemon, Browser() as page:
            daemon.changes["sip"] = daemon.config()["sip"]
            daemon.changes["sip"]["listen"].append(f"udp://127.0.0.1:{free_port()}")
            daemon.changes["trace"]["dir"] = str(daemon.folder / "trace")
            daemon.start()
            for number in numbers.values():
                assert daemon.ctl("trace", "on", number).returncode == 0
            page.run(PEERS)
            for sentence, end, phone, hz in (
                    ("baresip with keys in the SDP", "sdes", phones[0], 800),
                    ("baresip that may have keys in the SDP", "optional", phones[1], 620),
                    ("baresip with DTLS without ICE", "dtls", phones[2], 700)):
                if not tally.run(f"{sentence}: audio both ways", call_to_pbx, page, sbc, daemon,
                                 phone, end, "audio/PCMA", numbers[end], hz):
                    print(daemon.log()[-3000:], phone.log()[-2000:])
            if not tally.run("the same while a stranger says hello to all our ports",
                             call_that_is_greeted, page, sbc, daemon, phones[2],
                             numbers["dtls"], 700):
                print(daemon.log()[-3000:], phones[2].log()[-2000:])
            if not tally.run("rtpengine with keys in the SDP, plain RTP behind it: audio both ways",
                             call_through_rtpengine, page, sbc, daemon, pbx):
                print(daemon.log()[-4000:], pbx.answered)
            tally.run("no key is in the log, at debug", the_keys_are_in_no_log, daemon, pbx)
            tally.run("no key is in what is kept of traced numbers", the_keys_are_in_no_trace,
                      daemon, pbx)
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
