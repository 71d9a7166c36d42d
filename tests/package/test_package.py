# SPDX-License-Identifier: Apache-2.0
"""What the package brings besides the programs: the unit's sandbox lets the daemon
work and little else, the man pages and the completion know every command."""

import json
import os
import pathlib
import re
import shlex
import signal
import socket
import subprocess
import sys

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/flow"))

from core import BIN, Core, Daemon, expect, run_tests, wait_until  # noqa: E402

UNIT = ROOT / "packaging/systemd/breakout.service"
WATCHDOG_UNIT = ROOT / "packaging/systemd/breakout-watchdog.service"
MAN = ROOT / "packaging/man"


def command(*words, status=0):
    done = subprocess.run([str(w) for w in words], capture_output=True, text=True)
    assert done.returncode == status, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


# ---- the unit ----

def unit_lines(key):
    return re.findall(rf"^{key}=(.*)$", UNIT.read_text(), re.M)


def set_of(name):
    """A system call set of systemd's, with the sets it has in it."""
    calls = set()
    for line in command("systemd-analyze", "--no-pager", "syscall-filter", name).splitlines():
        word = line.strip()
        if word.startswith("@") and word != name:
            calls |= set_of(word)
        elif word and word[0] not in "@#":
            calls.add(word)
    return calls


def allowed_calls():
    """systemd.exec(5): the first line allows, those after it add, or take away with ~."""
    allowed = set()
    for line in unit_lines("SystemCallFilter"):
        names = set()
        for word in line.lstrip("~").split():
            names |= set_of(word) if word.startswith("@") else {word}
        allowed = allowed - names if line.startswith("~") else allowed | names
    # What systemd always lets through.
    return allowed | set_of("@default")


def start_traced(daemon, to):
    daemon.process = subprocess.Popen(
        ["strace", "-f", "-c", "-S", "name", "-o", to, BIN / "breakoutd", "--config",
         daemon.config], stdout=open(daemon.log_path, "ab"), stderr=subprocess.STDOUT)
    wait_until(daemon.listens, 30, "breakoutd listens")


def traced_pid(daemon):
    children = f"/proc/{daemon.process.pid}/task/{daemon.process.pid}/children"
    return int(pathlib.Path(children).read_text().split()[0])


def the_filter_lets_every_system_call_of_a_whole_life_through():
    daemon, counts = Daemon(core), core.folder / "strace"
    try:
        start_traced(daemon, counts)
        daemon.wait_registered(30)
        core.phone(daemon.numbers[0], "answer")
        expect(core.call("+4790000099", daemon.numbers[0], patience_ms=20000),
               outcome="answered", verdict="two-way")
        os.kill(traced_pid(daemon), signal.SIGHUP)
        wait_until(lambda: "reloaded" in daemon.log_path.read_text(errors="replace"), 15, "reload")
        os.kill(traced_pid(daemon), signal.SIGTERM)
        daemon.process.wait(30)
    finally:
        if daemon.process and daemon.process.poll() is None:
            os.kill(traced_pid(daemon), signal.SIGKILL)
    made = {line.split()[-1] for line in counts.read_text().splitlines()
            if re.match(r"\s*\d+\.\d+\s", line)} - {"total"}
    assert made & {"epoll_wait", "poll"} and "connect" in made, f"nothing was traced: {made}"
    # Before its execve() the daemon is strace. As root, which the unit is not, SQLite
    # gives its files to the owner of the database.
    refused = made - allowed_calls() - {"execve"} - ({"fchown"} if os.geteuid() == 0 else set())
    assert not refused, sorted(refused)


