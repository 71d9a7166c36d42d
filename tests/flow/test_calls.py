# SPDX-License-Identifier: Apache-2.0
"""Whole calls through breakoutd: simulated core, phones and PBX around it."""

import concurrent.futures
import time

from core import (Core, Daemon, expect, finish, headers, invite, legs, run_tests, tls_exchange,
                  trace, wait_until)

TTL = 6  # seconds: refreshes are seen, lapses too
core = Core("--no-answer", "500ms", "--ttl", f"{TTL}s")
tas = Daemon(core).start()
tas.wait_registered()

LOOP, MO, MT, FORK, FALLBACK, INGRESS, CLOSED, ECHO, TONE = tas.numbers
OUT, PBX_NUMBER = "+4790000099", "+4722000000"
TWO_WAY = {"outcome": "answered", "status": 200, "verdict": "two-way", "both_ends_hung_up": True}


# The demo's scenarios, one by one.

def loop_from_the_subscriber_is_two_way():
    core.phone(OUT, "answer")
    result = core.call(LOOP, OUT)
    expect(result, **TWO_WAY, plan="loop", legs="1234", answered_by="phone")
    assert legs(result)[2]["request_uri"].startswith(f"sip:+00{OUT[1:]}@"), legs(result)[2]
    assert f"{OUT}@" in legs(result)[3]["request_uri"], legs(result)[3]
    assert legs(result)[2]["call_id"] != legs(result)[3]["call_id"]


def loop_to_the_subscriber_is_two_way():
    core.phone(LOOP, "answer")
    result = core.call(OUT, LOOP)
    expect(result, **TWO_WAY, plan="loop", legs="1234", answered_by="phone")
    assert legs(result)[2]["request_uri"].startswith(f"sip:+01{LOOP[1:]}@"), legs(result)[2]


def reliable_early_media_and_a_reliable_answer_cross_the_loop():
    core.phone(OUT, "answer", early=True, reliable=True)
    result = core.call(LOOP, OUT, reliable=True)
    expect(result, **TWO_WAY, plan="loop", legs="1234")
    for number in (1, 2, 3):
        told = [text[:3] for text in trace(result, number) if text[0] == "1"]
        assert told[:2] == ["183", "180"], (number, told)


def a_reliable_offer_of_the_callee_is_answered_before_the_call_is():
    core.phone(OUT, "answer", early=True, reliable=True)
    expect(core.call(LOOP, OUT, reliable=True, offerless=True), **TWO_WAY, plan="loop")


def loop_between_two_subscribers_uses_the_originating_prefix_once():
    core.phone(MT, "answer")
    result = core.call(LOOP, MT)
    expect(result, **TWO_WAY, plan="loop", legs="1234")
    assert legs(result)[2]["request_uri"].startswith(f"sip:+00{MT[1:]}@"), legs(result)[2]


def loop_mo_loops_calls_from_the_subscriber():
    core.phone(OUT, "answer")
    expect(core.call(MO, OUT), **TWO_WAY, plan="loop", legs="1234")


def loop_mo_leaves_calls_to_the_subscriber_alone():
    core.phone(MO, "answer")
    expect(core.call(OUT, MO), **TWO_WAY, plan="native", legs="14")


def loop_mt_loops_calls_to_the_subscriber():
    core.phone(MT, "answer")
    expect(core.call(OUT, MT), **TWO_WAY, plan="loop", legs="1234")


def loop_mt_leaves_calls_from_the_subscriber_alone():
    core.phone(OUT, "answer")
    expect(core.call(MT, OUT), **TWO_WAY, plan="native", legs="14")


def fork_answered_by_the_pbx_cancels_the_mobile():
    core.phone(FORK, "no-answer")
    core.pbx("answer", ring_ms=300)
    result = core.call(OUT, FORK)
    expect(result, **TWO_WAY, plan="fork", legs="123", answered_by="pbx")
    assert "CANCEL" in trace(result, 2), trace(result, 2)


