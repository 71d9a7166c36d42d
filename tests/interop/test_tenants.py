# SPDX-License-Identifier: Apache-2.0
"""One registrar, two cores that are not ours: other certificates would be other regions,
other credentials are other tenants."""

import contextlib
import json
import os
import pathlib
import sqlite3
import subprocess
import sys
import tempfile
import time
from concurrent import futures

import yaml

import postgres
from driver import Scene, wait_for
from fake_api import FakeApi, FakeTokens, pb
from harness import Daemon, Pki, Tally, free_port
from sipwire import Sbc
from talk import RTP_OFFER, STRANGER, Talk, talk, webrtc_sdp

BIN = pathlib.Path(os.environ.get("BREAKOUT_BIN", "build/bin"))
TTL = 2
OURS = [f"+4799{i:06d}" for i in range(1, 21)]
THEIRS = [f"+4799{i:06d}" for i in range(101, 121)]


class Tenants(Scene):
    """Scene with a second core, of tenant acme, and its own token endpoint."""

    def __init__(self, pki, folder):
        super().__init__(pki, folder, TTL)
        self.acme_tokens = FakeTokens(pki, free_port(), "acme", "0ther")
        self.acme = FakeApi(pki, free_port(), TTL, self.acme_tokens).start()
        (folder / "acme-secret").write_text("0ther\n")

    def file(self, ours=OURS, theirs=THEIRS, name="breakout.yaml", store=None, **api):
        path = self.config(ours, name, store=store)
        config = yaml.safe_load(path.read_text())
        port = self.acme_tokens.server.server_port
        config["tenants"] = [{
            "name": "acme",
            "api": {"target": f"127.0.0.1:{self.acme.port}", "ca_file": self.pki.ca,
                    "token_url": f"https://127.0.0.1:{port}/t", "client_id": "acme",
                    "client_secret_file": str(self.folder / "acme-secret"), **api},
            "prefixes": {"mobile_originating": "02", "mobile_terminating": "03"}}]
        (self.folder / f"{name}.csv").write_text("".join(f"{n},,,acme\n" for n in theirs))
        if theirs:
            config["registrations"].append({"file": f"{name}.csv", "route_type": "loop"})
        path.write_text(yaml.safe_dump(config))
        return path

    def start(self, **more):
        return self.on(self.file(**more))

    def all_active(self, driver, count=40):
        wait_for(f"{count} active", lambda: list(driver.states().values()) == ["active"] * count)

    def close(self):
        super().close()
        self.acme.stop()
        self.acme_tokens.stop()


def longest_gap(api, number, since, until):
    times = [since] + [s.at for s in api.of(number, since=since)] + [until]
    return max(b - a for a, b in zip(times, times[1:]))


def each_is_asked_with_its_own_credentials(scene):
    driver = scene.start()
    scene.all_active(driver)
    assert {s.number for s in scene.api.seen} == set(OURS)
    assert {s.number for s in scene.acme.seen} == set(THEIRS)
    assert {s.token for s in scene.api.seen} <= scene.tokens.valid
    assert {s.token for s in scene.acme.seen} <= scene.acme_tokens.valid
    for api, prefixes in ((scene.api, ("00", "01")), (scene.acme, ("02", "03"))):
        said = pb.Registration.FromString(api.seen[0].registration)
        assert (said.mobile_originating_prefix, said.mobile_terminating_prefix) == prefixes, said
    driver.end("stop withdraw")
    assert {s.number for s in scene.api.of(kind="delete")} == set(OURS)
    assert {s.number for s in scene.acme.of(kind="delete")} == set(THEIRS)


def one_that_is_dead_makes_no_others_numbers_lapse(scene):
    driver = scene.start()
    scene.all_active(driver)
    since = time.monotonic()
    scene.acme.stop()
    time.sleep(2.2 * TTL)
    until = time.monotonic()
    gaps = {n: longest_gap(scene.api, n, since, until) for n in OURS}
    assert max(gaps.values()) < TTL, gaps
    assert "tenant=acme the core's API does not work" in driver.log(), driver.log()
    assert "tenant=default" not in driver.log(), driver.log()
    scene.acme.start()
    scene.all_active(driver)
    driver.end()


