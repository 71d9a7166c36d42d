# SPDX-License-Identifier: Apache-2.0
"""The operator's HTTP side: who may ask what, what the OpenAPI document promises,
and what a proxy or a monitor looks at."""

import hashlib
import http.client
import json
import re
import shutil
import socket
import ssl
import subprocess
import threading

from core import BIN, Core, Daemon, expect, finish, free_port, run_tests, wait_until

core = Core()
tas = Daemon(core)
ORIGINAL = tas.config.read_text()
PLAIN, TLS = free_port(), free_port()
PAIR = [core.folder / name for name in ("https.pem", "https.key")]
TOKENS = {role: f"{role}-token-of-some-length" for role in ("read", "operate", "admin")}
SOCKET = core.folder / "http.sock"
for _role, _token in TOKENS.items():
    (core.folder / f"{_role}.token").write_text(_token + "\n")
    (core.folder / f"{_role}.token").chmod(0o600)
(core.folder / "short.token").write_text("short\n")
(core.folder / "short.token").chmod(0o600)


def _configure(tokens, rate=1000):
    text = ORIGINAL
    given = [re.search(rf"{name}: *\"?([^\",\n}} ]+)\"?", text).group(1)
             for name in ("certificate", "private_key")]
    for path, source in zip(PAIR, given):
        shutil.copy(source, path)
    http_text = (f"admin:\n  socket: {core.folder}/breakout.sock\n  http:\n"
                 f"    listen: ['unix:{SOCKET}', 'http://127.0.0.1:{PLAIN}', "
                 f"'https://127.0.0.1:{TLS}']\n    rate: {rate}\n"
                 f"    certificate: {PAIR[0]}\n    private_key: {PAIR[1]}\n    tokens:\n")
    for role in tokens:
        owner = "read" if role == "short" else role
        http_text += (f"      - {{ name: {role}, role: {owner}, "
                      f"token_file: {core.folder}/{role}.token }}\n")
    text = re.sub(r"^admin:.*\n", lambda _: http_text, text, flags=re.M)
    tas.config.write_text(text)


def _reload():
    before = tas.log_path.read_text(errors="replace").count("reloaded ")
    tas.process.send_signal(1)
    wait_until(lambda: tas.log_path.read_text(errors="replace").count("reloaded ") > before, 10,
               "reloaded")


class _Unix(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(10)
        self.sock.connect(str(SOCKET))


def _ask(method, path, role=None, body=None, to="plain", **headers):
    """(status, headers, text)"""
    if to == "unix":
        link = _Unix("localhost")
    elif to == "tls":
        trust = ssl.create_default_context(cafile=core.about["ca_file"])
        link = http.client.HTTPSConnection("127.0.0.1", TLS, timeout=10, context=trust)
    else:
        link = http.client.HTTPConnection("127.0.0.1", PLAIN, timeout=10)
    if role:
        headers["Authorization"] = f"Bearer {TOKENS.get(role, role)}"
    try:
        link.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
        answer = link.getresponse()
        return answer.status, answer.headers, answer.read().decode()
    finally:
        link.close()


_configure(TOKENS)
tas.start()
tas.wait_registered()
LOOP, ADDED = tas.numbers[0], "+4790008001"
DOCUMENT = json.loads(_ask("GET", "/openapi.json")[2])


def _fits(value, schema):
    """Enough of JSON Schema for our own document."""
    if "$ref" in schema:
        return _fits(value, DOCUMENT["components"]["schemas"][schema["$ref"].split("/")[-1]])
    if value is None:
        return schema.get("nullable", False)
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool}
    if not isinstance(value, kinds[schema.get("type", "object")]):
        return False
    if isinstance(value, list):
        return all(_fits(item, schema["items"]) for item in value)
    if isinstance(value, dict):
        known, more = schema.get("properties", {}), schema.get("additionalProperties")
        return (all(name in value for name in schema.get("required", [])) and
                all(_fits(value[name], known[name]) for name in known if name in value) and
                (not more or all(_fits(v, more) for v in value.values())))
    return True


