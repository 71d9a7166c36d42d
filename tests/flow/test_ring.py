# SPDX-License-Identifier: Apache-2.0
"""Several targets ring for one call: phones of a PBX, the subscriber, another number."""

import signal

from core import (Core, Daemon, expect, finish, free_port, headers, last_record, legs,
                  run_tests, trace,
                  wait_until)

NUMBERS = BOTH, GROUP, TURNS, IDLE, OTHER, LATE, DEAD, FORKED, MAIL = [f"+47990001{n:02}"
                                                                       for n in range(9)]
CALLER, ELSEWHERE_NUMBER = "+4790000099", "+4788000001"
ELSEWHERE = "SIP;cause=200;text=\"Call completed elsewhere\""
TWO_WAY = {"outcome": "answered", "status": 200, "verdict": "two-way", "both_ends_hung_up": True}

core = Core()
tas = Daemon(core)
(core.folder / "conf.d").mkdir()
(core.folder / "conf.d" / "ring.yaml").write_text(f"""
trunks:
  - {{ name: nobody, uris: ["sip:127.0.0.1:{free_port()};transport=tcp"] }}
services:
  both:
    - do:
        - ring: {{ targets: [ {{ trunk: pbx, number: "201" }}, subscriber ], for: 2s }}
        - answer: echo
  group:
    - do: {{ ring: [ {{ trunk: pbx, number: "201" }}, {{ trunk: pbx, number: "202" }} ] }}
  turns:
    - do:
        ring:
          targets: [ {{ trunk: pbx, number: "201" }}, {{ trunk: pbx, number: "202" }} ]
          order: round_robin
          for: 1s
  idle:
    - do:
        ring:
          targets: [ {{ trunk: pbx, number: "201" }}, {{ trunk: pbx, number: "202" }} ]
          order: longest_idle
  other:
    - do: {{ ring: {{ targets: [ {{ trunk: pbx, number: "201" }}, {{ number: "{ELSEWHERE_NUMBER}" }} ] }} }}
  late:
    - do: {{ ring: {{ targets: [ pbx, {{ subscriber: true, after: 1s }} ] }} }}
  dead:
    - do: {{ ring: [ nobody, {{ trunk: nobody, number: "201" }} ] }}
  mail:
    - do:
        - ring: {{ targets: [ {{ trunk: pbx, number: "201" }}, subscriber ], for: 1s }}
        - voicemail: {{ box: office, dir: {core.folder}/mail }}
registrations:
  - {{ number: "{BOTH}", route_type: loop, service: both }}
  - {{ number: "{GROUP}", route_type: loop_mt, service: group }}
  - {{ number: "{TURNS}", route_type: loop, service: turns }}
  - {{ number: "{IDLE}", route_type: loop, service: idle }}
  - {{ number: "{OTHER}", route_type: loop, service: other }}
  - {{ number: "{LATE}", route_type: loop, service: late }}
  - {{ number: "{DEAD}", route_type: loop, service: dead }}
  - {{ number: "{FORKED}", route_type: fork, service: both }}
  - {{ number: "{MAIL}", route_type: loop_mt, service: mail }}
""")
tas.numbers += NUMBERS
tas.start()
tas.wait_registered()


def desk(number, when, ring_ms=150, **more):
    core.must("pbx", number=number, when_called=when, ring_ms=ring_ms, **more)


def party(kind, name):
    return next(p for p in core.must("parties")[kind] if p["name"] == name)


def stopped(kind, name):
    """Why the phone that did not answer its call stopped to ring."""
    return wait_until(lambda: party(kind, name)["stopped"], 3, f"{name} stops ringing")


def record():
    """The call record of the last call."""
    return last_record(core)


def outcomes():
    return [(t["target"], t["outcome"]) for t in record()["targets"]]


def nothing_rings():
    wait_until(lambda: core.must("status")["ua_calls"] == 0, 3, "nothing rings any more")


