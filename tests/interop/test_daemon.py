# SPDX-License-Identifier: Apache-2.0
"""The daemon as its operator meets it: refusing to start, its TLS from outside,
dead next hops, reload, stop, breakoutctl, the call record and the log."""

import contextlib
import fcntl
import json
import pathlib
import re
import secrets
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import warnings

import yaml

from fake_api import FakeApi, FakeTokens
from harness import BIN, Daemon, Pki, Tally, free_port, openssl, wait_until
from sipwire import Message, Sbc
from talk import CALLEE, ICE_PASSWORDS, RTP_OFFER, STRANGER, Talk, session, talk, webrtc_sdp

EX_CONFIG, FAILED = 78, 1
REGISTERED, LATER = "+4799000001", "+4799000050"


def issue(folder, name, names, signer, *, days=30, ca=False, rsa=False):
    """A certificate of `signer` (paths of certificate and key); returns its own two."""
    cert, key, request = (str(folder / f"{name}.{n}") for n in ("pem", "key", "csr"))
    extensions = folder / f"{name}.cnf"
    extensions.write_text("basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign\n" if ca
                          else "subjectAltName=" + ",".join(names) + "\n")
    kind = ["rsa:2048"] if rsa else ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    openssl("req", "-newkey", *kind, "-nodes", "-keyout", key, "-out", request, "-subj",
            f"/CN={name}")
    openssl("x509", "-req", "-in", request, "-CA", signer[0], "-CAkey", signer[1], "-out", cert,
            "-days", str(days), "-extfile", str(extensions))
    return cert, key


class Place:
    """Certificates that the tests share; one CA is trusted, the other is not."""

    def __init__(self, folder):
        self.folder = folder
        for sub in ("good", "other"):
            (folder / sub).mkdir()
        self.pki, self.other = Pki(folder / "good"), Pki(folder / "other")
        self.ca = self.pki.ca, str(folder / "good" / "ca.key")
        self.other_ca = self.other.ca, str(folder / "other" / "ca.key")

    def issue(self, name, *names, signer=None, **how):
        return issue(self.folder, name, names, signer or self.ca, **how)

    def daemon(self, sbc_port=9, *, sip=None, sbc=None, api=None, **changes):
        """`sip`, `sbc` and `api` are merged over those sections, the rest replaces."""
        daemon = Daemon(sbc_port, self.pki)
        config = daemon.config()
        core = {"api": {**config["core"]["api"], **(api or {})},
                "sbc": {**config["core"]["sbc"], **(sbc or {})}}
        daemon.changes = {"core": core, "sip": {**config["sip"], **(sip or {})}, **changes}
        return daemon

    def sbc(self):
        return contextlib.closing(Sbc(self.pki.cert, self.pki.key, self.pki.ca))


# ---- start-up refusals ----

OLD_OPENSSL = re.compile(r"OpenSSL [\w.]+ .* has known holes")


def run_until_exit(daemon, text=None):
    path = daemon.folder / "breakout.yaml"
    path.write_text(text if text is not None else yaml.safe_dump(daemon.config()))
    done = subprocess.run([BIN / "breakoutd", "--config", path], capture_output=True, text=True,
                          timeout=20)
    # An OpenSSL that is behind is named at every start; it is the machine's matter.
    errors = [line for line in done.stderr.splitlines()
              if re.search(r"\berror\b", line) and not OLD_OPENSSL.search(line)]
    checked = subprocess.run([BIN / "breakoutctl", "check", path], capture_output=True, text=True,
                             timeout=20)
    return done, errors, checked


def refuses(daemon, status, *words, text=None, check_sees_it=False):
    """One error line that has all these words; returns it and what `check` did."""
    with daemon.scratch:
        done, errors, checked = run_until_exit(daemon, text)
        assert done.returncode == status, f"status {done.returncode}\n{done.stderr}"
        assert len(errors) == 1, "\n".join(errors) or done.stderr
        for word in words:
            assert word in errors[0], f"{word!r} is not in: {errors[0]}"
        if status == EX_CONFIG or check_sees_it:
            assert checked.returncode == 1, f"check: {checked.returncode}\n{checked.stdout}"
            for word in words:
                assert word in checked.stdout, checked.stdout


def a_key_of_another_certificate(place):
    refuses(place.daemon(sip={"private_key": place.other.key}), EX_CONFIG,
            place.other.key, "does not fit", place.pki.cert, check_sees_it=True)


def a_certificate_for_another_name(place):
    cert, key = place.issue("elsewhere", "DNS:elsewhere.example")
    refuses(place.daemon(sip={"certificate": cert, "private_key": key}), EX_CONFIG,
            cert, "localhost", "subjectAltName", check_sees_it=True)


def an_expired_certificate(place):
    cert, key = place.issue("expired", "DNS:localhost", days=-1)
    refuses(place.daemon(sip={"certificate": cert, "private_key": key}), EX_CONFIG,
            cert, "has expired", "renew", check_sees_it=True)


def a_missing_key_file(place):
    path = str(place.folder / "nowhere.pem")
    refuses(place.daemon(sip={"private_key": path}), EX_CONFIG,
            "breakout.yaml:", "sip.private_key", path, "No such file")


