# SPDX-License-Identifier: Apache-2.0
"""Calls whose audio goes through a TURN server, Debian's coturn: by UDP and TCP, with a
password and a shared secret; one that refuses us; one that goes away in a call."""

import pathlib
import re
import subprocess
import sys
import tempfile

from browsercall import expect_tones, hang_up, place
from harness import Daemon, Pki, Tally, free_port, wait_listening, wait_until
from sipwire import Sbc
from webdriver import PEERS, Browser

PCMA = ["audio/PCMA", "audio/telephone-event"]
RELAY_PORTS = (30000, 30999)


class Turn:
    """A turnserver on loopback with one user, or one shared secret."""

    def __init__(self, folder, *options):
        self.port = free_port()
        self.log_path = folder / f"turn-{self.port}.log"
        arguments = [
            "turnserver", "-n", "-v", "--no-cli", "--no-tls", "--no-dtls", "--log-file=stdout",
            "--simple-log", "--listening-ip=127.0.0.1", f"--listening-port={self.port}",
            "--relay-ip=127.0.0.1", f"--min-port={RELAY_PORTS[0]}", f"--max-port={RELAY_PORTS[1]}",
            "--allow-loopback-peers", "--realm=test", f"--pidfile={folder}/turn-{self.port}.pid",
            f"--userdb={folder}/turn-{self.port}.db",
            *(options or ["--lt-cred-mech", "--user=breakout:right"])]
        self.process = subprocess.Popen(arguments, stdout=open(self.log_path, "wb"),
                                        stderr=subprocess.STDOUT, cwd=folder)
        wait_listening(self.port, 10, self.process)

    def count(self, pattern):
        return len(re.findall(pattern, self.log_path.read_text(errors="replace")))

    def relays(self):
        """Given and not taken back."""
        return self.count(r"new, realm=<test>") - self.count(r"delete: realm=<test>")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def secret(folder, name, text):
    path = folder / name
    path.write_text(text + "\n")
    path.chmod(0o600)
    return str(path)


def media(turn, folder, password="right", policy="relay", **server):
    entry = {"address": f"127.0.0.1:{turn.port}", "username": "breakout",
             "password_file": secret(folder, f"password-{len(password)}", password), **server}
    return {"media": {"address": "127.0.0.1", "ports": "20000-29999", "ice_policy": policy,
                      "gather_time": "2s",  # a busy machine's
                      "turn": [{key: value for key, value in entry.items() if value}]}}


def candidate_types(sdp):
    return {line.split(" typ ")[1].split()[0] for line in sdp.splitlines()
            if line.startswith("a=candidate:")}


def call(page, sbc, daemon, names, types, during=lambda: None):
    """One that hears both ways; our SDP has candidates of these types."""
    flow = sbc.connect(daemon.port)
    tones = (500, 900)
    leg2, ok2, leg3, _, flow3 = place(page, sbc, flow, PCMA, names, tones)
    for sdp in (leg3.body, ok2.body):
        assert candidate_types(sdp) == types, sdp
        if types == {"relay"}:
            port = int(re.search(r"^m=audio (\d+)", sdp, re.M).group(1))
            assert RELAY_PORTS[0] <= port <= RELAY_PORTS[1], sdp
    expect_tones(page, names, tones)
    during()
    hang_up(sbc, flow, leg2, ok2, leg3, flow3)


def two_relays(turn):
    """One for each side; what the daemon asked for at its start was given back."""
    wait_until("two relays", lambda: turn.relays() == 2)


def given_back(turn):
    wait_until("both relays were given back", lambda: turn.relays() == 0)


def start(daemon):
    daemon.start()
    daemon.wait_log(" ready version")


def diagnosed(daemon, level):
    answer = daemon.ctl("diagnose").stdout
    assert re.search(rf"{level} +ice servers", answer), answer


class Rig:
    def __init__(self, page, sbc, pki, folder):
        self.page, self.sbc, self.pki, self.folder = page, sbc, pki, folder
        self.calls = 0

    def daemon(self, changes):
        return Daemon(self.sbc.port, self.pki, changes)

    def call(self, daemon, types, during=lambda: None):
        self.calls += 1
        names = (f"a{self.calls}", f"b{self.calls}")
        call(self.page, self.sbc, daemon, names, types, during)


