# SPDX-License-Identifier: Apache-2.0
"""Whole calls with `media.advertised_address`: breakoutd's media is on 127.0.0.2, its
peers are told 127.0.0.1, and a NAT of our own carries what they send there."""

import yaml

from core import Core, Daemon, expect, finish, run_tests, wait_until
from nat import NAT, OUTSIDE, Mapping, put_behind

core = Core()
tas = Daemon(core)
first_port = int(core.daemon_media.split("-")[0])
nat = Mapping(first_port)
TWO_WAY = {"outcome": "answered", "verdict": "two-way", "both_ends_hung_up": True}
LOOP, FORK = tas.numbers[0], tas.numbers[3]


def restart(ice):
    config = yaml.safe_load(tas.config.read_text())
    put_behind(config, first_port, ice=ice)
    tas.config.write_text(yaml.safe_dump(config, sort_keys=False))
    tas.close()
    tas.start()
    tas.wait_registered()


def with_ice_lite_everything_goes_through_the_nat():
    restart("lite")
    core.phone(LOOP, "answer")
    expect(core.call("+4790000098", LOOP), **TWO_WAY, legs="1234")
    log = tas.log_path.read_text(errors="replace")
    assert f"ice connected remote={NAT}:" in log
    assert f"ice connected remote={OUTSIDE}:" not in log, "only the NAT's address is seen"
    assert nat.inward > 20 and nat.outward > 20, (nat.inward, nat.outward)


def a_full_agent_is_heard_both_ways():
    restart("full")
    core.phone(LOOP, "answer")
    expect(core.call("+4790000098", LOOP), **TWO_WAY, legs="1234")


def a_pbx_without_ice_is_told_the_advertised_address():
    core.phone(FORK, "no-answer")
    core.pbx("answer")
    before = nat.inward
    expect(core.call("+4790000098", FORK, talk_ms=2000), **TWO_WAY)
    assert nat.inward > before, "the PBX sends to what its SDP was told"


def nothing_is_left_behind():
    wait_until(lambda: core.must("status")["calls"] == 0, 10, "calls are over")


TESTS = [with_ice_lite_everything_goes_through_the_nat, a_full_agent_is_heard_both_ways,
         a_pbx_without_ice_is_told_the_advertised_address, nothing_is_left_behind]

finish(run_tests(TESTS, core), core, tas)
