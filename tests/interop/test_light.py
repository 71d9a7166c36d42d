# SPDX-License-Identifier: Apache-2.0
"""Loops that go without their media while there is much to do, on the wire: every SDP
crosses to the last byte, and a transfer brings the media here."""

import contextlib
import json
import pathlib
import re
import sys
import tempfile

from harness import Daemon, Pki, Tally, wait_until
from sipwire import Sbc
from talk import CALLEE, STRANGER, Talk, session, talk, webrtc_sdp
from test_flows import acked, invited, notified, offered

CALLS, LIGHT = 10, 9  # light from 90 %, normal again below 85 %
LOOPED, TARGET = "+4799000001", "+4790000077"
EMERGENCY = "112"
OFFER, ANSWER = webrtc_sdp(0, "actpass"), webrtc_sdp(1, "active")
WITH_VIDEO = (OFFER.replace("o=- 1 1 IN IP4 127.0.0.1", "o=alice 4711 3 IN IP4 phone.example")
              .replace("m=audio", "m=video 40002 UDP/TLS/RTP/SAVPF 96\r\nm=audio"))


def restarted(sdp):
    """RFC 8839 section 4.4.3.1.1: new credentials, and the version goes up."""
    sdp = re.sub("(ufrag:|pwd:)", r"\1again", sdp)
    return sdp.replace("o=- 1 1 ", "o=- 1 2 ").replace("40000 typ", "41000 typ")


def held(sdp, direction):
    return sdp.replace("o=- 1 1 ", "o=- 1 2 ") + f"a={direction}\r\n"


class Scene:
    """The daemon with an SBC, and nine of ten calls, which no rule touches."""

    def __init__(self, stack, pki):
        self.sbc = stack.enter_context(contextlib.closing(Sbc(pki.cert, pki.key, pki.ca)))
        daemon = Daemon(self.sbc.port, pki, {"limits": {"calls": CALLS}})
        core = daemon.config()["core"]
        daemon.changes["core"] = {**core, "sbc": {**core["sbc"], "transfers": True}}
        self.daemon = stack.enter_context(daemon)
        self.flow = self.sbc.connect(self.daemon.start().port)
        self.others = [talk(self.sbc, self.flow) for _ in range(LIGHT)]
        self.wait_level("light")

    def wait_level(self, level):
        wait_until(level, lambda: self.status()["load"]["level"] == level, 30)

    def status(self):
        return json.loads(self.daemon.ctl("-o", "json", "status").stdout)

    def passed(self):
        pattern = r'^breakout_calls_bypassed_total\{why="overload"\} (\d+)$'
        found = re.search(pattern, self.daemon.ctl("metrics").stdout, re.M)
        return int(found.group(1)) if found else 0  # a counter shows once it has counted

    def running(self, call):
        calls = json.loads(self.daemon.ctl("-o", "json", "calls").stdout)
        return next(c for c in calls if c["call_id_a"] == call.leg2.get("call-id"))

    def record(self, call):
        path = self.daemon.folder / "cdr.jsonl"

        def mine():
            lines = path.read_text().splitlines() if path.exists() else []
            return [r for r in map(json.loads, lines)
                    if r["call_id_a"] == call.leg2.get("call-id")]
        wait_until("the record", mine)
        return mine()[-1]

    def call(self, offer=OFFER):
        """A loop of the subscriber's, answered: nothing of its SDP is ours."""
        call = Talk(self.sbc, self.flow, LOOPED, f"+00{CALLEE[1:]}", offer, session()).ring()
        assert call.leg3.body == offer, call.leg3.body
        call.answer(ANSWER)
        assert call.ok2.body == ANSWER, call.ok2.body
        return call

    def refer(self, call):
        """The subscriber sends the callee to TARGET; its leg."""
        request = self.sbc.in_dialog("REFER", call.leg2, call.ok2)
        request.headers.append(("refer-to", f"<sip:{TARGET}@core.example>"))
        call.flow.send(request)
        accepted = self.sbc.wait(lambda m: m.status and m.method == "REFER")[1]
        assert accepted.status == 202, accepted.start
        notified(self.sbc, "SIP/2.0 100")
        flow, target = invited(self.sbc)
        assert TARGET in target.start and not target.body, target.encode()
        return flow, target


