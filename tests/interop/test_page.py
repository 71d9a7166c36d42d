# SPDX-License-Identifier: Apache-2.0
"""The operator's page in a real browser: what it shows of registrations, calls and
trunks, that it asks for a token, and that texts of peers stay texts."""

import os
import pathlib
import re
import sys
import threading

import yaml

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "flow"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from core import Core, Daemon, expect, finish, free_port, run_tests  # noqa: E402
from webdriver import Browser  # noqa: E402

TOKEN = "a-token-for-the-page-only"
core = Core()
tas = Daemon(core)
PORT = free_port()
_token = core.folder / "page.token"
_token.write_text(TOKEN + "\n")
_token.chmod(0o600)
tas.config.write_text(re.sub(
    r"^admin: \{(.*)\}$", rf'admin: {{\1, http: {{ listen: ["http://127.0.0.1:{PORT}"], rate: 1000, '
    rf'tokens: [ {{ name: page, role: read, token_file: "{_token}" }} ] }} }}',
    tas.config.read_text(), flags=re.M))
ACME = "+4799000106"
(core.folder / "conf.d").mkdir()
(core.folder / "conf.d" / "acme.yaml").write_text(yaml.safe_dump({
    "tenants": [{"name": "acme", "api": yaml.safe_load(tas.config.read_text())["core"]["api"],
                 "prefixes": {"mobile_originating": "02", "mobile_terminating": "03"}},
                {"name": "idle", "api": {"target": "127.0.0.1:9", "plaintext": True}}],
    "registrations": [{"number": ACME, "route_type": "loop", "tenant": "acme"}]}))
tas.numbers.append(ACME)
tas.start()
tas.wait_registered()
LOOP = tas.numbers[0]
browser = Browser()
browser.go(f"http://127.0.0.1:{PORT}/")


def _text(what):
    return browser.run("return document.querySelector(args[0]).innerText;", what)


def _wait(script, *arguments):
    value = browser.wait(f"return {script};", *arguments)
    assert value, f"{script}: {browser.run('return document.body.innerText;')}"
    return value


def _picture(name):
    """Kept where BREAKOUT_PICTURES says, to be looked at."""
    folder = os.environ.get("BREAKOUT_PICTURES")
    if not folder:
        return
    pathlib.Path(folder, name + ".png").write_bytes(browser.picture())


def without_a_token_it_asks_for_one_and_shows_nothing():
    _wait("!document.getElementById('login').hidden && document.getElementById('main').hidden")
    _picture("login")
    browser.run("""document.getElementById('token').value = 'wrong-token-wrong-token';
                   document.querySelector('#login button').click();""")
    _wait("document.getElementById('login-error').textContent.includes('not known')")


def with_the_token_it_shows_the_daemon():
    browser.run("""document.getElementById('token').value = args[0];
                   document.querySelector('#login button').click();""", TOKEN)
    _wait("!document.getElementById('main').hidden")
    _wait("document.getElementById('health').textContent === 'ready'")
    assert _text("#reg-active") == str(len(tas.numbers))
    assert re.match(r"\d+ (min|s)$", _text("#margin")), _text("#margin")
    assert _text("#domain") == "127.0.0.1"
    assert "up" in _text("#trunks tbody") or "unknown" in _text("#trunks tbody")
    assert "sip:" in _text("#trunks tbody")


def a_number_can_be_looked_up():
    browser.run("""document.getElementById('number').value = args[0];
                   document.querySelector('#lookup button').click();""", LOOP)
    _wait("document.getElementById('reg').innerText.includes('active')")
    browser.run("""document.getElementById('number').value = '+1555';
                   document.querySelector('#lookup button').click();""")
    _wait("document.getElementById('reg').innerText.includes('no registration has this number')")


def each_of_several_cores_has_its_line():
    _wait("!document.getElementById('tenants-part').hidden")
    lines = _text("#tenants tbody").splitlines()
    assert [line.split()[0] for line in lines] == ["default", "acme", "idle"], lines
    assert "answers" in lines[1] and "1 of 1" in lines[1], lines
    assert "not asked yet" in lines[2], lines
    browser.run("""document.getElementById('number').value = args[0];
                   document.querySelector('#lookup button').click();""", ACME)
    _wait("document.getElementById('reg').innerText.includes('acme')")
    _picture("tenants")