def through_udp(rig):
    with Turn(rig.folder) as turn, rig.daemon(media(turn, rig.folder)) as daemon:
        start(daemon)
        daemon.wait_log("ice server turn udp:127.0.0.1:[0-9]+ serves us")
        rig.call(daemon, {"relay"}, lambda: two_relays(turn))
        given_back(turn)
        assert "right" not in daemon.log() + daemon.ctl("config").stdout, "a secret is shown"
        diagnosed(daemon, "OK")


def through_tcp(rig):
    with Turn(rig.folder, "--lt-cred-mech", "--user=breakout:right", "--no-udp") as turn, \
            rig.daemon(media(turn, rig.folder, transport="tcp")) as daemon:
        start(daemon)
        daemon.wait_log("ice server turn tcp:127.0.0.1:[0-9]+ serves us")
        rig.call(daemon, {"relay"})
        given_back(turn)


def by_name_with_a_shared_secret(rig):
    """And a STUN server in the same breath: our address is what it sees, so nothing new."""
    with Turn(rig.folder, "--use-auth-secret", "--static-auth-secret=north") as turn, \
            rig.daemon(media(turn, rig.folder, username=None, password_file=None,
                             secret_file=secret(rig.folder, "secret", "north"),
                             policy="all", address=f"localhost:{turn.port}")) as daemon:
        daemon.changes["media"]["stun"] = f"localhost:{turn.port}"
        start(daemon)
        daemon.wait_log("ice server turn udp:localhost:[0-9]+ serves us")
        daemon.wait_log("ice server stun udp:localhost:[0-9]+ serves us")
        rig.call(daemon, {"host", "relay"}, lambda: two_relays(turn))


def a_wrong_password(rig):
    """Calls go on with what there is: with our own addresses; a loop without us where no
    other than relays may be told. The right password counts with a reload."""
    with Turn(rig.folder) as turn, \
            rig.daemon(media(turn, rig.folder, "wrong", "all")) as daemon:
        start(daemon)
        daemon.wait_log("error .*ice server turn udp:127.0.0.1:[0-9]+ refuses us: "
                        "401 wrong user name or password; calls go on without it")
        diagnosed(daemon, "WARNING")
        rig.call(daemon, {"host"})
        daemon.reload(media(turn, rig.folder, "wrong"))
        wait_until("refused again", lambda: daemon.log().count("refuses us: 401") == 2)
        diagnosed(daemon, "CRITICAL")
        rig.call(daemon, {"host"})  # the two ends' own
        assert "no TURN server gave a relay" in daemon.log(), daemon.log()
        daemon.reload(media(turn, rig.folder))
        daemon.wait_log("ice server turn udp:127.0.0.1:[0-9]+ serves us")
        rig.call(daemon, {"relay"})


def gone_in_a_call(rig):
    """The call is on its direct way and stays; the next one waits for the server, and from
    there on none does."""
    with Turn(rig.folder) as turn, rig.daemon(media(turn, rig.folder, policy="all")) as daemon:
        start(daemon)
        daemon.wait_log("serves us")
        rig.call(daemon, {"host", "relay"}, lambda: turn.__exit__())
        rig.call(daemon, {"host"})
        assert "goes on with the ice candidates it has" in daemon.log(), daemon.log()
        daemon.wait_log("ice server turn udp:127.0.0.1:[0-9]+ does not answer: ")
        rig.call(daemon, {"host"})
        assert daemon.log().count("goes on with the ice candidates it has") == 2, daemon.log()


TESTS = [
    ("all audio goes through a relay by UDP, which is given back", through_udp),
    ("the same over TCP", through_tcp),
    ("servers are found by name, and a shared secret makes a password for each call",
     by_name_with_a_shared_secret),
    ("a wrong password is told, ends no call, and is mended by a reload", a_wrong_password),
    ("a server that goes away ends no call and delays few", gone_in_a_call)]


def main():
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="breakout-turn-") as name:
        folder = pathlib.Path(name)
        pki = Pki(folder)
        sbc = Sbc(pki.cert, pki.key, pki.ca)
        with Browser() as page:
            page.run(PEERS)
            rig = Rig(page, sbc, pki, folder)
            for title, test in TESTS:
                tally.run(title, test, rig)
        sbc.close()
    return tally.close()


sys.exit(main())