def broken_yaml(place):
    daemon = place.daemon()
    refuses(daemon, EX_CONFIG, "breakout.yaml:3:1: ", "not valid YAML", text="domain: localhost\nsip: [unclosed\n")


def several_mistakes_are_all_named(place):
    daemon = place.daemon(sip={"lisen": "x", "t1": "soon"}, prefixes={"mobile_originating": "0x"},
                          registrations=[{"number": "12", "route_type": "loop"}])
    with daemon.scratch:
        done, errors, checked = run_until_exit(daemon)
        assert done.returncode == EX_CONFIG and checked.returncode == 1, (done, checked)
        for word in ("`lisen`", "`sip.t1`", "`prefixes.mobile_originating`", "the number `12`"):
            for lines in (errors, checked.stdout.splitlines()):
                hits = [line for line in lines if word in line]
                assert len(hits) == 1, f"{word}: {lines}"
                assert re.search(r"breakout\.yaml:\d+:\d+: ", hits[0]), hits[0]


def a_port_in_use(place):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refuses(place.daemon(sip={"listen": [f"tls://127.0.0.1:{port}"]}), FAILED,
                f"127.0.0.1:{port}", "another port")


def a_listen_address_of_another_machine(place):
    refuses(place.daemon(sip={"listen": ["tls://192.0.2.1:5061"]}), FAILED,
            "192.0.2.1", "address of this machine")


def a_media_address_of_another_machine(place):
    refuses(place.daemon(media={"address": "192.0.2.1", "ports": "20000-20100"}), FAILED,
            "media.address", "192.0.2.1")


def a_processor_that_it_may_not_use(place):
    refuses(place.daemon(media={"address": "127.0.0.1", "cpus": "0,1000"}), FAILED,
            "media.cpus", "processor 1000", "name some of 0")


def an_unwritable_store(place):
    path = str(place.folder / "no-such-folder" / "store.db")
    refuses(place.daemon(store={"sqlite": path}), FAILED, path, "store.sqlite")


def an_unwritable_call_record(place):
    path = str(place.folder / "no-such-folder" / "cdr.jsonl")
    refuses(place.daemon(cdr={"file": path}), FAILED, path, "cdr.file")


def an_unreadable_ca(place):
    path = place.folder / "empty-ca.pem"
    path.write_text("no certificate\n")
    refuses(place.daemon(sip={"ca_file": str(path)}), EX_CONFIG, str(path), "PEM",
            check_sees_it=True)


def a_second_daemon_on_the_same_files(place):
    with place.daemon() as first:
        first.start()
        second = place.daemon(admin={"socket": str(first.folder / "ctl.sock")})
        refuses(second, FAILED, "admin.socket")


def the_socket_answers_while_it_starts(place):
    """Something has the store, as a watchdog may: the start waits for it."""
    with place.daemon() as daemon, open(daemon.folder / "store.db.alive", "w+b") as alive:
        fcntl.lockf(alive, fcntl.LOCK_EX, 1, 1)
        daemon.start()
        wait_until("it says that it starts", lambda: "breakoutd starts" in
                   daemon.ctl("status").stderr)
        done = daemon.ctl("-o", "json", "status")
        assert done.returncode == 1 and "1 are configured" in done.stderr, done
        fcntl.lockf(alive, fcntl.LOCK_UN, 1, 1)
        wait_until("it has started", lambda: daemon.ctl("status").returncode == 0)


# ---- TLS seen from outside ----

def handshake(port, ca, *, ciphers=None, version=None, certificate=None):
    """(protocol, suite) agreed with the daemon; raises what OpenSSL says otherwise."""
    context = ssl.create_default_context(cafile=ca)
    if version:
        context.minimum_version = context.maximum_version = version
    if ciphers:
        context.set_ciphers(ciphers + ":@SECLEVEL=0")
    if certificate:
        context.load_cert_chain(*certificate)
    with socket.create_connection(("127.0.0.1", port), 5) as raw:
        with context.wrap_socket(raw, server_hostname="localhost") as sock:
            return sock.version(), sock.cipher()[0]


def the_whole_chain_is_sent(place, daemon):
    assert handshake(daemon.port, place.pki.ca)[0] == "TLSv1.3"


def only_modern_suites(place, daemon):
    for suite in ("ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384",
                  "ECDHE-RSA-CHACHA20-POLY1305"):
        agreed = handshake(daemon.port, place.pki.ca, ciphers=suite,
                           version=ssl.TLSVersion.TLSv1_2)
        assert agreed == ("TLSv1.2", suite), agreed
    for suite in ("AES128-SHA", "AES128-GCM-SHA256", "ECDHE-RSA-AES128-SHA",
                  "ECDHE-RSA-AES256-SHA384", "DHE-RSA-AES128-GCM-SHA256", "eNULL", "aNULL"):
        refused_handshake(place, daemon, "handshake failure", suite, ssl.TLSVersion.TLSv1_2)


def no_old_versions(place, daemon):
    warnings.simplefilter("ignore", DeprecationWarning)  # old is what they are here for
    for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
        refused_handshake(place, daemon, "protocol version", "ALL", version)


