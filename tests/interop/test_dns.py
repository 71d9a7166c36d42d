# SPDX-License-Identifier: Apache-2.0
"""Names of trunks and of the core (RFC 3263): a DNS server of the test's own, SIPp as
the PBXs and the core."""

import contextlib
import json
import subprocess
import sys
import time

from dnsserver import DnsServer, address, naptr, srv
from harness import Tally, free_port
from sippcore import HERE, sipp_core

CALLS = 24
# Trunk and the number that is sent there.
NUMBERS = {"shared": "+4722000001", "spare": "+4722000002", "tcp": "+4722000003",
           "moving": "+4722000004", "dead": "+4722000005", "unknown": "+4722000006"}


@contextlib.contextmanager
def pbx(folder, port, host="127.0.0.1", transport="u1"):
    with open(folder / f"pbx{port}.out", "wb") as out:
        process = subprocess.Popen(["sipp", "-sf", HERE / "sipp/pbx_plain.xml", "-i", host, "-p", str(port), "-nostdin",
                                    "-t", transport], cwd=folder, stdout=out, stderr=out)
        try:
            time.sleep(0.3)  # it says nothing when it is ready
            assert process.poll() is None, "SIPp did not start"
            yield
        finally:
            process.kill()  # asked to stop it would wait for its calls
            process.wait(10)


class Scene:
    """Ports, zone and configuration of one daemon with all trunks."""

    def __init__(self, dns):
        self.dns = dns
        self.ports = {n: free_port() for n in ("one", "two", "tcp", "moving", "gone", "lost")}
        port = self.ports
        dns.zone.update({
            "host.test": [address("127.0.0.1")],
            "_sip._udp.shared.test": [srv(1, 30, port["one"], "host.test"),
                                      srv(1, 10, port["two"], "host.test")],
            "_sip._udp.spare.test": [srv(1, 0, port["gone"], "host.test"),
                                     srv(2, 0, port["two"], "host.test")],
            "tcp.test": [naptr(1, 1, "SIP+D2T", "_sip._tcp.elsewhere.test"),
                         naptr(2, 1, "SIP+D2U", "_sip._udp.elsewhere.test")],
            "_sip._tcp.elsewhere.test": [srv(1, 0, port["tcp"], "host.test")],
            "moving.test": [address("127.0.0.1", ttl=1)],
            "_sip._udp.dead.test": [srv(1, 0, port["gone"], "host.test"),
                                    srv(2, 0, port["lost"], "host.test")],
        })

    def config(self, core=None):
        uris = {name: f"sip:{name}.test" for name in NUMBERS}
        uris["moving"] += f":{self.ports['moving']}"
        uris["dead"] += ";transport=udp"
        changes = {
            "trunks": [{"name": name, "uris": [uri], "options_every": 0}
                       for name, uri in uris.items()],
            "services": {"office": {"on_failure": "loop", "rules": [
                {"when": {"called": number}, "do": {"dial": name}}
                for name, number in NUMBERS.items()]}},
            "registrations": [{"number": "+4799000001", "route_type": "loop",
                               "service": "office"}],
        }
        if core:
            changes["core"] = core
        return changes


def lines(daemon, trunk):
    out = json.loads(daemon.ctl("-o", "json", "trunks").stdout)
    return [line for line in out if line["trunk"] == trunk]


def calls_by_port(daemon, trunk):
    return {int(line["address"].split(":")[2].split(";")[0]): line["calls"]
            for line in lines(daemon, trunk)}


def dialled(name):
    return "+00" + NUMBERS[name][1:]


def expect(core, daemon, calls, name, rate=20):
    done, failed, errors = core.call(calls, rate, dialled(name))
    assert (done, failed) == (calls, 0), f"{done} done, {failed} failed\n{errors}\n{daemon.log()}"


def srv_and_naptr(core, daemon, scene, folder):
    port = scene.ports
    with pbx(folder, port["one"]), pbx(folder, port["two"]), \
            pbx(folder, port["tcp"], transport="t1"):
        expect(core, daemon, CALLS, "shared")
        shares = calls_by_port(daemon, "shared")
        assert 0 < shares[port["two"]] < shares[port["one"]] < CALLS, shares
        expect(core, daemon, 2, "spare")
        used = calls_by_port(daemon, "spare")
        # The dead one was tried once, and then left alone.
        assert used == {port["gone"]: 1, port["two"]: 2}, used
        expect(core, daemon, 1, "tcp")
        (line,) = lines(daemon, "tcp")
        assert "transport=tcp" in line["address"] and line["state"] == "up", line


