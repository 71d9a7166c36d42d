# SPDX-License-Identifier: Apache-2.0
"""An INVITE with Replaces (RFC 3891) from a PBX, on the wire: another of its phones takes
a call over, or picks one up that rings; nobody takes what is somebody else's."""

import contextlib
import pathlib
import re
import sys
import tempfile

from harness import Daemon, Pki, Tally
from sipwire import Sbc
from talk import RTP_OFFER, Talk, session, webrtc_sdp
from test_identity import CALLER, Pbx

CORE_OFFER, CORE_ANSWER = webrtc_sdp(0, "actpass"), webrtc_sdp(0, "active")


def tag(value):
    return re.search(";tag=([^;>]*)", value).group(1)


class Scene:
    def __init__(self, stack, pki):
        self.sbc = stack.enter_context(contextlib.closing(Sbc(pki.cert, pki.key, pki.ca)))
        self.pbx = stack.enter_context(contextlib.closing(Pbx(self.sbc.inbox)))
        changes = {
            "trunks": [{"name": "pbx", "uris": [f"sip:127.0.0.1:{self.pbx.port};transport=tcp"]}],
            "services": {"out": [{"do": {"dial": "pbx"}}]},
            "registrations": [{"number": CALLER, "route_type": "loop", "service": "out"}]}
        self.daemon = Daemon(self.sbc.port, pki, changes)
        changes["sip"] = {**self.daemon.config()["sip"],
                          "listen": [f"tls://127.0.0.1:{self.daemon.port}", "tcp://127.0.0.1:0"]}
        stack.enter_context(self.daemon).start()
        self.flow = self.sbc.connect(self.daemon.port)

    def as_pbx(self, message):
        contact = f"<sip:pbx@127.0.0.1:{self.pbx.port};transport=tcp>"
        message.headers = [(n, contact if n == "contact" else v.replace("/TLS", "/TCP"))
                           for n, v in message.headers]
        return message

    def ring(self):
        """A call of the subscriber's that the PBX has, not yet answered."""
        self.call = Talk(self.sbc, self.flow, CALLER, "+004712345678", CORE_OFFER,
                         session())
        self.flow_pbx, self.rung = self.sbc.wait(
            lambda m: m.start.startswith("INVITE") and "transport=tcp" in m.start)
        return self.call

    def answer(self):
        ok = self.as_pbx(self.sbc.reply(self.rung, 200, "OK", RTP_OFFER, "first"))
        self.flow_pbx.send(ok)
        self.call.ok2 = self.call.final()
        assert self.call.ok2.status == 200, self.call.ok2.start
        self.acknowledge()

    def acknowledge(self):
        self.flow.send(self.sbc.in_dialog("ACK", self.call.leg2, self.call.ok2))

    def replace(self, theirs, parameters="", flow=None, extra=()):
        value = (f"{self.rung.get('call-id')};to-tag={tag(self.rung.get('from'))}"
                 f";from-tag={theirs}{parameters}")
        invite = self.sbc.invite("sip:x@127.0.0.1", "sip:202@pbx.example", "sip:x@pbx.example",
                                 RTP_OFFER, [("replaces", value), *extra])
        (flow or self.flow_pbx).send(invite if flow else self.as_pbx(invite))
        return invite

    def joined(self, invite):
        """The subscriber's side gets the new phone's offer, the new phone its answer."""
        flow, offer = self.sbc.wait(lambda m: m.start.startswith("INVITE") and self.call.mine(m))
        assert "m=audio" in offer.body and "UDP/TLS" in offer.body, offer.body
        flow.send(self.sbc.reply(offer, 200, "OK", CORE_ANSWER))
        ok = self.final(invite)
        assert ok.status == 200 and "RTP/AVP" in ok.body, ok.encode()
        self.flow_pbx.send(self.as_pbx(self.sbc.in_dialog("ACK", invite, ok)))
        return ok

    def final(self, invite):
        return self.sbc.wait(lambda m: m.status >= 200 and m.method == "INVITE" and
                             m.get("call-id") == invite.get("call-id"))[1]

    def hang_up(self, invite):
        """By the subscriber: the new phone hears it."""
        self.flow.send(self.sbc.in_dialog("BYE", self.call.leg2, self.call.ok2))
        self.call.bye_from(invite)
        self.sbc.wait(lambda m: m.status == 200 and m.method == "BYE" and self.call.mine(m))


def taken_over(scene):
    scene.ring()
    scene.answer()
    invite = scene.replace("first")
    scene.joined(invite)
    scene.call.bye_from(scene.rung)
    scene.hang_up(invite)


def picked_up(scene):
    """RFC 5359 section 2.16, by another phone of the PBX."""
    scene.ring()
    scene.flow_pbx.send(scene.as_pbx(scene.sbc.reply(scene.rung, 180, "Ringing", tag="first")))
    scene.sbc.wait(lambda m: m.status == 180 and scene.call.mine(m))
    invite = scene.replace("first", ";early-only", extra=[("require", "replaces")])
    flow, cancel = scene.sbc.wait(lambda m: m.start.startswith("CANCEL"))
    assert "completed elsewhere" in cancel.get("reason"), cancel.headers
    flow.send(scene.sbc.reply(cancel, 200, "OK"))
    flow.send(scene.as_pbx(scene.sbc.reply(scene.rung, 487, "Request Terminated", tag="first")))
    scene.call.ok2 = scene.call.final()
    assert scene.call.ok2.status == 200, scene.call.ok2.start
    scene.acknowledge()
    scene.joined(invite)
    scene.hang_up(invite)


def refused(scene):
    scene.ring()
    scene.answer()
    assert scene.final(scene.replace("guessed")).status == 481
    assert scene.final(scene.replace("first", ";early-only")).status == 486
    stolen = scene.replace("first", flow=scene.flow, extra=[("require", "replaces")])
    answer = scene.final(stolen)
    assert answer.status == 420 and answer.get("unsupported") == "replaces", answer.encode()
    scene.hang_up(scene.rung)


def main():
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="breakout-replaces-") as folder, \
            contextlib.ExitStack() as stack:
        scene = Scene(stack, Pki(pathlib.Path(folder)))
        tally.run("another phone of the PBX takes a call over", taken_over, scene)
        tally.run("another phone of the PBX picks a call up", picked_up, scene)
        tally.run("what is no dialog of its own is not to be had", refused, scene)
        if tally.failed:
            print(scene.daemon.log()[-6000:])
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
