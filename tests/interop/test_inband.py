# SPDX-License-Identifier: Apache-2.0
"""A PBX that knows digits as tones in its speech alone (`dtmf: inband`). The core gets
telephone-events of them: a daemon that is the core here sends back what it is sent, and from
events of the core tones are made again, as loud as ours are and not as the PBX's. A trunk that
sees events in the clear tells which (RFC 4733)."""

import bisect
import contextlib
import math
import pathlib
import struct
import sys
import tempfile
import time

from harness import Daemon, Pki, Tally, free_port
from sipwire import Sbc
from test_bleed import PBX, Call, rtp
from test_reports import Callee, pair

LOW, HIGH, KEYS = (697, 770, 852, 941), (1209, 1336, 1477, 1633), "123A456B789C*0#D"
DIGITS = "1590*#73"
NUMBER, AT_CORE = "+4799000003", "+99000003"
LEVEL = 1200  # of each tone of the PBX's: -26 dBm0, quieter than any that we make
TONE_MS, PAUSE_MS = 80, 140


def decode_a(code):
    """ITU-T G.711."""
    code ^= 0x55
    exponent, mantissa = code >> 4 & 7, code & 15
    value = (mantissa << 4) + 8 if exponent == 0 else (mantissa * 16 + 264) << (exponent - 1)
    return value if code & 0x80 else -value


DECODED = [decode_a(code) for code in range(256)]
SORTED = sorted((value, code) for code, value in enumerate(DECODED))


def encode_a(sample):
    at = min(bisect.bisect(SORTED, (sample, 0)), 255)
    return min(SORTED[max(at - 1, 0):at + 1], key=lambda pair: abs(pair[0] - sample))[1]


