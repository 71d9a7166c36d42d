# SPDX-License-Identifier: Apache-2.0
"""The call flows of RFC 3665 and RFC 5359 with the daemon in the middle, one test
each, a peer that shares nothing with it on both sides. docs/conformance.md has the
table."""

import contextlib
import pathlib
import re
import sys
import tempfile
import time

from harness import Daemon, Pki, Tally
from sipwire import Sbc
from talk import CALLEE, RTP_OFFER, STRANGER, Talk, in_step, session, talk, webrtc_sdp

# One registered number for each service that a flow needs.
DIRECT, FORWARD_BUSY, FORWARD_SILENT, SCREENED, BARRED = (f"+479900000{n}" for n in range(1, 6))
CORE_OFFER, CORE_ANSWER = webrtc_sdp(0, "actpass"), webrtc_sdp(1, "active")


class Scene:
    """The daemon, the core's SBC with an open connection, and two nodes of a PBX."""

    def __init__(self, stack, pki):
        self.sbc, self.node1, self.node2 = (
            stack.enter_context(contextlib.closing(Sbc(pki.cert, pki.key, pki.ca)))
            for _ in range(3))
        uris = [f"sips:127.0.0.1:{node.port}" for node in (self.node1, self.node2)]
        only_pbx = [{"do": {"dial": "pbx"}}]
        pbx_then_mobile = [{"do": [{"dial": {"trunk": "pbx", "ring": "1s"}}, "loop"]}]
        screened = [{"when": {"direction": "mt", "caller": "anonymous"}, "do": "reject"},
                    {"when": {"direction": "mo", "called": "+47820*"},
                     "do": {"reject": {"status": 603}}},
                    {"do": "loop"}]
        registrations = [(DIRECT, only_pbx), (FORWARD_BUSY, pbx_then_mobile),
                         (FORWARD_SILENT, pbx_then_mobile), (SCREENED, screened)]
        self.daemon = stack.enter_context(Daemon(self.sbc.port, pki, {
            "trunks": [{"name": "pbx", "uris": uris}],
            "services": {f"service{n[-1]}": rules for n, rules in registrations},
            "registrations": [{"number": n, "route_type": "loop", "service": f"service{n[-1]}"}
                              for n, _ in registrations]}))
        self.flow = self.sbc.connect(self.daemon.start().port)

    def call(self, **how):
        """A call that no service touches, answered."""
        return talk(self.sbc, self.flow, **how)

    def dial(self, **how):
        return Talk(self.sbc, self.flow, extra=session(), **how)

    def dial_to(self, number, caller=STRANGER, extra=()):
        """A call to a registered number, with media that we anchor."""
        return Talk(self.sbc, self.flow, caller, f"+01{number[1:]}", CORE_OFFER,
                    [*session(), *extra])


def to_leg2(call, *wanted):
    """The next responses of leg 2's INVITE must be these."""
    for status in wanted:
        _, message = call.sbc.wait(lambda m: call.mine(m) and m.status > 100)
        assert message.status == status, f"{message.start}, not {status}"
    return message


def invited(node, seconds=5):
    return node.wait(lambda m: m.start.startswith("INVITE"), seconds)


def gone(node, invite):
    """The CANCEL of this INVITE, answered as RFC 3261 section 9.2 asks."""
    flow, cancel = node.wait(lambda m: m.start.startswith("CANCEL") and
                             m.get("call-id") == invite.get("call-id"))
    flow.send(node.reply(cancel, 200, "OK"))
    flow.send(node.reply(invite, 487, "Request Terminated", tag="callee"))
    node.wait(lambda m: m.start.startswith("ACK") and m.get("call-id") == invite.get("call-id"))
    return cancel


def offered(call, leg, sdp, answer):
    """A re-INVITE on leg 2 or 3 crosses with its SDP, and so does the answer."""
    sbc, outgoing = call.sbc, leg == 2
    own = (call.flow, call.leg2, call.ok2) if outgoing else (call.flow3, call.leg3, call.ok3)
    other = call.leg3 if outgoing else call.leg2
    request = sbc.in_dialog("INVITE", own[1], own[2], outgoing, sdp)
    request.headers.append(("p-asserted-identity", "<sip:+4790000009@core.example>"))
    own[0].send(request)
    flow, there = sbc.wait(lambda m: m.start.startswith("INVITE") and
                           m.get("call-id") == other.get("call-id"))
    assert there.body == sdp, f"offered {sdp!r}, arrived {there.body!r}"
    assert there.get("p-asserted-identity"), "a re-INVITE lost its headers"
    flow.send(sbc.reply(there, 200, "OK", answer))
    _, ok = sbc.wait(lambda m: m.status == 200 and m.get("cseq") == request.get("cseq"))
    assert ok.body == answer, f"answered {answer!r}, arrived {ok.body!r}"
    acknowledge(sbc, own[0], request, ok, outgoing)
    sbc.wait(lambda m: m.start.startswith("ACK") and m.get("call-id") == other.get("call-id"))


