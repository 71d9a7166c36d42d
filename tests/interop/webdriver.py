# SPDX-License-Identifier: Apache-2.0
"""Headless Chromium as a WebRTC peer, driven over the W3C WebDriver protocol
(chromedriver speaks it over HTTP on loopback; no client library needed)."""

import base64
import json
import re
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    # Containers often give a tiny or read-only /dev/shm.
    "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
    # Loopback is where the tests live.
    "--allow-loopback-in-peer-connection",
]
HIDE_LOCAL_IPS = "WebRtcHideLocalIpsWithMdns"


class Browser:
    """One Chromium with an empty page. Use as a context manager. `mdns`: its host
    candidates are names that nothing here resolves, else they are in clear."""

    def __init__(self, mdns=False):
        self.profile = tempfile.TemporaryDirectory(prefix="breakout-chromium-")
        self.driver = subprocess.Popen(
            ["chromedriver", "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True)
        self.port = self._port()
        self.session = None
        options = {"binary": "/usr/bin/chromium",
                   "args": FLAGS + [f"--{'enable' if mdns else 'disable'}-features={HIDE_LOCAL_IPS}",
                                    f"--user-data-dir={self.profile.name}"]}
        answer = self._post("/session", {"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": options,
            "timeouts": {"script": 30000}}}})
        self.session = answer["sessionId"]
        for name in ("microphone", "camera") if mdns else ():
            # A page that may use either shows addresses all the same.
            self._post(f"/session/{self.session}/permissions",
                       {"descriptor": {"name": name}, "state": "denied"})

    def _port(self):
        for line in self.driver.stdout:
            match = re.search(r"started successfully on port (\d+)", line)
            if match:
                return int(match.group(1))
        raise RuntimeError("chromedriver did not start")

    def _post(self, path, body):
        return self._ask(urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", json.dumps(body).encode(),
            {"Content-Type": "application/json"}))

    def _ask(self, request):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=60) as reply:
                return json.load(reply)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError("chromedriver: " + error.read().decode()[:500]) from None

    def run(self, script, *arguments):
        """Runs an async function body; its return value comes back."""
        wrapped = ("const done = arguments[arguments.length - 1];"
                   "const args = Array.from(arguments).slice(0, -1);"
                   f"(async () => {{ {script} }})()"
                   ".then(v => done({ok: v === undefined ? null : v}),"
                   " e => done({error: String(e && e.stack || e)}));")
        value = self._post(f"/session/{self.session}/execute/async",
                           {"script": wrapped, "args": list(arguments)})
        if "error" in value:
            raise RuntimeError("in the page: " + value["error"])
        return value["ok"]

    def wait(self, script, *arguments, seconds=15):
        """Repeats run() until it returns something true; the last value."""
        end = time.monotonic() + seconds
        while True:
            value = self.run(script, *arguments)
            if value or time.monotonic() > end:
                return value
            time.sleep(0.1)

    def go(self, url):
        self._post(f"/session/{self.session}/url", {"url": url})

    def picture(self):
        """What the window shows, as a PNG."""
        return base64.b64decode(self._ask(urllib.request.Request(
            f"http://127.0.0.1:{self.port}/session/{self.session}/screenshot")))

    def console(self):
        """The lines of the page's console so far."""
        log = self._post(f"/session/{self.session}/se/log", {"type": "browser"})
        return [entry["message"] for entry in log]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        try:
            request = urllib.request.Request(
                f"http://127.0.0.1:{self.port}/session/{self.session}", method="DELETE")
            urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20)
        finally:
            self.driver.terminate()
            self.driver.wait(10)
            self.profile.cleanup()


# Defines window.peer(name, hz): an RTCPeerConnection that plays a tone and
# listens for the strongest tone that arrives.
PEERS = """
window.audio = window.audio || new AudioContext({sampleRate: 48000});
await window.audio.resume();
window.peers = {};
window.peer = (name, hz) => {
  const pc = new RTCPeerConnection({iceServers: [], bundlePolicy: 'max-bundle'});
  const tone = audio.createOscillator(), out = audio.createMediaStreamDestination();
  tone.frequency.value = hz; tone.connect(out); tone.start();
  for (const track of out.stream.getAudioTracks()) pc.addTrack(track, out.stream);
  const analyser = audio.createAnalyser();
  analyser.fftSize = 4096; analyser.smoothingTimeConstant = 0;
  pc.ontrack = (event) => {
    const stream = new MediaStream([event.track]);
    const sink = new Audio(); sink.srcObject = stream; sink.muted = true; sink.play();
    pc.sink = sink;
    audio.createMediaStreamSource(stream).connect(analyser);
  };
  pc.gathered = () => new Promise((resolve) => {
    if (pc.iceGatheringState === 'complete') return resolve();
    pc.addEventListener('icegatheringstatechange',
      () => pc.iceGatheringState === 'complete' && resolve());
  });
  pc.heard = () => {
    const bins = new Float32Array(analyser.frequencyBinCount);
    analyser.getFloatFrequencyData(bins);
    let best = 0;
    for (let i = 1; i < bins.length; i++) if (bins[i] > bins[best]) best = i;
    return bins[best] > -60 ? Math.round(best * audio.sampleRate / analyser.fftSize) : 0;
  };
  peers[name] = pc;
  return pc;
};
"""
OFFER = """
const pc = peer(args[0], args[1]);
if (args[2]) {
  const wanted = RTCRtpReceiver.getCapabilities('audio').codecs
    .filter(c => args[2].includes(c.mimeType));
  pc.getTransceivers()[0].setCodecPreferences(wanted);
}
await pc.setLocalDescription(await pc.createOffer());
await pc.gathered();
return pc.localDescription.sdp;
"""
ANSWER = """
const pc = peer(args[0], args[1]);
await pc.setRemoteDescription({type: 'offer', sdp: args[2]});
await pc.setLocalDescription(await pc.createAnswer());
await pc.gathered();
return pc.localDescription.sdp;
"""
REANSWER = """
const pc = peers[args[0]];
await pc.setRemoteDescription({type: 'offer', sdp: args[1]});
await pc.setLocalDescription(await pc.createAnswer());
await pc.gathered();
return pc.localDescription.sdp;
"""
ACCEPT = "await peers[args[0]].setRemoteDescription({type: 'answer', sdp: args[1]});"
HEARD = "const hz = peers[args[0]].heard(); return Math.abs(hz - args[1]) < 30 ? hz : 0;"
STATE = "const pc = peers[args[0]]; return pc.connectionState;"