def fork_answered_by_the_mobile_cancels_the_pbx():
    core.phone(FORK, "answer", ring_ms=400)
    core.pbx("no-answer")
    result = core.call(OUT, FORK)
    expect(result, **TWO_WAY, plan="fork", legs="123", answered_by="phone")
    assert "CANCEL" in trace(result, 3), trace(result, 3)
    wait_until(lambda: core.must("status")["ua_calls"] == 0, 3, "the PBX stops ringing")


def fallback_when_the_mobile_is_busy_goes_to_the_pbx():
    core.phone(FALLBACK, "busy")
    core.pbx("answer")
    expect(core.call(OUT, FALLBACK), **TWO_WAY, plan="fallback", legs="123", answered_by="pbx")


def fallback_when_the_mobile_does_not_answer_goes_to_the_pbx():
    core.phone(FALLBACK, "no-answer")
    core.pbx("answer")
    result = core.call(OUT, FALLBACK)
    expect(result, **TWO_WAY, plan="fallback", legs="123", answered_by="pbx")
    assert "CANCEL" in trace(result, 2), trace(result, 2)
    assert result["answer_ms"] >= 500, result["answer_ms"]


def fallback_does_not_trouble_the_pbx_when_the_mobile_answers():
    core.phone(FALLBACK, "answer", ring_ms=100)
    expect(core.call(OUT, FALLBACK), **TWO_WAY, plan="fallback", legs="12", answered_by="phone")


def ingress_from_the_pbx_reaches_the_mobile():
    core.phone(INGRESS, "answer")
    expect(core.call(PBX_NUMBER, INGRESS, at="pbx"), **TWO_WAY, plan="ingress", legs="34",
           answered_by="phone")


def ingress_to_a_busy_mobile_tells_the_pbx_so():
    core.phone(INGRESS, "busy")
    expect(core.call(PBX_NUMBER, INGRESS, at="pbx"), outcome="refused", status=486)


def a_service_that_rejects_never_makes_leg_3():
    expect(core.call(OUT, CLOSED), outcome="refused", status=603, legs="12", answered_by="")


def a_service_that_answers_echoes_the_caller():
    expect(core.call(OUT, ECHO), outcome="answered", legs="12", answered_by="tas", verdict="echo")


def a_service_that_answers_plays_its_tone():
    expect(core.call(OUT, TONE), outcome="answered", legs="12", answered_by="tas",
           verdict="tone 425 Hz")


# What a loop must not change.

def the_session_id_crosses_byte_for_byte():
    core.phone(OUT, "answer")
    given = "ab30317f1a784dc48ff824d0d3715d86;remote=47755a9de7794ba387653f2099600ef2;x=Y"
    result = core.call(LOOP, OUT, headers={"Session-ID": given})
    expect(result, **TWO_WAY)
    assert headers(result, 2, "Session-ID") == [given]
    assert headers(result, 3, "Session-ID") == [given]


def identity_headers_cross_unchanged():
    core.phone(LOOP, "answer")
    given = {
        "P-Asserted-Identity": '"Nordmann, Kari" <sip:+4790000099@core.example.net;user=phone>',
        "Privacy": "id;critical",
        "Diversion": "<sip:+4791234567@core.example.net>;reason=no-answer;counter=1",
        "History-Info": "<sip:+4791234567@core.example.net>;index=1,"
                        "<sip:+4799000001@core.example.net;cause=408>;index=1.1",
        "P-Charging-Vector": "icid-value=1234bc9876e;icid-generated-at=192.0.6.8",
        "X-Never-Heard-Of": "a;b=c, d",
    }
    result = core.call(OUT, LOOP, headers=given)
    expect(result, **TWO_WAY)
    for name in given:
        sent, seen = headers(result, 2, name), headers(result, 3, name)
        assert sent and sent == seen, f"{name}: leg 2 {sent}, leg 3 {seen}"


def an_anonymous_subscriber_is_known_by_the_asserted_identity():
    core.phone(OUT, "answer")
    result = core.call(LOOP, OUT, anonymous=True)
    expect(result, **TWO_WAY, plan="loop", legs="1234")
    assert headers(result, 3, "Privacy") == ["id"]
    assert "anonymous" in legs(result)[3]["from"], legs(result)[3]


