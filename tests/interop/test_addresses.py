# SPDX-License-Identifier: Apache-2.0
"""A daemon with an IPv4 and an IPv6 address for media: Chromium is the core's side, by
either family, and the PBX is baresip on ::1, without ICE and with signalling by IPv6 only."""

import contextlib
import json
import pathlib
import re
import sys
import tempfile

from browsercall import expect_tones, hang_up, place
from harness import Daemon, Pki, Tally, free_port
from sipwire import Sbc
from test_baresip import Baresip, call_to_pbx
from webdriver import PEERS, Browser

OWN = ["127.0.0.1", "::1"]
FORKED = "+4799000002"


def candidates(sdp):
    return re.findall(r"^a=candidate:(\S+) 1 UDP (\d+) (\S+) \d+ typ host\r?$", sdp, re.M)


def offers_both(sdp):
    found = candidates(sdp)
    assert [address for _, _, address in found] == OWN, sdp
    foundations, priorities = ({entry[i] for entry in found} for i in (0, 1))
    assert len(foundations) == len(priorities) == 2, sdp
    if "a=ice-lite" in sdp:  # RFC 8445 5.1.2.1: in the order that is configured
        assert priorities == {str((126 << 24) + (65535 << 8) + 255),
                              str((126 << 24) + (65534 << 8) + 255)}, sdp


class OneFamily:
    """A page whose peers are told candidates of one family only, and tell no other."""

    def __init__(self, page, address):
        self.page, self.address = page, address

    def run(self, script, *arguments):
        for sdp in arguments:
            if str(sdp).startswith("v=0"):
                offers_both(sdp)
        return self.told(self.page.run(script, *(self.told(a) for a in arguments)))

    def told(self, sdp):
        if not str(sdp).startswith("v=0"):
            return sdp
        return "".join(line for line in sdp.splitlines(True)
                       if not line.startswith("a=candidate:") or
                       (":" in line.split()[4]) == (":" in self.address))

    def wait(self, *arguments, **more):
        return self.page.wait(*arguments, **more)


def remote_of(daemon, side):
    calls = json.loads(daemon.ctl("-o", "json", "calls").stdout)
    return (calls if isinstance(calls, list) else calls["calls"])[0][side]["remote"]


def call_by(address, name, page, sbc, daemon):
    """Both ends of a loop find us by that address alone."""
    flow, names, tones = sbc.connect(daemon.port), (name + "1", name + "2"), (500, 900)
    told = OneFamily(page, address)
    legs = place(told, sbc, flow, ["audio/PCMA"], names, tones)
    leg2, ok2, leg3, _, flow3 = legs
    expect_tones(page, names, tones)
    for side in "ab":
        remote = remote_of(daemon, side)
        assert remote.startswith("[") == (":" in address), remote
    hang_up(sbc, flow, leg2, ok2, leg3, flow3)


def pbx_on_ipv6(page, sbc, daemon, pbx):
    remotes = []
    call_to_pbx(page, sbc, daemon, pbx, number=FORKED,
                meanwhile=lambda: remotes.append(remote_of(daemon, "b")))
    assert remotes[0].startswith("[::1]:"), remotes


def main():
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="breakout-addresses-") as name, \
            contextlib.ExitStack() as ends:
        folder = pathlib.Path(name)
        pki = Pki(folder)
        (folder / "pbx").mkdir()
        pbx = ends.enter_context(
            contextlib.closing(Baresip(folder / "pbx", 800, FORKED, host="[::1]")))
        sbc = ends.enter_context(contextlib.closing(Sbc(pki.cert, pki.key, pki.ca)))
        page = ends.enter_context(Browser())
        page.run(PEERS)
        for ice in ("full", "lite"):
            changes = {
                "media": {"address": OWN, "ports": "20000-29999", "ice": ice},
                "trunks": [{"name": "pbx", "uris": [f"sip:[::1]:{pbx.port}"]}],
                "services": {"office": [{"do": [{"dial": "pbx"}]}]},
                "registrations": [{"number": "+4799000001", "route_type": "loop"},
                                  {"number": FORKED, "route_type": "fork",
                                   "service": "office"}],
            }
            with Daemon(sbc.port, pki, changes) as daemon:
                daemon.changes["sip"] = daemon.config()["sip"]
                daemon.changes["sip"]["listen"].append(f"udp://[::1]:{free_port()}")
                daemon.start()
                for title, test, *more in [
                        ("both addresses are offered, Chromium comes by IPv4", call_by, OWN[0],
                         ice + "v4"),
                        ("both addresses are offered, Chromium comes by IPv6", call_by, OWN[1],
                         ice + "v6"),
                        ("baresip on ::1 is told ::1, Chromium talks to it", pbx_on_ipv6)]:
                    arguments = [*more, page, sbc, daemon] + ([] if more else [pbx])
                    if not tally.run(f"{ice} ICE: {title}", test, *arguments):
                        print(daemon.log()[-4000:])
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
