# SPDX-License-Identifier: Apache-2.0
"""Calls that a webhook decides: a real HTTPS server answers, late, wrongly or not at all."""

import hashlib
import hmac
import http.server
import json
import pathlib
import signal
import ssl
import sys
import threading
import time

import yaml

from core import Core, Daemon, expect, free_port, last_record, legs, run_tests, trace, wait_until

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "interop"))
from harness import Pki  # noqa: E402 (its folder is known only now)

SECRET = "correct horse battery staple"
OUT = "+4790000099"
TWO_WAY = {"outcome": "answered", "status": 200, "verdict": "two-way", "both_ends_hung_up": True}


class Crm(http.server.ThreadingHTTPServer):
    """Answers as the test says; remembers who asked, and how often a connection was made."""
    daemon_threads = True

    def __init__(self, pki=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests, self.connections, self.bad_signatures = [], 0, 0
        self.status, self.reply, self.delay, self.headers = 200, {}, 0, {}
        self.context = None
        if pki:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(pki.cert, pki.key)
        threading.Thread(target=self.serve_forever, daemon=True).start()
        self.port = self.server_address[1]

    def finish_request(self, request, client_address):
        """On the connection's own thread."""
        if self.context:
            request = self.context.wrap_socket(request, server_side=True)
        self.connections += 1
        super().finish_request(request, client_address)

    def handle_error(self, request, client_address):
        """A client that gave up is no news."""

    def says(self, action=None, http=200, delay=0, text=None, **more):
        self.status, self.delay, self.headers = http, delay, more.pop("headers", {})
        self.reply = {"version": 1, "action": action, **more} if text is None else text
        self.requests.clear()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self):
        server = self.server
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        signature = dict(part.split("=", 1) for part in
                         self.headers.get("Breakout-Signature", "t=0,v1=").split(","))
        wanted = hmac.new(SECRET.encode(), f"{signature['t']}.{body}".encode(),
                          hashlib.sha256).hexdigest()
        if not hmac.compare_digest(wanted, signature["v1"]) or \
                abs(time.time() - int(signature["t"])) > 300:
            server.bad_signatures += 1
        server.requests.append(json.loads(body))
        time.sleep(server.delay)
        reply = server.reply if isinstance(server.reply, str) else json.dumps(server.reply)
        self.send_response(server.status)
        for name, value in server.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply.encode())

    def log_message(self, *_):
        """Quiet."""


core = Core("--no-answer", "500ms")
pki, strangers = Pki(core.folder), None
(core.folder / "other").mkdir()
strangers = Pki(core.folder / "other")
crm, impostor, plain = Crm(pki), Crm(strangers), Crm()
dead = free_port()
secret_file = core.folder / "hook-secret"
secret_file.write_text(SECRET + "\n")
secret_file.chmod(0o600)

tas = Daemon(core)
config = yaml.safe_load(tas.config.read_text())


def hook(url, **more):
    return {"webhook": {"url": url, "secret_file": str(secret_file), "ca_file": pki.ca, **more}}


ASK, DEAD, IMPOSTOR, PLAIN, RULES, MAIL = (r["number"] for r in config["registrations"][:6])
config["services"].update({
    "ask": [{"do": [hook(f"https://127.0.0.1:{crm.port}/calls?key=1", headers=["X-Account"]),
                    "loop"]}],
    "dead": [{"do": [hook(f"https://127.0.0.1:{dead}/")]}],
    "impostor": [{"do": [hook(f"https://127.0.0.1:{impostor.port}/"), "loop"]}],
    "plain": [{"do": {"webhook": f"http://127.0.0.1:{plain.port}/"}}],
    "rules": [{"do": hook(f"https://127.0.0.1:{crm.port}/rules")},
              {"when": {"direction": "mt"}, "do": "loop"},
              {"do": {"reject": 486}}],
    "mail": [{"do": {"voicemail": {
        "box": "office", "dir": str(core.folder / "mail"),
        "notify": hook(f"https://127.0.0.1:{crm.port}/messages")["webhook"]}}}],
})
for registration, service in zip(config["registrations"], ["ask", "dead", "impostor", "plain",
                                                           "rules", "mail"]):
    registration.update(service=service, route_type="loop")
tas.config.write_text(yaml.safe_dump(config))
tas.start()
tas.wait_registered()


def record():
    """The last call's."""
    return last_record(core)


def asked(answer, step=f"webhook 127.0.0.1:{crm.port}"):
    wait_until(lambda: record().get("asked"), 3, "a record with what was asked")
    entry, = record()["asked"]
    assert (entry["step"], entry["answer"]) == (step, answer), entry
    return entry


