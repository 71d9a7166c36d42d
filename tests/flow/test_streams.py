# SPDX-License-Identifier: Apache-2.0
"""Whole calls in which what is heard comes from one source after the other: on the wire it
is one RTP stream of the daemon's, whose numbers have no gap and whose time goes on."""

import math
import struct
import time
import wave

import yaml

from core import Core, Daemon, expect, finish, run_tests, wait_until
from nat import Mapping, put_behind

core = Core()
tas = Daemon(core)
NUMBER, OUT = tas.numbers[-1], "+4790000099"
TICKS = 8000  # a second of G.711's clock
first_port = int(core.daemon_media.split("-")[0])
heard = {}  # by peer: (when, marker and type, number, timestamp, ssrc) of what it was sent


def tap(packet, peer):
    """RTP, and no RTCP: RFC 5761 section 4. Its header is in the clear."""
    if 128 <= packet[0] < 192 and not 192 <= packet[1] < 224:
        heard.setdefault(peer, []).append((time.monotonic(), *struct.unpack_from("!xBHII", packet)))


def start():
    with wave.open(str(core.folder / "welcome.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(b"".join(struct.pack("<h", int(12000 * math.sin(i * 0.55)))
                                  for i in range(8000)))
    config = yaml.safe_load(tas.config.read_text())
    put_behind(config, first_port, ice="lite")  # of a full agent some packets find a shorter way
    service = next(r for r in config["registrations"] if r.get("number") == NUMBER)["service"]
    config["services"][service] = [{"do": [
        {"announce": {"play": "welcome.wav", "answer_first": True}},
        {"dial": {"trunk": "pbx", "ring": "3s"}}, "loop"]}]
    tas.config.write_text(yaml.safe_dump(config, sort_keys=False))
    tas.start()
    tas.wait_registered()


def stream_of(peer):
    """What one peer was sent, seen to be one stream; returns its packets."""
    packets = heard[peer]
    assert len({ssrc for *_, ssrc in packets}) == 1, f"{peer} has seen several streams"
    for before, after in zip(packets, packets[1:]):
        assert (after[2] - before[2]) % 65536 == 1, f"{peer}: {before} is followed by {after}"
        step = (after[3] - before[3]) % 2**32
        late = abs((after[0] - before[0]) * TICKS - step)
        assert 0 < step < 2**31 and late < TICKS, f"{peer}: {before} is followed by {after}"
    return packets


def longest():
    """The caller's: it hears all of the call."""
    return max((stream_of(peer) for peer in heard), key=len)


def one_call(**wanted):
    heard.clear()
    result = core.call(OUT, NUMBER, talk_ms=2500)
    expect(result, outcome="answered", verdict="two-way", **wanted)
    wait_until(lambda: core.must("status")["calls"] == 0, 10, "the call is over")
    packets = longest()
    assert len(packets) > 60, f"only {len(packets)} packets"
    marked = [number for _, kind, number, *_ in packets if kind & 0x80]
    assert len(marked) >= 2, f"no beginning but {marked}"
    took = packets[-1][0] - packets[0][0]
    ticks = (packets[-1][3] - packets[0][3]) % 2**32
    assert abs(ticks / TICKS - took) < 0.5, f"{ticks / TICKS:.2f} s of time in {took:.2f} s"


def an_announcement_and_the_pbx_behind_it_are_one_stream():
    core.pbx("answer", ring_ms=600)  # it rings: we play that too
    one_call(answered_by="pbx")


def an_announcement_and_who_answers_the_loop_are_one_stream():
    core.pbx("busy")
    core.phone(NUMBER, "answer", ring_ms=300)
    one_call(legs="1234")
    assert len(heard) == 2, "both ends are behind the mapping"


start()
nat = Mapping(first_port, tap)
TESTS = [an_announcement_and_the_pbx_behind_it_are_one_stream,
         an_announcement_and_who_answers_the_loop_are_one_stream]

finish(run_tests(TESTS, core), core, tas)
