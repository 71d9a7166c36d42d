# SPDX-License-Identifier: Apache-2.0
"""A new breakoutd in the place of the old one while people talk: what they hear, what the
core is told, what is recorded."""

import concurrent.futures
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import time
import wave

from core import BIN, Core, Daemon, expect, finish, run_tests, wait_until

core = Core()
tas = Daemon(core)
HTTP = core.folder / "http.sock"
with wave.open(str(core.folder / "recorded.wav"), "wb") as file:  # 1.5 s that nobody hears
    file.setparams((1, 2, 8000, 0, "NONE", None))
    file.writeframes(bytes(24000))
text = tas.config.read_text().replace("\nservices:\n", (
    "\nservices:\n  recorded: [{ do: [ { announce: { play: recorded.wav, answer_first: yes } }, "
    "{ dial: pbx } ] }]\n"), 1)
text = re.sub(r"route_type: fallback, service: pbx", "route_type: fork, service: recorded", text)
tas.config.write_text(re.sub(
    r"^admin:.*\n", lambda _: f"admin:\n  socket: {core.folder}/breakout.sock\n  http:\n"
    f"    listen: ['unix:{HTTP}']\n", text, flags=re.M))
tas.start()
tas.wait_registered()

LOOP, MO, MT, FORK, RECORDED, INGRESS = tas.numbers[:6]
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


class Unix(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(10)
        self.sock.connect(str(HTTP))


def ask(method, path):
    """By HTTP: (status, document)"""
    link = Unix("localhost")
    link.request(method, path)
    answer = link.getresponse()
    return answer.status, json.loads(answer.read())


def records():
    path = core.folder / "cdr.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def place(caller, callee, talk_ms, hangup):
    return core.ask("call", **{"from": caller, "to": callee, "talk_ms": talk_ms,
                               "hangup": hangup,
                               **({"at": "pbx"} if callee == INGRESS else {})})


def calls_that_go_on_are_heard_both_ways_to_their_end():
    """Four before a restart by breakoutctl, over TLS and over the UDP trunk, four before
    another one by HTTP, and four after it, ended by either side: the first with the help of
    two older processes' connections."""
    core.phone("+4790000099", "answer")
    core.phone(LOOP, "answer")
    core.phone(FORK, "no-answer")
    core.phone(INGRESS, "answer")
    core.pbx("answer")
    assert status()["calls"] == 0
    wanted = [("+4790000099", LOOP, "caller"), (LOOP, "+4790000099", "callee"),
              ("+4790000099", FORK, "callee"), ("+4722000000", INGRESS, "caller")]
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        def four(talk_ms):
            calls = [pool.submit(place, *who[:2], talk_ms, who[2]) for who in wanted]
            wait_until(lambda: [c["state"] for c in ask("GET", "/v1/calls")[1]["calls"]
                                if "pid" not in c] == ["TALKING"] * 4, 5, "four calls talk")
            return calls

        calls = four(4500)
        time.sleep(0.8)
        registered = core.upserts()
        done = ctl("restart")
        assert done.returncode == 0 and "calls that end in" in done.stdout, done
        pids.append(status()["pid"])
        [elder] = status()["predecessors"]
        assert elder == {**elder, "pid": pids[0], "calls": 4}
        calls += four(3000)
        assert ask("POST", "/v1/restart") == (200, {"restart": "begun"})
        wait_until(lambda: by_http()["pid"] not in pids, 10, "another process")
        pids.append(by_http()["pid"])
        assert [(e["pid"], e["calls"]) for e in by_http()["predecessors"]] == [
            (pids[1], 4), (pids[0], 4)]
        assert ask("POST", "/v1/restart")[0] == 200
        wait_until(lambda: by_http()["pid"] not in pids, 10, "a third process")
        pids.append(by_http()["pid"])
        calls += four(400)
        for call in calls:
            expect(call.result(), **TWO_WAY)
    wait_until(lambda: not any(map(alive, pids[:3])), 10, "the old processes end")
    wait_until(lambda: len(records()) == 12, 5, "twelve records")
    assert {r["cause"] for r in records()} == {"normal"}, records()
    assert core.upserts() == registered, "somebody was registered again"
    assert "predecessors" not in status()
    assert status()["registrations"]["active"] == len(tas.numbers)


def by_http():
    """The status; it may be the moment in which the new process begins to answer."""
    try:
        return ask("GET", "/v1/status")[1]
    except (OSError, ValueError, http.client.HTTPException):
        return {"pid": pids[-1]}


def a_call_in_its_announcement_is_taken_on_by_the_process_that_has_it():
    """It was answered by us; the old process calls the PBX when the file is over."""
    core.phone(RECORDED, "no-answer")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        call = pool.submit(place, "+4790000099", RECORDED, 2500, "caller")
        wait_until(lambda: status()["calls"] == 1, 5, "it has begun")
        done = ctl("restart")
        assert done.returncode == 0, done
        pids.append(status()["pid"])
        assert [e["calls"] for e in status()["predecessors"]] == [1], "it was over before"
        assert ask("GET", "/v1/calls")[1]["calls"][0]["pid"] == pids[-2]
        expect(call.result(), **TWO_WAY)
    wait_until(lambda: not alive(pids[-2]), 10, "the old process ends")
    record = wait_until(lambda: len(records()) == 13 and records()[-1], 5, "its record")
    assert record["cause"] == "normal" and record["connected"] > record["answer"], record


def it_goes_on_registering():
    before = core.upserts()[LOOP]
    assert ctl("refresh", LOOP).returncode == 0
    wait_until(lambda: core.upserts()[LOOP] == before + 1, 5, "a refresh")


failed = run_tests([calls_that_go_on_are_heard_both_ways_to_their_end,
                    a_call_in_its_announcement_is_taken_on_by_the_process_that_has_it,
                    it_goes_on_registering], core)
tas.process.wait(10)
if len(pids) > 1:
    os.kill(pids[-1], signal.SIGTERM)
    wait_until(lambda: not alive(pids[-1]), 15, "the new process ends")
finish(failed, core, tas)