def the_webhook_dials_a_trunk_with_another_number():
    crm.says("dial", trunk="pbx", number="4711", ring_s=5)
    core.pbx("answer")
    result = core.call(ASK, OUT, headers={"X-Account": "a\"b"})
    expect(result, **TWO_WAY, legs="12", answered_by="pbx")
    told, = crm.requests
    assert told["version"] == 1 and told["direction"] == "mo" and told["to"] == OUT, told
    assert told["number"] == ASK and told["from"] == ASK and told["service"] == "ask/1", told
    assert told["headers"] == {"X-Account": ["a\"b"]}, told
    assert told["deadline_ms"] == 800 and told["call"] == record()["id"], told
    assert asked("dial pbx")["ms"] < 800
    assert crm.bad_signatures == 0


def the_webhook_loops_the_call():
    crm.says("loop")
    core.phone(OUT, "answer")
    expect(core.call(ASK, OUT), **TWO_WAY, plan="loop", legs="1234")
    asked("loop")


def the_webhook_rejects_with_a_reason():
    crm.says("reject", status=488, reason="Not On Sundays")
    expect(core.call(ASK, OUT), outcome="refused", status=488, legs="12")
    assert "488 Not On Sundays" in " ".join(trace(core.last, 2)), trace(core.last, 2)


def the_webhook_lets_us_answer():
    crm.says("answer", play="tone", tone_hz=425)
    expect(core.call(ASK, OUT), outcome="answered", legs="12", verdict="tone 425 Hz")


def several_actions_are_tried_in_order():
    crm.says(text={"version": 1, "actions": [{"action": "dial", "trunk": "pbx"},
                                             {"action": "loop"}]})
    core.pbx("busy")
    core.phone(OUT, "answer")
    expect(core.call(ASK, OUT), **TWO_WAY, answered_by="phone", legs="1234")
    asked("dial pbx, loop")


def next_goes_on_with_the_next_action():
    core.phone(OUT, "answer")
    crm.says("next")
    expect(core.call(ASK, OUT), **TWO_WAY, legs="1234")
    asked("next")
    crm.says(http=204, text="")
    expect(core.call(ASK, OUT), **TWO_WAY, legs="1234")
    asked("next")


def next_at_the_end_of_a_rule_goes_on_with_the_next_rule():
    crm.says("next")
    expect(core.call(RULES, OUT), outcome="refused", status=486, legs="12")
    core.phone(RULES, "answer")
    expect(core.call(OUT, RULES), **TWO_WAY, legs="1234")
    crm.says("reject")
    expect(core.call(RULES, OUT), outcome="refused", status=603)


def connections_are_kept_alive():
    crm.says("reject")
    core.call(ASK, OUT)
    before = crm.connections
    for _ in range(3):
        core.call(ASK, OUT)
    assert crm.connections == before, crm.connections - before


def an_answer_that_is_no_answer_changes_nothing():
    core.phone(OUT, "answer")
    for text, status, answer in [
            ("{", 200, "bad answer"),
            ("", 200, "bad answer"),
            ('{"version":1,"action":"dial","trunk":"nowhere"}', 200, "bad answer"),
            ('{"version":1,"action":"reject","status":200}', 200, "bad answer"),
            ('{"version":1,"action":"reject","reason":"a\\r\\nX-Evil: b"}', 200, "bad answer"),
            ('{"version":2,"action":"loop"}', 200, "bad answer"),
            ('{"version":1,"action":"reject"}', 500, "HTTP status 500"),
            ('{"version":1,"action":"reject","x":"' + "y" * 70000 + '"}', 200, "too_large")]:
        crm.says(text=text, http=status)
        expect(core.call(ASK, OUT, talk_ms=150), **TWO_WAY, plan="loop", legs="1234")
        asked(answer)
    tas_log = tas.log_path.read_text()
    assert "webhook answer not understood" in tas_log and "key=1" not in tas_log


def a_redirect_is_not_followed():
    crm.says(text="", http=302, headers={"Location": f"http://127.0.0.1:{plain.port}/"})
    plain.says("reject")
    core.phone(OUT, "answer")
    expect(core.call(ASK, OUT), **TWO_WAY, legs="1234")
    asked("HTTP status 302")
    assert plain.requests == []


def a_slow_webhook_costs_its_deadline():
    crm.says("reject", delay=3)
    core.phone(OUT, "answer", ring_ms=0)
    result = core.call(ASK, OUT)
    expect(result, **TWO_WAY, legs="1234")
    assert 800 <= result["answer_ms"] < 1500, result["answer_ms"]
    assert 800 <= asked("timeout")["ms"] < 1000


