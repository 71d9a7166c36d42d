# SPDX-License-Identifier: Apache-2.0
"""The registrar against an API and a token endpoint that are not ours."""

import random
import sys
import time

import yaml

from driver import LOOP, LOOP_MO, Driver, all_active, numbers, run_scenes, wait_for
from harness import Pki


def registers_all_with_a_token(scene):
    driver = scene.driver(numbers(50))
    wait_for("50 active", all_active(driver))
    upserts = scene.api.of()
    assert {u.number for u in upserts} == set(numbers(50))
    first = upserts[0]
    assert first.sip_uri == "sips:tas.example.com" and first.route_type == LOOP, first
    assert first.token in scene.tokens.valid
    assert "breakout/" in first.agent, first.agent
    assert scene.tokens.forms[0] == {"grant_type": ["client_credentials"],
                                     "scope": ["call.routing:write"]}, scene.tokens.forms
    summary = driver.ask("summary")[0]
    assert "active=50" in summary and "api_up=1 token_ok=1 expiry=1" in summary, summary
    driver.end()
    assert not scene.api.of(kind="delete"), "ending without withdraw deleted something"


def refreshes_before_the_ttl_ends_with_the_same_parameters(scene):
    driver = scene.driver(numbers(20))
    wait_for("20 active", all_active(driver))
    time.sleep(4.2)
    for number in numbers(20):
        upserts = scene.api.of(number)
        gaps = [b.at - a.at for a, b in zip(upserts, upserts[1:])]
        assert gaps and max(gaps) < 1.6, f"{number}: {gaps}"
        assert len({u.registration for u in upserts}) == 1, "a refresh changed the parameters"
    assert len(scene.api.of()) < 20 * 25, "refreshed far too often"
    driver.end()


def deletes_what_a_reload_no_longer_names(scene):
    scene.api.ttl = 60
    driver = scene.driver(numbers(3))
    wait_for("3 active", all_active(driver))
    driver.ask(f"reload {scene.config(numbers(2) + ['+4799000009'], 'second.yaml')}")
    deleted = wait_for("a delete", lambda: scene.api.of(kind="delete"))
    assert [d.number for d in deleted] == ["+4799000003"], deleted
    assert deleted[0].sip_uri == "sips:tas.example.com"
    wait_for("the new one active", lambda: driver.states() == {
        "+4799000001": "active", "+4799000002": "active", "+4799000009": "active"})
    assert len(scene.api.of("+4799000001")) == 1, "an unchanged number was upserted again"
    driver.end()


def upserts_what_a_reload_changes(scene):
    scene.api.ttl = 60
    driver = scene.driver(numbers(3))
    wait_for("3 active", all_active(driver))
    driver.ask(f"reload {scene.config(numbers(3), 'second.yaml', route='loop_mo')}")
    wait_for("all changed", lambda: len([u for u in scene.api.of() if u.route_type == LOOP_MO]) == 3)
    assert not scene.api.of(kind="delete")
    driver.end()


def a_restart_neither_storms_nor_forgets(scene):
    scene.api.ttl = 60
    driver = scene.driver(numbers(30))
    wait_for("30 active", all_active(driver))
    time.sleep(0.3)  # the store lags by up to 100 ms
    driver.process.kill()
    driver.process.wait()
    again = time.monotonic()
    driver = scene.driver(numbers(29))
    wait_for("one deleted", lambda: scene.api.of("+4799000030", "delete"))
    wait_for("29 active", all_active(driver))
    time.sleep(1)
    assert len(scene.api.of(since=again)) == 0, "fresh registrations were upserted again"
    driver.end()
    again = time.monotonic()
    driver = scene.driver(numbers(29), domain="other.example.com")
    wait_for("29 changed", lambda: len(scene.api.of(since=again)) == 29)
    assert {u.sip_uri for u in scene.api.of(since=again)} == {"sips:other.example.com"}
    driver.end()


def stop_withdraw_deletes_all(scene):
    scene.api.ttl = 60
    driver = scene.driver(numbers(40))
    wait_for("40 active", all_active(driver))
    driver.end("stop withdraw")
    assert {d.number for d in scene.api.of(kind="delete")} == set(numbers(40))


