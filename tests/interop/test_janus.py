# SPDX-License-Identifier: Apache-2.0
"""A looped call whose two ends are Janus, another WebRTC stack: leg 2 begins with its
offer (AudioBridge), leg 3 with its answer (EchoTest). A tone that enters the room of the
one must come back from the other, through the room: both ways on both sides."""

import array
import json
import math
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import warnings

from harness import Daemon, Pki, Tally, free_port, wait_listening
from sipwire import Sbc
from talk import Talk, session

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it leaves Python after Debian 12's
    import audioop

LIBRARIES = pathlib.Path("/usr/lib/x86_64-linux-gnu/janus")
NEEDED = {"libjanus_audiobridge.so", "libjanus_echotest.so", "libjanus_http.so"}
FRAME = 160  # samples: 20 ms at 8000 Hz
TONE = 700
CALLER = "+4799000001"


class Janus:
    """Janus with two plugins, asked by HTTP on loopback."""

    def __init__(self, folder):
        self.folder, self.port = folder, free_port()
        (folder / "janus.jcfg").write_text(f'''general: {{
    configs_folder = "{folder}", plugins_folder = "{LIBRARIES}/plugins",
    transports_folder = "{LIBRARIES}/transports", events_folder = "{folder}/none",
    loggers_folder = "{folder}/none", debug_level = 4, debug_colors = false }}
media: {{ rtp_port_range = "31000-31999" }}
plugins: {{ disable = "{self.others("plugins")}" }}
transports: {{ disable = "{self.others("transports")}" }}
''')
        (folder / "janus.transport.http.jcfg").write_text(
            f'general: {{ json = "compact", base_path = "/janus", http = true, '
            f'port = {self.port}, ip = "127.0.0.1", https = false }}\n'
            'admin: { admin_http = false }\n')
        (folder / "janus.plugin.audiobridge.jcfg").write_text(
            'general: { local_ip = "127.0.0.1", rtp_port_range = "32000-32999" }\n')
        self.log = open(folder / "log", "wb")
        self.process = subprocess.Popen(
            ["janus", "-F", folder, "-C", folder / "janus.jcfg"], cwd=folder,
            stdout=self.log, stderr=subprocess.STDOUT)
        wait_listening(self.port, 10, self.process)
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/janus/info") as reply:
            self.address = json.load(reply)["local-ip"]

    @staticmethod
    def others(kind):
        names = {path.name for path in (LIBRARIES / kind).glob("*.so")}
        return ",".join(sorted(names - NEEDED))

    def post(self, path, **body):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/janus{path}",
                                         json.dumps({**body, "transaction": "t"}).encode())
        with urllib.request.urlopen(request, timeout=10) as reply:
            return json.load(reply)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(10)
        self.log.close()


class Plugin:
    """One handle in a session of its own."""

    def __init__(self, janus, name):
        self.janus = janus
        self.session = f"/{janus.post('', janus='create')['data']['id']}"
        handle = janus.post(self.session, janus="attach", plugin=f"janus.plugin.{name}")
        self.path = f"{self.session}/{handle['data']['id']}"

    def ask(self, wanted, jsep=None, **body):
        """Returns the event that `wanted` says yes to; answers at once are events too."""
        more = {"jsep": jsep} if jsep else {}
        event = self.janus.post(self.path, janus="message", body=body, **more)
        end = time.monotonic() + 10
        while not wanted(event):
            assert event.get("janus") != "error" and "error" not in str(
                event.get("plugindata")), event
            assert time.monotonic() < end, event
            with urllib.request.urlopen(f"http://127.0.0.1:{self.janus.port}/janus{self.session}",
                                        timeout=10) as reply:
                event = json.load(reply)
        return event

    def close(self):
        self.janus.post(self.session, janus="destroy")


def data(event):
    return event.get("plugindata", {}).get("data", {})


class Guest:
    """Takes part in a room by plain RTP: says a tone, and listens to the room."""

    def __init__(self):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.sock.settimeout(0.5)
        self.port = self.sock.getsockname()[1]
        self.stopped, self.heard, self.threads = threading.Event(), 0, []

    def begin(self, address):
        for work in (lambda: self.say(address), self.listen):
            self.threads.append(threading.Thread(target=work, daemon=True))
            self.threads[-1].start()

    def say(self, address):
        begin = time.monotonic()
        for number in range(100000):
            samples = array.array("h", (round(8000 * math.sin(
                2 * math.pi * TONE * (number * FRAME + i) / 8000)) for i in range(FRAME)))
            head = bytes((0x80, 8)) + (number & 0xffff).to_bytes(2, "big") + (
                number * FRAME).to_bytes(4, "big") + b"tone"
            self.sock.sendto(head + audioop.lin2alaw(samples.tobytes(), 2), address)
            if self.stopped.wait(max(0, begin + (number + 1) * 0.02 - time.monotonic())):
                return

    def listen(self):
        """`heard`: frames in a row in which most of the energy is the tone's."""
        while not self.stopped.is_set():
            try:
                packet = self.sock.recv(2048)
            except TimeoutError:
                continue
            except OSError:
                return
            samples = array.array("h", audioop.alaw2lin(packet[12:12 + FRAME], 2))
            energy = sum(s * s for s in samples)
            parts = [sum(s * wave(2 * math.pi * TONE * i / 8000) for i, s in enumerate(samples))
                     for wave in (math.sin, math.cos)]
            share = 2 * sum(p * p for p in parts) / FRAME / (energy or 1)
            self.heard = self.heard + 1 if energy > 1e6 * FRAME and share > 0.8 else 0

    def close(self):
        self.stopped.set()
        for thread in self.threads:
            thread.join(5)
        self.sock.close()


