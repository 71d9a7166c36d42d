# SPDX-License-Identifier: Apache-2.0
"""A subscriber consents at the simulated core: the number is registered, its calls come to
us, and they do not any more once the consent is taken back."""

import json
import subprocess

from core import BIN, Core, Daemon, expect, finish, run_tests, wait_until

FIRST, SECOND = "+4790004001", "+4790004002"

core = Core()
tas = Daemon(core)
tas.config.write_text(tas.config.read_text().replace(
    "registrations:\n", "registrations:\n  - consents: { route_type: loop }\n"))
core.must("consent", number=FIRST)
tas.start()
tas.wait_registered()


def _at_core(number):
    return number in core.upserts()


def _status():
    return json.loads(subprocess.run(
        [BIN / "breakoutctl", "-o", "json", "-s", core.folder / "breakout.sock", "status"],
        capture_output=True, text=True, timeout=20, check=True).stdout)["consents"]


def who_consented_before_is_registered_from_the_start():
    wait_until(lambda: _at_core(FIRST), 10, "registered")
    wait_until(lambda: core.must("consents") == {
        "ok": True, "numbers": [FIRST], "events": 1, "waiting": 0}, 5, "acknowledged")


def calls_come_to_us_while_the_consent_lasts():
    core.must("consent", number=SECOND)
    wait_until(lambda: _at_core(SECOND), 5, "registered")
    core.phone(SECOND, "answer")
    expect(core.call("+4790000096", SECOND), outcome="answered", legs="1234")
    assert core.ask("revoke-consent", number="+4790004009") == {
        "ok": False, "error": "number: it does not consent"}
    core.must("revoke-consent", number=SECOND)
    wait_until(lambda: not _at_core(SECOND), 5, "deleted")
    expect(core.call("+4790000096", SECOND), outcome="answered", legs="14")


def a_restart_finds_everything_as_it_was():
    tas.process.terminate()
    tas.process.wait(10)
    core.must("consent", number=SECOND)  # nobody listens
    tas.start()
    wait_until(lambda: _at_core(SECOND) and _at_core(FIRST), 10, "made up for")
    wait_until(lambda: not core.must("consents")["waiting"], 5, "acknowledged")
    status = _status()
    assert status["count"] == 2 and status["stream_up"] and not status["unknown"], status
    assert status["redeliveries"] == 0, status


TESTS = [value for name, value in list(globals().items())
         if callable(value) and getattr(value, "__module__", "") == "__main__" and name[0] != "_"]

finish(run_tests(TESTS, core), core, tas)
