# SPDX-License-Identifier: Apache-2.0
"""Call records from the call to the row, the webhook and the CSV, through kill -9."""

import csv
import hashlib
import hmac
import http.server
import io
import json
import pathlib
import re
import sqlite3
import subprocess
import threading

from core import BIN, Core, Daemon, expect, finish, run_tests, wait_until

SECRET = "correct horse battery staple"
ROOT = pathlib.Path(__file__).resolve().parents[2]


class Biller(http.server.ThreadingHTTPServer):
    """Takes records once it is told to; before that it answers 503."""
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.willing, self.refused, self.taken, self.forged = False, 0, [], 0
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        parts = dict(p.split("=", 1) for p in self.headers["Breakout-Signature"].split(","))
        wanted = hmac.new(SECRET.encode(), parts["t"].encode() + b"." + body, hashlib.sha256)
        self.server.forged += not hmac.compare_digest(wanted.hexdigest(), parts["v1"])
        if self.server.willing:
            self.server.taken += [r["id"] for r in json.loads(body)["records"]]
        else:
            self.server.refused += 1
        self.send_response(204 if self.server.willing else 503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        """Quiet."""


core = Core("--no-answer", "300ms")
tas = Daemon(core)
biller = Biller()
secret = core.folder / "records-secret"
secret.write_text(SECRET + "\n")
secret.chmod(0o600)
spool, database = core.folder / "cdr.jsonl", core.folder / "records.db"
tas.config.write_text(
    f"{tas.config.read_text()}records:\n  sqlite: {database}\n  rotate_size: 64KiB\n"
    f"  webhook: {{ url: \"http://127.0.0.1:{biller.server_address[1]}/\", secret_file: {secret} }}\n")
tas.start()
tas.wait_registered()
LOOP, CLOSED = tas.numbers[0], tas.numbers[6]
CALLER = "+4790000098"


def _ctl(*words):
    return subprocess.run([BIN / "breakoutctl", "-s", core.folder / "breakout.sock", *words],
                          capture_output=True, check=True, text=True).stdout


def _records():
    lines = [line for path in sorted(core.folder.glob("cdr.jsonl*"))
             for line in path.read_text().splitlines()]
    return [json.loads(line) for line in lines]


def _rows(what="id"):
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as db:
        return [row[0] for row in db.execute(f"SELECT {what} FROM records")]


def _all_are_rows():
    wait_until(lambda: sorted(_rows()) == sorted(r["id"] for r in _records()), 5, "rows")


def _place(count):
    core.phone(LOOP, "answer", ring_ms=50)
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(
        core.must("call", **{"from": CALLER, "to": LOOP, "talk_ms": 200}))) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def _call(talk_ms):
    """One that nobody waits for: the core stops before it has told of its end."""
    try:
        core.ask("call", **{"from": CALLER, "to": LOOP, "talk_ms": talk_ms})
    except (OSError, ValueError):
        pass


def each_call_is_a_record_and_a_row_once():
    assert all(a["outcome"] == "answered" for a in _place(3))
    core.call(CALLER, CLOSED)
    wait_until(lambda: len(_records()) == 4, 5, "records")
    _all_are_rows()
    assert sorted(_rows("talk_ms > 0")) == [0, 1, 1, 1]
    answered = [r for r in _records() if r["talk_ms"]]
    for record in answered:
        assert record["called"] == LOOP and record["caller"] == CALLER and record["end"]
        assert record["source"] and record["source_b"].startswith("127.0.0.1:"), record
        assert (record["transport"], record["transport_b"]) == ("tls", "tls")
        assert record["to_b"] == LOOP and record["from_b"], record


def every_member_of_a_record_is_documented():
    page = set(re.findall(r"`(?:\w+\.)?(\w+)`", (ROOT / "docs/records.md").read_text()))
    names = set()
    for record in _records():
        names |= set(record) | set(record["a"]) | set(record["b"])
    assert not names - page, names - page


def the_log_shows_the_called_number_without_the_prefix():
    starts = re.findall(r" start direction=mt .* to=(\S+)", tas.log_path.read_text())
    assert starts and all(to.startswith(LOOP[:5]) and "***" in to for to in starts), starts


def a_webhook_that_fails_gets_all_of_it_later():
    wait_until(lambda: biller.refused, 5, "the webhook is tried")
    assert not biller.taken
    biller.willing = True
    wait_until(lambda: set(biller.taken) == {r["id"] for r in _records()}, 8, "delivery")
    assert not biller.forged


