# SPDX-License-Identifier: Apache-2.0
"""Whole calls with `media.ice: lite`: all of them on one port."""

import re
import threading

from core import Core, Daemon, expect, finish, run_tests, wait_until

core = Core()
first_port = int(core.daemon_media.split("-")[0])
core.daemon_media = f"{first_port}-{first_port + 99}"
tas = Daemon(core)
tas.config.write_text(tas.config.read_text().replace("threads: 1 }", "threads: 1, ice: lite }"))
assert "ice: lite" in tas.config.read_text()
tas.start()
tas.wait_registered()
LOOP, FORK, TONE = tas.numbers[0], tas.numbers[3], tas.numbers[8]
TWO_WAY = {"outcome": "answered", "verdict": "two-way", "both_ends_hung_up": True}


def a_looped_call_is_heard_both_ways():
    core.phone(LOOP, "answer")
    expect(core.call("+4790000098", LOOP), **TWO_WAY, legs="1234")


def a_call_to_the_pbx_is_heard_both_ways():
    core.phone(FORK, "no-answer")
    core.pbx("answer")
    expect(core.call("+4790000098", FORK), **TWO_WAY)


def our_own_tone_is_heard():
    result = core.call("+4790000098", TONE)
    assert result["caller"]["heard_hz"] == 425, result["caller"]


def hold_and_resume_keep_the_media():
    core.phone(LOOP, "answer")
    expect(core.call("+4790000098", LOOP, hold=True), **TWO_WAY)


def twenty_calls_at_once_share_one_port():
    numbers = [f"+47900001{i:02}" for i in range(20)]
    core.phone(LOOP, "answer")
    results = []

    def place(number):
        results.append(core.ask("call", **{"from": number, "to": LOOP, "talk_ms": 1000}))

    threads = [threading.Thread(target=place, args=(n,)) for n in numbers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    verdicts = [r.get("verdict") for r in results]
    assert verdicts == ["two-way"] * 20, verdicts
    remotes = set(re.findall(r"ice connected remote=127.0.0.1:(\d+)",
                             tas.log_path.read_text(errors="replace")))
    assert len(remotes) >= 40, "each phone has a port of its own, and we have one"


def nothing_is_left_behind():
    wait_until(lambda: core.must("status")["calls"] == 0, 10, "calls are over")


TESTS = [value for name, value in list(globals().items())
         if callable(value) and getattr(value, "__module__", "") == "__main__" and not name.startswith("_")]

finish(run_tests(TESTS, core), core, tas)