def one_that_hangs_holds_up_nobody(scene):
    scene.acme.fault = "hang"
    driver = scene.start(deadline="2s")
    wait_for("ours active", lambda: [driver.states()[n] for n in OURS] == ["active"] * 20, 3)
    since = time.monotonic()
    time.sleep(1.5 * TTL)
    gaps = {n: longest_gap(scene.api, n, since, time.monotonic()) for n in OURS}
    assert max(gaps.values()) < TTL, gaps
    scene.acme.fault = None
    scene.acme.over.set()
    scene.all_active(driver)
    driver.end()


def a_wrong_secret_is_one_tenants_trouble(scene):
    (scene.folder / "acme-secret").write_text("wrong\n")
    driver = scene.start()
    wait_for("ours active", lambda: [driver.states()[n] for n in OURS] == ["active"] * 20, 3)
    wait_for("it is said", lambda: "tenant=acme no token" in driver.log())
    assert not scene.acme.seen
    (scene.folder / "acme-secret").write_text("0ther\n")
    scene.all_active(driver)
    scene.acme_tokens.revoke()  # and one that is revoked is replaced
    wait_for("another token", lambda: scene.acme_tokens.issued > 1)
    scene.all_active(driver)
    assert scene.tokens.issued == 1
    driver.end()


def a_number_that_moves_is_never_without_a_registration(scene):
    driver = scene.start()
    scene.all_active(driver)
    moved = OURS[:5]
    scene.acme.fault = "unavailable"
    moved_at = time.monotonic()
    driver.ask(f"reload {scene.file(OURS[5:], sorted(moved + THEIRS), 'moved.yaml')}")
    time.sleep(1.5 * TTL)
    assert not scene.api.of(kind="delete"), "deleted before the other core had it"
    scene.acme.fault = None
    wait_for("moved", lambda: {s.number for s in scene.api.of(kind="delete")} == set(moved))
    for number in moved:
        [gone] = scene.api.of(number, "delete")
        came = next(s for s in scene.acme.of(number, since=moved_at) if s.at < gone.at)
        assert longest_gap(scene.api, number, moved_at, gone.at) < TTL
        assert pb.Registration.FromString(came.registration).mobile_originating_prefix == "02"
        assert pb.Registration.FromString(gone.registration).mobile_originating_prefix == "00"
    scene.all_active(driver)
    driver.end()


def what_was_told_whom_survives_a_restart(scene):
    scene.api.ttl = scene.acme.ttl = 60
    driver = scene.start()
    scene.all_active(driver)
    driver.end()
    seen = len(scene.api.seen), len(scene.acme.seen)
    driver = scene.start(theirs=THEIRS[:-2])
    wait_for("withdrawn there", lambda: {s.number for s in scene.acme.of(kind="delete")}
             == set(THEIRS[-2:]))
    assert (len(scene.api.seen), len(scene.acme.seen)) == (seen[0], seen[1] + 2)
    driver.end()


def the_watchdog_withdraws_at_each_core(scene):
    scene.api.ttl = scene.acme.ttl = 60
    driver = scene.start()
    scene.all_active(driver)
    added = [f"+479800000{i}" for i in range(3)]  # those that an operator has added, too
    assert driver.ask(f"add {added[0]} 3") == ["0"]
    wait_for("added", lambda: {line.split()[1] for line in driver.ask("added")} == {"active"})
    driver.process.kill()
    config = yaml.safe_load(scene.file().read_text())
    config["health"] = {"watchdog": {"after": "1s"}}
    (scene.folder / "breakout.yaml").write_text(yaml.safe_dump(config))
    with subprocess.Popen([BIN / "breakout-watchdog", "-c", scene.folder / "breakout.yaml"],
                          stderr=subprocess.DEVNULL) as watchdog:
        try:
            for api, numbers in ((scene.api, OURS + added), (scene.acme, THEIRS)):
                wait_for("withdrawn", lambda a=api, n=numbers: {
                    s.number for s in a.of(kind="delete")} == set(n))
        finally:
            watchdog.terminate()