def refused_handshake(place, daemon, alert, suite, version):
    try:
        agreed = handshake(daemon.port, place.pki.ca, ciphers=suite, version=version)
    except ssl.SSLError as error:
        assert f"ALERT_{alert.upper().replace(' ', '_')}" in error.reason, error
    else:
        raise AssertionError(f"agreed on {agreed}")


# ---- calls ----

def connect(sbc, port, certificate=None):
    context = ssl.create_default_context(cafile=sbc.ca)
    if certificate:
        context.load_cert_chain(*certificate)
    raw = socket.create_connection(("127.0.0.1", port), 5)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(raw, server_hostname="127.0.0.1")


def client_certificates(place):
    """(who, certificate, whether it may call)"""
    name = "DNS:sbc.core.example"
    return [("none", None, False),
            ("of another name", place.issue("imposter", "DNS:other.example"), False),
            ("of another CA", place.issue("stranger", name, signer=place.other_ca), False),
            ("that fits", place.issue("sbc", "DNS:x.example", name), True)]


def calls_only_with(place, sbc, daemon, certificate, may_call):
    try:
        sock = connect(sbc, daemon.port, certificate)
        invite = sbc.invite(f"sips:+00{CALLEE[1:]}@127.0.0.1", f"sip:{STRANGER}@core.example",
                            f"sip:{CALLEE}@core.example", RTP_OFFER, session())
        sock.settimeout(3)
        sock.sendall(invite.encode())
        begin = sock.recv(65536).decode()
    except (ssl.SSLError, ConnectionError) as error:
        begin = f"refused: {error}"
    if may_call:
        assert begin.startswith("SIP/2.0 100"), begin
        flow3, leg3 = sbc.wait(lambda m: m.start.startswith("INVITE"))
        flow3.send(sbc.reply(leg3, 486, "Busy Here", tag="callee"))
        sbc.wait(lambda m: m.start.startswith("ACK"))
    else:
        assert begin.startswith(("SIP/2.0 403", "refused:")), begin or "silence"
        try:
            leg3 = sbc.wait(lambda m: m.start.startswith("INVITE"), 0.3)
        except AssertionError:
            return
        raise AssertionError(f"leg 3 went out: {leg3[1].start}")


# ---- dead next hops ----

