# SPDX-License-Identifier: Apache-2.0
"""Rules by list, by time of the week and by header, and what is told of a decision."""

import datetime
import json
import subprocess
import threading
import time

import yaml

from core import BIN, Core, Daemon, expect, finish, headers, invite, legs, run_tests, tls_exchange, wait_until

SCREENED, HOURS, CLOSED_NOW = "+4799000101", "+4799000102", "+4799000103"
AGENT, MOVED = "+4799000104", "+4799000105"
ACME = "+4799000106"  # another tenant's, with prefixes of its own
OUT, BLOCKED, FORBIDDEN = "+4790000099", "+4790000666", "+4790000777"
TWO_WAY = {"outcome": "answered", "status": 200, "verdict": "two-way"}

core = Core()


def window(begin_h, end_h):
    """Around this moment, in a zone that is hardly this machine's."""
    now = datetime.datetime.now(datetime.timezone.utc)
    begin, end = (now + datetime.timedelta(hours=h) for h in (begin_h, end_h))
    return (f"{begin:%a %H:%M}-{end:%a %H:%M} UTC" if begin.day != end.day
            else f"{begin:%a %H:%M}-{end:%H:%M} UTC")


def write_rules(folder, closed=False):
    (folder / "blocked.csv").write_text(f"# callers\n{BLOCKED}, a nuisance\n")
    (folder / "do-not-call.csv").write_text(f"{FORBIDDEN}\n")
    (folder / "conf.d").mkdir(exist_ok=True)
    screened = [
        {"when": {"direction": "mt", "caller": {"file": "blocked.csv"}}, "do": {"reject": 603}},
        {"when": {"direction": "mo", "called": {"file": "do-not-call.csv"}},
         "do": {"reject": {"status": 403, "reason": "On The Do-Not-Call List"}}},
        {"do": "loop"}]
    services = {
        "screened": [{"do": {"reject": 480}}] if closed else screened,
        "open-now": [{"when": {"time": window(-1, 2)}, "do": "loop"}, {"do": {"reject": 480}}],
        "closed-now": [{"when": {"time": window(2, 3)}, "do": "loop"},
                       {"when": {"header": {"name": "X-Key", "matches": "let me*"}}, "do": "loop"},
                       {"do": {"reject": 480}}],
        "agent": [{"when": {"direction": "mo"}, "do": {"loop": {
            "caller": [SCREENED, HOURS], "number": {"strip": "0", "prepend": "+47"}}}}],
        "moved": [{"do": {"redirect": f"sips:{HOURS}@pbx.example.com"}}],
        "shared": [{"when": {"tenant": "default"}, "do": {"reject": 480}},
                   {"when": {"tenant": "acme"}, "do": "loop"}, {"do": {"reject": 500}}]}
    registrations = [{"number": n, "route_type": "loop", "service": s} for n, s in
                     ((SCREENED, "screened"), (HOURS, "open-now"), (CLOSED_NOW, "closed-now"),
                      (AGENT, "agent"), (MOVED, "moved"))]
    registrations.append({"number": ACME, "route_type": "loop", "service": "shared",
                          "tenant": "acme"})
    tenant = {"name": "acme", "api": yaml.safe_load(tas.config.read_text())["core"]["api"],
              "prefixes": {"mobile_originating": "02", "mobile_terminating": "03"}}
    (folder / "conf.d" / "rules.yaml").write_text(
        yaml.safe_dump({"services": services, "registrations": registrations,
                        "tenants": [tenant]}))


tas = Daemon(core)
write_rules(core.folder)
tas.numbers += [SCREENED, HOURS, CLOSED_NOW, AGENT, MOVED, ACME]
tas.start()
tas.wait_registered()


def records():
    path = core.folder / "cdr.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def record_of(number, seen):
    def found():
        return [r for r in records()[seen:] if r["number"] == number]
    return wait_until(found, 5, "a call record")[0]


def a_blocked_caller_is_turned_away():
    seen = len(records())
    expect(core.call(BLOCKED, SCREENED), outcome="refused", status=603, legs="12")
    record = record_of(SCREENED, seen)
    assert record["rules"] == ["taken"] and record["plan"] == ["reject 603"], record