def a_kill_in_the_middle_of_calls_loses_and_doubles_no_record():
    before = {r["id"] for r in _records()}
    core.phone(LOOP, "answer", ring_ms=50)
    for talk_ms in (100, 1200, 1200):
        threading.Thread(target=_call, args=(talk_ms,), daemon=True).start()
    wait_until(lambda: len(_records()) == len(before) + 1, 5, "one has ended, two go on")
    tas.kill()
    tas.start()
    wait_until(lambda: len(_records()) == len(before) + 3, 5, "records of killed calls")
    _all_are_rows()
    ids = [r["id"] for r in _records()]
    assert len(ids) == len(set(ids)), "a record twice"
    killed = [r for r in _records() if r["cause"] == "interrupted"]
    assert len(killed) == 2
    for record in killed:
        assert record["answer"] <= record["end"] and 0 <= record["talk_ms"] < 2500, record
        assert record["ended_by"] == "us" and record["call_id_b"]
    wait_until(lambda: set(biller.taken) == set(ids), 8, "delivery after the kill")


def ctl_lists_filters_and_exports_what_was_placed():
    ids = {r["id"] for r in _records()}
    rows = list(csv.DictReader(io.StringIO(_ctl("records", "--csv"))))
    assert {row["id"] for row in rows} == ids and len(rows) == len(ids)
    assert {row["called"] for row in rows} == {LOOP, CLOSED}
    killed = json.loads(_ctl("-o", "json", "records", "--cause", "interrupted", "--since", "10m"))
    assert len(killed) == 2
    assert json.loads(_ctl("-o", "json", "records", "--until", "1h")) == []
    table = _ctl("records", "--number", CLOSED[1:]).splitlines()
    assert len(table) == 2 and " rejected " in table[1], table
    assert _ctl("records", "--cdr", str(spool)).count("\n") == len(ids) + 1


def one_call_is_shown_whole_while_it_runs_and_after_it():
    core.phone(LOOP, "answer", ring_ms=50)
    caller = threading.Thread(target=_call, args=(1500,), daemon=True)
    caller.start()
    wait_until(lambda: any(c["talk_ms"] for c in json.loads(_ctl("-o", "json", "calls"))), 5,
               "an answered call")
    running, = json.loads(_ctl("-o", "json", "calls"))
    shown = _ctl("calls", running["call_id_b"])
    assert f"call       {running['id']}, mt, loop, of {LOOP}" in shown, shown
    assert re.search(r"^now +\w+, began \d\.\d s ago, answered for", shown, re.M), shown
    assert re.search(r"^  from A .*in \d+, out \d+", shown, re.M), shown
    caller.join()
    wait_until(lambda: running["id"] in {r["id"] for r in _records()}, 5, "its record")
    record = next(r for r in _records() if r["id"] == running["id"])
    for name in ("id", "call_id_a", "call_id_b", "session_id"):
        past = _ctl("calls", record[name])
        assert f"ended      normal by {record['ended_by']}, status 200, Q.850 16" in past, past
        assert f"breakoutctl explain {record['id']}" in past
    assert json.loads(_ctl("-o", "json", "calls", record["id"], "--cdr", str(spool))) == record


def a_call_that_nobody_knows_is_said_to_be_unknown():
    ctl = [BIN / "breakoutctl", "-s", core.folder / "breakout.sock", "calls"]
    unknown = subprocess.run([*ctl, "0" * 16], capture_output=True, check=False, text=True)
    assert unknown.returncode == 1 and "has no record of the call" in unknown.stderr, unknown
    nowhere = subprocess.run([*ctl, "1", "--cdr", "/nowhere/cdr.jsonl"], capture_output=True,
                             check=False, text=True)
    assert nowhere.returncode == 1 and "No such file or directory" in nowhere.stderr, nowhere


def what_a_peer_says_does_not_reach_the_terminal():
    strange = core.folder / "strange.jsonl"
    record = dict(_records()[0], id="e" * 16, caller="\x1b]0;owned\x07\x9b31m")
    strange.write_text(json.dumps(record) + "\n")
    for words in (["records"], ["calls", "e" * 16]):
        out = _ctl(*words, "--cdr", str(strange))
        assert "\\x1b]0;owned\\x07\\xc2\\x9b31m" in out, out
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", out)


def a_file_that_is_large_enough_is_rotated_and_still_read():
    oldest = _records()[0]["id"]
    filler = json.dumps({"schema": 1, "id": "f" * 16, "start": "2020-01-01T00:00:00.000Z",
                         "text": "x" * 70000})
    with spool.open("a") as file:
        file.write(filler + "\n")
    expect(core.call(CALLER, CLOSED), outcome="refused")
    wait_until(lambda: list(core.folder.glob("cdr.jsonl-2*")), 5, "rotation")
    _all_are_rows()
    assert "f" * 16 in _rows() and len(spool.read_text().splitlines()) == 1
    assert len(json.loads(_ctl("-o", "json", "records"))) == len(_rows())
    assert "ended " in _ctl("calls", oldest) and "service " in _ctl("explain", oldest)


TESTS = [value for name, value in list(globals().items())
         if callable(value) and getattr(value, "__module__", "") == "__main__" and name[0] != "_"
         and not isinstance(value, type)]

finish(run_tests(TESTS, core), core, tas)