def passes(scene):
    before = scene.passed()
    call = scene.call()
    assert scene.passed() == before + 1
    running = scene.running(call)
    assert running["media"] is False and running["bypass"] == "overload", running
    call.hang_up()
    record = scene.record(call)
    assert (record["media"], record["bypass"]) == ("passed", "overload"), record


def changes_cross(scene):
    """From either side: hold and resume, and an ICE restart."""
    call = scene.call()
    for leg, own, other in ((2, OFFER, ANSWER), (3, ANSWER, OFFER)):
        offered(call, leg, held(own, "sendonly"), held(other, "recvonly"))
        offered(call, leg, held(own, "sendrecv"), held(other, "sendrecv"))
        offered(call, leg, restarted(own), restarted(other))
    call.hang_up()
    assert scene.record(call)["bypass"] == "overload"


def a_refused_change_changes_nothing(scene):
    call = scene.call()
    sbc = scene.sbc
    request = sbc.in_dialog("INVITE", call.leg2, call.ok2, sdp=restarted(OFFER))
    call.flow.send(request)
    flow, there = sbc.wait(lambda m: m.start.startswith("INVITE") and
                           m.get("call-id") == call.leg3.get("call-id"))
    flow.send(sbc.reply(there, 488, "Not Acceptable Here"))
    _, refused = sbc.wait(lambda m: m.status >= 200 and m.get("cseq") == request.get("cseq"))
    assert refused.status == 488, refused.start
    offered(call, 3, held(ANSWER, "sendonly"), held(OFFER, "recvonly"))
    call.hang_up()


def reinvited(scene, call, origin):
    """The callee, which stays, is offered our media: `origin` goes on from what it has of the
    caller (RFC 3264 section 8)."""
    flow, again = scene.sbc.wait(lambda m: m.start.startswith("INVITE") and
                                 m.get("call-id") == call.leg3.get("call-id"))
    port = int(re.search(r"m=audio (\d+) UDP/TLS/RTP/SAVPF", again.body).group(1))
    assert 20000 <= port < 30000 and "AB:AB" not in again.body, again.body
    assert f"\r\no={origin}\r\n" in again.body, again.body
    call.reoffer = again.body
    flow.send(scene.sbc.reply(again, 200, "OK", ANSWER))
    acked(scene.sbc, call.leg3)


def a_transfer_brings_the_media_here(scene):
    before = scene.passed()
    call = scene.call(WITH_VIDEO)
    flow, target = scene.refer(call)
    answered = scene.sbc.reply(target, 200, "OK", OFFER, "target")
    flow.send(answered)
    reinvited(scene, call, "alice 4711 4 IN IP4 phone.example")
    sections = re.findall(r"m=\w+ \d+", call.reoffer)
    assert sections[0] == "m=video 0" and len(sections) == 2, call.reoffer
    _, ack = scene.sbc.wait(lambda m: m.start.startswith("ACK") and
                            m.get("call-id") == target.get("call-id"))
    assert "m=audio" in ack.body and ack.body != ANSWER, ack.body
    notified(scene.sbc, "SIP/2.0 200")
    call.bye_from(call.leg2)
    running = scene.running(call)
    assert running["media"] is True and "bypass" not in running, running
    flow.send(scene.sbc.in_dialog("BYE", target, answered, outgoing=False))
    call.bye_from(call.leg3)
    record = scene.record(call)
    assert record["media"] == "anchored" and "bypass" not in record, record
    assert record["transfers"] == 1 and record["transferred"][0]["side"] == "a", record
    assert scene.passed() == before + 1


def a_transfer_that_fails_leaves_it(scene):
    call = scene.call()
    flow, target = scene.refer(call)
    flow.send(scene.sbc.reply(target, 486, "Busy Here", tag="busy"))
    notified(scene.sbc, "SIP/2.0 486")
    acked(scene.sbc, target)
    offered(call, 2, restarted(OFFER), restarted(ANSWER))
    call.hang_up()
    assert scene.record(call)["bypass"] == "overload"