def every_path_of_the_document_is_served_as_it_says():
    served = 0
    core.phone(LOOP, "answer")
    expect(core.call("+4790000096", LOOP), outcome="answered")
    wait_until(lambda: (core.folder / "cdr.jsonl").exists(), 5, "a record")
    past = json.loads((core.folder / "cdr.jsonl").read_text().splitlines()[0])["id"]
    for path, methods in DOCUMENT["paths"].items():
        for method, about in methods.items():
            if path in ("/v1/drain", "/v1/undrain", "/v1/restart"):
                continue  # last, and in test_restart
            body = None
            if "text/csv" in about.get("requestBody", {}).get("content", {}):
                body = f"{ADDED},loop\n"
            elif "requestBody" in about:
                content = about["requestBody"]["content"]["application/json"]
                body = dict(content.get("example", {"called": LOOP}))
                if "number" in body:
                    body["number"] = ADDED if path == "/v1/registrations" else LOOP
                body = json.dumps(body)
            number = ADDED if method in ("put", "delete") else LOOP
            status, headers, text = _ask(method.upper(), path.replace("{number}", number).replace("{id}", past).replace("{reload}", "1"),
                                         "admin" if about["security"] else None, body)
            if path == "/v1/forget":  # here is no fleet
                assert status == 400 and "in no fleet" in text, (path, status, text)
                continue
            assert status == 200, (path, status, text)
            promised = about["responses"]["200"]["content"]
            kind = headers["Content-Type"].split(";")[0]
            assert kind in promised, (path, kind)
            schema = promised[kind].get("schema")
            assert not schema or _fits(json.loads(text), schema), (path, text)
            served += 1
    assert served == 30, served


def the_socket_needs_no_token_and_may_do_everything():
    assert _ask("GET", "/v1/status", to="unix")[0] == 200
    assert _ask("POST", f"/v1/registrations/{LOOP}/refresh", to="unix")[0] == 200
    assert (SOCKET.stat().st_mode & 0o777) == 0o660


def tls_serves_the_same():
    assert _ask("GET", "/v1/status", "read", to="tls")[0] == 200
    assert _ask("GET", "/v1/status", to="tls")[0] == 401


def roles_are_kept_apart():
    wanted = {"GET /v1/status": "read", "GET /metrics": "read", "GET /v1/calls": "read",
              f"POST /v1/registrations/{LOOP}/refresh": "operate", "POST /v1/drain": "admin",
              "POST /v1/registrations/import": "operate",
              f"PUT /v1/registrations/{ADDED}": "operate",
              f"DELETE /v1/registrations/{ADDED}": "operate",
              "POST /v1/undrain": "admin", "POST /v1/forget": "admin",
              "POST /v1/restart": "admin"}
    order = [None, "read", "operate", "admin"]
    for request, least in wanted.items():
        method, path = request.split(" ", 1)
        for role in order:
            enough = order.index(role) >= order.index(least)
            if path in ("/v1/drain", "/v1/undrain", "/v1/forget", "/v1/restart") and enough:
                continue
            body = {"PUT": '{"route_type": "loop"}'}.get(method, "+4790008002,loop\n" if
                                                         path.endswith("/import") else None)
            if enough and method == "DELETE":
                assert _ask("PUT", path, "admin", '{"route_type": "loop"}')[0] == 200
            status, headers, _ = _ask(method, path, role, body)
            assert status == (200 if enough else 401 if role is None else 403), (request, role)
            assert status != 401 or headers["WWW-Authenticate"] == "Bearer"
    assert _ask("DELETE", "/v1/registrations/+4790008002", "operate")[0] == 200
    wait_until(lambda: "+4790008002" not in core.upserts(), 5, "deleted")


def who_may_not_import_cannot_make_us_keep_many_lines():
    lines = "+4790008003,loop\n" * 300000  # 5 MB
    for role in (None, "read"):
        try:
            assert _ask("POST", "/v1/registrations/import", role, lines)[0] == (403 if role else 401)
        except (BrokenPipeError, ConnectionResetError):
            pass  # hung up on
    status, _, text = _ask("POST", "/v1/registrations", "operate", "x" * 20000)
    assert status == 413, (status, text)