OLD_STORE = """
CREATE TABLE params(id INTEGER PRIMARY KEY, sip_uri TEXT NOT NULL, prefix_mo TEXT NOT NULL,
  prefix_mt TEXT NOT NULL, route_type INTEGER NOT NULL,
  UNIQUE(sip_uri, prefix_mo, prefix_mt, route_type));
CREATE TABLE told(number INTEGER PRIMARY KEY, params INTEGER NOT NULL REFERENCES params(id),
  expires_ms INTEGER NOT NULL, ttl_s INTEGER NOT NULL);
CREATE TABLE anchor(boot TEXT NOT NULL, offset_ms INTEGER NOT NULL);
INSERT INTO params VALUES(1, 'sips:tas.example.com', '00', '01', 1);
INSERT INTO told VALUES(4799000001, 1, 0, 3600), (4799000099, 1, 0, 3600);
PRAGMA user_version=2;
"""


def a_store_of_before_is_brought_up_to_date(scene):
    with contextlib.closing(sqlite3.connect(scene.folder / "store.db")) as db:
        db.executescript(OLD_STORE)
    driver = scene.start()
    scene.all_active(driver)
    wait_for("what it told is taken back",
             lambda: [s.number for s in scene.api.of(kind="delete")] == ["+4799000099"])
    driver.end()
    with contextlib.closing(sqlite3.connect(scene.folder / "store.db")) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (4,)
        told = dict(db.execute("SELECT tenant, count(*) FROM told GROUP BY tenant"))
    assert told == {"": 20, "acme": 20}, told


def a_fleets_database_of_before_is_brought_up_to_date(scene, server):
    store = {"postgres": server.conninfo, "node": "a", "version": 1, "lease": "1200ms"}
    scene.api.ttl = scene.acme.ttl = 60
    driver = scene.start(store=store, theirs=())
    scene.all_active(driver, 20)
    driver.end("stop")
    server.query("ALTER TABLE breakout.told DROP CONSTRAINT told_pkey, DROP COLUMN tenant,"
                 " ADD PRIMARY KEY (shard, number); UPDATE breakout.fleet SET tables = 1")
    store["version"] = 2
    driver = scene.start(store=store)
    scene.all_active(driver)
    moved = scene.file(OURS[5:], sorted(OURS[:5] + THEIRS), "moved.yaml", {**store, "version": 3})
    driver.ask(f"reload {moved}")
    wait_for("moved", lambda: {s.number for s in scene.api.of(kind="delete")} == set(OURS[:5]))
    scene.all_active(driver)
    driver.end("stop")
    told = server.query("SELECT tenant || '=' || count(*) FROM breakout.told GROUP BY tenant")
    assert sorted(told) == ["=15", "acme=25"], told
    assert server.query("SELECT tables FROM breakout.fleet") == ["3"]


def nothing_more(api, seconds):
    seen = len(api.seen)
    time.sleep(seconds)
    return len(api.seen) == seen


def one_that_comes_by_reload_begins_at_once(scene):
    driver = scene.on(scene.config(OURS))
    scene.all_active(driver, 20)
    before = len(scene.api.of(kind="upsert"))
    driver.ask(f"reload {scene.file()}")
    wait_for("40 active", lambda: list(driver.states().values()) == ["active"] * 40, 2)
    assert {s.number for s in scene.acme.seen} == set(THEIRS)
    assert {s.token for s in scene.acme.seen} <= scene.acme_tokens.valid
    assert "tenant=acme is new" in driver.log(), driver.log()
    assert len(scene.api.of(kind="upsert")) < before + 60  # theirs were not told ours
    driver.end()