class Silent:
    """Takes connections and never says a word."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]

    def close(self):
        self.listener.close()


def dead_hop(place, hop, cause):
    """The caller hears of it in time, and the log says why."""
    with place.sbc() as caller, contextlib.closing(hop) as hop, place.daemon(hop.port) as daemon:
        daemon.start()
        flow = caller.connect(daemon.port)
        begin = time.monotonic()
        status = Talk(caller, flow, extra=session()).refused(8)
        took = time.monotonic() - begin
        assert took < 5, f"{status} only after {took:.1f} s"
        assert 500 <= status < 600, status
        log = daemon.log()
        lines = [line for line in log.splitlines() if f":{hop.port} " in line]
        assert any(cause in line for line in lines), f"no {cause!r} in\n{log}"


class Nobody:
    def __init__(self):
        self.port = free_port()

    def close(self):
        pass


def nobody_listens(place):
    dead_hop(place, Nobody(), "connection refused")


def a_silent_hop(place):
    dead_hop(place, Silent(), "no connection in time")


def a_hop_of_an_unknown_ca(place):
    dead_hop(place, Sbc(place.other.cert, place.other.key, place.pki.ca), "certificate")


def a_hop_of_another_name(place):
    cert, key = place.issue("wrong-hop", "DNS:elsewhere.example")
    dead_hop(place, Sbc(cert, key, place.pki.ca), "certificate")


# ---- one daemon's life ----

class Scene:
    def __init__(self, place, sbc, daemon, tokens, api):
        self.place, self.sbc, self.daemon, self.tokens = place, sbc, daemon, tokens
        self.api = api
        self.flow = sbc.connect(daemon.port)
        self.started = 0

    def talk(self, *arguments, **sdp):
        self.started += 1
        return talk(self.sbc, self.flow, *arguments, **sdp)

    def json(self, *command):
        done = self.daemon.ctl("-o", "json", *command)
        assert done.returncode == 0, done
        return json.loads(done.stdout)

    def table(self, *command):
        done = self.daemon.ctl(*command)
        assert done.returncode == 0, done
        return done.stdout

    def reload(self, changes, said):
        self.daemon.changes.update(changes)
        path = self.daemon.folder / "breakout.yaml"
        path.write_text(yaml.safe_dump(self.daemon.config()))
        return self.hup(said)

    def hup(self, said):
        before = len(self.daemon.log())
        self.daemon.process.send_signal(signal.SIGHUP)
        end = time.monotonic() + 5
        while not re.search(said, self.daemon.log()[before:]):
            assert time.monotonic() < end, self.daemon.log()[before:]
            time.sleep(0.02)
        return self.daemon.log()[before:]

    def wait_active(self, count):
        end = time.monotonic() + 5
        while [r["state"] for r in self.json("regs")] != ["active"] * count:
            assert time.monotonic() < end, self.json("regs")
            time.sleep(0.05)

    def records(self, count):
        path = self.daemon.folder / "cdr.jsonl"
        end = time.monotonic() + 5
        while path.read_text().count("\n") < count and time.monotonic() < end:
            time.sleep(0.02)
        return [json.loads(line) for line in path.read_text().splitlines()]


def ctl_tells_the_truth_in_json(scene):
    call = scene.talk()
    status = scene.json("status")
    assert (status["calls"], status["legs"], status["sbc_ok"]) == (1, 2, True), status
    assert status["pid"] == scene.daemon.process.pid and not status["draining"], status
    assert status["api_up"] and status["token_ok"], status
    [seen] = scene.json("calls")
    assert seen["call_id_a"] == call.leg2.get("call-id"), seen
    assert seen["call_id_b"] == call.leg3.get("call-id"), seen
    assert (seen["state"], seen["media"]) == ("TALKING", False), seen
    [reg] = scene.json("regs")
    assert (reg["number"], reg["state"], reg["route_type"]) == (REGISTERED, "active", "loop"), reg
    metrics = {m["name"]: m["value"] for m in scene.json("metrics")}
    assert metrics["breakout_calls_active"] == 1, metrics
    call.hang_up()
    assert scene.json("calls") == [] and scene.json("status")["calls"] == 0


def ctl_tells_the_truth_in_tables(scene):
    call = scene.talk()
    status = scene.table("status")
    assert re.search(r"^calls +1 \(2 legs\)$", status, re.M), status
    assert re.search(r"^core sbc +answers: yes$", status, re.M), status
    assert "active=1" in status, status
    head, row = scene.table("calls").splitlines()
    assert head.startswith("CALL ") and call.leg3.get("call-id") in row, row
    regs = scene.table("regs", REGISTERED).splitlines()
    assert regs[1].startswith(REGISTERED) and regs[2] == "", regs
    assert re.fullmatch(r"configured in /.*/breakout\.yaml:\d+", regs[3]) and len(regs) == 4, regs
    assert "\nbreakout_calls_active 1\n" in scene.table("metrics")
    call.hang_up()
    assert "\nbreakout_calls_active 0\n" in scene.table("metrics")


def registrations_are_planned_and_shown_with_their_troubles(scene):
    plan = json.loads(scene.daemon.ctl("-o", "json", "regs", "plan", "--count", "1M",
                                       "--outage", "30m").stdout)
    assert plan["lapsed"] == 0 and 1800 < plan["margin_s"] < 1900, plan
    assert "30m00s" in scene.daemon.ctl("regs", "plan", "--count", "1M", "--outage", "30m").stdout
    two = json.loads(scene.daemon.ctl("-o", "json", "regs", "plan", "--count", "a=1M,b=20k",
                                      "--rate", "b=10", "--ttl", "b=30m").stdout)
    assert {**two[0], "tenant": None} == {**plan, "tenant": None}, two
    assert (two[1]["permitted_rate"], two[1]["ttl_s"], two[1]["lapsed"]) == (10, 1800, 20000), two
    [ours] = json.loads(scene.daemon.ctl("-o", "json", "regs", "plan").stdout)
    assert (ours["tenant"], ours["count"], ours["ttl_s"]) == ("default", 1, 3600), ours
    assert ours["sources"] == {"config": 1, "api": 0, "consent": 0, "none": 0}, ours
    for wrong in ("a=1M,=2", "a=1M,b", "a=x", "17x"):
        assert scene.daemon.ctl("regs", "plan", "--count", wrong).returncode == 2, wrong
    assert scene.daemon.ctl("regs", "plan", "--count", "a=1", "--rate", "b=1").returncode == 2
    for wrong in (["regs", "plan", "--count", "1x"], ["regs", "show"],
                  ["status", "--count", "1"]):
        assert scene.daemon.ctl(*wrong).returncode == 2, wrong
    [reg] = json.loads(scene.daemon.ctl("-o", "json", "regs", "show", REGISTERED).stdout)
    assert reg["state"] == "active" and isinstance(reg["attempts"], list), reg
    assert "margin" in scene.table("status")


def ctl_exit_statuses(scene):
    assert scene.daemon.ctl("regs", "+4711111111").returncode == 1
    for wrong in ([], ["frobnicate"], ["status", "x"], ["-o", "xml", "status"]):
        assert scene.daemon.ctl(*wrong).returncode == 2, wrong
    done = scene.daemon.ctl("-s", str(scene.place.folder / "nobody.sock"), "status")
    assert done.returncode == 3 and "is breakoutd running?" in done.stderr, done
    done = scene.daemon.ctl("check", str(scene.daemon.folder / "breakout.yaml"))
    assert done.returncode == 0 and "fine: 1 registrations" in done.stdout, done


def one_record_a_call(scene):
    before = len(scene.records(scene.started))
    assert before == scene.started, f"{before} records of {scene.started} calls"
    call = scene.talk()
    call.hang_up()
    *_, record = scene.records(before + 1)
    assert record["call_id_a"] == call.leg2.get("call-id"), record
    assert record["call_id_b"] == call.leg3.get("call-id"), record
    assert record["session_id"] == call.leg2.get("session-id"), record
    assert (record["cause"], record["ended_by"], record["status"]) == ("normal", "a", 200), record
    assert record["from"] == STRANGER and record["to"].endswith(CALLEE[1:]), record
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT[\d:.]+Z", record["start"]), record
    assert 0 <= record["talk_ms"] <= record["duration_ms"] < 5000, record
    ringing = Talk(scene.sbc, scene.flow, extra=session()).ring()
    scene.started += 1
    ringing.flow3.send(scene.sbc.reply(ringing.leg3, 486, "Busy Here", tag="callee"))
    assert ringing.refused() == 486
    *_, record = scene.records(before + 2)
    assert (record["cause"], record["status"], record["talk_ms"]) == ("busy", 486, 0), record
    assert len(scene.records(scene.started)) == scene.started


def numbers_are_masked(scene):
    scene.talk(REGISTERED, sdp=webrtc_sdp(0, "actpass"), answer=webrtc_sdp(1, "active")).hang_up()
    log = scene.daemon.log()
    assert "+4799***" in log, log
    for number in (REGISTERED, STRANGER, CALLEE):
        lines = [line for line in log.splitlines() if number[3:] in line]
        assert not lines, "\n".join(lines)


def reload_adds_a_service(scene):
    call = Talk(scene.sbc, scene.flow, LATER, extra=session()).ring()
    scene.reload({"services": {"closed": [{"do": {"reject": {"status": 603}}}]},
                  "registrations": [{"number": REGISTERED, "route_type": "loop"},
                                    {"number": LATER, "route_type": "loop",
                                     "service": "closed"}]}, "reloaded registrations=2")
    call.answer().hang_up()
    assert Talk(scene.sbc, scene.flow, LATER, extra=session()).refused() == 603
    scene.started += 2
    scene.wait_active(2)


def a_broken_reload_changes_nothing(scene):
    path = scene.daemon.folder / "breakout.yaml"
    whole = path.read_text()
    path.write_text(whole + "prefixses: {}\n")
    said = scene.hup("reload refused")
    path.write_text(whole)
    assert re.search(r"error +config .*breakout\.yaml:\d+:\d+: .*prefixses", said), said
    assert "the old configuration stays" in said, said
    assert Talk(scene.sbc, scene.flow, LATER, extra=session()).refused() == 603
    scene.talk().hang_up()
    scene.started += 1
    assert len(scene.json("regs")) == 2


def reload_changes_the_media_certificate(scene):
    """New calls show it; a file that is none refuses the reload, with its place."""
    def shown():
        call = scene.talk(REGISTERED, sdp=webrtc_sdp(0, "actpass"), answer=webrtc_sdp(1, "active"))
        call.hang_up()
        scene.started += 1
        return re.search(r"a=fingerprint:sha-256 (\S+)", call.leg3.body).group(1)

    made, pki = shown(), scene.daemon.pki
    assert shown() == made
    scene.daemon.changes["media"] = scene.daemon.config()["media"]
    pinned = {**scene.daemon.changes["media"], "certificate": pki.cert, "private_key": pki.key}
    scene.reload({"media": pinned}, "reloaded")
    digest = openssl("x509", "-in", pki.cert, "-noout", "-fingerprint", "-sha256")
    assert shown() == digest.split("=")[1].strip() != made
    said = scene.reload({"media": {**pinned, "private_key": pki.cert}}, "reload refused")
    assert re.search(r"breakout\.yaml:\d+:\d+: error: `media.certificate`: .* holds no private key",
                     said), said
    assert shown() == digest.split("=")[1].strip()
    scene.reload({"media": scene.daemon.changes["media"] | {"private_key": pki.key}}, "reloaded")


def reload_of(scene, changes):
    """(exit status, what breakoutctl reload says as JSON)"""
    scene.daemon.changes.update(changes)
    (scene.daemon.folder / "breakout.yaml").write_text(yaml.safe_dump(scene.daemon.config()))
    done = scene.daemon.ctl("-o", "json", "reload")
    return done.returncode, json.loads(done.stdout)


def a_reload_says_what_changed(scene):
    status, report = reload_of(scene, {"limits": {"calls": 5000}})
    assert (status, report["refused"], report["restart"]) == (0, False, 0), report
    assert report["changes"] == [{"name": "limits.calls", "before": "10000", "after": "5000",
                                  "reload": "new calls"}], report
    assert report["unchanged"] > 60, report
    core = scene.daemon.changes["core"]
    before = scene.daemon.changes["sip"]
    waits = {**before, "user_agent": "another"}
    for _ in range(2):  # it waits until there was a restart, however often one reloads
        status, report = reload_of(scene, {"sip": waits})
        assert (status, report["restart"]) == (4, 1), report
        [change] = report["changes"]
        assert (change["name"], change["before"], change["after"]) == \
            ("sip.user_agent", "breakout", "another"), change
    [setting] = scene.json("config", "sip.user_agent")["settings"]
    assert (setting["value"], setting["in_force"], setting["reload"]) == \
        ("another", "breakout", "restart")
    assert re.match(r"/.*/breakout.yaml:\d+:\d+$", setting["origin"]), setting
    said = scene.daemon.ctl("config", "sip.user_agent").stdout
    assert said.endswith("; from the next start on, until then breakout\n"), said
    assert scene.daemon.ctl("config", "core.nothing").returncode == 1
    status, report = reload_of(scene, {"sip": before, "core": {
        **core, "api": {**core["api"], "max_rate": 900}}})
    assert (status, report["restart"]) == (0, 0), report  # what the core's API is at once
    [rate] = [c for c in report["changes"] if c["name"] == "core.api.max_rate"]
    assert rate["reload"] == "at once", report
    status, report = reload_of(scene, {"core": core, "limits": {"calls": "many"}})
    assert status == 1 and report["refused"] and not report["changes"], report
    assert re.search(r"breakout.yaml:\d+:\d+: error: `limits.calls`", report["findings"][0])
    said = scene.daemon.ctl("reload").stdout
    assert said.endswith("refused: the old configuration stays\n"), said
    status, report = reload_of(scene, {"limits": {}})
    assert (status, report["restart"]) == (0, 0), report


def shown_to(daemon, ca):
    """The serial number of the certificate that a new connection gets."""
    context = ssl.create_default_context(cafile=ca)
    with socket.create_connection(("127.0.0.1", daemon.port), 5) as raw:
        with context.wrap_socket(raw, server_hostname="localhost") as sock:
            return sock.getpeercert()["serialNumber"]


def certificates_renew_under_a_call(scene):
    """New connections get what is on disk, the call's goes on; what is no good stays out."""
    daemon, place = scene.daemon, scene.place
    live, key = daemon.folder / "live.pem", daemon.folder / "live.key"

    def put(name, days=90, rsa=False, key_of=None, *, names=("DNS:localhost", "IP:127.0.0.1")):
        pair = place.issue(name, *names, days=days, rsa=rsa)
        other = key_of or pair[1]
        key.write_text(pathlib.Path(other).read_text())
        live.write_text(pathlib.Path(pair[0]).read_text())

    before = dict(daemon.changes["sip"])
    old = shown_to(daemon, place.pki.ca)
    call = scene.talk()
    put("first", rsa=True)  # another type of key than the one before
    status, report = reload_of(scene, {"sip": {**before, "certificate": str(live),
                                               "private_key": str(key),
                                               "certificate_check": "1s"}})
    assert status == 0 and "certificates renewed: sip" in daemon.log(), report
    first = shown_to(daemon, place.pki.ca)
    assert first != old, daemon.log()[-1500:]
    # It is seen without being asked for.
    mark = len(daemon.log())
    put("second", days=5)
    daemon.wait_log(r"(?s)^.{%d}.*certificates renewed: sip" % mark, 8)
    second = shown_to(daemon, place.pki.ca)
    assert second != first, daemon.log()[-1500:]
    daemon.wait_log(r"error +sip +certificate .*live.pem of sip.certificate expires in 4 days", 2)
    # One that does not fit its key, or is for another name, stays out, and it is said why.
    mark = len(daemon.log())
    put("third", key_of=before["private_key"])
    daemon.wait_log(r"(?s)^.{%d}.*does not fit.*are refused" % mark, 8)
    status, report = reload_of(scene, {})
    assert status == 1 and "does not fit" in report["findings"][-1], report
    assert re.match(r"/.*breakout.yaml:\d+:\d+: error: ", report["findings"][-1]), report
    assert shown_to(daemon, place.pki.ca) == second
    certificates = daemon.ctl("-o", "json", "cert")
    [sip] = [c for c in json.loads(certificates.stdout)["certificates"] if c["role"] == "sip"]
    assert certificates.returncode == 1 and not sip["same"] and sip["live"]["for_domain"], sip
    assert (sip["live"]["subject"], sip["disk"]["subject"]) == ("CN=second", "CN=third"), sip
    assert (sip["live"]["days_left"], sip["live"]["names"]) == (4, "localhost, 127.0.0.1"), sip
    put("fourth", names=["DNS:elsewhere.example"])
    status, report = reload_of(scene, {})
    assert status == 1 and "not valid for the domain localhost" in report["findings"][-1], report
    put("fifth")
    status, report = reload_of(scene, {})
    assert status == 0 and shown_to(daemon, place.pki.ca) not in (old, first, second), report
    done = daemon.ctl("cert")
    assert done.returncode == 0 and "on disk  the same" in done.stdout, done.stdout
    assert re.search(r'breakout_certificate_expires_seconds\{file="sip"\} 77\d{5}\n',
                     scene.table("metrics"))
    call.hang_up()  # on the connections it began with
    reload_of(scene, {"sip": before})