def any_other_caller_gets_through():
    seen = len(records())
    core.phone(SCREENED, "answer")
    expect(core.call(OUT, SCREENED), **TWO_WAY, plan="loop", legs="1234")
    record = record_of(SCREENED, seen)
    assert record["rules"] == ["caller", "direction", "taken"], record
    assert record["service"] == "screened/3" and record["plan"] == ["loop"], record


def a_number_on_the_do_not_call_list_is_not_called():
    expect(core.call(SCREENED, FORBIDDEN), outcome="refused", status=403, legs="12")


def within_its_hours_a_number_is_reached():
    core.phone(HOURS, "answer")
    expect(core.call(OUT, HOURS), **TWO_WAY, plan="loop", legs="1234")


def outside_its_hours_it_is_not():
    seen = len(records())
    expect(core.call(OUT, CLOSED_NOW), outcome="refused", status=480, legs="12")
    record = record_of(CLOSED_NOW, seen)
    assert record["rules"] == ["time", "header", "taken"], record
    assert record["headers"] == {"X-Key": None}, record


def an_agent_shows_its_numbers_in_turn():
    core.phone(OUT, "answer")
    for wanted in (SCREENED, HOURS, SCREENED):
        seen = len(records())
        result = core.call(AGENT, OUT)
        expect(result, **TWO_WAY, plan="loop", legs="1234")
        assert record_of(AGENT, seen)["presented"] == wanted
        assert AGENT not in str(legs(result)[3]["headers"]), legs(result)[3]["headers"]
        assert headers(result, 2, "Session-ID") == headers(result, 3, "Session-ID")
        for asserted in headers(result, 3, "P-Asserted-Identity"):
            assert wanted in asserted, asserted


def a_national_number_is_made_international():
    result = core.call(AGENT, f"0{OUT[3:]}")
    assert f"{OUT}@" in legs(result)[3]["request_uri"], legs(result)[3]


def a_caller_is_told_where_to_go_instead():
    seen = len(records())
    result = core.call(OUT, MOVED)
    expect(result, outcome="refused", status=302, legs="12")
    record = record_of(MOVED, seen)
    assert record["cause"] == "redirected" and record["plan"] == ["redirect"], record
    text = tls_exchange(tas.port, core.about["ca_file"], invite(f"+01{MOVED[1:]}", tas.port))
    assert "302 Moved Temporarily" in text, text
    assert f"Contact: <sips:{HOURS}@pbx.example.com>" in text, text


def a_call_of_another_tenant_is_known_by_its_prefix():
    seen = len(records())
    core.phone(ACME, "answer")
    result = core.call(OUT, ACME)
    expect(result, **TWO_WAY, plan="loop", legs="1234")
    assert f"+03{ACME[1:]}@" in legs(result)[2]["request_uri"], legs(result)[2]
    assert f"{ACME}@" in legs(result)[3]["request_uri"], legs(result)[3]
    record = record_of(ACME, seen)
    assert (record["tenant"], record["direction"], record["service"]) == ("acme", "mt", "shared/2")
    assert record["rules"] == ["tenant", "taken"], record
    answer = json.loads(ctl("-o", "json", "explain", "--from", ACME, "--to", OUT,
                            "--direction", "mo"))
    assert (answer["tenant"], answer["direction"]) == ("acme", "mo"), answer
    by = {t["name"]: t for t in json.loads(ctl("-o", "json", "status"))["tenants"]}
    assert by["acme"]["api_up"] and by["acme"]["registrations"]["active"] == 1, by
    assert "acme     answers" in ctl("status")
    reg = json.loads(ctl("-o", "json", "regs", "show", ACME))
    assert reg[0]["tenant"] == "acme", reg
    plans = {p["tenant"]: p for p in json.loads(ctl("-o", "json", "regs", "plan"))}
    assert plans["acme"]["count"] == 1 and plans["default"]["count"] == len(tas.numbers) - 1, plans
    assert "tenant acme" in ctl("calls", record["id"]).splitlines()[0]
    *_, last = ctl("records", "--csv", "--number", ACME).splitlines()
    assert last.endswith(",acme"), last
    assert 'breakout_tenant_calls_total{tenant="acme"} 1\n' in ctl("metrics")
    core.phone(ACME, "answer")
    talk = threading.Thread(target=core.call, args=(OUT, ACME), kwargs={"talk_ms": 1500})
    talk.start()
    end = time.monotonic() + 5
    while "acme" not in (table := ctl("calls")) and time.monotonic() < end:
        time.sleep(0.05)
    assert table.split("\n")[0].endswith("TENANT") and "acme" in table, table
    talk.join()


