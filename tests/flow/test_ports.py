# SPDX-License-Identifier: Apache-2.0
"""Whole calls while media.ports runs short: loops go without their media before the range
is empty, the last ones are left for calls in progress, and an emergency call needs none."""

import json
import os
import pathlib
import subprocess

from core import Core, Daemon, expect, finish, last_record, run_tests, wait_until

PORTS = 50  # light from 45 on; one is kept
core = Core()
first_port = int(core.daemon_media.split("-")[0])
core.daemon_media = f"{first_port}-{first_port + PORTS - 1}"
tas = Daemon(core)
tas.start()
tas.wait_registered()
LOOP, TONE = tas.numbers[0], tas.numbers[8]
CTL = pathlib.Path(os.environ["BREAKOUT_BIN"]) / "breakoutctl"
held = []


def status():
    return json.loads(subprocess.run(
        [CTL, "-s", core.folder / "breakout.sock", "-o", "json", "status"], capture_output=True,
        text=True, check=True, timeout=10).stdout)


def hold(number, callee):
    result = core.ask("call", **{"from": number, "to": callee, "talk_ms": 200, "hangup": "keep"})
    assert result["outcome"] == "answered", result
    held.append(result)


def loops_take_all_but_a_few_ports():
    core.phone(LOOP, "answer")
    while status()["load"]["ports_percent"] < 90:
        hold(f"+47900001{len(held):02}", LOOP)
        assert len(held) < 60, "some loops go without media, but not all"
    wait_until(lambda: status()["load"]["level"] != "normal", 10, "there is much to do")


def a_loop_goes_without_its_media_while_ports_are_left():
    assert status()["load"]["ports_percent"] < 98
    expect(core.call("+4790000091", LOOP), outcome="answered", verdict="two-way", legs="1234")
    assert last_record(core)["bypass"] == "overload", last_record(core)


def what_needs_a_port_has_those_that_are_left_but_for_the_last():
    """Then its number's call goes on as if we were not there."""
    taken = status()["load"]["ports_percent"]
    for i in range((98 - taken) // 2):
        hold(f"+479000008{i}", TONE)
    assert status()["load"]["ports_percent"] == 98, status()["load"]
    before = status()["media"]["bypassed"]
    hold("+4790000090", TONE)
    wait_until(lambda: status()["media"]["bypassed"] == before + 1, 10, "it passes us")
    assert status()["load"]["ports_percent"] == 98, status()["load"]


def an_emergency_call_goes_out_all_the_same():
    core.phone("112", "answer")
    expect(core.call(LOOP, "112"), outcome="answered", verdict="two-way")


def a_call_in_progress_keeps_what_it_has():
    first = json.loads(subprocess.run(
        [CTL, "-s", core.folder / "breakout.sock", "-o", "json", "calls"], capture_output=True,
        text=True, check=True, timeout=10).stdout)
    assert len(first) == len(held), (len(first), len(held))
    assert all(call["verdict"] in ("ok", "none", "bypassed") for call in first), first


def ports_come_back_with_the_calls_end():
    for call in held:
        core.must("hangup", id=call["id"])
    wait_until(lambda: status()["load"]["level"] == "normal", 30, "the load is normal again")
    expect(core.call("+4790000092", LOOP), outcome="answered", verdict="two-way")
    assert "bypass" not in last_record(core), last_record(core)


TESTS = [value for name, value in list(globals().items())
         if callable(value) and getattr(value, "__module__", "") == "__main__"
         and name not in ("status", "hold")]

if __name__ == "__main__":
    finish(run_tests(TESTS, core), core, tas)
