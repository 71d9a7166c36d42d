# SPDX-License-Identifier: Apache-2.0
"""The installed service under a systemd that is process 1: start, reload, restarts with
calls going on, the watchdog, stop, and (with packages to install) an upgrade. Run by boot.sh,
inside, where /srv has the package. Files of the simulated core are there too: the unit sees
no /tmp but its own."""

import concurrent.futures
import json
import os
import pathlib
import pwd
import re
import subprocess
import sys
import time

os.environ.update(BREAKOUT_BIN="/usr/bin", TMPDIR="/srv")
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from core import Core, expect, free_port, run_tests, wait_until  # noqa: E402

CALLER, LOOP = "+4790000099", "+4799000001"
TWO_WAY = {"outcome": "answered", "status": 200, "verdict": "two-way", "both_ends_hung_up": True}
DROP_IN = pathlib.Path("/etc/systemd/system/breakout.service.d/test.conf")
CONFIG = pathlib.Path("/etc/breakout/breakout.yaml")
pool = concurrent.futures.ThreadPoolExecutor(16)


def run(*words, status=0):
    done = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert status is None or done.returncode == status, f"{words}: {done}\n{journal()}"
    return done.stdout


def journal():
    return subprocess.run(["journalctl", "-u", "breakout", "-n", "60", "--no-pager", "-o", "cat"],
                          capture_output=True, text=True).stdout


def show(name):
    return run("systemctl", "show", "--value", "-p", name, "breakout").strip()


def main_pid():
    return int(show("MainPID"))


def ctl(*arguments):
    return run("breakoutctl", *arguments)


def status():
    return json.loads(ctl("-o", "json", "status"))


def alive(pid):
    return pathlib.Path(f"/proc/{pid}").exists()


def in_unit(pid):
    return "breakout.service" in pathlib.Path(f"/proc/{pid}/cgroup").read_text()


def calls(count, talk_ms):
    """Begun, and once all of them talk."""
    before = len(json.loads(ctl("-o", "json", "calls")))
    begun = [pool.submit(core.ask, "call", **{"from": CALLER, "to": LOOP, "talk_ms": talk_ms})
             for _ in range(count)]
    wait_until(lambda: [c["state"] for c in json.loads(ctl("-o", "json", "calls"))].count(
        "TALKING") == before + count, 10, "they talk")
    return begun


def all_well(begun):
    for call in begun:
        expect(call.result(), **TWO_WAY)


def is_serving(pid):
    assert (main_pid(), show("ActiveState"), show("SubState")) == (pid, "active", "running"), \
        journal()


def configure():
    """The core's suggestion, with files where the unit has them; a watchdog that bites soon."""
    text = run("breakout-core", "config", "--dir", str(core.folder), "--sip-port",
               str(free_port()), "--trunk-port", str(free_port()), "--media-ports",
               core.daemon_media)
    for key, path in (("store: { sqlite", "/var/lib/breakout/breakout.db"),
                      ("cdr: { file", "/var/log/breakout/cdr.jsonl"),
                      ("admin: { socket", "/run/breakout/breakout.sock")):
        text = re.sub(rf'^({re.escape(key)}: )"[^"]*"', rf'\1"{path}"', text, flags=re.M)
    CONFIG.write_text(text)
    user = pwd.getpwnam("breakout")
    core.folder.chmod(0o755)
    for path in [core.folder / "client-secret", *(core.folder / "pki").rglob("*"),
                 core.folder / "pki"]:
        os.chown(path, user.pw_uid, user.pw_gid)
    DROP_IN.parent.mkdir(parents=True, exist_ok=True)
    DROP_IN.write_text("[Service]\nWatchdogSec=2\n")
    run("systemctl", "daemon-reload")


def it_starts_as_its_user_and_is_active_once_it_serves():
    configure()
    run("systemctl", "start", "breakout")
    is_serving(main_pid())
    uid = re.search(r"^Uid:\s+(\d+)", pathlib.Path(f"/proc/{main_pid()}/status").read_text(), re.M)
    assert int(uid.group(1)) == pwd.getpwnam("breakout").pw_uid
    wait_until(lambda: status()["registrations"]["active"] == 9, 15, "registered")
    core.phone(LOOP, "answer")
    core.phone(CALLER, "answer")


def a_reload_changes_no_process():
    pid, begun = main_pid(), calls(1, 1500)
    CONFIG.write_text(CONFIG.read_text() + "limits: { calls: 77 }\n")
    run("systemctl", "reload", "breakout")
    wait_until(lambda: "77" in ctl("config", "limits.calls"), 5, "the new limit")
    is_serving(pid)
    all_well(begun)