def the_service_manager_hears_of_start_life_and_stop():
    daemon, path = Daemon(core), str(core.folder / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        manager.settimeout(15)
        os.environ.update(NOTIFY_SOCKET=path, WATCHDOG_USEC="400000")
        try:
            daemon.start()
        finally:
            del os.environ["NOTIFY_SOCKET"], os.environ["WATCHDOG_USEC"]
        heard = [manager.recv(256).decode() for _ in range(3)]
        assert sorted(heard) == ["READY=1", "WATCHDOG=1", "WATCHDOG=1"], heard
        assert daemon.close() == 0
        last = ""
        while not last.startswith("STOPPING=1"):
            last = manager.recv(256).decode()
    # Its own four hours for a drain, and seven seconds for goodbyes.
    assert last == f"STOPPING=1\nEXTEND_TIMEOUT_USEC={(4 * 3600 + 7) * 1000000}", last


def the_sandbox_is_rated_ok():
    command("systemd-analyze", "--no-pager", "security", "--offline=true", "--threshold=16", UNIT,
            WATCHDOG_UNIT)


def every_directive_is_known_to_systemd():
    said = subprocess.run(["systemd-analyze", "--man=no", "verify", UNIT, WATCHDOG_UNIT],
                          capture_output=True, text=True).stderr
    # The programs are not installed here, and the rest of systemd may not be either.
    ours = [line for line in said.splitlines()
            if str(UNIT.parent) in line and "Unknown" in line]
    assert not ours, ours


def the_user_and_the_folders_are_those_of_the_configuration():
    sample = (ROOT / "config/samples/breakout.yaml").read_text()
    assert unit_lines("User") == ["breakout"]
    assert re.search(r"^u breakout ", (UNIT.parent / "breakout.sysusers").read_text(), re.M)
    for key, where in (("StateDirectory", "/var/lib/"), ("RuntimeDirectory", "/run/"),
                       ("LogsDirectory", "/var/log/")):
        assert f" {where}{unit_lines(key)[0]}/" in sample, key


# ---- man pages and completion ----

def commands_of_help():
    text = command(BIN / "breakoutctl", "--help")
    return set(re.findall(r"^  ([a-z][a-z-]*)\b", text, re.M))


# What the sample's author called things.
NAMES_IN_SAMPLE = set(re.findall(r"^  ([a-z][a-z_]*):$",
                                 (ROOT / "config/samples/breakout.yaml").read_text(), re.M))


def the_man_pages_are_sound():
    pages = sorted(MAN.glob("*.[1-8]"))
    assert len(pages) == 5, pages
    for page in pages:
        command("mandoc", "-T", "lint", "-W", "warning", page)


def the_page_of_the_configuration_has_every_key_of_the_sample():
    sample = (ROOT / "config/samples/breakout.yaml").read_text()
    page = (MAN / "breakout.yaml.5").read_text()
    for key in re.findall(r"^ *(?:- )?([a-z][a-z_0-9]*):", sample, re.M):
        assert re.search(rf"^\.It Cm {key}$|^\.Ss (.*[.: ])?{key}\b", page, re.M) or \
            key in NAMES_IN_SAMPLE, key


def the_man_page_knows_every_command_and_no_other():
    page = (MAN / "breakoutctl.1").read_text()
    named = set(re.findall(r"^\.It Cm ([a-z][a-z-]*)", page, re.M))
    assert named == commands_of_help(), named ^ commands_of_help()


def completed(*words):
    """What bash would offer for the last word."""
    line = " ".join(shlex.quote(w) for w in words)
    script = f"""
        breakoutctl() {{ {shlex.quote(str(BIN / 'breakoutctl'))} "$@"; }}
        source {shlex.quote(str(ROOT / 'packaging/completion/breakoutctl'))}
        compopt() {{ :; }}
        COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}
        _breakoutctl
        printf '%s\\n' "${{COMPREPLY[@]}}" """
    return set(command("bash", "-c", script).split())


def completion_offers_the_commands_and_options_of_this_version():
    assert completed("breakoutctl", "") == commands_of_help()
    assert completed("breakoutctl", "expl") == {"explain"}
    assert "--replay" in completed("breakoutctl", "explain", "--")
    assert completed("breakoutctl", "-o", "j") == {"json"}
    assert completed("breakoutctl", "-o", "json", "sta") == {"status"}


# ---- alert rules and dashboard ----

MONITORING = ROOT / "packaging/monitoring"


def metric_sources():
    """Every metric's name as the sources have it, and all text of those files."""
    text = "\n".join(p.read_text(errors="replace") for room in
                     ("base", "config", "hook", "media", "proto", "registrar", "tas")
                     for p in (ROOT / room).rglob("*.c"))
    return set(re.findall(r'"(breakout_[a-z0-9_]+)"', text)), text


def expressions():
    rules = yaml.safe_load((MONITORING / "breakout.rules.yml").read_text())
    for group in rules["groups"]:
        for rule in group["rules"]:
            yield rule["alert"], rule["expr"]
    board = json.loads((MONITORING / "breakout-dashboard.json").read_text())
    for panel in board["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


def every_metric_and_label_of_rules_and_dashboard_exists():
    names, text = metric_sources()
    asked = 0
    for title, expression in expressions():
        used = set(re.findall(r"\bbreakout_[a-z0-9_]+", expression))
        assert used <= names, f"{title}: {used - names}"
        for label in set(re.findall(r"(\w+)(?:=|!=|=~)\"", expression)) - {"job", "instance"}:
            assert f'{label}=\\"' in text, f"{title}: no label {label}"
        asked += len(used)
    assert asked >= 20, asked


def every_alert_says_what_to_type_first():
    rules = yaml.safe_load((MONITORING / "breakout.rules.yml").read_text())["groups"][0]["rules"]
    known = commands_of_help()
    for rule in rules:
        first = rule["annotations"]["first"]
        assert rule["labels"]["severity"] in ("page", "ticket") and rule["annotations"]["summary"]
        used = set(re.findall(r"breakoutctl ([a-z]+)", first))
        assert used <= known and (used or "journalctl" in first), first


core = Core()
TESTS = [value for name, value in list(globals().items())
         if callable(value) and getattr(value, "__module__", "") == "__main__" and
         name not in ("command", "unit_lines", "set_of", "allowed_calls", "start_traced",
                      "traced_pid", "commands_of_help", "completed", "metric_sources",
                      "expressions")]
failed = run_tests(TESTS, core)
if failed:
    print(core.log_path.read_text(errors="replace")[-3000:])
sys.exit(1 if core.close() or failed else 0)
