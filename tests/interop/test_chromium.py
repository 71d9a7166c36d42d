# SPDX-License-Identifier: Apache-2.0
"""A LOOP call whose two ends are headless Chromium's WebRTC stack: its offers
and answers travel in SIP over TLS, its ICE, DTLS and SRTP meet ours, and the
tone each end plays must be heard at the other."""

import sys

from browsercall import CALLEE, CALLER, SESSION, expect_tones, hang_up, place
from harness import Daemon, Pki, Tally
from sipwire import Sbc
from webdriver import ACCEPT, ANSWER, HEARD, OFFER, PEERS, Browser

def pcma_call(page, sbc, daemon):
    flow = sbc.connect(daemon.port)
    names, tones = ("a1", "b1"), (500, 900)
    leg2, ok2, leg3, _, flow3 = place(page, sbc, flow,
                                      ["audio/PCMA", "audio/telephone-event"], names, tones)
    assert " tcptype active" in leg2.body and "tcptype" not in leg3.body, leg2.body
    expect_tones(page, names, tones)
    hang_up(sbc, flow, leg2, ok2, leg3, flow3)
    for name in names:  # by our close_notify, whichever of us was the DTLS client
        assert page.wait("return peers[args[0]].getSenders()[0].transport.state === 'closed'",
                         name), "no close_notify came"


def opus_call(page, sbc, daemon):
    flow = sbc.connect(daemon.port)
    names, tones = ("a2", "b2"), (700, 1200)
    leg2, ok2, leg3, _, flow3 = place(page, sbc, flow, None, names, tones)
    expect_tones(page, names, tones)
    hang_up(sbc, flow, leg2, ok2, leg3, flow3)


def ice_restart(page, sbc, daemon):
    """The caller's browser restarts ICE by a re-INVITE in a running call."""
    flow = sbc.connect(daemon.port)
    names, tones = ("a3", "b3"), (600, 1000)
    leg2, ok2, leg3, ok3, flow3 = place(page, sbc, flow, ["audio/PCMA"], names, tones)
    expect_tones(page, names, tones)
    offer = page.run("const pc = peers[args[0]];"
                     "await pc.setLocalDescription(await pc.createOffer({iceRestart: true}));"
                     "await pc.gathered(); return pc.localDescription.sdp;", names[0])
    again = sbc.in_dialog("INVITE", leg2, ok2, sdp=offer)
    flow.send(again)
    flow_re, re3 = sbc.wait(lambda m: m.start.startswith("INVITE")
                            and m.get("call-id") == leg3.get("call-id"))
    answer = page.run("const pc = peers[args[0]];"
                      "await pc.setRemoteDescription({type: 'offer', sdp: args[1]});"
                      "await pc.setLocalDescription(await pc.createAnswer());"
                      "await pc.gathered(); return pc.localDescription.sdp;", names[1], re3.body)
    flow_re.send(sbc.reply(re3, 200, "OK", answer))
    _, ok = sbc.wait(lambda m: m.status == 200 and m.get("cseq") == again.get("cseq"))
    flow.send(sbc.in_dialog("ACK", again, ok))
    page.run(ACCEPT, names[0], ok.body)
    expect_tones(page, names, tones)
    hang_up(sbc, flow, leg2, ok2, leg3, flow3)


def wrong_fingerprint(page, sbc, daemon):
    """The answer names another certificate: no media, and the call is ended."""
    flow = sbc.connect(daemon.port)
    offer = page.run(OFFER, "a4", 500, ["audio/PCMA"])
    leg2 = sbc.invite("sips:+004722334455@127.0.0.1", CALLER, CALLEE, offer,
                      [("session-id", SESSION)])
    flow.send(leg2)
    flow3, leg3 = sbc.wait(lambda m: m.start.startswith("INVITE"))
    answer = page.run(ANSWER, "b4", 900, leg3.body)
    at = answer.index("a=fingerprint:sha-256 ") + 22
    forged = answer[:at] + ("00" if answer[at:at + 2] != "00" else "11") + answer[at + 2:]
    flow3.send(sbc.reply(leg3, 200, "OK", forged, "callee"))
    _, ok2 = sbc.wait(lambda m: m.status == 200 and m.get("call-id") == leg2.get("call-id"))
    flow.send(sbc.in_dialog("ACK", leg2, ok2))
    page.run(ACCEPT, "a4", ok2.body)
    for leg in (leg2, leg3):
        flow_bye, bye = sbc.wait(lambda m, leg=leg: m.start.startswith("BYE")
                                 and m.get("call-id") == leg.get("call-id"), 15)
        flow_bye.send(sbc.reply(bye, 200, "OK"))
    assert not page.run(HEARD, "b4", 500), "media flowed despite a wrong fingerprint"
    assert "fingerprint" in daemon.log(), daemon.log()


def hidden_addresses(page, sbc, daemon):
    """Its candidates are mDNS names: only its own checks tell where it is."""
    flow = sbc.connect(daemon.port)
    names, tones = ("a5", "b5"), (600, 1000)
    leg2, ok2, leg3, ok3, flow3 = place(page, sbc, flow, ["audio/PCMA"], names, tones)
    for sdp in (leg2.body, ok3.body):
        told = [line.split() for line in sdp.splitlines() if line.startswith("a=candidate:")]
        assert told and all(line[4].endswith(".local") for line in told), told
    assert ".local" not in leg3.body + ok2.body, leg3.body
    expect_tones(page, names, tones)
    hang_up(sbc, flow, leg2, ok2, leg3, flow3)


TESTS = [
    ("PCMA call between two Chromium peers, tones heard both ways", pcma_call),
    ("Opus passes through between two Chromium peers", opus_call),
    ("Chromium's ICE restart keeps the call", ice_restart),
    ("a fingerprint that does not fit ends the call without media", wrong_fingerprint)]


def run(tally, page, sbc, pki, tests):
    page.run(PEERS)
    for ice in ("full", "lite"):
        media = {"address": "127.0.0.1", "ports": "20000-29999", "ice": ice}
        with Daemon(sbc.port, pki, {"media": media}) as daemon:
            daemon.start()
            for name, test in tests:
                if not tally.run(f"{ice} ICE: {name}", test, page, sbc, daemon):
                    print(daemon.log())


def main():
    import pathlib
    import tempfile
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="breakout-sbc-") as folder:
        pki = Pki(pathlib.Path(folder))
        sbc = Sbc(pki.cert, pki.key, pki.ca)
        with Browser() as page:
            run(tally, page, sbc, pki, TESTS)
        with Browser(mdns=True) as page:
            run(tally, page, sbc, pki, [("a browser that hides its addresses is found by its checks",
                                         hidden_addresses)])
        sbc.close()
    return tally.close()


sys.exit(main())
