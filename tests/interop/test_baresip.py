# SPDX-License-Identifier: Apache-2.0
"""baresip as the PBX of a trunk and as a device that registers: plain RTP, its
tone must reach Chromium on the core's side, and Chromium's tone must reach it."""

import contextlib
import json
import pathlib
import socket
import struct
import subprocess
import sys
import tempfile
import time
import wave

from harness import Daemon, Pki, Tally, free_port
from sipwire import Sbc
from webdriver import ACCEPT, HEARD, OFFER, PEERS, REANSWER, Browser

MODULES = "/usr/lib/baresip/modules"
CALLER, CALLEE = "sip:+4722334455@core.example", "sip:+4799000001@core.example"


def write_tone(path, hz, seconds=30):
    import math
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(8000)
        out.writeframes(b"".join(struct.pack("<h", int(12000 * math.sin(2 * math.pi * hz * n / 8000)))
                                 for n in range(8000 * seconds)))


class Baresip:
    """Answers every call; plays a tone, writes what it hears to a file. account: who it
    is and where it registers; None: nobody, on UDP. encryption: a mediaenc of its. host:
    its literal address, in brackets if IPv6."""

    def __init__(self, folder, hz, number="+4799000001", account=None, encryption=None,
                 host="127.0.0.1"):
        self.folder, self.port, self.control = folder, free_port(), free_port()
        write_tone(folder / "tone.wav", hz)
        (folder / "config").write_text(f"""
sip_listen {host}:{self.port}
module_path {MODULES}
module stdio.so
module g711.so
module aufile.so
module sndfile.so
module srtp.so
module dtls_srtp.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen 127.0.0.1:{self.control}
audio_source aufile,{folder}/tone.wav
audio_player aufile,{folder}/heard.wav
audio_alert aufile,{folder}/alert.wav
snd_path {folder}
net_interface {host.strip('[]')}
rtp_ports 31000-31999
rtcp_mux {"yes" if encryption == "dtls_srtp" else "no"}
""")
        account = account or f"<sip:{number}@{host}:{self.port}>;regint=0"
        if encryption:
            account += f";mediaenc={encryption}"
        (folder / "accounts").write_text(account + ";answermode=auto\n")
        (folder / "contacts").write_text("")
        self.out = open(folder / "baresip.log", "wb")
        self.process = subprocess.Popen(["baresip", "-f", folder], stdin=subprocess.PIPE,
                                        stdout=self.out, stderr=self.out)
        end = time.monotonic() + 10
        while "baresip is ready" not in self.log() and time.monotonic() < end:
            time.sleep(0.1)

    def command(self, command, params=""):
        """One command of baresip's menu, as a netstring of JSON."""
        text = json.dumps({"command": command, "params": params})
        with socket.create_connection(("127.0.0.1", self.control), 5) as sock:
            sock.sendall(f"{len(text)}:{text},".encode())
            sock.settimeout(5)
            return sock.recv(4096).decode(errors="replace")

    def log(self):
        return (self.folder / "baresip.log").read_text(errors="replace")

    def heard_hz(self):
        """Strongest frequency in the last second that baresip dumped, or 0."""
        import math
        for path in self.folder.glob("dump-*-dec.wav"):
            data = path.read_bytes()[44:]
            samples = struct.unpack(f"<{len(data) // 2}h", data[:len(data) // 2 * 2])[-8000:]
            if len(samples) < 4000:
                continue
            best, power = 0, 0.0
            for hz in range(200, 1600, 20):
                turn = 2 * math.pi * hz / 8000
                real = sum(s * math.cos(turn * n) for n, s in enumerate(samples[-1600:]))
                imag = sum(s * math.sin(turn * n) for n, s in enumerate(samples[-1600:]))
                if real * real + imag * imag > power:
                    best, power = hz, real * real + imag * imag
            return best if power > 1e12 else 0
        return 0

    def close(self):
        self.process.terminate()
        self.process.wait(5)
        self.out.close()


def call_to_pbx(page, sbc, daemon, pbx, name="core", codec="audio/PCMA", number="+4799000001",
                hz=800, digit=None, said=None, meanwhile=lambda: None):
    """FORK: the core sends the INVITE, the daemon dials the trunk, baresip answers."""
    flow = sbc.connect(daemon.port)
    offer = page.run(OFFER, name, 500, [codec, "audio/telephone-event"])
    leg = sbc.invite(f"sips:{number}@127.0.0.1", CALLER, f"sip:{number}@core.example", offer,
                     [("session-id", "00112233445566778899aabbccddeeff")])
    flow.send(leg)
    _, ok = sbc.wait(lambda m: m.status >= 200 and m.get("call-id") == leg.get("call-id"))
    assert ok.status == 200, ok.start
    flow.send(sbc.in_dialog("ACK", leg, ok))
    page.run(ACCEPT, name, ok.body)
    heard = page.wait(HEARD, name, hz)
    assert heard, "Chromium does not hear baresip"
    end = time.monotonic() + 10
    while abs((there := pbx.heard_hz()) - 500) > 20 and time.monotonic() < end:
        time.sleep(0.3)
    assert abs(there - 500) <= 20, f"baresip hears {there} Hz instead of 500\n{pbx.log()[-2000:]}"
    if digit:
        expect_digit(page, name, pbx, digit, said)
    meanwhile()
    flow.send(sbc.in_dialog("BYE", leg, ok))
    sbc.wait(lambda m: m.status == 200 and m.method == "BYE")
    end = time.monotonic() + 5
    # "terminated" too, but only of a call that has lasted a second.
    while "session closed" not in pbx.log() and time.monotonic() < end:
        time.sleep(0.1)
    assert "session closed" in pbx.log(), "the BYE did not reach baresip\n" + pbx.log()[-2000:]


BY_EVENT, BY_INFO = "received event: '7'", "received DTMF: '#' (duration=200)"


def expect_digit(page, name, pbx, digit, said):
    """Chromium presses a key; what baresip says when it is told of it."""
    page.run("peers[args[0]].getSenders()[0].dtmf.insertDTMF(args[1], 200); return true;",
             name, digit)
    end = time.monotonic() + 5
    while said not in pbx.log() and time.monotonic() < end:
        time.sleep(0.1)
    assert said in pbx.log(), f"baresip got no {digit}\n{pbx.log()[-2000:]}"


def opus_only(page, sbc, daemon, pbx):
    """Chromium offers Opus and digits of 48 kHz, baresip has G.711 and digits of 8 kHz."""
    call_to_pbx(page, sbc, daemon, pbx, "opus", "audio/opus", digit="7", said=BY_EVENT)


def digits_by_info(page, sbc, daemon, colleague):
    """The trunk takes digits by INFO: telephone-events of Chromium become that.
    And PCMU only, by its list: PCMA is transcoded."""
    call_to_pbx(page, sbc, daemon, colleague, "info", number="+4799000002", hz=620, digit="#",
                said=BY_INFO)


def the_pbx_transfers_the_caller(page, sbc, daemon, pbx, colleague):
    """baresip answers and sends the caller on by REFER. Chromium, on the core's side, is
    re-invited to the colleague: new ports, a new certificate, so a new DTLS association."""
    flow = sbc.connect(daemon.port)
    offer = page.run(OFFER, "transferred", 500, ["audio/PCMA", "audio/telephone-event"])
    leg = sbc.invite("sips:+4799000001@127.0.0.1", CALLER, CALLEE, offer,
                     [("session-id", "00112233445566778899aabbccddeeff")])
    flow.send(leg)
    mine = lambda m: m.get("call-id") == leg.get("call-id")
    _, ok = sbc.wait(lambda m: m.status >= 200 and mine(m))
    assert ok.status == 200, ok.start
    flow.send(sbc.in_dialog("ACK", leg, ok))
    page.run(ACCEPT, "transferred", ok.body)
    assert page.wait(HEARD, "transferred", 800), "Chromium does not hear the first baresip"

    said = pbx.command("transfer", f"sip:+4799000002@127.0.0.1:{pbx.port}")
    assert '"ok":true' in said, said
    flow, again = sbc.wait(lambda m: m.method == "INVITE" and not m.status and mine(m))
    origin = [next(line for line in body.splitlines() if line.startswith("o="))
              for body in (ok.body, again.body)]
    assert origin[0].split()[1] == origin[1].split()[1], origin
    assert int(origin[0].split()[2]) < int(origin[1].split()[2]), origin
    answer = page.run(REANSWER, "transferred", again.body)
    response = sbc.reply(again, 200, "OK", answer)
    flow.send(response)
    sbc.wait(lambda m: m.method == "ACK" and mine(m))
    heard = page.wait(HEARD, "transferred", 620)
    assert heard, "Chromium does not hear the colleague"
    end = time.monotonic() + 10
    while abs((there := colleague.heard_hz()) - 500) > 20 and time.monotonic() < end:
        time.sleep(0.3)
    assert abs(there - 500) <= 20, f"the colleague hears {there} Hz\n{colleague.log()[-2000:]}"
    assert "session closed" in pbx.log(), "the first baresip was not let go\n" + pbx.log()[-2000:]
    flow.send(sbc.in_dialog("BYE", leg, ok))
    sbc.wait(lambda m: m.status == 200 and m.method == "BYE" and mine(m))


def call_to_device(page, sbc, daemon, folder, port):
    """The same with a soft phone that has registered over TCP, with a password."""
    account = (f"<sip:anna@localhost;transport=tcp>;auth_user=anna;auth_pass=a-secret;regint=60;"
               f'outbound="sip:127.0.0.1:{port};transport=tcp"')
    phone = Baresip(folder, 800, account=account)
    try:
        daemon.wait_log("device=anna contacts=1")
        assert "baresip" in daemon.ctl("devices").stdout
        call_to_pbx(page, sbc, daemon, phone)
    finally:
        phone.close()


def device_main(tally, folder, pki, sbc):
    port = free_port()
    (folder / "phone").mkdir()
    (folder / "password").write_text("a-secret\n")
    (folder / "password").chmod(0o600)
    changes = {
        "devices": [{"name": "anna", "password_file": str(folder / "password")}],
        "services": {"office": [{"do": {"ring": [{"device": "anna"}]}}]},
        "registrations": [{"number": "+4799000001", "route_type": "fork", "service": "office"}],
    }
    with Daemon(sbc.port, pki, changes) as daemon, Browser() as page:
        daemon.changes["sip"] = daemon.config()["sip"]
        daemon.changes["sip"]["listen"].append(f"tcp://127.0.0.1:{port}")
        daemon.start()
        page.run(PEERS)
        if not tally.run("baresip registers over TCP, is rung, and has audio both ways",
                         call_to_device, page, sbc, daemon, folder / "phone", port):
            print(daemon.log()[-4000:])


def main():
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="breakout-sbc-") as name:
        folder = pathlib.Path(name)
        pki = Pki(folder)
        for name in ("pbx", "colleague"):
            (folder / name).mkdir()
        ends = contextlib.ExitStack()  # whatever fails: nobody plays on
        pbx = ends.enter_context(
            contextlib.closing(Baresip(folder / "pbx", 800, "+4799000001")))
        colleague = ends.enter_context(
            contextlib.closing(Baresip(folder / "colleague", 620, "+4799000002")))
        sbc = ends.enter_context(contextlib.closing(Sbc(pki.cert, pki.key, pki.ca)))
        changes = {
            # The second address has the numbers that the first one does not know.
            "trunks": [{"name": "pbx", "failover_on": [404],
                        "uris": [f"sip:127.0.0.1:{pbx.port}",
                                 f"sip:127.0.0.1:{colleague.port}"]},
                       {"name": "keys", "dtmf": "info", "codecs": ["PCMU"],
                        "uris": [f"sip:127.0.0.1:{colleague.port};transport=udp"]}],
            "services": {"office": [{"do": [{"dial": "pbx"}]}],
                         "keys": [{"do": [{"dial": "keys"}]}]},
            "registrations": [{"number": "+4799000001", "route_type": "fork",
                               "service": "office"},
                              {"number": "+4799000002", "route_type": "fork",
                               "service": "keys"}],
        }
        with ends, Daemon(sbc.port, pki, changes) as daemon, Browser() as page:
            config = daemon.config()
            config["sip"]["listen"].append(f"udp://127.0.0.1:{free_port()}")
            daemon.changes["sip"] = config["sip"]
            daemon.start()
            page.run(PEERS)
            if not tally.run("baresip as PBX: audio both ways with Chromium as the core's side",
                             call_to_pbx, page, sbc, daemon, pbx):
                print(daemon.log()[-4000:])
            if not tally.run("Opus of Chromium, G.711 of baresip: audio and a digit cross",
                             opus_only, page, sbc, daemon, pbx):
                print(daemon.log()[-4000:])
            if not tally.run("digits reach a trunk by INFO", digits_by_info, page, sbc, daemon,
                             colleague):
                print(daemon.log()[-4000:])
            if not tally.run("baresip transfers the caller: REFER, and Chromium talks to another",
                             the_pbx_transfers_the_caller, page, sbc, daemon, pbx, colleague):
                print(daemon.log()[-4000:])
        with contextlib.closing(Sbc(pki.cert, pki.key, pki.ca)) as sbc:
            device_main(tally, folder, pki, sbc)
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