def the_cores_authority_renews(scene):
    """A new CA is noticed, and used once the core's certificate is of it; a bad file is not."""
    daemon, place = scene.daemon, scene.place
    live = daemon.folder / "api-ca.pem"
    live.write_text(pathlib.Path(place.pki.ca).read_text())
    core, sip = dict(daemon.changes["core"]), dict(daemon.changes["sip"])

    def api_ca():
        done = daemon.ctl("-o", "json", "cert")
        [entry] = [c for c in json.loads(done.stdout)["certificates"] if c["role"] == "api_ca"]
        return entry

    scene.reload({"core": {**core, "api": {**core["api"], "ca_file": str(live)}},
                  "sip": {**sip, "certificate_check": "1s"}}, "reloaded")
    mark = len(daemon.log())
    live.write_text(pathlib.Path(place.other.ca).read_text())
    daemon.wait_log(r"(?s)^.{%d}.*certificates renewed: api_ca" % mark, 8)
    asked = len(scene.api.seen)
    assert daemon.ctl("regs", "refresh").returncode == 0
    end = time.monotonic() + 5
    while len(scene.api.seen) == asked:  # by the connection of before
        assert time.monotonic() < end, daemon.log()[mark:]
        time.sleep(0.02)
    assert "does not work" not in daemon.log()[mark:], daemon.log()[mark:]
    scene.api.stop()
    scene.api.pki = place.other
    scene.api.start()
    daemon.wait_log(r"(?s)^.{%d}.*the connection to the core has been renewed" % mark, 10)
    assert daemon.ctl("regs", "refresh").returncode == 0
    scene.wait_active(len(scene.json("regs")))
    assert api_ca()["same"] and api_ca()["key"] == "core.api.ca_file", api_ca()
    mark = len(daemon.log())
    live.write_text("nothing")
    daemon.wait_log(r"(?s)^.{%d}.*core.api.ca_file.*holds no certificate.*are refused" % mark, 8)
    assert "disk_error" in api_ca(), api_ca()
    status, report = reload_of(scene, {})
    assert status == 1 and report["findings"][-1].endswith("give a file of PEM certificates")
    assert re.match(r"/.*breakout.yaml:\d+:\d+: error: `core.api.ca_file`: the CA file ",
                    report["findings"][-1]), report
    live.write_text(pathlib.Path(place.pki.ca).read_text())
    scene.api.stop()
    scene.api.pki = place.pki
    scene.api.start()
    status, report = reload_of(scene, {"core": core, "sip": sip})
    assert status == 0, report
    scene.wait_active(len(scene.json("regs")))