def a_wrong_token_is_as_good_as_none():
    for token in ("x", "read-token-of-some-lengt", "read-token-of-some-length1",
                  TOKENS["read"].upper(), "y" * 9000):
        status, _, _ = _ask("GET", "/v1/status", token)
        assert status in (401, 431), (token[:30], status)
    assert _ask("GET", "/v1/status", Authorization="Basic cmVhZDpyZWFk")[0] == 401


def a_foreign_page_cannot_use_the_operators_browser():
    # DNS rebinding: the browser thinks that it talks to evil.example.
    for to in ("plain", "unix"):
        status, _, text = _ask("GET", "/v1/status", "admin", to=to, Host="evil.example")
        assert status == 400 and "localhost" in text, (to, status, text)
    # A form or a script of another page.
    for origin in ("https://evil.example", "null"):
        assert _ask("POST", "/v1/drain", to="unix", Origin=origin)[0] == 403, origin
    own = f"http://127.0.0.1:{PLAIN}"
    assert _ask("POST", f"/v1/registrations/{LOOP}/refresh", "operate", Origin=own)[0] == 200


def the_page_may_load_nothing_from_elsewhere():
    status, headers, text = _ask("GET", "/")
    policy = headers["Content-Security-Policy"]
    assert status == 200 and "default-src 'none'" in policy and "unsafe" not in policy, policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert not re.search(r"https?://|style=|onclick|<script>", text), "something foreign or inline"
    assert "innerHTML" not in _ask("GET", "/page.js")[2]


def metrics_are_prometheus_text():
    status, headers, text = _ask("GET", "/metrics", "read")
    assert status == 200 and headers["Content-Type"].startswith("text/plain; version=0.0.4")
    typed = set()
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            name = line.split()[2]
            assert name not in typed, f"{name} twice"
            typed.add(name)
        elif not line.startswith("#"):
            match = re.fullmatch(r"(breakout_\w+)(\{[^{}]+\})? (-?\d+)", line)
            assert match and match[1] in typed, line
            assert not re.search(r"\+?\d{8,}", match[2] or ""), f"a number as label: {line}"
    assert "breakout_registrations" in typed, typed


def rubbish_is_refused_and_the_daemon_goes_on():
    for method, path, status in (("GET", "/nowhere", 404), ("GET", "/v1/registrations/a%20b", 404),
                                 ("GET", "/v1/registrations/%0Adrain", 404),
                                 ("GET", "/v1/registrations/+1", 404),
                                 ("GET", "/v1/registrations//refresh", 404),
                                 ("DELETE", "/v1/calls", 405), ("GET", "/v1/drain", 405),
                                 ("GET", "/v1/registrations?after=%0Adrain", 400),
                                 ("GET", "/../etc/passwd", 404)):
        got, headers, text = _ask(method, path, "admin")
        assert got == status and json.loads(text)["error"], (method, path, got, text)
        assert got != 405 or headers["Allow"], headers
    assert _ask("POST", "/v1/explain", "read", "{" * 20000)[0] == 413
    for body in ("", "{", "[1]", '{"a":1,"a":2}', "\xff"):
        assert _ask("POST", "/v1/explain", "read", body.encode("latin-1"))[0] == 400, body[:20]
    for raw in (b"\0" * 100, b"GET / HTTP/1.1\r\n\r\n", b"GET /" + b"x" * 70000, b"\x16\x03\x01"):
        with socket.create_connection(("127.0.0.1", PLAIN), 5) as link:
            link.sendall(raw)
    assert _ask("GET", "/livez")[0] == 200


def a_head_has_no_body():
    status, headers, text = _ask("HEAD", "/v1/status", "read")
    assert status == 200 and text == "" and int(headers["Content-Length"]) > 0


