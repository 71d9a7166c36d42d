# SPDX-License-Identifier: Apache-2.0
"""Whole calls over a path that loses, repeats, delays and overtakes packets, both ways and
from the first check on: they are set up, packets arrive at both ends, and the receipts say
what the weather was."""

import random

import yaml

from core import Core, Daemon, expect, finish, last_record, run_tests
from nat import Mapping, put_behind

LOSS, REPEATED, LATE = 0.05, 0.02, 0.10  # of all packets
LATE_MS, SPREAD_MS = 45, 15  # it is overtaken; or only not in step
TALK_MS = 6000
core = Core()
tas = Daemon(core)
LOOPED, OUT = tas.numbers[0], "+4790000098"
PBX = tas.numbers[3]
first_port = int(core.daemon_media.split("-")[0])
dice = random.Random(7)


def fate(packet):
    """Of media and handshakes; a path that loses STUN as well takes its time."""
    luck = dice.random()
    if luck < LOSS:
        return []
    if luck < LOSS + REPEATED:
        return [0, 0.001]
    if luck < LOSS + REPEATED + LATE:
        return [LATE_MS / 1000]
    return [dice.uniform(0, SPREAD_MS / 1000)]


def behind(ice):
    config = yaml.safe_load(tas.config.read_text())
    put_behind(config, first_port, ice=ice)
    tas.config.write_text(yaml.safe_dump(config, sort_keys=False))
    tas.close()
    tas.start()
    tas.wait_registered()


def seen(side):
    """The share of packets that was lost, and whether the rest of the weather was seen too."""
    lost = side["lost"] / (side["packets_in"] + side["lost"])
    assert LOSS / 3 < lost < LOSS * 4, f"{lost:.3f} of them lost: {side}"
    # SRTP drops what is repeated before anybody else sees it.
    assert side["duplicates"] + side["dropped"] > 0 and side["reordered"] > 0, side
    assert 1 < side["jitter_ms"] and 1 < side["mos"] < 4.4, side


def call(number, **wanted):
    """Whether a tone is made out behind so many holes is for the phones' ears, and depends on
    what else the machine does: here packets count."""
    result = core.call(OUT, number, talk_ms=TALK_MS)
    expect(result, outcome="answered", **wanted)
    for side in (result["caller"], result["callee"]):
        assert side["packets_in"] > TALK_MS / 40, side
    record = last_record(core)
    assert record["verdict"] == "ok", record
    seen(record["a"])
    seen(record["b"])


def a_loop_with_ice_lite_bears_it():
    behind("lite")
    core.phone(LOOPED, "answer")
    call(LOOPED, legs="1234")


def a_loop_with_full_ice_bears_it():
    behind("full")
    core.phone(LOOPED, "answer")
    result = core.call(OUT, LOOPED, talk_ms=TALK_MS)
    expect(result, outcome="answered", legs="1234")  # some packets find a way without weather
    assert last_record(core)["verdict"] == "ok", result


def plain_rtp_of_a_pbx_bears_it():
    behind("lite")
    core.pbx("answer")
    call(PBX, answered_by="pbx")


def speech_that_is_converted_bears_it():
    """The phone and the PBX have no codec in common, which their receipts show."""
    behind("lite")
    for outer, inner in (("PCMA", "G722"), ("G722", "opus")):
        core.phone(OUT, "answer", codec=outer)
        core.pbx("answer", codec=inner)
        call(PBX, answered_by="pbx")
        assert [core.last[side]["codec"] for side in ("caller", "callee")] == [outer, inner]
    core.phone(OUT, "answer")


Mapping(first_port, fate=fate)
TESTS = [a_loop_with_ice_lite_bears_it, a_loop_with_full_ice_bears_it,
         plain_rtp_of_a_pbx_bears_it, speech_that_is_converted_bears_it]
finish(run_tests(TESTS, core), core, tas)