def no_secret_at_debug_level(scene):
    scene.reload({"log": {"level": "debug"}}, "reloaded")
    scene.tokens.revoke()  # another one is fetched while everything is logged
    issued = scene.tokens.issued
    assert scene.table("refresh") == ""
    call = scene.talk(REGISTERED, sdp=webrtc_sdp(0, "actpass"), answer=webrtc_sdp(1, "active"))
    assert "a=ice-pwd:" in call.leg3.body and "a=ice-pwd:" in call.ok2.body
    ours = re.findall(r"a=ice-pwd:(\S+)", call.leg3.body + call.ok2.body)
    call.hang_up()
    end = time.monotonic() + 5
    while scene.tokens.issued == issued and time.monotonic() < end:
        time.sleep(0.02)
    assert scene.tokens.issued > issued, "no second token"
    log = scene.daemon.log()
    assert re.search(r"\bdebug\b", log), "nothing at debug level"
    for secret in [scene.tokens.secret, "token-1-", "token-2-", "Bearer", *ICE_PASSWORDS, *ours]:
        lines = [line for line in log.splitlines() if secret in line]
        assert not lines, f"{secret}: {lines}"


def options_status(sbc, flow):
    options = sbc.invite("sips:127.0.0.1", "sip:x@core.example", "sip:y@core.example", "")
    options.start = "OPTIONS sips:127.0.0.1 SIP/2.0"
    options.headers = [(n, v.replace("INVITE", "OPTIONS")) for n, v in options.headers]
    flow.send(options)
    return sbc.wait(lambda m: m.status and m.get("call-id") == options.get("call-id"))[1].status