def tokens_follow_a_reload_and_a_short_one_counts_for_nothing():
    _configure(["read", "short"])
    _reload()
    assert _ask("GET", "/v1/status", "read")[0] == 200
    assert _ask("GET", "/v1/status", "admin")[0] == 401
    assert _ask("GET", "/v1/status", "short")[0] == 401
    log = tas.log_path.read_text(errors="replace")
    assert "token of short" in log and "shorter than 16" in log
    assert not any(token in log for token in TOKENS.values()), "a token in the log"
    _configure(TOKENS)
    _reload()
    assert _ask("GET", "/v1/status", "admin")[0] == 200


def who_asks_too_often_has_to_wait_and_the_others_have_not():
    _configure(TOKENS, rate=5)
    _reload()
    seen = [_ask("GET", "/v1/status", "read")[0] for _ in range(30)]
    assert seen.count(200) >= 5 and seen.count(429) >= 10, seen
    assert _ask("GET", "/v1/status", "admin")[0] == 200
    _configure(TOKENS)
    _reload()


def _reload_by_http():
    number = json.loads(_ask("POST", "/v1/reload", "admin")[2])["reload"]
    report = {}

    def done():
        report.update(json.loads(_ask("GET", f"/v1/reloads/{number}", "operate")[2]))
        return report["done"]
    wait_until(done, 10, "the reload")
    return report


def a_reload_is_reported_and_the_configuration_shown():
    text = tas.config.read_text()
    tas.config.write_text(text + "nonsense: 1\n")
    report = _reload_by_http()
    assert report["refused"] and any("nonsense" in line for line in report["findings"]), report
    tas.config.write_text(text.replace("rate: 1000", "rate: 999"))
    report = _reload_by_http()
    assert not report["refused"] and report["restart"] == 0, report
    assert [(c["name"], c["before"], c["after"]) for c in report["changes"]] == \
        [("admin.http.rate", "1000", "999")], report
    shown = json.loads(_ask("GET", "/v1/config?below=admin.http", "operate")[2])["settings"]
    assert {"name": "admin.http.rate", "value": "999"}.items() <= \
        next(s for s in shown if s["name"] == "admin.http.rate").items()
    assert _ask("GET", "/v1/config", "read")[0] == 403
    assert not any(token in _ask("GET", "/v1/config", "operate")[2] for token in TOKENS.values())


def _fingerprint():
    pem = ssl.get_server_certificate(("127.0.0.1", TLS), timeout=10)
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()


def _new_pair(certificate, private_key):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj", "/CN=renewed",
                    "-out", certificate, "-keyout", private_key], check=True, capture_output=True)


def a_new_certificate_counts_for_new_connections_and_old_ones_go_on():
    trust = ssl.create_default_context(cafile=core.about["ca_file"])
    old = http.client.HTTPSConnection("127.0.0.1", TLS, timeout=10, context=trust)
    bearer = {"Authorization": f"Bearer {TOKENS['read']}"}
    before = _fingerprint()
    for expected in (200, 200):
        old.request("GET", "/v1/status", headers=bearer)
        answer = old.getresponse()
        assert answer.status == expected and answer.read()
        if before == _fingerprint():
            _new_pair(*PAIR)
            report = _reload_by_http()
            assert not report["refused"], report
    assert before != _fingerprint()
    listed = json.loads(_ask("GET", "/v1/certificates", "read")[2])["certificates"]
    https = next(c for c in listed if c["role"] == "http")
    assert https["same"] and https["live"]["subject"] == https["disk"]["subject"], https
    assert "certificates renewed: http" in tas.log_path.read_text(errors="replace")
    old.close()


def a_key_of_another_certificate_changes_nothing():
    before = _fingerprint()
    _new_pair(PAIR[0], core.folder / "other.key")
    _reload_by_http()
    assert _fingerprint() == before
    log = tas.log_path.read_text(errors="replace")
    assert "the old certificate stays" in log and log.count("renewed: http") == 1
    listed = json.loads(_ask("GET", "/v1/certificates", "read")[2])["certificates"]
    assert not next(c for c in listed if c["role"] == "http")["same"]
    _configure(TOKENS)
    _reload_by_http()
    assert _ask("GET", "/v1/status", "read", to="tls")[0] == 200