def addresses_change(core, daemon, scene, folder):
    port = scene.ports["moving"]
    with pbx(folder, port):
        expect(core, daemon, 1, "moving")
    scene.dns.zone["moving.test"] = [address("127.0.0.2", ttl=1)]
    with pbx(folder, port, host="127.0.0.2"):
        time.sleep(2.2)
        expect(core, daemon, 1, "moving")
        (line,) = lines(daemon, "moving")
        assert line["address"].endswith("maddr=127.0.0.2"), line
        # What is known outlives the server.
        scene.dns.silent = True
        time.sleep(2.2)
        expect(core, daemon, 1, "moving")
        scene.dns.silent = False


def all_down_or_unknown_loops(core, daemon, _scene, _folder):
    (line,) = lines(daemon, "unknown")
    assert line["last_failure"] == "no address in the DNS", line
    for name in ("dead", "unknown"):
        done, failed, status, errors = core.run(1, 1, dialled(name))
        assert (done, failed, status) == (1, 0, 0), f"{name}: {errors}\n{daemon.log()}"
    assert sum(calls_by_port(daemon, "dead").values()) == 2, lines(daemon, "dead")
    daemon.wait_log(r"error +sip +host=unknown.test cannot be looked up")


def with_server(dns, changes):
    """A change of sip would replace all of it: the harness fills in the rest."""
    return {**changes, "sip_more": {"dns_servers": [f"127.0.0.1:{dns.port}"]}}


def run_trunks(test):
    def run(folder, pki):
        with DnsServer({}) as dns:
            scene = Scene(dns)
            with sipp_core(folder, pki, with_server(dns, scene.config())) as (core, daemon):
                test(core, daemon, scene, folder)
    return run


def a_silent_server_delays_nobody(folder, pki):
    with DnsServer({}) as dns:
        dns.silent = True
        scene = Scene(dns)
        began = time.monotonic()
        with sipp_core(folder, pki, with_server(dns, scene.config())) as (core, daemon):
            assert time.monotonic() - began < 6, "the start waits for the DNS"
            done, failed, status, errors = core.run(1, 1, dialled("shared"))
            assert (done, failed, status) == (1, 0, 0), errors + daemon.log()
            dns.silent = False
            with pbx(folder, scene.ports["one"]), pbx(folder, scene.ports["two"]):
                until = time.monotonic() + 30
                while len(lines(daemon, "shared")) < 2 and time.monotonic() < until:
                    time.sleep(0.2)
                expect(core, daemon, 2, "shared")
                assert sum(calls_by_port(daemon, "shared").values()) == 2


def the_core_has_a_spare_address(folder, pki):
    with DnsServer({}) as dns:
        changes = with_server(dns, {"sbc_uri": "sips:sbc.test"})
        with sipp_core(folder, pki, changes, prepare=lambda core: dns.zone.update({
                "host.test": [address("127.0.0.1")],
                "_sips._tcp.sbc.test": [srv(1, 0, free_port(), "host.test"),
                                        srv(2, 0, core.sbc_port, "host.test")]})) \
                as (core, daemon):
            # The certificate is for sbc.test, whatever the host is called.
            done, failed, status, errors = core.run(3, 2, "+004722334455")
            assert (done, failed, status) == (3, 0, 0), errors + daemon.log()


def main():
    tally = Tally()
    tests = (
        ("SRV by weight and priority, NAPTR by transport", run_trunks(srv_and_naptr)),
        ("addresses change between calls, a silent DNS changes none", run_trunks(addresses_change)),
        ("no address answers, or none is known: looped", run_trunks(all_down_or_unknown_loops)),
        ("a DNS that is silent from the start delays nobody", a_silent_server_delays_nobody),
        ("the core's second address takes what the first does not", the_core_has_a_spare_address),
    )
    tally.run_in_folders(tests)
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
