# SPDX-License-Identifier: Apache-2.0
"""Numbers that are added, changed and deleted while the daemon runs: by breakoutctl and by
HTTP, over kill -9, a reload and a restart; deleted stays deleted."""

import http.client
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import time

from core import BIN, Core, Daemon, expect, finish, run_tests, wait_until

FIRST, SECOND, THIRD = "+4790005001", "+4790005002", "+4790005003"
CONSENTED = "+4790005009"
LIKE_PREFIX = "+2290005001"
BULK = 400

core = Core()
tas = Daemon(core)
SOCKET = core.folder / "http.sock"
text = tas.config.read_text().replace(
    "registrations:\n", "registrations:\n  - consents: { route_type: loop }\n")
tas.config.write_text("".join(
    f"admin: {{ socket: {core.folder}/breakout.sock, http: {{ listen: ['unix:{SOCKET}'] }} }}\n"
    if line.startswith("admin:") else line for line in text.splitlines(True)))
ORIGINAL = tas.config.read_text()
CONFIGURED = tas.numbers[0]
core.must("consent", number=CONSENTED)
tas.start()
tas.wait_registered()


class _Unix(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(str(SOCKET))


def _http(method, path, body=None):
    link = _Unix("localhost")
    try:
        link.request(method, path, body)
        answer = link.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        link.close()


def _ctl(*words, status=0):
    done = subprocess.run([BIN / "breakoutctl", "-s", core.folder / "breakout.sock", *words],
                          capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == status, done
    return done


def _regs():
    return {r["number"]: r for r in json.loads(_ctl("-o", "json", "regs").stdout)}


def _at_core(number):
    return number in core.upserts()


def _add(number, *words, **options):
    return _ctl("regs", "add", number, "--route-type", "loop", *words, **options)


def _prefix_like():
    return json.loads(_ctl("-o", "json", "status").stdout)["prefix_like"]


def _finding(what):
    found = json.loads(subprocess.run(
        [BIN / "breakoutctl", "-o", "json", "-s", core.folder / "breakout.sock", "diagnose"],
        capture_output=True, text=True, timeout=60, check=False).stdout)
    return next(f for f in found if f["subsystem"] == what)


def _reload():
    return json.loads(subprocess.run(
        [BIN / "breakoutctl", "-o", "json", "-s", core.folder / "breakout.sock", "reload"],
        capture_output=True, text=True, timeout=30, check=False).stdout or "{}")


def _restart():
    tas.process.terminate()
    tas.process.wait(10)
    tas.start()


def an_added_number_is_registered_and_its_calls_come_to_us():
    done = _add(FIRST)
    assert done.stdout == f"added {FIRST}: loop loop\n", done.stdout
    wait_until(lambda: _at_core(FIRST), 5, "registered")
    core.phone(FIRST, "answer")
    expect(core.call("+4790000096", FIRST), outcome="answered", legs="1234")
    assert _regs()[FIRST]["source"] == "api"
    shown = _ctl("regs", "show", FIRST).stdout
    assert "added by " in shown and "api" in shown, shown
    status = _ctl("status").stdout
    assert "sources    config " in status and "api 1, consent 1" in status, status


def the_rules_of_its_service_are_for_its_calls():
    _ctl("regs", "add", SECOND, "--route-type", "fallback", "--service", "pbx")
    wait_until(lambda: _at_core(SECOND), 5, "registered")
    core.phone(SECOND, "busy")
    core.pbx("answer")
    expect(core.call("+4790000096", SECOND), outcome="answered", plan="fallback", legs="123",
           answered_by="pbx")
    assert _regs()[SECOND]["service"] == "pbx"


def what_cannot_be_is_said():
    for words, sentence in (
            (("+47900x",), "has something else than digits"),
            ((THIRD, "--service", "nobody"), "no service is called `nobody`"),
            ((THIRD, "--tenant", "nobody"), "no tenant is called `nobody`"),
            ((FIRST,), "was added before"),
            ((CONFIGURED,), f"{CONFIGURED} is configured in {tas.config}:")):
        done = _add(*words, status=1)
        assert sentence in done.stderr, done
    done = _ctl("regs", "add", THIRD, "--route-type", "fork", status=1)
    assert "`service` is missing" in done.stderr, done
    done = _ctl("regs", "add", THIRD, "--route-type", "lop", status=1)
    assert "Did you mean `loop`" in done.stderr, done
    for number, sentence in ((CONFIGURED, "regs pause"), (CONSENTED, "its owner consents"),
                             (THIRD, "was not added by the API")):
        done = _ctl("regs", "delete", number, status=1)
        assert sentence in done.stderr, done
    done = _ctl("regs", "delete", FIRST, THIRD, status=1)  # all or none
    assert THIRD in done.stderr and FIRST in _regs(), done
    _ctl("regs", "add", THIRD, status=2)
    _ctl("regs", "delete", status=2)


def a_number_that_consents_too_is_ours_while_it_is_added():
    _ctl("regs", "add", CONSENTED, "--route-type", "loop_mt")
    wait_until(lambda: _regs()[CONSENTED]["source"] == "api", 5, "ours")
    assert _regs()[CONSENTED]["route_type"] == "loop_mt"
    _ctl("regs", "delete", CONSENTED)
    wait_until(lambda: _regs()[CONSENTED]["source"] == "consent", 5, "the consent's")
    wait_until(lambda: _regs()[CONSENTED]["state"] == "active", 5, "active")
    assert _regs()[CONSENTED]["route_type"] == "loop" and _at_core(CONSENTED)


def kill_9_loses_nothing_that_was_acknowledged():
    _add(THIRD)
    tas.kill(signal.SIGKILL)
    tas.start()
    wait_until(lambda: _regs().get(THIRD, {}).get("state") == "active", 10, "there")
    core.phone(THIRD, "answer")
    expect(core.call("+4790000096", THIRD), outcome="answered", legs="1234")


def deleted_stays_deleted():
    done = _ctl("regs", "delete", THIRD)
    assert done.stdout == "deleted 1\n", done.stdout
    wait_until(lambda: not _at_core(THIRD), 5, "deleted")
    expect(core.call("+4790000096", THIRD), outcome="answered", legs="14")
    # Killed before the core may have heard of it.
    _add(THIRD)
    wait_until(lambda: _at_core(THIRD), 5, "registered")
    _ctl("regs", "delete", THIRD)
    tas.kill(signal.SIGKILL)
    tas.start()
    wait_until(lambda: not _at_core(THIRD), 10, "deleted")
    _restart()
    tas.wait_registered()
    wait_until(lambda: _at_core(FIRST), 10, "registered")
    # What was killed before its answer is deleted twice, the second time 20 to 30 s later.
    wait_until(lambda: THIRD not in _regs(), 45, "forgotten")
    time.sleep(0.5)
    assert not _at_core(THIRD) and THIRD not in _regs()


def it_is_on_record_who_did_it():
    with sqlite3.connect(f"file:{core.folder}/breakout.db?mode=ro", uri=True) as db:
        rows = db.execute("SELECT what, who FROM added_record WHERE number = ? "
                          "ORDER BY rowid", (THIRD,)).fetchall()
    assert [what for what, who in rows] == ["added", "removed"] * 2, rows
    assert all(who for what, who in rows), rows
    log = tas.log_path.read_text(errors="replace")
    assert "added by=" in log and "removed by=" in log
    assert not [line for line in log.splitlines() if THIRD in line], "a whole number in the log"


def http_does_the_same():
    number = "+4790005010"
    status, answer = _http("POST", "/v1/registrations", json.dumps(
        {"number": number, "route_type": "loop"}))
    assert status == 200 and answer == {
        "number": number, "route_type": "loop", "service": "loop", "tenant": "default",
        "source": "api", "change": "added"}, answer
    wait_until(lambda: _at_core(number), 5, "registered")
    assert _http("POST", "/v1/registrations", json.dumps(
        {"number": number, "route_type": "loop"}))[0] == 409
    assert _http("POST", "/v1/registrations", "{}")[0] == 400
    status, answer = _http("POST", "/v1/registrations", json.dumps(
        {"number": CONFIGURED, "route_type": "loop"}))
    assert status == 409 and str(tas.config) in answer["error"], answer
    path = f"/v1/registrations/{number}"
    status, answer = _http("PUT", path, json.dumps({"route_type": "fork", "service": "pbx"}))
    assert status == 200 and answer["change"] == "changed" and answer["service"] == "pbx", answer
    assert _http("PUT", path, json.dumps({"route_type": "fork"}))[0] == 400
    assert _http("PUT", path, json.dumps({"route_type": "loop", "srvice": "pbx"}))[0] == 400
    assert _http("PUT", path, json.dumps({"number": FIRST, "route_type": "loop"}))[0] == 400
    assert _http("PUT", path, "[]")[0] == 400
    wait_until(lambda: _regs()[number]["route_type"] == "fork", 5, "changed")
    status, answer = _http("GET", path)
    assert answer["added"]["who"] == "http" and answer["source"] == "api", answer
    assert _http("DELETE", path) == (200, {"deleted": 1, "configured": []})
    assert _http("DELETE", path)[0] == 404
    wait_until(lambda: not _at_core(number), 5, "deleted")
    status, answer = _http("PATCH", path)
    assert status == 405, answer


def lines_are_imported_all_or_nothing():
    wrong = f"# ours\n{THIRD},loop\n{THIRD},loop\n+47,loop\n{CONFIGURED},loop\n+4790006000,x\n"
    status, answer = _http("POST", "/v1/registrations/import", wrong)
    assert status == 400 and [f.split(":")[1] for f in answer["findings"]] == ["3", "4", "6"], answer
    status, answer = _http("POST", "/v1/registrations/import", f"{THIRD},loop\n{CONFIGURED},loop\n")
    assert status == 400 and answer["findings"][0].startswith("body:2:1: error: the number "
                                                              f"{CONFIGURED} is configured in "), answer
    assert THIRD not in _regs()
    lines = f"{FIRST},loop\n{SECOND},fork,pbx\n{THIRD},loop_mo\n"
    status, answer = _http("POST", "/v1/registrations/import?dry_run=true&replace=true", lines)
    assert status == 200 and not answer["applied"], answer
    counts = {kind: answer[kind]["count"] for kind in ("added", "changed", "removed", "unchanged")}
    assert counts == {"added": 1, "changed": 1, "removed": 0, "unchanged": 1}, answer
    assert answer["changed"]["samples"][0]["before"]["service"] == "pbx", answer
    assert THIRD not in _regs()
    assert _http("POST", "/v1/registrations/import?dry_run=maybe", lines)[0] == 400
    status, answer = _http("POST", "/v1/registrations/import", lines)
    assert status == 200 and answer["applied"], answer
    wait_until(lambda: _at_core(THIRD), 5, "registered")
    assert _http("POST", "/v1/registrations/import", "")[0] == 400


def breakoutctl_imports_into_the_api():
    new = core.folder / "new.csv"
    new.write_text(f"{FIRST},loop\n" + "".join(f"+4790{60000 + i},loop\n" for i in range(BULK)))
    done = _ctl("regs", "import", new, "--into", "api", "--dry-run")
    assert f"added      {BULK}\n" in done.stdout and "removed    0\n" in done.stdout, done.stdout
    done = _ctl("regs", "import", new, "--into", "api", status=1)  # nobody there to ask
    assert "--yes" in done.stderr, done
    done = _ctl("regs", "import", new, "--into", "api", "--yes")
    assert done.stdout.endswith("imported\n"), done.stdout
    wait_until(lambda: sum(n.startswith("+47906") for n in core.upserts()) == BULK, 30, "all there")
    exported = core.folder / "export.csv"
    exported.write_text(_ctl("regs", "export").stdout)
    done = _ctl("regs", "import", exported, "--into", "api", "--replace", "--yes")
    assert "nothing to import" in done.stdout and "left out " in done.stdout, done.stdout
    new.write_text(f"{FIRST},loop\n+4790060000\n")
    done = _ctl("regs", "import", new, "--into", "api", "--yes", status=1)
    assert f"{new}:2:" in done.stderr and "no route type" in done.stderr, done
    new.write_text(f"{FIRST},loop\n{SECOND},fallback,pbx\n")
    done = _ctl("regs", "import", new, "--into", "api", "--replace", "--yes")
    assert f"removed    {BULK + 1}\n" in done.stdout, done.stdout
    wait_until(lambda: not any(n.startswith("+47906") for n in core.upserts()), 30, "all gone")
    assert set(n for n, r in _regs().items() if r["source"] == "api") == {FIRST, SECOND}


def what_is_configured_later_goes_before_it():
    tas.config.write_text(ORIGINAL.replace(
        "registrations:\n", f'registrations:\n  - {{ number: "{FIRST}", route_type: loop_mt }}\n'))
    assert not _reload().get("refused"), _reload()
    wait_until(lambda: _regs()[FIRST]["source"] == "config", 5, "configured")
    assert _regs()[FIRST]["route_type"] == "loop_mt"
    shown = _ctl("regs", "show", FIRST).stdout
    assert f"configured in {tas.config}:" in shown and "counts once it is not" in shown, shown
    assert "1 of the api configured too" in _ctl("status").stdout
    done = _ctl("regs", "delete", FIRST)
    assert f"{FIRST} stays registered: {tas.config}:" in done.stdout, done.stdout
    tas.config.write_text(ORIGINAL)
    assert not _reload().get("refused")
    wait_until(lambda: not _at_core(FIRST), 5, "deleted")
    _add(FIRST)
    wait_until(lambda: _at_core(FIRST), 5, "registered")


def a_reload_that_takes_its_service_away_is_refused():
    gone = ORIGINAL.replace("  pbx:", "  pbx2:").replace("service: pbx", "service: pbx2")
    assert gone != ORIGINAL
    tas.config.write_text(gone)
    report = _reload()
    assert report["refused"], report
    assert any("1 numbers that were added by the API" in f and "`pbx`" in f
               for f in report["findings"]), report
    assert _at_core(SECOND)
    # A start cannot be refused for it: the number waits.
    _restart()
    wait_until(lambda: "STRANDED" in _ctl("status").stdout, 10, "said")
    finding = _finding("registrations")
    assert finding["level"] == "WARNING" and finding["reason"].startswith(
        "1 that were added by the API are not registered"), finding
    wait_until(lambda: not _at_core(SECOND), 10, "not registered")
    done = _ctl("regs", "show", SECOND, status=1)
    assert "not configured any more" in done.stderr, done
    tas.config.write_text(ORIGINAL)
    assert not _reload().get("refused")
    wait_until(lambda: _at_core(SECOND), 10, "registered")


def a_number_that_begins_like_a_prefix_is_refused_or_told():
    likely = re.sub(r"(?m)^prefixes:.*$", 'prefixes: { mobile_originating: "22", '
                    'mobile_terminating: "01" }', ORIGINAL)
    core.must("consent", number=LIKE_PREFIX)
    wait_until(lambda: _at_core(LIKE_PREFIX), 10, "consent registered")
    assert "prefix_like" not in json.loads(_ctl("-o", "json", "regs", "show", LIKE_PREFIX).stdout)[0]
    tas.config.write_text(likely.replace(
        "registrations:\n", 'registrations:\n  - { number: "+2290005002", route_type: loop }\n'))
    report = _reload()
    assert not report["refused"] and any("+2290***02 begins with `22`" in f
                                         for f in report["findings"]), report
    done = _add("+2290005003", status=1)
    assert "+2290***03 begins with `22`, which is `prefixes.mobile_originating`" in done.stderr, done
    status, answer = _http("POST", "/v1/registrations/import", f"{FIRST},loop\n+2290005003,loop\n")
    assert status == 400 and answer["findings"][0].startswith(
        "body:2:1: error: the number +2290***03 begins with `22`"), answer
    wait_until(lambda: _prefix_like() == {"config": 1, "api": 0, "consent": 1}, 15, "counted")
    assert "2 in all BEGIN LIKE A PREFIX" in _ctl("status").stdout
    assert f"{LIKE_PREFIX} begins with `22`" in _ctl("regs", "show", LIKE_PREFIX).stdout
    assert _regs()[LIKE_PREFIX]["state"] == "active"
    tas.config.write_text(ORIGINAL)
    assert not _reload().get("refused")
    wait_until(lambda: not sum(_prefix_like().values()), 15, "none")


def each_source_is_listed_and_planned_alone():
    listed = {source: [r["number"] for r in json.loads(
        _ctl("-o", "json", "regs", "list", "--source", source).stdout)]
        for source in ("config", "api", "consent")}
    assert listed["api"] == [FIRST, SECOND] and CONFIGURED in listed["config"], listed
    assert sorted(listed["consent"]) == [LIKE_PREFIX, CONSENTED], listed
    exported = _ctl("regs", "export", "--source", "api").stdout.splitlines()[1:]
    assert [line.split(",")[0] for line in exported] == [FIRST, SECOND], exported
    assert len(json.loads(_ctl("-o", "json", "regs", "export", "--source", "api").stdout)) == 2
    [plan] = json.loads(_ctl("-o", "json", "regs", "plan").stdout)
    assert plan["sources"] == {"config": len(listed["config"]), "api": 2, "consent": 2,
                               "none": 0}, plan
    assert plan["count"] == len(listed["config"]) + 4, plan
    [plan] = json.loads(_ctl("-o", "json", "regs", "plan", "--source", "api").stdout)
    assert (plan["count"], plan["sources"]) == (2, {"api": 2}), plan
    assert "api 2, consent 2" in _ctl("regs", "plan").stdout
    _ctl("regs", "plan", "--source", "api", "--count", "5", status=2)
    _ctl("regs", "list", "--source", "apo", status=2)
    _ctl("regs", "show", FIRST, "--source", "api", status=2)
    _ctl("calls", "--source", "api", status=2)


def a_pause_holds_it_back():
    _ctl("regs", "pause", FIRST, "--why", "a test")
    wait_until(lambda: not _at_core(FIRST), 5, "withheld")
    _ctl("regs", "resume", FIRST)
    wait_until(lambda: _at_core(FIRST), 5, "registered")


def a_new_process_goes_on_with_it():
    _ctl("restart")
    global successor
    successor = json.loads(_ctl("-o", "json", "status").stdout)["pid"]
    assert successor != tas.process.pid
    assert _regs()[FIRST]["source"] == "api" and _regs()[SECOND]["source"] == "api"
    _ctl("regs", "delete", SECOND)
    wait_until(lambda: not _at_core(SECOND), 10, "deleted")
    assert _at_core(FIRST)


TESTS = [value for name, value in list(globals().items())
         if callable(value) and getattr(value, "__module__", "") == "__main__" and name[0] != "_"]

successor = None
failed = run_tests(TESTS, core)
if successor:
    tas.process.wait(20)
    os.kill(successor, signal.SIGTERM)
    wait_until(lambda: subprocess.run(["ps", "-o", "stat=", "-p", str(successor)], check=False,
                                      capture_output=True).stdout[:1] in (b"", b"Z"), 15,
               "the new process ends")
finish(failed, core, tas)