def acknowledge(sbc, flow, request, ok, outgoing=True, sdp=""):
    ack = sbc.in_dialog("ACK", request, ok, sdp=sdp)
    if not outgoing:  # the target is who answered, not who first called
        target = re.search("<(.*?)>", ok.get("contact")).group(1)
        ack.start = f"ACK {target} SIP/2.0"
    flow.send(ack)
    in_step(sbc, flow)


def streams(direction, port=40000):
    return RTP_OFFER.replace("40000", str(port)) + f"a={direction}\r\n"


# ---- RFC 3665 section 3 ----

def session_establishment(scene):
    """3.1: 180, 200, ACK; the callee hangs up."""
    call = scene.dial().ring()
    call.flow3.send(scene.sbc.reply(call.leg3, 180, "Ringing", tag="callee"))
    to_leg2(call, 180)
    call.answer()
    sbc = scene.sbc
    call.flow3.send(sbc.in_dialog("BYE", call.leg3, call.ok3, outgoing=False))
    call.bye_from(call.leg2)
    _, ended = sbc.wait(lambda m: m.status and m.method == "BYE")
    assert ended.status == 200, ended.start


def session_through_two_proxies(scene):
    """3.2: requests of the dialog go through the proxies of their own side."""
    sbc = scene.sbc
    own = f"sips:127.0.0.1:{sbc.port};lr"
    before = [("record-route", f"<{own};p=a>"), ("record-route", f"<{own};p=b>")]
    behind = [("record-route", f"<{own};p=d>"), ("record-route", f"<{own};p=c>")]
    call = Talk(sbc, scene.flow, extra=[*session(), *before]).ring()
    assert not call.leg3.all("record-route"), "leg 2's route set crossed"
    call.ok3 = sbc.reply(call.leg3, 200, "OK", RTP_OFFER, "callee", behind)
    call.flow3.send(call.ok3)
    call.ok2 = call.final()
    assert call.ok2.all("record-route") == [v for _, v in before], call.ok2.headers
    call.flow.send(sbc.in_dialog("ACK", call.leg2, call.ok2))
    _, ack = sbc.wait(lambda m: m.start.startswith("ACK") and
                      m.get("call-id") == call.leg3.get("call-id"))
    assert routes(ack) == ["c", "d"], ack.headers
    call.flow3.send(sbc.in_dialog("BYE", call.leg3, call.ok3, outgoing=False))
    bye = call.bye_from(call.leg2)
    assert routes(bye) == ["a", "b"], bye.headers


def routes(message):
    return re.findall(r";p=(\w)", ",".join(message.all("route")))


def session_with_proxy_failure(scene):
    """3.4: the first node of the PBX refuses with 503, the second takes the call."""
    call = scene.dial_to(DIRECT)
    flow, first = invited(scene.node1)
    flow.send(scene.node1.reply(first, 503, "Service Unavailable", tag="sick"))
    flow, second = invited(scene.node2)
    flow.send(scene.node2.reply(second, 486, "Busy Here", tag="busy"))
    assert call.refused() == 486


def session_with_sdp_in_ack(scene):
    """3.6, without its redirect: no offer in INVITE, offer in 200, answer in ACK."""
    call, answer = scene.dial(sdp="").ring(), streams("recvonly")
    assert not call.leg3.body, "an offer was made up"
    call.ok3 = scene.sbc.reply(call.leg3, 200, "OK", RTP_OFFER, "callee")
    call.flow3.send(call.ok3)
    call.ok2 = call.final()
    assert call.ok2.body == RTP_OFFER
    acknowledge(scene.sbc, call.flow, call.leg2, call.ok2, sdp=answer)
    _, ack = scene.sbc.wait(lambda m: m.start.startswith("ACK") and
                            m.get("call-id") == call.leg3.get("call-id"))
    assert ack.body == answer, ack.body
    call.hang_up()