def early_media_and_ringing_keep_their_order():
    core.phone(OUT, "answer", ring_ms=400, early=True)
    result = core.call(LOOP, OUT)
    expect(result, **TWO_WAY)
    told = [text[:3] for text in trace(result, 1) if text[0] == "1"]
    assert told[:2] == ["183", "180"], told


def an_emergency_short_code_goes_out_without_its_prefix():
    core.phone("112", "answer")
    result = core.call(LOOP, "112")
    expect(result, **TWO_WAY, plan="loop", legs="1234")
    assert legs(result)[2]["request_uri"].startswith("sip:00112@"), legs(result)[2]
    assert "112@" in legs(result)[4]["request_uri"] and "00112" not in legs(result)[3]["request_uri"]


def a_number_the_tas_does_not_know_is_looped_untouched():
    stranger = "+4799000077"
    core.must("register", number=stranger, route_type="loop", mobile_originating_prefix="00",
              mobile_terminating_prefix="01", sip_uri=f"sips:127.0.0.1:{tas.port}")
    core.phone(OUT, "answer")
    try:
        expect(core.call(stranger, OUT), **TWO_WAY, plan="loop", legs="1234")
    finally:
        core.must("unregister", number=stranger)


# How calls end.

def a_busy_callee_is_busy_for_the_caller():
    core.phone(OUT, "busy")
    expect(core.call(LOOP, OUT), outcome="refused", status=486, legs="1234")


def a_callee_who_declines_is_heard():
    core.phone(OUT, "reject")
    expect(core.call(LOOP, OUT), outcome="refused", status=603, legs="1234")


def a_callee_whose_phone_is_off_is_unavailable():
    core.phone(OUT, "off")
    expect(core.call(LOOP, OUT), outcome="refused", status=480, legs="1234")


def a_busy_pbx_in_a_fork_leaves_the_mobile_ringing():
    core.phone(FORK, "answer", ring_ms=500)
    core.pbx("busy")
    expect(core.call(OUT, FORK), **TWO_WAY, answered_by="phone")


def a_caller_who_cancels_stops_the_callee_ringing():
    core.phone(OUT, "no-answer")
    result = core.call(LOOP, OUT, patience_ms=600)
    expect(result, outcome="cancelled", both_ends_hung_up=True)
    for number in (2, 4):
        assert "CANCEL" in trace(result, number), (number, trace(result, number))
    wait_until(lambda: core.must("status")["ua_calls"] == 0, 3, "leg 4 stops ringing")


def a_caller_who_cancels_at_once_leaves_nothing_behind():
    core.phone(OUT, "answer", ring_ms=0)
    for patience_ms in (0, 20, 40, 60, 80):
        core.call(LOOP, OUT, patience_ms=patience_ms, talk_ms=50)
    wait_until(lambda: core.must("status")["calls"] == 0, 8, "every call is over")


def the_callee_may_hang_up():
    core.phone(OUT, "answer")
    result = core.call(LOOP, OUT, hangup="callee")
    expect(result, **TWO_WAY)
    assert "BYE" in trace(result, 1), trace(result, 1)


def a_pbx_may_hang_up():
    core.phone(FALLBACK, "busy")
    core.pbx("answer")
    expect(core.call(OUT, FALLBACK, hangup="callee"), **TWO_WAY, answered_by="pbx")


def a_long_ring_is_not_cut_short():
    core.phone(OUT, "answer", ring_ms=6000)
    result = core.call(LOOP, OUT)
    expect(result, **TWO_WAY)
    assert result["answer_ms"] >= 6000


def hold_and_resume_keep_both_directions():
    core.phone(OUT, "answer")
    expect(core.call(LOOP, OUT, hold=True), **TWO_WAY, hold="ok")