def the_pbx_answers_and_the_subscribers_phone_shows_no_missed_call():
    desk("201", "answer", ring_ms=500)
    core.phone(BOTH, "no-answer")
    result = core.call(CALLER, BOTH)
    expect(result, **TWO_WAY, legs="1234", answered_by="pbx")
    assert result["callee"]["party"] == "201", result["callee"]
    assert stopped("phones", BOTH) == ELSEWHERE
    assert "CANCEL" in trace(result, 4), trace(result, 4)
    assert outcomes() == [("dial pbx 201", "answered"), ("loop", "elsewhere")], record()
    assert record()["step"] == "dial pbx 201"


def the_subscriber_answers_and_the_pbx_stops_ringing():
    desk("201", "no-answer")
    core.phone(BOTH, "answer", ring_ms=500)
    expect(core.call(CALLER, BOTH), **TWO_WAY, legs="1234", answered_by="phone")
    assert stopped("pbx", "201") == ELSEWHERE
    assert outcomes() == [("dial pbx 201", "elsewhere"), ("loop", "answered")], record()


def the_caller_hears_ringing_once_and_no_early_media_while_two_ring():
    desk("201", "no-answer", early=True)
    core.phone(BOTH, "answer", ring_ms=800, early=True)
    result = core.call(CALLER, BOTH)
    expect(result, **TWO_WAY, answered_by="phone")
    told = [text for text in trace(result, 1) if text[0] == "1" and not text.startswith("100")]
    assert [text[:3] for text in told] == ["180"] and "SDP" not in told[0], told


def early_media_comes_when_one_is_left():
    desk("201", "answer", ring_ms=800, early=True)
    core.phone(BOTH, "busy")
    result = core.call(CALLER, BOTH)
    expect(result, **TWO_WAY, answered_by="pbx")
    assert "early_ms" in result, result
    told = [text for text in trace(result, 1) if text.startswith("183")]
    assert told and "SDP" in told[0], trace(result, 1)


def a_busy_group_goes_on_to_the_next_action():
    desk("201", "busy")
    core.phone(BOTH, "busy")
    expect(core.call(CALLER, BOTH), outcome="answered", answered_by="tas", verdict="echo")
    assert [o for _, o in outcomes()] == ["busy", "busy"], record()


def a_group_that_nobody_answers_goes_on_to_the_next_action():
    desk("201", "no-answer")
    core.phone(BOTH, "no-answer")
    result = core.call(CALLER, BOTH)
    expect(result, outcome="answered", answered_by="tas", verdict="echo")
    assert result["answer_ms"] >= 2000, result["answer_ms"]
    assert "Call completed elsewhere" not in stopped("phones", BOTH) + stopped("pbx", "201")
    assert [o for _, o in outcomes()] == ["no_answer", "no_answer"], record()


def voicemail_takes_what_nobody_answers():
    desk("201", "no-answer", early=True)
    core.phone(MAIL, "no-answer")
    result = core.call(CALLER, MAIL, talk_ms=3000)
    expect(result, outcome="answered", answered_by="tas", legs="1234")
    nothing_rings()
    wait_until(lambda: list((core.folder / "mail" / "office").glob("*.wav")), 5, "a message")


def a_caller_who_cancels_stops_them_all():
    desk("201", "no-answer")
    core.phone(BOTH, "no-answer")
    expect(core.call(CALLER, BOTH, patience_ms=700), outcome="cancelled", both_ends_hung_up=True)
    nothing_rings()
    assert [o for _, o in outcomes()] == ["cancelled", "cancelled"], record()


def two_phones_that_answer_at_once_leave_one_call():
    for _ in range(5):
        desk("201", "answer", ring_ms=200)
        desk("202", "answer", ring_ms=200)
        expect(core.call(CALLER, GROUP), **TWO_WAY, legs="12", answered_by="pbx")
        nothing_rings()