def a_dead_webhook_costs_nothing():
    core.phone(OUT, "answer", ring_ms=0)
    result = core.call(DEAD, OUT)
    expect(result, **TWO_WAY, legs="1234")
    assert result["answer_ms"] < 500, result["answer_ms"]
    asked("unreachable", f"webhook 127.0.0.1:{dead}")


def an_impostor_is_not_told_of_calls():
    core.phone(OUT, "answer")
    expect(core.call(IMPOSTOR, OUT), **TWO_WAY, legs="1234")
    asked("untrusted", f"webhook 127.0.0.1:{impostor.port}")
    assert impostor.requests == []


def plain_http_on_this_machine_works_unsigned():
    plain.says("reject", status=480)
    expect(core.call(PLAIN, OUT), outcome="refused", status=480, legs="12")
    assert plain.bad_signatures == 1


def a_caller_who_cancels_while_it_waits_is_let_go():
    crm.says("loop", delay=0.6)
    result = core.call(ASK, OUT, patience_ms=200)
    expect(result, outcome="cancelled", both_ends_hung_up=True, legs="12")
    asked("cancelled")
    wait_until(lambda: core.must("status")["calls"] == 0, 3, "the call is over")


def a_reload_while_it_waits_changes_nothing():
    crm.says("dial", trunk="pbx", delay=0.5)
    core.pbx("answer")
    timer = threading.Timer(0.25, lambda: tas.process.send_signal(signal.SIGHUP))
    timer.start()
    expect(core.call(ASK, OUT), **TWO_WAY, answered_by="pbx")
    timer.join()
    assert "reloaded" in tas.log_path.read_text()


def an_emergency_call_asks_nobody():
    crm.says("reject", delay=0.5)
    core.phone("112", "answer")
    expect(core.call(ASK, "112"), **TWO_WAY, legs="1234")
    assert crm.requests == [] and "asked" not in record()


def a_message_left_is_told():
    crm.says()
    expect(core.call(OUT, MAIL, talk_ms=2400), outcome="answered", answered_by="tas")
    wait_until(lambda: crm.requests, 3, "the notice of a message")
    notice, = crm.requests
    assert notice["event"] == "message" and notice["mailbox"] == "office", notice
    assert notice["caller"] == OUT and notice["called"] == MAIL, notice
    assert notice["length_ms"] >= 1000, notice
    wait_until((core.folder / "mail" / "office" / notice["file"]).exists, 3, "the message itself")


def a_notice_that_waits_is_told_after_the_next_start():
    crm.says(http=500)
    expect(core.call(OUT, MAIL, talk_ms=2400), outcome="answered", answered_by="tas")
    wait_until(lambda: crm.requests, 3, "the notice of a message")
    notice, = crm.requests
    tas.kill(signal.SIGTERM)
    crm.says()
    tas.start()
    wait_until(lambda: crm.requests, 3, "the same notice")
    assert crm.requests == [notice], crm.requests
    assert not list((core.folder / "mail").glob(".untold*"))
    tas.wait_registered()


def a_webhook_that_never_answers_is_asked_once_a_second():
    core.phone(OUT, "answer", ring_ms=0)
    crm.says("reject", delay=2)
    for _ in range(5):
        core.call(ASK, OUT, talk_ms=50)
    began = time.monotonic()
    result = core.call(ASK, OUT, talk_ms=50)
    expect(result, **TWO_WAY)
    assert result["answer_ms"] < 500, result["answer_ms"]
    asked("not asked")
    crm.says("reject")
    time.sleep(max(0.0, 1.2 - (time.monotonic() - began)))
    expect(core.call(ASK, OUT), outcome="refused", status=603)  # the probe
    expect(core.call(ASK, OUT), outcome="refused", status=603)
    assert "answers again" in tas.log_path.read_text()


def nothing_is_left_behind():
    wait_until(lambda: core.must("status")["calls"] == 0, 10, "calls are over")
    assert crm.bad_signatures == 0


TESTS = [value for name, value in list(globals().items())
         if callable(value) and getattr(value, "__module__", "") == "__main__"
         and not isinstance(value, type) and name not in ("hook", "record", "asked")]

failed = run_tests(TESTS, core)
stopped = tas.close()
if failed or stopped:
    print(tas.log_path.read_text(errors="replace")[-6000:])
    print(f"breakoutd ended with {stopped}")
status = core.close()
sys.exit(1 if failed or stopped or status else 0)