def hold_towards_the_pbx_keeps_both_directions():
    core.phone(FALLBACK, "busy")
    core.pbx("answer")
    expect(core.call(OUT, FALLBACK, hold=True), **TWO_WAY, hold="ok", answered_by="pbx")


def an_invite_without_an_offer_is_answered():
    core.phone(OUT, "answer")
    expect(core.call(LOOP, OUT, offerless=True), **TWO_WAY)


def ten_calls_at_once_do_not_mix_their_audio():
    for i in range(10):
        core.phone(f"+47911000{i:02}", "answer", ring_ms=100 + 40 * i)
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        results = list(pool.map(
            lambda i: core.must("call", **{"from": LOOP, "to": f"+47911000{i:02}",
                                           "talk_ms": 800}), range(10)))
    for result in results:
        expect(result, **TWO_WAY)


# Who may call, and trouble with the API and with the TAS itself.

def an_invite_from_a_stranger_is_refused():
    text = tls_exchange(tas.port, core.about["ca_file"],
                        invite("+00" + OUT[1:], tas.port, "127.0.0.9"), "127.0.0.9")
    assert "SIP/2.0 403" in text, text
    core.phone(OUT, "answer")
    expect(core.call(LOOP, OUT), **TWO_WAY)


def registrations_are_refreshed_before_they_lapse():
    before = core.upserts()
    time.sleep(TTL * 0.75)
    after = core.upserts()
    assert sorted(after) == sorted(tas.numbers), after
    for number in tas.numbers:
        assert 1 <= after[number] - before[number] <= 3, (number, before, after)


def an_unavailable_api_is_survived():
    core.must("fault", kind="unavailable", count=4)
    time.sleep(TTL)
    tas.wait_registered(1)
    assert core.must("status")["faulted"] >= 4


def a_revoked_token_is_replaced():
    before = core.must("status")["tokens_issued"]
    core.must("revoke-tokens")
    wait_until(lambda: core.must("status")["tokens_issued"] > before, TTL, "a new token")
    time.sleep(TTL * 0.75)
    tas.wait_registered(1)


def a_slow_api_is_no_reason_to_lapse():
    core.must("fault", kind="slow", ms=800)
    time.sleep(TTL)
    core.must("clear-faults")
    tas.wait_registered(1)


def a_number_that_is_not_acceptable_does_not_disturb_the_others():
    core.must("fault", kind="not_acceptable", number=CLOSED)
    wait_until(lambda: CLOSED not in core.upserts(), TTL + 4, "the refused number lapses")
    others = [n for n in tas.numbers if n != CLOSED]
    assert sorted(core.upserts()) == others
    core.phone(CLOSED, "answer")
    expect(core.call(OUT, CLOSED), **TWO_WAY, plan="native", legs="14")
    core.must("clear-faults")


def a_killed_tas_ends_no_registration_and_comes_back_without_a_storm():
    core.phone(OUT, "answer")
    held = core.call(LOOP, OUT, hangup="keep")
    tas.kill()
    began = core.must("status")["upserts"]
    assert MO in core.upserts(), "the registrations outlive the process"
    result = core.call(MO, OUT)
    expect(result, outcome="refused", plan="loop")
    assert result["end_ms"] < 3000, "a dead TAS costs the caller seconds"
    core.must("hangup", id=held["id"])
    tas.start()
    tas.wait_registered()  # on a loaded machine six seconds may have passed meanwhile
    core.phone(OUT, "answer")
    expect(core.call(MO, OUT), **TWO_WAY, plan="loop", legs="1234")
    upserts = core.must("status")["upserts"] - began
    assert upserts <= 3 * len(tas.numbers), f"{upserts} upserts"
    wait_until(lambda: core.must("status")["calls"] == 0, 10, "the held call is over")


def nothing_is_left_behind():
    wait_until(lambda: core.must("status")["calls"] == 0, 10, "calls are over")
    status = core.must("status")
    assert status["ua_calls"] == 0, status


TESTS = [value for name, value in list(globals().items())
         if callable(value) and getattr(value, "__module__", "") == "__main__"]

finish(run_tests(TESTS, core), core, tas)