def session_with_reinvite(scene):
    """3.7: the caller's address changes."""
    call = scene.call()
    offered(call, 2, RTP_OFFER.replace("IP4 127.0.0.1", "IP4 127.0.0.2"), RTP_OFFER)
    call.hang_up()


def no_answer(scene):
    """3.8: the caller gives up."""
    call = scene.dial().ring()
    call.flow3.send(scene.sbc.reply(call.leg3, 180, "Ringing", tag="callee"))
    to_leg2(call, 180)
    cancel = scene.sbc.in_dialog("CANCEL", call.leg2, call.leg2,
                                 cseq=call.leg2.get("cseq").split()[0])
    cancel.start = call.leg2.start.replace("INVITE", "CANCEL", 1)
    cancel.headers = [(n, call.leg2.get("via") if n == "via" else v) for n, v in cancel.headers]
    call.flow.send(cancel)
    gone(scene.sbc, call.leg3)
    _, done = scene.sbc.wait(lambda m: m.status and m.method == "CANCEL" and call.mine(m))
    assert done.status == 200, done.start
    assert call.refused() == 487


def refused_with(scene, status, phrase):
    call = scene.dial().ring()
    call.flow3.send(scene.sbc.reply(call.leg3, 180, "Ringing", tag="callee"))
    to_leg2(call, 180)
    call.flow3.send(scene.sbc.reply(call.leg3, status, phrase, tag="callee"))
    assert call.refused() == status
    scene.sbc.wait(lambda m: m.start.startswith("ACK") and
                   m.get("call-id") == call.leg3.get("call-id"))


def busy(scene):
    """3.9"""
    refused_with(scene, 486, "Busy Here")


def no_response(scene):
    """3.10: nobody answers leg 3; the caller hears so in seconds, not in 32."""
    begin = time.monotonic()
    call = scene.dial().ring()
    status = call.refused()
    took = time.monotonic() - begin
    assert status in (408, 503, 504) and took < 5, f"{status} after {took:.1f} s"


def temporarily_unavailable(scene):
    """3.11"""
    refused_with(scene, 480, "Temporarily Unavailable")


def early_media_of_a_fork(scene):
    """RFC 3261 13.2.2.4: two early dialogs with SDP each, then the first one answers."""
    call, pbx = scene.dial_to(DIRECT), scene.node1
    flow, invite = invited(pbx)
    for tag, port in (("one", "41000"), ("two", "42000")):
        flow.send(pbx.reply(invite, 183, "Session Progress", RTP_OFFER.replace("40000", port), tag))
        assert "m=audio" in to_leg2(call, 183).body, "an early dialog without its media"
    answered = pbx.reply(invite, 200, "OK", RTP_OFFER.replace("40000", "41000"), "one")
    flow.send(answered)
    call.ok2 = call.final()
    assert call.ok2.status == 200 and "m=audio" in call.ok2.body, call.ok2.encode()
    call.flow.send(call.sbc.in_dialog("ACK", call.leg2, call.ok2))
    pbx.wait(lambda m: m.start.startswith("ACK") and m.get("to").endswith("tag=one"))
    flow.send(pbx.in_dialog("BYE", invite, answered, outgoing=False))
    call.bye_from(call.leg2)


# ---- RFC 5359 section 2 ----

def call_hold(scene):
    """2.1, by either side."""
    call = scene.call()
    for leg in (2, 3):
        offered(call, leg, streams("sendonly"), streams("recvonly"))
        offered(call, leg, streams("sendrecv"), streams("sendrecv"))
    call.hang_up()


def consultation_hold(scene):
    """2.2: a second call while the first is on hold, then back."""
    first = scene.call()
    offered(first, 2, streams("sendonly"), streams("recvonly"))
    second = scene.call()
    second.hang_up()
    offered(first, 2, streams("sendrecv"), streams("sendrecv"))
    first.hang_up()


def music_on_hold(scene):
    """2.3: the music's source makes the offer, so the holder's re-INVITE has none."""
    call, sbc = scene.call(), scene.sbc
    request = sbc.in_dialog("INVITE", call.leg3, call.ok3, outgoing=False)
    call.flow3.send(request)
    flow, asked = sbc.wait(lambda m: m.start.startswith("INVITE") and call.mine(m))
    assert not asked.body, "an offer was made up"
    flow.send(sbc.reply(asked, 200, "OK", streams("sendrecv")))
    _, ok = sbc.wait(lambda m: m.status == 200 and m.get("cseq") == request.get("cseq"))
    assert ok.body == streams("sendrecv"), ok.body
    music = streams("sendonly", port=45000)
    acknowledge(sbc, call.flow3, request, ok, outgoing=False, sdp=music)
    _, ack = sbc.wait(lambda m: m.start.startswith("ACK") and call.mine(m))
    assert ack.body == music, ack.body
    call.hang_up()