def a_call_appears_unfolds_and_goes():
    core.phone(LOOP, "answer")
    talk = threading.Thread(target=core.call, args=("+4790000098", LOOP),
                            kwargs={"talk_ms": 6000,
                                    "headers": {"Session-ID": "<img src=x onerror=document.title=1>"}})
    talk.start()
    _wait("document.querySelectorAll('tr.call').length === 1")
    _wait("document.querySelector('tr.call').innerText.includes('TALKING')")
    browser.run("document.querySelector('tr.call').click();")
    _wait("document.querySelector('tr.more')?.innerText.includes('Call-ID B')")
    assert "default" in _text("tr.more"), _text("tr.more")
    assert LOOP in _text("tr.more") and "DTLS ok" in _text("tr.more"), _text("tr.more")
    _picture("call")
    talk.join()
    expect(core.last, outcome="answered", verdict="two-way")
    _wait("document.querySelectorAll('tr.call').length === 0")
    assert browser.run("return document.title;") == "breakout", "a peer's text was run"


def what_was_said_is_drawn_while_it_is_said_and_after():
    core.phone(LOOP, "answer")
    talk = threading.Thread(target=core.call, args=("+4790000098", LOOP),
                            kwargs={"talk_ms": 5000,
                                    "headers": {"X-Note": "<img src=x onerror=document.title=2>"}})
    talk.start()
    _wait("document.querySelectorAll('tr.call').length === 1")
    browser.run("document.querySelector('tr.call').click();")
    _wait("document.querySelector('tr.more button')")
    browser.run("document.querySelector('tr.more button').click();")
    _wait("document.querySelectorAll('#ladder .arrow').length >= 8")
    arrows = browser.run("""return [...document.querySelectorAll('#ladder .arrow')].map((arrow) =>
        [arrow.textContent, arrow.className, parseInt(arrow.style.left)]);""")
    left, right = arrows[0][2], next(a[2] for a in arrows if a[2] != arrows[0][2])
    assert left < right and arrows[0] == ["INVITE (SDP)", "arrow to-right", left], arrows
    assert ["180 Ringing to INVITE", "arrow to-left", right] in arrows, arrows
    assert ["200 OK to INVITE (SDP)", "arrow to-left", left] in arrows, arrows
    _wait("document.querySelector('#ladder').innerText.includes('DTLS done, we are the client')")
    browser.run("document.querySelector('#ladder summary').click();")
    assert "onerror=document.title=2" in _text("#ladder details[open] pre")
    browser.run("document.getElementById('trace').scrollIntoView();")
    _picture("ladder")
    talk.join()
    _wait("document.querySelector('#ladder').innerText.includes('heard ok')")  # drawn again
    dialog = _text("#ladder details[open] pre").split("Call-ID: ")[1].split("\n")[0].strip()
    browser.run("""document.getElementById('trace-id').value = args[0];
                   document.querySelector('#trace button').click();""", dialog)
    _wait("document.querySelector('#ladder').innerText.includes('to BYE')")
    browser.run("document.getElementById('ladder').scrollIntoView();")
    _picture("ladder-after")
    browser.run("""document.getElementById('trace-id').value = 'nobody';
                   document.querySelector('#trace button').click();""")
    _wait("document.getElementById('trace-about').innerText.includes('nothing is known of this call')")
    assert browser.run("return document.title;") == "breakout", "a peer's text was run"


def nothing_was_refused_by_the_policy_and_nothing_foreign_was_loaded():
    foreign = browser.run("""return performance.getEntriesByType('resource')
        .map((entry) => entry.name).filter((name) => !name.startsWith(location.origin));""")
    assert foreign == [], foreign
    refused = [line for line in browser.console() if "Content Security Policy" in line]
    assert not refused, refused


def a_daemon_that_is_gone_is_said_to_be():
    tas.kill()
    _wait("document.getElementById('health').textContent.startsWith('no answer')")
    _picture("gone")
    tas.start()
    _wait("!document.getElementById('health').textContent.startsWith('no answer')")


TESTS = [value for name, value in list(globals().items())
         if callable(value) and getattr(value, "__module__", "") == "__main__" and name[0] != "_"]

_failed = run_tests(TESTS, core)
browser.close()
finish(_failed, core, tas)
