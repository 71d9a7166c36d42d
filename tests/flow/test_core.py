# SPDX-License-Identifier: Apache-2.0
"""The simulated core by itself: phones call each other without any TAS."""

import sys

from core import Core, expect, free_port, headers, invite, run_tests, tls_exchange, trace

core = Core()
A, B = "+4790000001", "+4790000002"
TAS = f"sips:127.0.0.1:{free_port()}"  # nobody is there


def a_call_without_registration_goes_natively_and_both_hear_each_other():
    core.phone(B, "answer")
    result = core.call(A, B)
    expect(result, outcome="answered", status=200, plan="native", legs="14",
           answered_by="phone", verdict="two-way", both_ends_hung_up=True)
    assert result["caller"]["srtp"], "audio is encrypted"
    assert 0 <= result["ring_ms"] <= result["answer_ms"]


def the_callee_hanging_up_ends_both_ends():
    core.phone(B, "answer")
    expect(core.call(A, B, hangup="callee"), outcome="answered", both_ends_hung_up=True)


def a_busy_phone_is_busy():
    core.phone(B, "busy")
    expect(core.call(A, B), outcome="refused", status=486)


def a_phone_that_rejects_or_is_off_says_so():
    core.phone(B, "reject")
    expect(core.call(A, B), outcome="refused", status=603)
    core.phone(B, "off")
    expect(core.call(A, B), outcome="refused", status=480)
    core.phone(B, "484")
    expect(core.call(A, B), outcome="refused", status=484)


def a_caller_without_patience_cancels():
    core.phone(B, "no-answer")
    result = core.call(A, B, patience_ms=500)
    expect(result, outcome="cancelled", both_ends_hung_up=True)
    assert "CANCEL" in trace(result, 4), trace(result, 4)


def early_media_comes_before_ringing():
    core.phone(B, "answer", early=True)
    result = core.call(A, B)
    expect(result, verdict="two-way")
    told = [text[:3] for text in trace(result, 1) if text[0] == "1"]
    assert told.index("183") < told.index("180"), told


def a_call_survives_hold_and_resume():
    core.phone(B, "answer")
    expect(core.call(A, B, hold=True), hold="ok", verdict="two-way")


def an_invite_without_an_offer_gets_one_in_the_200():
    core.phone(B, "answer")
    expect(core.call(A, B, offerless=True), outcome="answered", verdict="two-way")


def the_core_asserts_who_calls_and_makes_a_session_id():
    core.phone(B, "answer")
    result = core.call(A, B, anonymous=True)
    assert headers(result, 4, "P-Asserted-Identity") == [f"<sip:{A}@127.0.0.1>"]
    assert headers(result, 4, "Privacy") == ["id"]
    assert not headers(result, 4, "P-Preferred-Identity")
    session_id = headers(result, 4, "Session-ID")[0]
    assert len(session_id.split(";")[0]) == 32 and ";remote=" + "0" * 32 in session_id
    assert "anonymous" in result["callee"]["from"]


def the_pbx_is_not_called_by_phones_and_does_not_know_a_tas():
    assert "trunk" in core.ask("call", **{"from": "+4722", "to": B, "at": "pbx"})["error"]


def a_loop_without_a_tas_fails_the_call():
    core.must("register", number=A, route_type="loop", sip_uri=TAS)
    try:
        result = core.call(A, B)
        expect(result, outcome="refused", plan="loop", legs="12")
        assert result["status"] in (408, 503), result["status"]
    finally:
        core.must("unregister", number=A)


def a_fallback_without_a_tas_ends_as_the_callee_said_or_worse():
    core.phone(B, "busy")
    core.must("register", number=B, route_type="fallback", sip_uri=TAS)
    try:
        expect(core.call(A, B), outcome="refused", plan="fallback", legs="123")
    finally:
        core.must("unregister", number=B)


def a_fork_is_answered_by_the_phone_while_the_tas_is_out_of_reach():
    core.phone(B, "answer")
    core.must("register", number=B, route_type="fork", sip_uri=TAS)
    try:
        expect(core.call(A, B), outcome="answered", plan="fork", legs="123",
               answered_by="phone", verdict="two-way")
    finally:
        core.must("unregister", number=B)


def leg_3_without_a_session_id_is_refused():
    port = int(core.about["sbc_uri"].rsplit(":", 1)[1])
    text = tls_exchange(port, core.about["ca_file"], invite(B, port))
    assert "SIP/2.0 403" in text, text


def leg_3_with_an_unknown_session_id_is_refused():
    port = int(core.about["sbc_uri"].rsplit(":", 1)[1])
    text = tls_exchange(port, core.about["ca_file"], invite(B, port, Session_ID="ab" * 16))
    assert "SIP/2.0 403" in text, text
    assert core.must("status")["leg3_refused"] >= 2


def leg_3_to_something_that_is_no_number_is_refused():
    port = int(core.about["sbc_uri"].rsplit(":", 1)[1])
    text = tls_exchange(port, core.about["ca_file"], invite("+00" + B[1:], port))
    assert "SIP/2.0 404" in text, text


def ingress_needs_a_registration_of_that_type():
    port = int(core.about["sbc_uri"].rsplit(":", 1)[1])
    core.must("register", number=B, route_type="loop", sip_uri="sips:127.0.0.1")
    text = tls_exchange(port, core.about["ca_file"], invite(B, port))
    assert "SIP/2.0 403" in text, text
    core.must("register", number=B, route_type="ingress", sip_uri="sips:127.0.0.1")
    core.phone(B, "busy")
    text = tls_exchange(port, core.about["ca_file"], invite(B, port))
    core.must("unregister", number=B)
    assert "SIP/2.0 486" in text, text


def bad_control_requests_are_answered_with_what_is_wrong():
    for request in ({"do": "dance"}, {"do": "phone"}, {"do": "call", "from": A},
                    {"do": "fault", "kind": "flood"}, {"do": "hangup", "id": 99},
                    {"do": "phone", "number": B, "when_called": "maybe"},
                    {"do": "register", "number": "47", "route_type": "loop", "sip_uri": TAS},
                    {"do": "wait-registered", "numbers": "all"}, {"do": "trunk", "uri": "http:"}):
        name = request.pop("do")
        answer = core.ask(name, **request)
        assert not answer["ok"] and answer["error"], (name, request, answer)


def no_leg_and_no_call_is_left_behind():
    status = core.must("status")
    assert status["calls"] == 0 and status["ua_calls"] == 0, status


TESTS = [value for name, value in list(globals().items())
         if callable(value) and getattr(value, "__module__", "") == "__main__"]

failed = run_tests(TESTS, core)
if failed:
    print(core.log_path.read_text(errors="replace")[-3000:])
status = core.close()
if status:
    print(f"breakout-core ended with {status}")
sys.exit(1 if failed or status else 0)