def wait_for(what, condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, what()
        time.sleep(0.05)


def receipts(daemon):
    calls = json.loads(daemon.ctl("calls", "-o", "json").stdout)
    return calls if isinstance(calls, list) else calls["calls"]


def a_call_of_janus_with_itself(janus, sbc, daemon, room):
    bridge, echo = Plugin(janus, "audiobridge"), Plugin(janus, "echotest")
    visitor, guest = Plugin(janus, "audiobridge"), Guest()
    bridge.ask(lambda e: data(e).get("audiobridge") == "created", request="create", room=room,
               sampling_rate=8000, allow_rtp_participants=True)
    # Opus: AudioBridge offers G.711 under a number that it does not send.
    offer = bridge.ask(lambda e: "jsep" in e, request="join", room=room, codec="opus",
                       generate_offer=True)["jsep"]["sdp"]
    talk = Talk(sbc, sbc.connect(daemon.port), CALLER, sdp=offer, extra=session()).ring()
    answer = echo.ask(lambda e: "jsep" in e,
                      {"type": "offer", "sdp": talk.leg3.body},
                      audio=True, video=False)["jsep"]["sdp"]
    talk.answer(answer)
    bridge.ask(lambda e: data(e).get("result") == "ok",
               {"type": "answer", "sdp": talk.ok2.body},
               request="configure")
    joined = visitor.ask(lambda e: "rtp" in data(e), request="join", room=room, codec="pcma",
                         rtp={"ip": "127.0.0.1", "port": guest.port, "payload_type": 8})
    try:
        guest.begin(("127.0.0.1", data(joined)["rtp"]["port"]))
        wait_for(lambda: f"no tone: {receipts(daemon)}\n{daemon.log()[-3000:]}",
                 lambda: guest.heard >= 25)
        wait_for(lambda: f"not ok: {receipts(daemon)}",
                 lambda: receipts(daemon)[0]["verdict"] == "ok")
        for side in ("a", "b"):
            receipt = receipts(daemon)[0][side]
            assert receipt["ice"] and receipt["dtls"], receipt
            assert receipt["dropped"] == 0, receipt
    finally:
        guest.close()
    talk.hang_up()
    for plugin in (bridge, echo, visitor):
        plugin.close()


# Janus leaves loopback out of its candidates, by no setting of its. A network namespace of
# its own with two interfaces that are plugged into each other keeps all on this machine.
PRIVATE = """ip link set lo up && ip link add near type veth peer name far &&
ip address add 192.0.2.1/24 dev near && ip link set near up && ip link set far up &&
ip route add default dev near && exec "$@" """


def enter_private_network():
    """Begins again in there. Where that is not allowed, the machine's own address serves."""
    command = ["unshare", "--user", "--map-root-user", "--net", "sh", "-ec", PRIVATE, "sh"]
    if "BREAKOUT_PRIVATE_NETWORK" in os.environ:
        return
    os.environ["BREAKOUT_PRIVATE_NETWORK"] = "yes"
    try:
        allowed = not subprocess.run([*command, "true"], capture_output=True, check=False).returncode
    except FileNotFoundError:
        allowed = False
    if allowed:
        os.environ["BREAKOUT_PRIVATE_NETWORK"] = "made"
        os.execvp(command[0], [*command, sys.executable, *sys.argv])
    print("     (no network namespace may be made here: the machine's own address serves)")


def main():
    enter_private_network()
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="breakout-janus-") as name:
        folder = pathlib.Path(name)
        pki = Pki(folder)
        sbc = Sbc(pki.cert, pki.key, pki.ca)
        with Janus(folder) as janus:
            if os.environ.get("BREAKOUT_PRIVATE_NETWORK") == "made":
                assert janus.address == "192.0.2.1", janus.address
            for room, ice in enumerate(("full", "lite"), 1):
                # Where its candidates are, ours are.
                media = {"address": janus.address, "ports": "20000-29999", "ice": ice}
                with Daemon(sbc.port, pki, {"media": media}) as daemon:
                    daemon.start()
                    tally.run(f"{ice} ICE: a tone goes from Janus's offer to Janus's answer "
                              "and back", a_call_of_janus_with_itself, janus, sbc, daemon, room)
        sbc.close()
    return tally.close()


sys.exit(main())