def lost_late(scene):
    """The target hangs up when the callee has been offered our media: who asked and the
    callee talk again, and now by way of us."""
    call = scene.call()
    flow, target = scene.refer(call)
    answered = scene.sbc.reply(target, 200, "OK", OFFER, "target")
    flow.send(answered)
    back, again = scene.sbc.wait(lambda m: m.start.startswith("INVITE") and
                                 m.get("call-id") == call.leg3.get("call-id"))
    flow.send(scene.sbc.in_dialog("BYE", target, answered, outgoing=False))
    scene.sbc.wait(lambda m: m.status == 200 and m.method == "BYE" and
                   m.get("call-id") == target.get("call-id"))
    back.send(scene.sbc.reply(again, 200, "OK", ANSWER))
    acked(scene.sbc, call.leg3)
    asked_flow, asked = scene.sbc.wait(lambda m: m.start.startswith("INVITE") and call.mine(m))
    assert not asked.body, asked.body
    asked_flow.send(scene.sbc.reply(asked, 200, "OK", OFFER))
    reinvited(scene, call, "- 1 3 IN IP4 127.0.0.1")
    _, ack = scene.sbc.wait(lambda m: m.start.startswith("ACK") and call.mine(m))
    assert "m=audio" in ack.body and "\r\no=- 1 2 IN IP4 127.0.0.1\r\n" in ack.body, ack.body
    running = scene.running(call)
    assert running["media"] is True and "bypass" not in running, running
    call.hang_up()
    assert scene.record(call)["media"] == "anchored", scene.record(call)


def full(scene):
    """Then new calls get 503, without Retry-After; not an emergency."""
    call = scene.call()
    refused = Talk(scene.sbc, scene.flow, LOOPED, f"+00{CALLEE[1:]}", OFFER, session())
    assert refused.refused() == 503
    help_call = Talk(scene.sbc, scene.flow, LOOPED, f"+00{EMERGENCY}", OFFER, session()).ring()
    assert help_call.leg3.body == OFFER, help_call.leg3.body
    help_call.answer(ANSWER).hang_up()
    call.hang_up()


def it_ends(scene):
    """A call that passed us stays so; the next loop has media."""
    passed = scene.call()
    while scene.others:
        scene.others.pop().hang_up()
    scene.wait_level("normal")
    call = Talk(scene.sbc, scene.flow, LOOPED, f"+00{CALLEE[1:]}", OFFER, session()).ring()
    assert "AB:AB" not in call.leg3.body and "m=audio" in call.leg3.body, call.leg3.body
    call.answer(ANSWER)
    assert "AB:AB" not in call.ok2.body and "m=audio" in call.ok2.body, call.ok2.body
    assert scene.running(call)["media"] is True
    call.hang_up()
    assert scene.record(call)["media"] == "anchored"
    offered(passed, 2, restarted(OFFER), restarted(ANSWER))
    passed.hang_up()
    assert scene.record(passed)["bypass"] == "overload"


def main():
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="breakout-light-") as folder, \
            contextlib.ExitStack() as stack:
        scene = Scene(stack, Pki(pathlib.Path(folder)))
        tally.run("a loop's SDP crosses as it is", passes, scene)
        tally.run("holds and ICE restarts cross it", changes_cross, scene)
        tally.run("a change that is refused changes nothing", a_refused_change_changes_nothing,
                  scene)
        tally.run("a transfer brings the media here", a_transfer_brings_the_media_here, scene)
        tally.run("a transfer that fails leaves the call as it was",
                  a_transfer_that_fails_leaves_it, scene)
        tally.run("a target lost late: both talk again", lost_late, scene)
        tally.run("at the limit new calls get 503, emergencies go out", full, scene)
        tally.run("when it is over the next loop has media", it_ends, scene)
        if tally.failed:
            print(scene.daemon.log()[-6000:])
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