def one_that_goes_by_reload_is_withdrawn_with_its_own_credentials(scene):
    driver = scene.start()
    scene.all_active(driver)
    driver.ask(f"reload {scene.config(OURS, 'without.yaml')}")
    wait_for("withdrawn", lambda: {s.number for s in scene.acme.of(kind="delete")} == set(THEIRS))
    assert {s.token for s in scene.acme.of(kind="delete")} <= scene.acme_tokens.valid
    wait_for("it is said", lambda: "tenant=acme has gone" in driver.log())
    assert nothing_more(scene.acme, 2 * TTL)
    scene.all_active(driver, 20)
    driver.ask(f"reload {scene.file()}")  # and comes again
    scene.all_active(driver)
    driver.end()


def numbers_of_one_that_goes_move_without_a_gap(scene):
    driver = scene.start()
    scene.all_active(driver)
    moved_at = time.monotonic()
    scene.api.faults = {n: "unavailable" for n in THEIRS}
    driver.ask(f"reload {scene.config(OURS + THEIRS, 'without.yaml')}")
    time.sleep(1.5 * TTL)
    assert not scene.acme.of(kind="delete"), "deleted before the other core had it"
    scene.api.faults = {}
    wait_for("moved", lambda: {s.number for s in scene.acme.of(kind="delete")} == set(THEIRS))
    for number in THEIRS:
        [gone] = scene.acme.of(number, "delete")
        assert any(s.at < gone.at for s in scene.api.of(number, since=moved_at))
        assert longest_gap(scene.acme, number, moved_at, gone.at) < TTL
    wait_for("it is said", lambda: "tenant=acme has gone" in driver.log())
    scene.all_active(driver)
    driver.end()


def other_credentials_count_by_reload(scene):
    driver = scene.start()
    scene.all_active(driver)
    old = set(scene.acme_tokens.valid)
    since = time.monotonic()
    scene.acme_tokens.secret = "n3w"  # the tokens of before are good yet
    (scene.folder / "acme-secret").write_text("n3w\n")
    driver.ask(f"reload {scene.file(scope='call.routing:write more')}")
    wait_for("another token", lambda: scene.acme_tokens.issued > 1)
    wait_for("it is used", lambda: scene.acme.seen[-1].token not in old)
    assert scene.acme_tokens.forms[-1]["scope"] == ["call.routing:write more"]
    time.sleep(1.2 * TTL)
    gaps = {n: longest_gap(scene.acme, n, since, time.monotonic()) for n in THEIRS}
    assert max(gaps.values()) < TTL, gaps
    assert scene.tokens.issued == 1  # the other tenant's is as it was
    # A secret that is wrong leaves the token of before in use.
    (scene.folder / "acme-secret").write_text("wrong\n")
    driver.ask(f"reload {scene.file(scope='call.routing:write more')}")
    wait_for("it is said", lambda: "tenant=acme no new token" in driver.log())
    time.sleep(1.2 * TTL)
    scene.all_active(driver)
    assert "n3w" not in driver.log() and "0ther" not in driver.log()
    driver.end()


def another_client_is_another_account(scene):
    driver = scene.start()
    scene.all_active(driver)
    old = set(scene.acme_tokens.valid)
    scene.acme_tokens.client_id = "acme-2"
    scene.acme_tokens.valid.clear()  # what is sent with an old one from now on is refused
    since = time.monotonic()
    driver.ask(f"reload {scene.file(client_id='acme-2')}")
    wait_for("all are told", lambda: {s.number for s in scene.acme.of(since=since)} == set(THEIRS),
             1.5)
    assert not [s for s in scene.acme.of(since=since + 0.1) if s.token in old]
    scene.all_active(driver)
    driver.end()