def everybody_busy_is_busy_for_the_caller():
    desk("201", "busy")
    desk("202", "off")
    expect(core.call(CALLER, GROUP), outcome="refused", status=486)


def someone_who_declines_declines_for_all():
    desk("201", "no-answer")
    desk("202", "reject")
    expect(core.call(CALLER, GROUP), outcome="refused", status=603)
    nothing_rings()


def turns_are_taken_and_go_on_after_a_reload():
    desk("201", "answer")
    desk("202", "answer")
    first = core.call(CALLER, TURNS)
    expect(first, **TWO_WAY)
    tas.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "reload" in tas.log_path.read_text(), 5, "the reload")
    seen = [first["callee"]["party"]] + [core.call(CALLER, TURNS)["callee"]["party"]
                                         for _ in range(3)]
    assert seen[0] != seen[1] and seen == seen[:2] * 2, seen


def who_does_not_answer_in_turn_is_followed_by_the_next():
    desk("201", "no-answer")
    desk("202", "no-answer")
    result = core.call(CALLER, TURNS)
    expect(result, outcome="refused", status=480)
    assert party("pbx", "201")["called"] == party("pbx", "202")["called"] == 1
    assert result["end_ms"] >= 2000, result["end_ms"]


def the_one_without_a_call_for_the_longest_time_is_first_and_the_busy_one_left_out():
    desk("201", "answer")
    desk("202", "answer")
    first = core.call(CALLER, IDLE)["callee"]["party"]
    second = core.call(CALLER, IDLE)["callee"]["party"]
    assert first != second
    held = core.call(CALLER, IDLE, hangup="keep")
    assert held["callee"]["party"] == first, (held["callee"]["party"], first)
    for _ in range(2):
        assert core.call(CALLER, IDLE)["callee"]["party"] == second
    core.must("hangup", id=held["id"])


def another_number_is_reached_through_the_core_by_the_same_session_id():
    desk("201", "no-answer")
    core.phone(ELSEWHERE_NUMBER, "answer", ring_ms=300)
    result = core.call(CALLER, OTHER)
    expect(result, **TWO_WAY, legs="1234", answered_by="phone")
    assert f"{ELSEWHERE_NUMBER}@" in legs(result)[3]["request_uri"], legs(result)[3]
    assert headers(result, 2, "Session-ID") == headers(result, 3, "Session-ID") != []
    assert stopped("pbx", "201") == ELSEWHERE


def a_delayed_target_rings_later_or_when_nobody_else_does():
    core.pbx("no-answer")
    core.phone(LATE, "answer", ring_ms=100)
    result = core.call(CALLER, LATE)
    expect(result, **TWO_WAY, answered_by="phone")
    assert result["answer_ms"] >= 1000, result["answer_ms"]
    core.pbx("busy")
    result = core.call(CALLER, LATE)
    expect(result, **TWO_WAY, answered_by="phone")
    assert result["answer_ms"] < 1000, result["answer_ms"]


def targets_out_of_reach_leave_the_call_to_the_core():
    core.phone(DEAD, "answer")
    expect(core.call(CALLER, DEAD), **TWO_WAY, legs="1234", answered_by="phone")
    assert [o for _, o in outcomes()] == ["next_hop_down"] * 2, record()


def a_fork_is_not_rung_twice_by_us():
    core.phone(FORKED, "answer", ring_ms=500)
    desk("201", "no-answer")
    expect(core.call(CALLER, FORKED), **TWO_WAY, plan="fork", answered_by="phone")
    assert party("phones", FORKED)["called"] == 1
    nothing_rings()


def nothing_is_left_behind():
    wait_until(lambda: core.must("status")["calls"] == 0, 10, "calls are over")
    assert core.must("status")["ua_calls"] == 0


TESTS = [value for name, value in list(globals().items())
         if callable(value) and getattr(value, "__module__", "") == "__main__"
         and name not in ("desk", "party", "stopped", "record", "outcomes", "nothing_rings")]

finish(run_tests(TESTS, core), core, tas)