def a_wrong_secret_is_said_and_mended_without_a_restart(scene):
    scene.secret.write_text("wrong\n")
    driver = scene.driver(numbers(2))
    wait_for("a clear error", lambda: "check client_id and the secret in client_secret_file"
             in driver.log())
    assert "invalid_client" in driver.log() and "wrong" not in driver.log()
    assert not scene.api.of(), "asked without a token"
    assert "token_ok=0" in driver.ask("summary")[0]
    scene.secret.write_text("s3cret\n")
    wait_for("2 active", all_active(driver))
    assert driver.log().count("no token:") == 1, driver.log()
    assert scene.tokens.refused < 8, "the token endpoint was hammered"
    driver.end()


def a_revoked_token_is_replaced(scene):
    driver = scene.driver(numbers(20))
    wait_for("20 active", all_active(driver))
    scene.tokens.revoke()
    since = time.monotonic()
    wait_for("a second token", lambda: scene.tokens.issued == 2)
    wait_for("20 upserts with it", lambda: len({u.number for u in scene.api.of(since=since)
                                                if u.token in scene.tokens.valid}) == 20)
    wait_for("20 active", all_active(driver))
    assert scene.tokens.issued == 2, scene.tokens.issued
    assert driver.log().count("does not take the token") == 1, driver.log()
    wait_for("healed", lambda: "takes the new token" in driver.log())
    driver.end()


def a_token_is_renewed_before_it_expires(scene):
    scene.tokens.expires_in = 3
    driver = scene.driver(numbers(3))
    wait_for("a third token", lambda: scene.tokens.issued >= 3)
    wait_for("3 active", all_active(driver))
    assert "error" not in driver.log(), driver.log()
    driver.end()


def one_refused_number_leaves_the_others_alone(scene):
    scene.api.faults = {"+4799000003": "not_acceptable", "+4799000004": "permission_denied"}
    driver = scene.driver(numbers(20))
    good = set(numbers(20)) - set(scene.api.faults)
    wait_for("18 active", lambda: list(driver.states().values()).count("active") == 18)
    states = driver.states()
    assert states["+4799000003"] == states["+4799000004"] == "refused", states
    time.sleep(2)
    assert all(len(scene.api.of(n)) >= 2 for n in good), "good numbers were held up"
    assert all(len(scene.api.of(n)) == 1 for n in scene.api.faults), "hammered"
    log = driver.log()
    assert log.count("refused by the core") == 2, log
    assert "number is not in your range" in log and "+4799000003" not in log, log
    scene.api.faults = {}
    driver.ask("refresh +4799000003")
    wait_for("accepted", lambda: driver.states()["+4799000003"] == "active")
    wait_for("said", lambda: "accepted by the core" in driver.log())
    driver.end()


def one_failing_number_leaves_the_others_alone(scene):
    scene.api.faults = {"+4799000002": "unavailable"}
    driver = scene.driver(numbers(10))
    wait_for("9 active", lambda: list(driver.states().values()).count("active") == 9)
    time.sleep(2)
    assert driver.states()["+4799000002"] in ("backoff", "pending")
    assert all(len(scene.api.of(n)) >= 2 for n in numbers(10) if n not in scene.api.faults)
    assert "API does not work" not in driver.log(), driver.log()
    scene.api.faults = {}
    wait_for("10 active", all_active(driver))
    driver.end()


def recovers_when_the_server_comes_back(scene):
    driver = scene.driver(numbers(20))
    wait_for("20 active", all_active(driver))
    scene.api.stop()
    wait_for("the outage is said", lambda: "API does not work" in driver.log())
    time.sleep(1)
    assert "api_up=0" in driver.ask("summary")[0]
    back = time.monotonic()
    scene.api.start()
    wait_for("20 active", lambda: len({u.number for u in scene.api.of(since=back)}) == 20, 15)
    wait_for("its end is said", lambda: "works again" in driver.log())
    assert driver.log().count("API does not work") == 1, driver.log()
    driver.end()


def a_certificate_of_another_ca_is_said_clearly(scene):
    (scene.folder / "other").mkdir()
    other = Pki(scene.folder / "other")
    driver = scene.driver(numbers(5), ca_file=other.ca)
    wait_for("the token endpoint's is said",
             lambda: "certificate is not trusted: check ca_file" in driver.log())
    driver.end()
    # Without tokens the API's own certificate is what fails.
    config = scene.config(numbers(5), ca_file=other.ca)
    text = yaml.safe_load(config.read_text())
    for key in ("token_url", "client_id", "client_secret_file"):
        del text["core"]["api"][key]
    config.write_text(yaml.safe_dump(text))
    driver = Driver(config)
    scene.drivers.append(driver)
    wait_for("the API's is said", lambda: "check core.api.ca_file" in driver.log())
    assert "certificate verify failed" in driver.log(), driver.log()
    driver.end()