def another_target_is_told_all_once_it_answers(scene):
    driver = scene.start()
    scene.all_active(driver)
    other = FakeApi(scene.pki, free_port(), TTL, scene.acme_tokens)
    since = time.monotonic()
    driver.ask(f"reload {scene.file(target=f'127.0.0.1:{other.port}')}")
    time.sleep(1.2 * TTL)  # nobody is there: the old one serves
    gaps = {n: longest_gap(scene.acme, n, since, time.monotonic()) for n in THEIRS}
    assert max(gaps.values()) < TTL, gaps
    other.start()
    try:
        wait_for("told", lambda: {s.number for s in other.seen} == set(THEIRS))
        wait_for("it is said", lambda: f"is asked at 127.0.0.1:{other.port}" in driver.log())
        assert nothing_more(scene.acme, 1.2 * TTL)
        scene.all_active(driver)
        assert "does not work" not in driver.log(), driver.log()
        driver.end()
    finally:
        other.stop()


def a_rate_counts_by_reload(scene):
    driver = scene.start(theirs=())
    scene.all_active(driver, 20)
    scene.acme.ttl = 60
    driver.ask(f"reload {scene.file(max_rate=4)}")
    wait_for("some", lambda: len(scene.acme.seen) >= 2)
    time.sleep(1.5)
    assert len(scene.acme.seen) <= 10, len(scene.acme.seen)
    driver.ask(f"reload {scene.file(max_rate=1000)}")
    wait_for("all", lambda: {s.number for s in scene.acme.seen} == set(THEIRS), 2)
    driver.end()


def another_authority_signs_the_cores_certificate(scene):
    """The file has the new CA first, then the core its new certificate: in between the old
    connection serves."""
    other = scene.folder / "other-pki"
    other.mkdir()
    other = Pki(other)
    ca = scene.folder / "acme-ca.pem"
    ca.write_text(pathlib.Path(scene.pki.ca).read_text())
    driver = scene.start(ca_file=str(ca))
    scene.all_active(driver)
    since = time.monotonic()
    ca.write_text("no certificate\n")
    answer = driver.ask(f"reload {scene.file(ca_file=str(ca))}")
    assert "holds no certificate" in answer[0] and "acme-ca.pem" in answer[0], answer
    ca.write_text(pathlib.Path(other.ca).read_text())
    assert driver.ask(f"reload {scene.file(ca_file=str(ca))}") == []
    time.sleep(1.2 * TTL)
    gaps = {n: longest_gap(scene.acme, n, since, time.monotonic()) for n in THEIRS}
    assert max(gaps.values()) < TTL, gaps
    assert "does not work" not in driver.log(), driver.log()
    scene.acme.stop()
    scene.acme.pki = other
    scene.acme.start()
    wait_for("renewed", lambda: "tenant=acme the connection to the core has been renewed"
             in driver.log())
    scene.all_active(driver)
    driver.end()


def answer_options(sbc):
    while not sbc.inbox.empty():
        flow, message = sbc.inbox.get()
        assert message.method == "OPTIONS", message.start
        flow.send(sbc.reply(message, 200, "OK"))


def assert_sbcs(daemon, ours, theirs, answering):
    """What is said of each, and nothing of it withdraws a number."""
    def said():
        for sbc in answering:
            answer_options(sbc)
        status = json.loads(daemon.ctl("-o", "json", "status").stdout)
        told = [tenant["sbc_ok"] for tenant in status["tenants"]]
        return status["sbc_ok"] is ours and told == [ours, theirs] and not status["withheld"]
    wait_for(f"SBCs answer: {ours}, {theirs}", said)


