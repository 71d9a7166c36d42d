# SPDX-License-Identifier: Apache-2.0
"""Whole calls while there is much to do: new loops go without their media, and nothing
else does. `limits.calls` of ten makes nine calls too many."""

import json
import os
import pathlib
import re
import signal
import subprocess

from core import Core, Daemon, expect, finish, last_record, run_tests, wait_until

CALLS, LIGHT = 10, 9  # light from 90 %, normal again below 85 %
core = Core()
tas = Daemon(core)
LOOP, FORK, RECORDED, TONE = tas.numbers[0], tas.numbers[3], tas.numbers[7], tas.numbers[8]
OUT = "+4790000099"
CTL = pathlib.Path(os.environ["BREAKOUT_BIN"]) / "breakoutctl"
TWO_WAY = {"outcome": "answered", "verdict": "two-way", "both_ends_hung_up": True}
BASE = re.sub("  echo: .*", "  echo: [{ record: yes, do: loop }]", tas.config.read_text()) + (
    f"recordings: {{ dir: {core.folder / 'calls'} }}\nlimits: {{ calls: {CALLS} }}\n")
tas.config.write_text(BASE)
tas.start()
tas.wait_registered()
loops, others = [], []  # calls that stand: two with media, and those that only count
light = []


def _ctl(*words):
    return subprocess.run([CTL, "-s", core.folder / "breakout.sock", *words], capture_output=True,
                          text=True, check=True, timeout=10).stdout


def _json(*words):
    return json.loads(_ctl("-o", "json", *words))


def _status():
    return _json("status")


def _metric(name):
    found = re.search(rf"^{re.escape(name)} (\S+)$", _ctl("metrics"), re.M)
    return float(found.group(1)) if found else 0  # a counter shows once it has counted


def _passed():
    return _metric('breakout_calls_bypassed_total{why="overload"}')


def _keep(number, callee, into):
    into.append(core.call(number, callee, hangup="keep"))
    expect(into[-1], outcome="answered")
    return into[-1]


def _hang_up(calls):
    while calls:
        core.must("hangup", id=calls.pop()["id"])


def _is(level):
    wait_until(lambda: _status()["load"]["level"] == level, 30, f"the load is {level}")


def _of(call):
    """As the daemon has it while it goes on."""
    ids = [leg["call_id"] for leg in call["core"]["legs"]]
    return wait_until(lambda: [c for c in _json("calls") if c["call_id_a"] in ids], 5, "it")[0]


def _heard_at(call):
    """The ports that the two phones send to."""
    return [int(call[side]["media"].rsplit(":", 1)[1]) for side in ("caller", "callee")]


def _are_of(ports, room):
    first, last = map(int, room.split("-"))
    return all(first <= port <= last for port in ports)


def _record_of_a_passed_call():
    record = last_record(core)
    assert (record["media"], record["bypass"]) == ("passed", "overload"), record
    assert record["verdict"] == "bypassed" and record["cause"] == "normal", record
    return record


def _record_of_one_with_media():
    record = last_record(core)
    assert record["media"] == "anchored" and "bypass" not in record, record
    assert record["verdict"] == "ok", record
    return record


def loops_have_their_media_while_there_is_little_to_do():
    core.phone(LOOP, "answer")
    for number in ("+4790000081", "+4790000082"):
        _is("normal")
        call = _keep(number, LOOP, loops)
        assert call["verdict"] == "two-way", call["reason"]
        assert _are_of(_heard_at(call), core.daemon_media), _heard_at(call)
        assert _of(call)["media"] is True and "bypass" not in _of(call)
    assert _passed() == 0


def nine_calls_of_ten_are_much_to_do():
    while len(loops) + len(others) < LIGHT:
        _keep(f"+47900000{len(others) + 10}", TONE, others)
    _is("light")
    assert _status()["load"]["calls_percent"] == 100 * LIGHT // CALLS, _status()["load"]
    assert "new loops go without their media" in tas.log_path.read_text()
    assert _metric("breakout_overload_level") == 1
    assert _metric("breakout_overload_episodes_total") > 0


def a_loop_goes_past_us_then_and_is_heard_both_ways():
    call = _keep(OUT, LOOP, light)
    assert call["verdict"] == "two-way", call["reason"]
    for side in ("caller", "callee"):
        assert call[side]["ice"] and call[side]["dtls"], call[side]
    # The phones send to each other.
    assert _are_of(_heard_at(call), core.media), _heard_at(call)