def speech(digits):
    """Frames of 20 ms: each digit and a pause."""
    samples = []
    for digit in digits:
        low, high = (2 * math.pi * hz / 8000 for hz in
                     (LOW[KEYS.index(digit) // 4], HIGH[KEYS.index(digit) % 4]))
        samples += [LEVEL * (math.sin(low * i) + math.sin(high * i)) for i in range(8 * TONE_MS)]
        samples += [0] * (8 * PAUSE_MS)
    coded = bytes(encode_a(sample) for sample in samples)
    return [coded[at:at + 160] for at in range(0, len(coded), 160)]


def level(samples, hz):
    """Of a tone among these: its amplitude (Goertzel)."""
    turn = 2 * math.pi * hz / 8000
    real = sum(s * math.cos(turn * i) for i, s in enumerate(samples))
    imaginary = sum(s * math.sin(turn * i) for i, s in enumerate(samples))
    return 2 * math.hypot(real, imaginary) / len(samples)


def loud_key(frame):
    """The key whose tones are louder in it than the PBX's are."""
    samples = [DECODED[code] for code in frame]
    low, high = ([level(samples, hz) for hz in tones] for tones in (LOW, HIGH))
    if min(max(low), max(high)) < 2 * LEVEL:
        return ""
    return KEYS[4 * low.index(max(low)) + high.index(max(high))]


def runs(keys):
    """(key, frames) of what is pressed, one after the other."""
    found, last = [], ""
    for key in keys:
        if key and key == last:
            found[-1][1] += 1
        elif key:
            found.append([key, 1])
        last = key
    return found


class Pbx:
    """Speaks from the answer on, and keeps what it hears."""

    def __init__(self, daemon, sbc):
        self.rtp, self.rtcp = pair()
        self.rtp.settimeout(0.001)
        self.call = Call(daemon, sbc, self.rtp.getsockname(), NUMBER)
        self.to, self.sent, self.heard = ("127.0.0.1", self.call.port()), 0, []

    def say(self, frames):
        begin = time.monotonic()
        for done, frame in enumerate(frames, 1):
            self.sent += 1
            self.rtp.sendto(rtp(0x11111111, self.sent, frame), self.to)
            while time.monotonic() < begin + 0.02 * done:
                with contextlib.suppress(TimeoutError):
                    packet = self.rtp.recv(2048)
                    if packet[1] & 0x7f == 8:
                        self.heard.append(packet[12:])

    def end(self):
        self.call.end()
        self.rtp.close()
        self.rtcp.close()


def tones_reach_the_core_as_events(daemon, sbc):
    pbx = Pbx(daemon, sbc)
    end = time.monotonic() + 10
    while not pbx.heard and time.monotonic() < end:  # ICE and DTLS
        pbx.say([b"\xd5" * 160] * 10)
    pbx.say(speech(DIGITS))
    pbx.say([b"\xd5" * 160] * 60)
    pbx.end()
    found = runs(loud_key(frame) for frame in pbx.heard)
    assert "".join(key for key, _ in found) == DIGITS, found
    assert all(frames * 20 >= TONE_MS - 40 for _, frames in found), found


def tones_reach_a_trunk_as_events(daemon, sbc, callee):
    """Each with one marker, one time, growing durations and three ends."""
    rtp_end, rtcp_end = pair()
    rtp_end.settimeout(0.2)
    callee.party = type("Party", (), {"rtp": rtp_end, "to": None})
    callee.formats = "8 101\r\na=rtpmap:101 telephone-event/8000"
    pbx = Pbx(daemon, sbc)
    pbx.say([b"\xd5" * 160] * 20)
    pbx.say(speech(DIGITS))
    pbx.say([b"\xd5" * 160] * 30)
    events = []
    with contextlib.suppress(TimeoutError):
        while True:
            packet = rtp_end.recv(2048)
            if packet[1] & 0x7f == 101:
                events.append((packet[1] >> 7, *struct.unpack_from("!I", packet, 4),
                               *struct.unpack_from("!BBH", packet, 12)))
    pbx.end()
    rtp_end.close()
    rtcp_end.close()
    times = list(dict.fromkeys(time for _, time, *_ in events))
    said = ""
    for at in times:
        digit = [event for event in events if event[1] == at]
        assert [marker for marker, *_ in digit] == [1] + [0] * (len(digit) - 1), digit
        assert len({event for _, _, event, *_ in digit}) == 1, digit
        assert sum(end >> 7 for *_, end, _ in digit) == 3, digit
        lengths = [length for *_, length in digit]
        assert lengths == sorted(lengths) and 8 * (TONE_MS - 30) <= lengths[-1] < 8 * 200, lengths
        said += "0123456789*#ABCD"[digit[0][2]]
    assert said == DIGITS, (said, events)


def daemons(sbc, pki, callee):
    """The one under test, and the core."""
    core = Daemon(sbc.port, pki)
    core.changes = {
        "prefixes": {"mobile_originating": "48", "mobile_terminating": "47"},
        "media": {"address": "127.0.0.1", "ports": "26000-26099"},
        "services": {"echo": [{"do": {"answer": "echo"}}]},
        "registrations": [{"number": AT_CORE, "route_type": "loop_mt", "service": "echo"}]}
    daemon = Daemon(core.port, pki)
    config = daemon.config()
    daemon.tcp_port = free_port()
    config["sip"]["listen"] += [f"tcp://127.0.0.1:{daemon.tcp_port}",
                                f"udp://127.0.0.1:{free_port()}"]
    config["core"]["sbc"]["trusted"] = ["127.0.0.1/32"]
    daemon.changes = {
        "sip": config["sip"], "core": config["core"],
        "trunks": [{"name": "pbx", "uris": [f"sip:{PBX}:9;transport=tcp"], "ingress": True,
                    "dtmf": "inband", "codecs": ["PCMA"]},
                   {"name": "callee", "uris": [f"sip:127.0.0.1:{callee.port};transport=udp"]}],
        "services": {"desk": [{"do": {"dial": "callee"}}]},
        "registrations": [{"number": NUMBER, "route_type": "ingress"}]}
    return core, daemon


def main():
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="breakout-inband-") as name, \
            contextlib.ExitStack() as ends:
        pki = Pki(pathlib.Path(name))
        sbc = ends.enter_context(contextlib.closing(Sbc(pki.cert, pki.key, pki.ca)))
        callee = ends.enter_context(contextlib.closing(Callee()))
        core, daemon = daemons(sbc, pki, callee)
        with core, daemon:
            core.start()
            daemon.start()
            if not tally.run("tones of a PBX are telephone-events to the core, and back",
                             tones_reach_the_core_as_events, daemon, sbc):
                print(core.log()[-2000:], daemon.log()[-3000:])
            daemon.reload({"trunks": [daemon.changes["trunks"][0] | {"service": "desk"},
                                      daemon.changes["trunks"][1]]})
            if not tally.run("and to another trunk, which sees what they are",
                             tones_reach_a_trunk_as_events, daemon, sbc, callee):
                print(daemon.log()[-3000:])
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