def referred(scene):
    """A call whose caller the PBX sends on to a third party at the PBX."""
    call, pbx = scene.dial_to(DIRECT), scene.node1
    flow, invite = invited(pbx)
    answered = pbx.reply(invite, 200, "OK", RTP_OFFER, "transferor")
    flow.send(answered)
    call.ok2 = call.final()
    call.flow.send(call.sbc.in_dialog("ACK", call.leg2, call.ok2))
    pbx.wait(lambda m: m.start.startswith("ACK"))
    refer = pbx.in_dialog("REFER", invite, answered, outgoing=False)
    refer.headers.append(("refer-to", f"<sip:{CALLEE}@pbx.example>"))
    flow.send(refer)
    _, accepted = pbx.wait(lambda m: m.status and m.method == "REFER")
    assert accepted.status == 202, accepted.start
    notified(pbx, "SIP/2.0 100")
    flow3, target = invited(pbx)
    assert CALLEE in target.start and "m=audio" in target.body, target.body
    return call, (flow, invite, answered), flow3, target


def unattended_transfer(scene):
    """2.4: the third party is busy."""
    pbx = scene.node1
    call, (flow, invite, answered), flow3, target = referred(scene)
    flow3.send(pbx.reply(target, 486, "Busy Here", tag="target"))
    notified(pbx, "SIP/2.0 486")
    flow.send(pbx.in_dialog("BYE", invite, answered, outgoing=False))
    call.bye_from(call.leg2)


def reinvited(call):
    """The side that stays is sent to the session of the third party."""
    sbc = call.sbc
    back, offer = sbc.wait(lambda m: m.start.startswith("INVITE") and call.mine(m))
    assert "SAVPF" in offer.body and "a=setup:actpass" in offer.body, offer.body
    named = re.search("a=ssrc:.*", call.ok2.body).group()
    assert named in offer.body, f"{named} is another stream now: {offer.body}"
    back.send(sbc.reply(offer, 200, "OK", webrtc_sdp(0, "active")))
    sbc.wait(lambda m: m.start.startswith("ACK") and call.mine(m))


def acked(node, invite):
    node.wait(lambda m: m.start.startswith("ACK") and m.get("call-id") == invite.get("call-id"))


def transferred(scene, flow):
    """The one who asked is told, and let go."""
    pbx = scene.node1
    notified(pbx, "SIP/2.0 200")
    _, bye = pbx.wait(lambda m: m.start.startswith("BYE"))
    flow.send(pbx.reply(bye, 200, "OK"))


def successful_transfer(scene):
    """2.4: the third party answers, and hangs up at last."""
    pbx = scene.node1
    call, (flow, _, _), flow3, target = referred(scene)
    answered = pbx.reply(target, 200, "OK", RTP_OFFER, "target")
    flow3.send(answered)
    acked(pbx, target)
    reinvited(call)
    transferred(scene, flow)
    flow3.send(pbx.in_dialog("BYE", target, answered, outgoing=False))
    call.bye_from(call.leg2)


def transfer_to_who_is_heard_before(scene):
    """2.4: the third party sends early media; the caller is there before the answer."""
    sbc, pbx = scene.sbc, scene.node1
    call, (flow, _, _), flow3, target = referred(scene)
    flow3.send(pbx.reply(target, 183, "Session Progress", RTP_OFFER, "target"))
    notified(pbx, "SIP/2.0 183")
    reinvited(call)
    answered = pbx.reply(target, 200, "OK", RTP_OFFER, "target")
    flow3.send(answered)
    acked(pbx, target)
    transferred(scene, flow)
    flow3.send(pbx.in_dialog("BYE", target, answered, outgoing=False))
    call.bye_from(call.leg2)
    in_step(sbc, call.flow)
    assert not [m for _, m in sbc.waiting if m.start.startswith("INVITE")], "asked twice"


