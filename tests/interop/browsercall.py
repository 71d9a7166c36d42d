# SPDX-License-Identifier: Apache-2.0
"""A looped call whose two ends are peers of one Chromium page: leg 2 in, leg 3 out."""

from webdriver import ACCEPT, ANSWER, HEARD, OFFER, STATE

SESSION = "ab30317f1a784dc48ff824d0d3715d86;remote=00000000000000000000000000000000"
CALLER, CALLEE = "sip:+4799000001@core.example", "sip:+4722334455@core.example"


def place(page, sbc, flow, codecs, names, tones):
    """Leg 2 in, leg 3 out, answered by the other peer; what the BYE needs."""
    offer = page.run(OFFER, names[0], tones[0], codecs)
    leg2 = sbc.invite("sips:+004722334455@127.0.0.1", CALLER, CALLEE, offer,
                      [("session-id", SESSION),
                       ("p-asserted-identity", "<sip:+4799000001@core.example>")])
    flow.send(leg2)
    flow3, leg3 = sbc.wait(lambda m: m.start.startswith("INVITE"))
    assert "sips:+4722334455@" in leg3.start or "sip:+4722334455@" in leg3.start, leg3.start
    assert leg3.get("session-id") == SESSION, leg3.get("session-id")
    flow3.send(sbc.reply(leg3, 180, "Ringing", tag="callee"))
    sbc.wait(lambda m: m.status == 180 and m.get("call-id") == leg2.get("call-id"))
    answer = page.run(ANSWER, names[1], tones[1], leg3.body)
    ok3 = sbc.reply(leg3, 200, "OK", answer, "callee")
    flow3.send(ok3)
    sbc.wait(lambda m: m.method == "ACK" and m.get("call-id") == leg3.get("call-id"))
    _, ok2 = sbc.wait(lambda m: m.status == 200 and m.get("call-id") == leg2.get("call-id"))
    flow.send(sbc.in_dialog("ACK", leg2, ok2))
    page.run(ACCEPT, names[0], ok2.body)
    return leg2, ok2, leg3, ok3, flow3


def hang_up(sbc, flow, leg2, ok2, leg3, flow3):
    flow.send(sbc.in_dialog("BYE", leg2, ok2))
    sbc.wait(lambda m: m.status == 200 and m.method == "BYE")
    flow_bye, bye = sbc.wait(lambda m: not m.status and m.method == "BYE")
    assert bye.get("call-id") == leg3.get("call-id")
    flow_bye.send(sbc.reply(bye, 200, "OK"))


def expect_tones(page, names, tones):
    heard = [page.wait(HEARD, names[0], tones[1]), page.wait(HEARD, names[1], tones[0])]
    states = [page.run(STATE, n) for n in names]
    assert all(heard), f"heard {heard} Hz, connections {states}"