def a_running_call_is_shown():
    core.phone(LOOP, "answer")
    result = core.call("+4790000098", LOOP, talk_ms=300)
    expect(result, outcome="answered", verdict="two-way")
    wait_until(lambda: json.loads(_ask("GET", "/v1/calls", "read")[2])["calls"] == [], 5, "over")


def _ctl(*words):
    return subprocess.run([BIN / "breakoutctl", "-s", core.folder / "breakout.sock", *words],
                          capture_output=True, text=True, timeout=20, check=False)


def _at_core():
    return LOOP in {r["number"] for r in core.must("registrations")["registrations"]}


def _serves():
    try:
        return _ask("GET", "/livez")[0] == 200
    except OSError:
        return False


def what_is_paused_goes_native_over_a_restart_until_it_is_resumed():
    order = json.dumps({"number": LOOP, "why": "the PBX moves"})
    assert _ask("POST", "/v1/pause", "read", order)[0] == 403
    assert _ask("POST", "/v1/pause", "operate", json.dumps({"number": LOOP}))[0] == 400
    assert _ask("POST", "/v1/pause", "operate", order)[0] == 200
    wait_until(lambda: not _at_core(), 5, "it is deleted at the core")
    tas.process.terminate()
    tas.process.wait(10)
    tas.start()
    wait_until(_serves, 5, "it serves again")
    one = json.loads(_ask("GET", f"/v1/registrations/{LOOP}", "read")[2])
    assert one["state"] == "withheld" and one["paused"], one
    assert one["error"] == "paused by operate: the PBX moves" and not _at_core(), one
    listed = _ctl("regs", "pauses").stdout
    assert f"number {LOOP}" in listed and "until resumed" in listed, listed
    assert "by 1 orders" in _ctl("status").stdout
    done = _ctl("regs", "pause", "--service", "nobody", "--why", "a try", "--for", "2h")
    assert done.returncode == 1 and "no service has this name" in done.stderr, done
    assert _ctl("regs", "pause", LOOP).returncode == 2
    assert _ctl("regs", "resume", "--all").returncode == 1
    assert _ctl("regs", "resume", LOOP).returncode == 0
    wait_until(_at_core, 5, "it is registered again")


def a_number_is_traced_by_who_may_operate():
    order = json.dumps({"number": LOOP, "for_s": 60, "calls": 1})
    assert _ask("POST", "/v1/trace", "read", order)[0] == 403
    assert _ask("POST", "/v1/trace", "operate", json.dumps({"number": "112"}))[0] == 400
    done = json.loads(_ask("POST", "/v1/trace", "operate", order)[2])
    assert done["traced"]["who"] == "operate" and done["traced"]["left_s"] in (59, 60), done
    core.phone(LOOP, "answer")
    core.call("+4790000098", LOOP, talk_ms=0)
    kept = wait_until(lambda: json.loads(_ask("GET", "/v1/traced", "read")[2])["kept"], 5, "a file")
    assert kept[0]["number"] == LOOP and kept[0]["call"], kept
    trace = json.loads(_ask("GET", f"/v1/calls/{kept[0]['call']}/trace", "read")[2])
    assert trace["entries"][0]["text"].startswith("INVITE "), trace
    status, _, text = _ask("POST", "/v1/untrace", "operate", json.dumps({"number": LOOP}))
    assert status == 400 and "not traced" in text, "it ended with its one call"


def an_export_has_all_of_them():
    done = _ctl("regs", "export")
    lines = [line.split(",") for line in done.stdout.splitlines() if line[0] != "#"]
    assert done.returncode == 0 and [line[0] for line in lines] == sorted(tas.numbers), done
    assert lines[0][:4] == [LOOP, "loop", "loop", "active"] and int(lines[0][4]) > 0, lines