def transfer_to_who_is_heard_and_busy(scene):
    """2.4: after its early media the third party is busy; both are joined again."""
    pbx = scene.node1
    call, (flow, invite, answered), flow3, target = referred(scene)
    flow3.send(pbx.reply(target, 183, "Session Progress", RTP_OFFER, "target"))
    notified(pbx, "SIP/2.0 183")
    reinvited(call)
    flow3.send(pbx.reply(target, 486, "Busy Here", tag="target"))
    notified(pbx, "SIP/2.0 486")
    flow, again = pbx.wait(lambda m: m.start.startswith("INVITE") and
                           m.get("call-id") == invite.get("call-id"))
    assert not again.body, "who asked for the transfer is asked for an offer"
    flow.send(pbx.reply(again, 200, "OK", RTP_OFFER))
    reinvited(call)
    _, ack = pbx.wait(lambda m: m.start.startswith("ACK") and
                      m.get("call-id") == invite.get("call-id") and m.body)
    assert "m=audio" in ack.body, ack.body
    flow.send(pbx.in_dialog("BYE", invite, answered, outgoing=False))
    call.bye_from(call.leg2)


def referred_by_the_core(scene, target):
    """A subscriber talks to the PBX, and sends it elsewhere."""
    pbx = scene.node1
    call = Talk(scene.sbc, scene.flow, DIRECT, f"+00{CALLEE[1:]}", CORE_OFFER, session())
    flow, invite = invited(pbx)
    answered = pbx.reply(invite, 200, "OK", RTP_OFFER, "pbx")
    flow.send(answered)
    call.ok2 = call.final()
    call.flow.send(call.sbc.in_dialog("ACK", call.leg2, call.ok2))
    pbx.wait(lambda m: m.start.startswith("ACK"))
    refer = call.sbc.in_dialog("REFER", call.leg2, call.ok2)
    refer.headers.append(("refer-to", f"<sip:{target}@core.example>"))
    call.flow.send(refer)
    return call, (flow, invite, answered), call.sbc.wait(
        lambda m: m.status and m.method == "REFER")[1]


def transfer_by_the_core_is_off(scene):
    """2.4: the core's side may not, unless the operator says so."""
    call, (_, invite, _), refused = referred_by_the_core(scene, STRANGER)
    assert refused.start == "SIP/2.0 403 Transfers From The Core Are Off", refused.start
    scene.daemon.wait_log("core.sbc.transfers")
    call.flow.send(call.sbc.in_dialog("BYE", call.leg2, call.ok2))
    flow, bye = scene.node1.wait(lambda m: m.start.startswith("BYE"))
    flow.send(scene.node1.reply(bye, 200, "OK"))


def transfer_by_a_subscriber(scene):
    """2.4: then the number is called through the core, and the PBX talks to it."""
    sbc, pbx = scene.sbc, scene.node1
    core = scene.daemon.config()["core"]
    scene.daemon.reload({"core": {**core, "sbc": {**core["sbc"], "transfers": True}}})
    call, (_, invite, _), accepted = referred_by_the_core(scene, STRANGER)
    assert accepted.status == 202, accepted.start
    notified(sbc, "SIP/2.0 100")
    flow3, target = invited(sbc)
    assert STRANGER in target.start and DIRECT in target.get("from"), target.headers
    assert target.get("session-id") == call.leg2.get("session-id"), target.headers
    answered = sbc.reply(target, 200, "OK", CORE_ANSWER, "target")
    flow3.send(answered)
    acked(sbc, target)
    flow, again = pbx.wait(lambda m: m.start.startswith("INVITE") and
                           m.get("call-id") == invite.get("call-id"))
    flow.send(pbx.reply(again, 200, "OK", RTP_OFFER))
    notified(sbc, "SIP/2.0 200")
    call.bye_from(call.leg2)
    flow3.send(sbc.in_dialog("BYE", target, answered, outgoing=False))
    flow, bye = pbx.wait(lambda m: m.start.startswith("BYE"))
    flow.send(pbx.reply(bye, 200, "OK"))


def notified(node, fragment):
    """A NOTIFY of the transfer that says so (RFC 3515 section 2.4.5)."""
    flow, notify = node.wait(lambda m: m.start.startswith("NOTIFY"))
    flow.send(node.reply(notify, 200, "OK"))
    assert notify.body.startswith(fragment), notify.body


def forwarding_unconditional(scene):
    """2.7: the core's 181 reaches the caller, before the 180."""
    call = scene.dial().ring()
    for status, phrase in ((181, "Call Is Being Forwarded"), (180, "Ringing")):
        call.flow3.send(scene.sbc.reply(call.leg3, status, phrase, tag="callee"))
    to_leg2(call, 181, 180)
    call.answer().hang_up()