def what_runs_says_so():
    call = _of(light[0])
    assert call["media"] is False and call["bypass"] == "overload", call
    wait_until(lambda: _of(light[0])["verdict"] == "bypassed", 10, "the verdict")
    assert "passed: overload" in _ctl("calls")
    assert "passed by us: overload" in _ctl("calls", call["id"])
    assert _status()["media"]["bypassed"] == 1, _status()["media"]
    assert _passed() == 1


def beyond_the_limit_only_emergencies_go_out():
    expect(core.call("+4790000096", LOOP), outcome="refused", status=503)
    assert last_record(core)["cause"] == "overload", last_record(core)
    core.phone("112", "answer")
    expect(core.call(LOOP, "112"), **TWO_WAY)
    assert last_record(core)["bypass"] == "untouched", last_record(core)


def calls_that_stand_keep_their_media():
    ids = {_of(call)["call_id_a"] for call in loops}
    before = {call["call_id_a"]: call for call in _json("calls")}

    def go_on():
        now = {call["call_id_a"]: call for call in _json("calls")}
        return all(now[i][side]["packets_in"] > before[i][side]["packets_in"] + 20
                   for i in ids for side in ("a", "b"))

    wait_until(go_on, 10, "their audio goes on")
    for call in loops:
        assert core.must("listen", id=call["id"])["verdict"] == "two-way"
        assert _of(call)["verdict"] == "ok", _of(call)


def its_record_says_so():
    core.last = light[0]
    _hang_up(light)
    record = _record_of_a_passed_call()
    assert record["a"]["packets_in"] == record["b"]["packets_in"] == 0, record


def hold_and_resume_cross_it():
    result = core.call(OUT, LOOP, hold=True)
    expect(result, **TWO_WAY, hold="ok")
    _record_of_a_passed_call()


def so_does_early_media():
    core.phone(LOOP, "answer", ring_ms=600, early=True)
    result = core.call(OUT, LOOP)
    expect(result, **TWO_WAY)
    assert result["early_ms"] is not None, result
    _record_of_a_passed_call()
    core.phone(LOOP, "answer")


def so_does_an_offer_in_the_answer():
    expect(core.call(OUT, LOOP, offerless=True), **TWO_WAY)
    _record_of_a_passed_call()


def the_callees_end_crosses_it_too():
    core.phone(LOOP, "busy")
    expect(core.call(OUT, LOOP), outcome="refused", status=486)
    core.phone(LOOP, "answer")
    expect(core.call(OUT, LOOP, hangup="callee"), **TWO_WAY)
    assert _record_of_a_passed_call()["ended_by"] == "b"


def a_loop_that_is_recorded_has_its_media():
    core.phone(RECORDED, "answer")
    before = _passed()
    expect(core.call(OUT, RECORDED, talk_ms=1500), **TWO_WAY)
    record = _record_of_one_with_media()
    path = pathlib.Path(record["recording"])
    wait_until(lambda: path.exists() and path.stat().st_size > 8000, 5, "the recording")
    assert _passed() == before


def so_has_a_call_to_the_pbx():
    core.phone(FORK, "no-answer")
    core.pbx("answer")
    expect(core.call(OUT, FORK), **TWO_WAY, answered_by="pbx")
    _record_of_one_with_media()


def so_has_a_loop_where_the_operator_never_wants_it_past_us():
    _reload(BASE.replace("threads: 1 }", "threads: 1, bypass: never }"))
    expect(core.call(OUT, LOOP), **TWO_WAY)
    _record_of_one_with_media()
    _reload(BASE)


def _reload(text):
    assert tas.config.read_text() != text
    tas.config.write_text(text)
    before = tas.log_path.read_text().count("reloaded registrations")
    tas.process.send_signal(signal.SIGHUP)
    wait_until(lambda: tas.log_path.read_text().count("reloaded registrations") > before, 5,
               "the configuration is taken")


def when_it_is_over_new_loops_have_media_again():
    assert _status()["load"]["level"] == "light", _status()["load"]
    _hang_up(others)
    _is("normal")
    assert "normal again" in tas.log_path.read_text()
    call = core.call(OUT, LOOP)
    expect(call, **TWO_WAY)
    assert _are_of(_heard_at(call), core.daemon_media), _heard_at(call)
    _record_of_one_with_media()


def nothing_is_left_behind():
    for call in list(loops):
        core.last = call
        core.must("hangup", id=call["id"])
        _record_of_one_with_media()
    loops.clear()
    wait_until(lambda: core.must("status")["calls"] == 0, 10, "calls are over")
    wait_until(lambda: _status()["media"]["bypassed"] == 0, 10, "none is passed")


TESTS = [value for name, value in list(globals().items())
         if callable(value) and getattr(value, "__module__", "") == "__main__" and not name.startswith("_")]

if __name__ == "__main__":
    finish(run_tests(TESTS, core), core, tas)