def ctl(*words, status=0):
    done = subprocess.run([BIN / "breakoutctl", "-s", core.folder / "breakout.sock", *words],
                          capture_output=True, text=True, timeout=20)
    assert done.returncode == status, f"{done.returncode}: {done.stdout}{done.stderr}"
    return done.stdout


def a_made_up_call_is_explained_by_the_daemon():
    answer = json.loads(ctl("-o", "json", "explain", "--from", BLOCKED, "--to", SCREENED,
                            "--direction", "mt"))
    assert answer["service"] == "screened/1" and answer["plan"][0]["step"] == "reject 603", answer
    assert answer["config"] == json.loads(ctl("-o", "json", "status"))["config"]
    text = ctl("explain", "--to", CLOSED_NOW, "--direction", "mt", "--header", "X-Key: let me in")
    assert "header     yes  is X-Key: let me in; wanted X-Key: let me*" in text, text


def a_past_call_is_explained_from_its_record():
    expect(core.call(BLOCKED, SCREENED), outcome="refused", status=603)
    record = wait_until(lambda: [r for r in records() if r["status"] == 603], 5, "a record")[-1]
    for name in (record["id"], record["call_id_a"]):
        answer = json.loads(ctl("-o", "json", "explain", name))
        assert answer["record"]["id"] == record["id"], answer
        assert answer["rules"][0]["conditions"][1]["is"] == BLOCKED, answer
    text = ctl("explain", record["id"], "--config", str(tas.config))
    assert "service screened/1, plan:\n  reject 603" in text, text
    assert "which is not the one below" not in text, text
    ctl("explain", "no-such-call", status=1)


def a_replay_lists_the_calls_that_go_differently():
    path = str(core.folder / "cdr.jsonl")
    assert ctl("explain", "--replay", path, "--with", str(tas.config)) == ""
    write_rules(core.folder, closed=True)
    try:
        changed = json.loads(ctl("-o", "json", "explain", "--replay", path, "--with",
                                 str(tas.config), status=4))
    finally:
        write_rules(core.folder)
    assert changed and {c["number"] for c in changed} == {SCREENED}, changed
    assert {c["after"] for c in changed} == {"reject 480"}, changed
    assert {c["before"] for c in changed} == {"reject 603", "reject 403", "loop"}, changed


def questions_that_make_no_sense_get_a_status():
    ctl("explain", status=2)
    ctl("explain", "--to", "1", "--replay", "x", status=2)
    ctl("calls", "--to", "1", status=2)
    ctl("explain", "--to", "1", "--at", "noon", status=1)
    ctl("explain", "--to", "1", "--config", "/nowhere.yaml", status=1)


def a_reload_reads_lists_again_while_calls_go_on():
    (core.folder / "blocked.csv").write_text(f"{OUT}\n")
    tas.process.send_signal(1)
    wait_until(lambda: "reloaded" in tas.log_path.read_text(), 10, "the reload")
    expect(core.call(OUT, SCREENED), outcome="refused", status=603, legs="12")
    core.phone(SCREENED, "answer")
    expect(core.call(BLOCKED, SCREENED), **TWO_WAY, plan="loop")


def a_mistake_in_a_list_is_named_with_its_line_and_changes_nothing():
    (core.folder / "blocked.csv").write_text(f"{OUT}\nnobody\n")
    tas.process.send_signal(1)
    wait_until(lambda: "reload refused" in tas.log_path.read_text(), 10, "the refusal")
    assert "blocked.csv:2:1: error: " in tas.log_path.read_text()
    expect(core.call(OUT, SCREENED), outcome="refused", status=603)


TESTS = [value for name, value in list(globals().items())
         if callable(value) and getattr(value, "__module__", "") == "__main__"
         and name not in ("window", "write_rules", "records", "record_of", "ctl")]

failed = run_tests(TESTS, core)
finish(failed, core, tas)