def each_core_gets_its_own_calls_back(scene):
    """Two SBCs; each trusts, calls and is called by one daemon."""
    pki = scene.pki
    with contextlib.closing(Sbc(pki.cert, pki.key, pki.ca)) as ours, \
            contextlib.closing(Sbc(pki.cert, pki.key, pki.ca)) as theirs:
        daemon = Daemon(ours.port, pki)
        core = daemon.config()["core"]
        daemon.changes = {
            "sip_more": {"keepalive": "1s"},
            "core": {**core, "sbc": {**core["sbc"], "trusted": ["127.0.0.1/32"]}},
            "tenants": [{"name": "acme", "api": {"target": "127.0.0.1:9", "plaintext": True},
                         "prefixes": {"mobile_originating": "02", "mobile_terminating": "03"},
                         "sbc": {"uri": f"sips:127.0.0.1:{theirs.port}",
                                 "trusted": ["127.0.0.2/32"]}}],
            "registrations": [{"number": "+4799000001", "route_type": "loop"},
                              {"number": "+4799000101", "route_type": "loop",
                               "tenant": "acme"}]}
        with daemon:
            daemon.start()
            flow, other = ours.connect(daemon.port), theirs.connect(daemon.port, "127.0.0.2")
            for sbc, way, called in ((ours, flow, "+014799000001"), (theirs, other, "+034799000101"),
                                     (theirs, other, "+024722334455"), (theirs, other, "112"),
                                     (ours, flow, "112")):
                webrtc = called[1:3] in ("01", "03")
                offer = webrtc_sdp(0, "actpass") if webrtc else RTP_OFFER
                answer = webrtc_sdp(1, "active") if webrtc else RTP_OFFER
                # Leg 3 comes to the same SBC.
                talk(sbc, way, STRANGER, called, sdp=offer, answer=answer).hang_up()
            path = daemon.folder / "cdr.jsonl"
            wait_for("five records", lambda: path.read_text().count("\n") == 5)
            records = [json.loads(line) for line in path.read_text().splitlines()]
            assert [r["tenant"] for r in records] == ["default", "acme", "acme", "acme",
                                                      "default"], records
            assert_sbcs(daemon, True, True, [ours, theirs])
            assert_sbcs(daemon, True, False, [ours])
            assert "the SBC of tenant acme does not answer" in daemon.ctl("diagnose").stdout
            talk(ours, flow, STRANGER, "+014799000001", sdp=webrtc_sdp(0, "actpass"),
                 answer=webrtc_sdp(1, "active")).hang_up()
            tenant = {**daemon.changes["tenants"][0], "sbc": {
                "trusted": ["127.0.0.2/32"], "uri": f"sips:127.0.0.1:{ours.port}"}}
            daemon.reload({"tenants": [tenant]})
            assert_sbcs(daemon, True, True, [ours])
            daemon.reload({"tenants": [], "registrations": []})  # it is a stranger now
            assert Talk(theirs, other, callee="112").refused() == 403


TESTS = [each_core_gets_its_own_calls_back, one_that_comes_by_reload_begins_at_once,
         one_that_goes_by_reload_is_withdrawn_with_its_own_credentials,
         numbers_of_one_that_goes_move_without_a_gap, other_credentials_count_by_reload,
         another_client_is_another_account, another_target_is_told_all_once_it_answers,
         a_rate_counts_by_reload, another_authority_signs_the_cores_certificate,
         each_is_asked_with_its_own_credentials, one_that_is_dead_makes_no_others_numbers_lapse,
         one_that_hangs_holds_up_nobody, a_wrong_secret_is_one_tenants_trouble,
         a_number_that_moves_is_never_without_a_registration,
         what_was_told_whom_survives_a_restart, the_watchdog_withdraws_at_each_core,
         a_store_of_before_is_brought_up_to_date]


def run(test, pki, folder, *more):
    folder.mkdir()
    with contextlib.closing(Tenants(pki, folder)) as scene:
        try:
            test(scene, *more)
        except Exception:
            for driver in scene.drivers:
                print(driver.log())
            raise


def main():
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="breakout-tenants-") as scratch, \
            futures.ThreadPoolExecutor(4) as pool:
        scratch = pathlib.Path(scratch)
        (scratch / "pki").mkdir()
        pki = Pki(scratch / "pki")
        server = postgres.Postgres(scratch).start() if postgres.programs() else None
        chosen = [(test,) for test in TESTS]
        if server:
            chosen.append((a_fleets_database_of_before_is_brought_up_to_date, server))
        running = [(test, pool.submit(run, test, pki, scratch / test.__name__, *more))
                   for test, *more in chosen
                   if len(sys.argv) < 2 or test.__name__ in sys.argv[1:]]
        for test, future in running:
            tally.run(test.__name__.replace("_", " "), future.result)
        if server:
            server.stop()
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