def sigterm_drains(scene):
    sbc, flow, daemon = scene.sbc, scene.flow, scene.daemon
    call = scene.talk()
    assert options_status(sbc, flow) == 200
    daemon.process.terminate()
    daemon.wait_log("stop: draining calls=1")
    assert options_status(sbc, flow) == 503
    assert Talk(sbc, flow, extra=session()).refused() == 503
    emergency = talk(sbc, flow, STRANGER, "00112")
    emergency.hang_up()
    assert scene.json("status")["draining"], "status does not say it"
    assert daemon.process.poll() is None, "it did not wait for the call"
    call.hang_up()
    assert daemon.process.wait(5) == 0, daemon.log()[-3000:]


def a_second_sigterm_ends_the_calls(place):
    with place.sbc() as sbc, place.daemon(sbc.port) as daemon:
        daemon.start()
        call = talk(sbc, sbc.connect(daemon.port))
        assert "core sbc   answers: not asked" in daemon.ctl("status").stdout
        daemon.process.terminate()
        daemon.wait_log("stop: draining calls=1")
        daemon.process.terminate()
        for leg in (call.leg2, call.leg3):
            assert call.bye_from(leg).get("reason"), "a BYE without a Reason"
        assert daemon.process.wait(5) == 0, daemon.log()[-3000:]


# ---- all of them ----