def _diagnose(*arguments):
    """({subsystem: finding}, exit status); whether the clock of the machine that tests is
    synchronised does not count."""
    got = subprocess.run([BIN / "breakoutctl", "-o", "json", "-s", core.folder / "breakout.sock",
                          "diagnose", *arguments], capture_output=True, text=True, timeout=20)
    lines = {line["subsystem"]: line for line in json.loads(got.stdout)}
    clock = lines.pop("clock")
    return lines, got.returncode if clock["level"] == "OK" or got.returncode != 1 else 0


def a_diagnosis_names_what_is_wrong_and_what_to_type():
    lines, status = _diagnose()
    wrong = [line for line in lines.values() if line["level"] != "OK"]
    assert not wrong and len(lines) == 17, wrong or lines.keys()
    assert status == 0, status
    silent = free_port()
    tas.config.write_text(tas.config.read_text().replace(
        "trunks:\n", f"trunks:\n  - {{ name: gone, uris: ['sip:127.0.0.2:{silent};transport=tcp'], "
                     "options_every: 1s }\n"))
    lines, _ = _diagnose()
    assert lines["configuration"]["level"] == "WARNING", lines["configuration"]
    assert lines["configuration"]["next"] == "breakoutctl reload", lines["configuration"]
    _reload()
    wait_until(lambda: _diagnose()[1] == 5, 10, "critical")
    lines, _ = _diagnose()
    assert lines["trunks"]["level"] == "CRITICAL", lines["trunks"]
    assert f"gone: sip:127.0.0.2:{silent};transport=tcp is down" in lines["trunks"]["reason"], lines["trunks"]
    assert lines["trunks"]["next"] == "breakoutctl trunks", lines["trunks"]
    _configure(TOKENS)
    _reload()
    assert _diagnose()[1] == 0


def one_look_for_scripts_has_rates_and_registrations():
    text = subprocess.run([BIN / "breakoutctl", "-s", core.folder / "breakout.sock", "top",
                           "--once"], capture_output=True, text=True, timeout=20).stdout
    assert re.search(r"cpu [\d.]+ %  rss \d+ MiB  files \d+", text), text
    assert "0 up, 0 legs" in text and f"active {len(tas.numbers)}" in text, text


def draining_is_not_ready_but_alive():
    assert _ask("GET", "/readyz")[::2] == (200, "ok\n")
    core.phone(LOOP, "answer")
    # A call that goes on keeps the daemon from ending at once.
    talk = threading.Thread(target=core.call, args=("+4790000097", LOOP),
                            kwargs={"talk_ms": 2000})
    talk.start()
    wait_until(lambda: "TALKING" in _ask("GET", "/v1/calls", "read")[2], 5, "talking")
    assert _ask("POST", "/v1/drain", "admin")[0] == 200
    assert _ask("GET", "/readyz")[::2] == (503, "draining\n")
    assert _ask("GET", "/livez")[0] == 200
    assert _ask("POST", "/v1/undrain", "admin")[0] == 200
    assert _ask("GET", "/readyz")[::2] == (200, "ok\n")
    assert _ask("POST", "/v1/undrain", "admin")[0] == 400
    assert _ask("POST", "/v1/drain", "admin")[0] == 200
    tas.process.terminate()  # the stop that follows: the call goes on all the same
    wait_until(lambda: _ask("POST", "/v1/undrain", "admin")[0] == 400, 5, "no way back")
    talk.join()
    expect(core.last, outcome="answered", verdict="two-way")
    assert tas.process.wait(15) == 0 and not SOCKET.exists()


def without_a_daemon_a_diagnosis_says_where_to_look():
    lines, status = _diagnose(tas.config)
    assert status == 3 and lines["daemon"]["level"] == "CRITICAL", lines
    assert "journalctl -u breakout" in lines["daemon"]["next"], lines
    assert "has no mistakes" in lines["configuration"]["reason"], lines


TESTS = [value for name, value in list(globals().items())
         if callable(value) and getattr(value, "__module__", "") == "__main__" and name[0] != "_"]

finish(run_tests(TESTS, core), core, tas)