def a_ca_file_without_certificates_is_refused_at_start(scene):
    broken = scene.folder / "broken.pem"
    broken.write_text("not a certificate\n")
    driver = scene.driver(numbers(1), ca_file=str(broken))
    assert driver.process.wait(10) != 0
    wait_for("said", lambda: "holds no certificate" in driver.log(), 2)


def a_server_that_never_answers_meets_the_deadline(scene):
    scene.api.faults = {"+4799000001": "hang"}
    driver = scene.driver(numbers(5), deadline="1s")
    wait_for("4 active", lambda: list(driver.states().values()).count("active") == 4)
    wait_for("deadline", lambda: any("DEADLINE_EXCEEDED" in line for line in driver.ask("list")), 5)
    wait_for("the others refreshed meanwhile",
             lambda: all(len(scene.api.of(n)) >= 2 for n in numbers(5)[1:]), scene.api.ttl / 2)
    scene.api.faults = {}
    scene.api.over.set()
    wait_for("5 active", all_active(driver))
    driver.end()


def a_damaged_store_is_moved_aside(scene):
    (scene.folder / "store.db").write_bytes(b"this is no database at all" * 100)
    driver = scene.driver(numbers(3))
    wait_for("3 active", all_active(driver))
    assert "is damaged" in driver.log() and list(scene.folder.glob("store.db.damaged-*"))
    driver.end()


def an_outage_longer_than_the_ttl_is_recovered_from_at_once(scene):
    driver = scene.driver(numbers(40))
    wait_for("40 active", all_active(driver))
    scene.api.stop()
    time.sleep(2 * scene.api.ttl + 1)  # all have lapsed
    back = time.monotonic()
    scene.api.start()
    wait_for("40 registered", lambda: {u.number for u in scene.api.of(since=back)}
             == set(numbers(40)), 20)
    first = min(u.at for u in scene.api.of(since=back))
    last = max(min(u.at for u in scene.api.of(n, since=back)) for n in numbers(40))
    # Found out by a probe or the library's own back-off; then a tenth of 500 a second.
    assert last - first < 3, f"{last - first:.1f} s from the first to the last"
    wait_for("40 active", all_active(driver))
    driver.end()


def killed_at_any_moment_it_forgets_nothing_it_said(scene):
    scene.api.ttl = 60
    chance = random.Random(5)
    for turn in range(12):
        driver = scene.driver(chance.sample(numbers(60), 30), name=f"{turn}.yaml",
                              route=chance.choice(["loop", "loop_mo"]))
        time.sleep(chance.uniform(0, 0.4))
        driver.process.kill()
        driver.process.wait()
    last = numbers(20)
    driver = scene.driver(last, name="last.yaml", route="loop_mo")

    def held():
        book = {}
        for seen in list(scene.api.seen):
            book[seen.number] = seen.route_type if seen.kind == "upsert" else None
        return {number: route for number, route in book.items() if route}

    wait_for("the core holds what is wanted", lambda: held() == dict.fromkeys(last, LOOP_MO))
    driver.end()


TESTS = [an_outage_longer_than_the_ttl_is_recovered_from_at_once,
         killed_at_any_moment_it_forgets_nothing_it_said, registers_all_with_a_token, refreshes_before_the_ttl_ends_with_the_same_parameters,
         deletes_what_a_reload_no_longer_names, upserts_what_a_reload_changes,
         a_restart_neither_storms_nor_forgets, stop_withdraw_deletes_all,
         a_wrong_secret_is_said_and_mended_without_a_restart, a_revoked_token_is_replaced,
         a_token_is_renewed_before_it_expires, one_refused_number_leaves_the_others_alone,
         one_failing_number_leaves_the_others_alone, recovers_when_the_server_comes_back,
         a_certificate_of_another_ca_is_said_clearly,
         a_ca_file_without_certificates_is_refused_at_start,
         a_server_that_never_answers_meets_the_deadline, a_damaged_store_is_moved_aside]


if __name__ == "__main__":
    sys.exit(run_scenes(TESTS))