def start_up(tally, place):
    for name, test in [
            ("a key that does not fit the certificate", a_key_of_another_certificate),
            ("a certificate that is not valid for the domain", a_certificate_for_another_name),
            ("an expired certificate", an_expired_certificate),
            ("a missing key file", a_missing_key_file),
            ("broken YAML", broken_yaml),
            ("a port in use", a_port_in_use),
            ("a listen address of another machine", a_listen_address_of_another_machine),
            ("a media address of another machine", a_media_address_of_another_machine),
            ("a processor that it may not use", a_processor_that_it_may_not_use),
            ("an unwritable store", an_unwritable_store),
            ("an unwritable call record", an_unwritable_call_record),
            ("a CA file without certificates", an_unreadable_ca),
            ("a second daemon on the same admin socket", a_second_daemon_on_the_same_files)]:
        tally.run(f"{name} ends the start with one line that says what to mend", test, place)
    tally.run("breakoutctl is answered while the daemon starts", the_socket_answers_while_it_starts,
              place)
    tally.run("several mistakes are all named in one run", several_mistakes_are_all_named, place)


def tls(tally, place):
    intermediate = place.issue("intermediate", ca=True)
    cert, key = place.issue("leaf", "DNS:localhost", "IP:127.0.0.1", signer=intermediate, rsa=True)
    chain = place.folder / "chain.pem"
    chain.write_text(pathlib.Path(cert).read_text() + pathlib.Path(intermediate[0]).read_text())
    with place.daemon(sip={"certificate": str(chain), "private_key": key}) as daemon:
        daemon.start()
        tally.run("a client that knows the root alone accepts our chain",
                  the_whole_chain_is_sent, place, daemon)
        tally.run("TLS 1.2 goes with ECDHE and AEAD only", only_modern_suites, place, daemon)
        tally.run("TLS 1.0 and 1.1 are refused", no_old_versions, place, daemon)
    with place.sbc() as sbc, place.daemon(sbc.port, sbc={
            "client_ca": place.pki.ca, "client_name": "sbc.core.example"}) as daemon:
        daemon.start()
        for who, certificate, may_call in client_certificates(place):
            tally.run(f"a client certificate {who} {'may' if may_call else 'may not'} call",
                      calls_only_with, place, sbc, daemon, certificate, may_call)


def hops(tally, place):
    for name, test in [("nobody listens at", nobody_listens), ("nobody speaks at", a_silent_hop),
                       ("has a certificate of an unknown CA", a_hop_of_an_unknown_ca),
                       ("has a certificate of another name", a_hop_of_another_name)]:
        tally.run(f"a next hop that {name} costs the caller seconds, not half a minute",
                  test, place)


def life(tally, place):
    secret = place.folder / "secret"
    secret.write_text("s3cret-of-the-client\n")
    secret.chmod(0o600)
    tokens = FakeTokens(place.pki, free_port(), secret="s3cret-of-the-client")
    api = FakeApi(place.pki, free_port(), 3600, tokens).start()
    with place.sbc() as sbc, place.daemon(
            sbc.port, sip={"keepalive": "30s"},
            api={"target": f"127.0.0.1:{api.port}", "plaintext": False, "ca_file": place.pki.ca,
                 "token_url": f"https://127.0.0.1:{tokens.server.server_port}/oauth2/token",
                 "client_id": "client", "client_secret_file": str(secret)}) as daemon:
        daemon.start()
        scene = Scene(place, sbc, daemon, tokens, api)
        scene.wait_active(1)
        for name, test in [
                ("breakoutctl tells programs the truth while a call runs",
                 ctl_tells_the_truth_in_json),
                ("breakoutctl tells people the truth while a call runs",
                 ctl_tells_the_truth_in_tables),
                ("breakoutctl's exit status tells no, misuse and unreachable apart",
                 ctl_exit_statuses),
                ("registrations are planned, and shown with their troubles",
                 registrations_are_planned_and_shown_with_their_troubles),
                ("every call leaves one record with both Call-IDs, cause and times",
                 one_record_a_call),
                ("the log masks telephone numbers", numbers_are_masked),
                ("SIGHUP gives the next call its new service, a running one keeps its own",
                 reload_adds_a_service),
                ("SIGHUP with a broken file leaves everything as it is and says so",
                 a_broken_reload_changes_nothing),
                ("SIGHUP changes the certificate that DTLS shows, if its files are a pair",
                 reload_changes_the_media_certificate),
                ("breakoutctl reload says what counts, what waits for a restart, what is wrong",
                 a_reload_says_what_changed),
                ("certificates are renewed while a call goes on, and bad ones stay out",
                 certificates_renew_under_a_call),
                ("another authority for the core's API counts without a restart or a lapse",
                 the_cores_authority_renews),
                ("no secret is logged, at debug level neither", no_secret_at_debug_level),
                ("SIGTERM lets calls end, refuses new ones but emergencies, then leaves",
                 sigterm_drains)]:
            if not tally.run(name, test, scene):
                print(daemon.log()[-3000:])
    api.stop()
    tokens.stop()
    tally.run("a second SIGTERM ends the calls with a BYE that says why",
              a_second_sigterm_ends_the_calls, place)


def main():
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="breakout-daemon-") as folder:
        place = Place(pathlib.Path(folder))
        for part in (start_up, tls, hops, life):
            part(tally, place)
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
