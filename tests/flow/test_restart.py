# SPDX-License-Identifier: Apache-2.0
"""A new breakoutd in the place of the old one while people talk: what they hear, what the
core is told, what is recorded."""

import concurrent.futures
import json
import os
import signal
import subprocess
import time

from core import BIN, Core, Daemon, expect, finish, run_tests, wait_until

core = Core()
tas = Daemon(core).start()
tas.wait_registered()

LOOP, MO, MT, FORK, FALLBACK, INGRESS = tas.numbers[:6]
TWO_WAY = {"outcome": "answered", "status": 200, "verdict": "two-way", "both_ends_hung_up": True}
pids = [tas.process.pid]


def ctl(*arguments):
    return subprocess.run([BIN / "breakoutctl", "-s", core.folder / "breakout.sock", *arguments],
                          capture_output=True, text=True, timeout=60)


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def status():
    return json.loads(ctl("-o", "json", "status").stdout)


def records():
    path = core.folder / "cdr.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def place(caller, callee, talk_ms, hangup):
    return core.ask("call", **{"from": caller, "to": callee, "talk_ms": talk_ms,
                               "hangup": hangup,
                               **({"at": "pbx"} if callee == INGRESS else {})})


def calls_that_go_on_are_heard_both_ways_to_their_end():
    """Four before the restart, over TLS and over the UDP trunk, ended by either side with
    the old process's help; four after it, through the new one."""
    core.phone("+4790000099", "answer")
    core.phone(LOOP, "answer")
    core.phone(FORK, "no-answer")
    core.phone(INGRESS, "answer")
    core.pbx("answer")
    assert status()["calls"] == 0
    wanted = [("+4790000099", LOOP, "caller"), (LOOP, "+4790000099", "callee"),
              ("+4790000099", FORK, "callee"), ("+4722000000", INGRESS, "caller")]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        before = [pool.submit(place, *who[:2], 2500, who[2]) for who in wanted]
        wait_until(lambda: status()["calls"] == 4 and len(core.must("calls")["calls"]) == 4, 5,
                   "four calls")
        time.sleep(0.8)  # they talk
        registered = core.upserts()
        done = ctl("restart")
        assert done.returncode == 0 and "calls that end in" in done.stdout, done
        pids.append(status()["pid"])
        assert status()["predecessor"] == {**status()["predecessor"], "pid": pids[0], "calls": 4}
        after = [pool.submit(place, *who[:2], 400, who[2]) for who in wanted]
        for call in before + after:
            expect(call.result(), **TWO_WAY)
    wait_until(lambda: not alive(pids[0]), 10, "the old process ends")
    wait_until(lambda: len(records()) == 8, 5, "eight records")
    assert {r["cause"] for r in records()} == {"normal"}, records()
    assert core.upserts() == registered, "somebody was registered again"
    assert "predecessor" not in status() and status()["registrations"]["active"] == len(tas.numbers)


def it_goes_on_registering():
    before = core.upserts()[LOOP]
    assert ctl("refresh", LOOP).returncode == 0
    wait_until(lambda: core.upserts()[LOOP] == before + 1, 5, "a refresh")


failed = run_tests([calls_that_go_on_are_heard_both_ways_to_their_end, it_goes_on_registering], core)
tas.process.wait(10)
if len(pids) > 1:
    os.kill(pids[1], signal.SIGTERM)
    wait_until(lambda: not alive(pids[1]), 15, "the new process ends")
finish(failed, core, tas)