def forwarding_by_redirect(scene):
    """2.7 by 302: told to the caller as it came, and never followed."""
    call = scene.dial().ring()
    stolen = [("contact", f"<sips:thief@127.0.0.1:{scene.node1.port}>")]
    answer = scene.sbc.reply(call.leg3, 302, "Moved Temporarily", tag="callee")
    answer.headers = [h for h in answer.headers if h[0] != "contact"] + stolen
    call.flow3.send(answer)
    assert call.refused() == 302
    nobody(scene.node1)


def nobody(node):
    """Nothing has come there, nor does it within a moment."""
    try:
        invited(node, 0.3)
    except AssertionError:
        return
    raise AssertionError("the redirect was followed")


def forwarded_to_the_mobile(scene, call):
    call.ring()
    call.flow3.send(scene.sbc.reply(call.leg3, 480, "Temporarily Unavailable", tag="callee"))
    assert call.refused() == 480


def forwarding_on_busy(scene):
    """2.8: the PBX is busy, so the mobile rings."""
    call = scene.dial_to(FORWARD_BUSY)
    flow, invite = invited(scene.node1)
    flow.send(scene.node1.reply(invite, 486, "Busy Here", tag="busy"))
    forwarded_to_the_mobile(scene, call)


def forwarding_on_no_answer(scene):
    """2.9: the PBX has rung its second, so the mobile rings."""
    call = scene.dial_to(FORWARD_SILENT)
    flow, invite = invited(scene.node1)
    flow.send(scene.node1.reply(invite, 180, "Ringing", tag="slow"))
    gone(scene.node1, invite)
    forwarded_to_the_mobile(scene, call)


def incoming_call_screening(scene):
    """2.13: callers that hide are turned away, others are not."""
    assert scene.dial_to(SCREENED, extra=[("privacy", "id")]).refused() >= 400
    call = scene.dial_to(SCREENED).ring()
    call.flow3.send(scene.sbc.reply(call.leg3, 486, "Busy Here", tag="busy"))
    assert call.refused() == 486


def outgoing_call_screening(scene):
    """2.14: a range that may not be called."""
    call = Talk(scene.sbc, scene.flow, SCREENED, "+0047820123456", CORE_OFFER, session())
    assert call.refused() == 603


FLOWS = [
    ("RFC 3665 3.1 successful session", session_establishment),
    ("RFC 3665 3.2 session through two proxies on each side", session_through_two_proxies),
    ("RFC 3665 3.4 session with proxy failure", session_with_proxy_failure),
    ("RFC 3665 3.6 session with SDP in ACK", session_with_sdp_in_ack),
    ("RFC 3665 3.7 session with re-INVITE", session_with_reinvite),
    ("RFC 3665 3.8 no answer", no_answer),
    ("RFC 3665 3.9 busy", busy),
    ("RFC 3665 3.10 no response", no_response),
    ("RFC 3665 3.11 temporarily unavailable", temporarily_unavailable),
    ("RFC 3261 13.2.2.4 early media of a fork", early_media_of_a_fork),
    ("RFC 5359 2.1 call hold", call_hold),
    ("RFC 5359 2.2 consultation hold", consultation_hold),
    ("RFC 5359 2.3 music on hold", music_on_hold),
    ("RFC 5359 2.4 unattended transfer by the PBX to a busy target", unattended_transfer),
    ("RFC 5359 2.4 and to one that answers", successful_transfer),
    ("RFC 5359 2.4 and to one that is heard before it answers", transfer_to_who_is_heard_before),
    ("RFC 5359 2.4 and to one that is heard and busy", transfer_to_who_is_heard_and_busy),
    ("RFC 5359 2.4 and by the core, which may not", transfer_by_the_core_is_off),
    ("RFC 5359 2.4 and by a subscriber who may", transfer_by_a_subscriber),
    ("RFC 5359 2.7 forwarding unconditional", forwarding_unconditional),
    ("RFC 5359 2.7 forwarding by redirect", forwarding_by_redirect),
    ("RFC 5359 2.8 forwarding on busy", forwarding_on_busy),
    ("RFC 5359 2.9 forwarding on no answer", forwarding_on_no_answer),
    ("RFC 5359 2.13 incoming call screening", incoming_call_screening),
    ("RFC 5359 2.14 outgoing call screening", outgoing_call_screening),
]


def main():
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="breakout-flows-") as folder, \
            contextlib.ExitStack() as stack:
        scene = Scene(stack, Pki(pathlib.Path(folder)))
        for name, flow in FLOWS:
            tally.run(name, flow, scene)
        if tally.failed:
            print(scene.daemon.log()[-6000:])
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
