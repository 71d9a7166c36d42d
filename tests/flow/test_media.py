# SPDX-License-Identifier: Apache-2.0
"""What breakoutd says of a call's media, with the simulated phones at its ends."""

import json
import os
import pathlib
import subprocess

from core import Core, Daemon, expect, finish, run_tests, wait_until

core = Core()
tas = Daemon(core)
LOOPED = tas.numbers[0]
OUT = "+4790000099"
CTL = pathlib.Path(os.environ["BREAKOUT_BIN"]) / "breakoutctl"
SOCKET = core.folder / "breakout.sock"
tas.start()
tas.wait_registered()


def ctl(*words):
    out = subprocess.run([CTL, "-s", SOCKET, "-o", "json", *words], capture_output=True, text=True,
                         timeout=10)
    assert out.returncode == 0, out.stderr
    return json.loads(out.stdout)


def record():
    return json.loads((core.folder / "cdr.jsonl").read_text().splitlines()[-1])


def a_running_call_shows_what_is_heard():
    core.phone(LOOPED, "answer")
    core.call(OUT, LOOPED, talk_ms=400, hangup="keep")
    call = wait_until(lambda: [call for call in ctl("calls") if call["verdict"] == "ok"],
                      5, "the verdict")[0]
    assert call["verdict_why"] == "", call
    for side in (call["a"], call["b"]):
        assert side["ice"] and side["dtls"] and side["packets_in"] > 50, side
        assert side["lost"] == side["duplicates"] == side["reordered"] == 0, side
        assert 0 <= side["jitter_ms"] < 20 and 0 < side["gap_ms"] < 500, side
        assert 4 < side["mos"] <= 4.5, side
        assert 0 <= side["last_ago_ms"] < 500 <= side["first_ago_ms"], side
    assert ctl("status")["media"] == {"ok": 1, "held": 0, "one-way": 0, "no media": 0,
                                      "bypassed": 0}
    core.must("hangup", id=core.last["id"])
    wait_until(lambda: ctl("status")["media"]["ok"] == 0, 5, "the call is over")


def the_record_says_it_too():
    core.phone(LOOPED, "answer")
    expect(core.call(OUT, LOOPED, talk_ms=1000), outcome="answered", verdict="two-way")
    call = wait_until(lambda: record() if record()["cause"] == "normal" else None, 5, "the record")
    assert call["verdict"] == "ok" and "verdict_why" not in call, call
    for side in (call["a"], call["b"]):
        assert 0 < side["first_ms"] < side["last_ms"] and side["mos"] > 4, side
    assert ' verdict="ok" ' in tas.log_path.read_text()


TESTS = [a_running_call_shows_what_is_heard, the_record_says_it_too]
finish(run_tests(TESTS, core), core, tas)