def systemd_follows_each_restart_and_leaves_older_processes_to_their_calls():
    """Two in a row, with calls of each; the watchdog hears the newest, longer than it waits."""
    pids, begun = [main_pid()], calls(2, 9000)
    for _ in range(2):
        ctl("restart")
        pids.append(status()["pid"])
        wait_until(lambda: main_pid() == pids[-1], 2, "systemd follows")
        is_serving(pids[-1])
        assert all(alive(pid) and in_unit(pid) for pid in pids), pids
        begun += calls(2, 6000)
    time.sleep(3)
    is_serving(pids[-1])
    assert all(alive(pid) for pid in pids), "the watchdog has bitten, or systemd killed"
    all_well(begun)
    wait_until(lambda: not any(alive(pid) for pid in pids[:-1]), 10, "the old ones end")
    time.sleep(0.5)
    is_serving(pids[-1])
    assert show("NRestarts") == "0", journal()


def a_stop_waits_for_the_calls_of_all():
    old, begun = main_pid(), calls(1, 5000)
    ctl("restart")
    new = main_pid()
    begun += calls(1, 4000)
    assert new != old
    run("systemctl", "stop", "breakout")
    assert not alive(old) and not alive(new)
    all_well(begun)
    assert (show("ActiveState"), show("Result")) == ("inactive", "success"), journal()


def a_restart_by_systemctl_drains_and_starts_anew():
    run("systemctl", "start", "breakout")
    pid, begun = main_pid(), calls(1, 3000)
    run("systemctl", "restart", "breakout")
    all_well(begun)
    assert main_pid() != pid
    is_serving(main_pid())


def when_the_newest_dies_systemd_starts_anew():
    old, _ = main_pid(), calls(1, 3000)
    ctl("restart")
    new = main_pid()
    os.kill(new, 9)
    wait_until(lambda: main_pid() not in (0, old, new) and show("ActiveState") == "active", 15,
               "another one")
    assert not alive(old), "the old one has no connection to anybody any more"
    wait_until(lambda: status()["registrations"]["active"] == 9, 15, "registered")


def what_hangs_is_replaced():
    """The watchdog of a process that has another's place."""
    ctl("restart")
    wait_until(lambda: not status().get("predecessors"), 10, "the old one ends")
    pid = main_pid()
    os.kill(pid, 19)  # SIGSTOP
    wait_until(lambda: main_pid() not in (0, pid) and show("ActiveState") == "active", 20,
               "another one")


def an_upgrade_leaves_the_daemon_to_its_calls_until_it_is_restarted():
    """dpkg -i of the same version unpacks all files anew; needrestart(1), which may follow it,
    restarts by handing over, and leaves older processes alone."""
    pid, begun = main_pid(), calls(1, 9000)
    run("dpkg", "-i", str(PACKAGE))
    is_serving(pid)
    assert runs_a_file_that_is_gone(pid)
    run("needrestart", "-r", "a")
    new = main_pid()
    assert new != pid and alive(pid) and not runs_a_file_that_is_gone(new), journal()
    is_serving(new)
    begun += calls(1, 2000)
    run("needrestart", "-r", "a")
    is_serving(new)
    all_well(begun)
    wait_until(lambda: not alive(pid), 10, "the old one ends")


def runs_a_file_that_is_gone(pid):
    return os.readlink(f"/proc/{pid}/exe").endswith("(deleted)")


def cleaned_up():
    run("systemctl", "stop", "breakout", status=None)
    DROP_IN.unlink()
    DROP_IN.parent.rmdir()
    CONFIG.write_text(ORIGINAL)


PACKAGE = max(pathlib.Path("/srv").glob("breakout_*.deb"))
ORIGINAL = CONFIG.read_text()
core = Core()
TESTS = [it_starts_as_its_user_and_is_active_once_it_serves, a_reload_changes_no_process,
         systemd_follows_each_restart_and_leaves_older_processes_to_their_calls,
         a_stop_waits_for_the_calls_of_all, a_restart_by_systemctl_drains_and_starts_anew,
         when_the_newest_dies_systemd_starts_anew, what_hangs_is_replaced,
         an_upgrade_leaves_the_daemon_to_its_calls_until_it_is_restarted]
failed = run_tests(TESTS, core)
if failed:
    print(journal())
cleaned_up()
sys.exit(1 if core.close() or failed else 0)
