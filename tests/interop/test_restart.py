# SPDX-License-Identifier: Apache-2.0
"""A new daemon in the place of the old one while calls go on."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections import Counter

from harness import BIN, Restarted, Tally, alive, free_port, wait_until
from load import Load
from sipwire import Sbc
from test_devices import Phone, answered, hang_up, shown
from test_devices import call as call_device, configuration as devices

RATE, TOTAL_S = 50, 5


def udp_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


@contextlib.contextmanager
def place(pki, program=None, **changes):
    """A load and a daemon that know each other."""
    udp, port = udp_port(), free_port()
    load = Load(pki, port, udp)
    daemon = Restarted(load.port, pki, {
        "media": {"address": "127.0.0.1", "ports": "20000-29999", "bypass": "loops"},
        "trunks": [{"name": "pbx", "uris": [f"sip:127.0.0.1:{load.pbx.port}"], "ingress": True,
                    "allow_headers": ["Session-ID"]}],
        "services": {"pbx": [{"do": {"dial": "pbx"}}]},
        "registrations": [
            {"number": "+4799000001", "route_type": "loop"},
            {"number": "+4799000002", "route_type": "fork", "service": "pbx"},
            {"number": "+4799000003", "route_type": "ingress"}], **changes})
    daemon.port = port
    daemon.hurry()
    daemon.changes["sip_more"] = {
        "listen": [f"tls://127.0.0.1:{port}", f"udp://127.0.0.1:{udp}"]}
    if program:
        daemon.program = program
    with contextlib.closing(load), daemon:
        daemon.start().wait_log(" ready ")
        yield load, daemon


def finish(load, seconds=15):
    end = time.monotonic() + seconds
    load.run(lambda: not load.unfinished() or time.monotonic() > end)
    left = load.unfinished()
    assert not left, f"{len(left)} of {len(load.calls)} calls failed, the first: {left[0]}"


def call_through(load):
    """One of each kind goes well."""
    for kind in ("loop", "trunk", "ingress"):
        load.start(kind, 0.1, fresh=kind == "loop")
    finish(load)


def ended_records(daemon, count):
    wait_until(f"{count} records, not {len(daemon.records())}",
               lambda: len(daemon.records()) >= count, 10)
    records = daemon.records()
    assert len(records) == count, f"{len(records)} records of {count} calls"
    assert len({record["id"] for record in records}) == count, "a call has two records"
    return records


def thrice_under_load(folder, pki):
    """Three restarts while calls of each process go on, and 50 calls a second: none fails,
    nobody who connects is turned away, each call has one record, and a fourth is refused
    until the oldest has ended."""
    kinds = ["loop", "loop", "trunk", "loop", "ingress", "loop"]
    with place(pki) as (load, daemon):
        begin, answers, before = time.monotonic(), [], []

        def more(number):
            kind = kinds[number % len(kinds)]
            load.start(kind, 0.1 + number % 7 * 0.1, by_callee=number % 2 == 1,
                       fresh=number % 2 == 0 and kind == "loop")

        for number in range(18):
            kind = ("loop", "trunk", "ingress")[number // 2 % 3]
            load.at(begin + number * 0.15, lambda kind=kind, number=number:
                    load.start(kind, 7.0, by_callee=number % 2 == 1))
        for number in range(RATE * TOTAL_S):
            load.at(begin + 0.5 + number / RATE, lambda number=number: more(number))
        load.keep_connecting(0.01, begin + TOTAL_S)

        def operator():
            for _ in range(4):
                time.sleep(0.7)
                answers.append(daemon.restart())
                before.append(daemon.status().get("predecessors", []))

        operates = threading.Thread(target=operator, daemon=True)
        operates.start()
        load.run(lambda: time.monotonic() > begin + TOTAL_S and not operates.is_alive())
        finish(load)
        told = f"{answers} {before}\n{daemon.log()[-3000:]}"
        assert [a.returncode for a in answers] == [0, 0, 0, 1], told
        assert "3 processes before this one still have calls" in answers[3].stderr, told
        pids = [daemon.process.pid, *daemon.pids]
        assert [elder["pid"] for elder in before[2]] == pids[2::-1], told
        assert all(elder["calls"] for elder in before[2]), told
        assert not load.refused, f"{len(load.refused)} turned away: {load.refused[0]}"
        wait_until("the old processes end", lambda: not any(map(alive, pids[:3])), 10)
        for record in ended_records(daemon, len(load.calls)):
            assert record["cause"] == "normal", record
        assert daemon.restart().returncode == 0, "none is in the way any more"
        wait_until("the one before ends", lambda: not alive(pids[3]), 10)
        print(f"     {len(load.calls)} calls, {load.connects} connections beside them")


def one_in_the_middle_is_killed(folder, pki):
    """Its calls are lost and no others: of the oldest, of the newest, and new ones. Before
    that all are shown, with what was said in each."""
    with place(pki) as (load, daemon):
        def talk(number):
            calls = [load.start(kind, None, by_callee=by_callee)
                     for kind in ("loop", "trunk", "ingress") for by_callee in (False, True)]
            load.run(lambda: all(call.a.ok and call.b and call.b.confirmed for call in calls))
            shown = daemon.shown_calls(6 * number + 6)  # those of the others too
            assert sorted(Counter(call.get("pid") for call in shown).values()) == \
                [6] * (number + 1), shown
            if number < 2:
                assert daemon.restart().returncode == 0
            return calls

        old, lost, new = talk(0), talk(1), talk(2)
        wait_until("a trunk's calls are those of all",
                   lambda: json.loads(daemon.ctl("-o", "json", "trunks").stdout)[0][
                       "calls_now"] == 12, 3)
        for call in daemon.shown_calls(18):
            told = daemon.ctl("trace", call["id"])
            assert told.returncode == 0 and "INVITE" in told.stdout, told
        os.kill(daemon.pids[0], signal.SIGKILL)
        for call in old + lost + new:
            load.calls.remove(call)
        wait_until("it is missed", lambda: len(daemon.status()["predecessors"]) == 1)
        seen = time.monotonic() + 0.3  # that its connections have ended
        load.run(lambda: time.monotonic() > seen)
        call_through(load)
        load.calls += old + new
        for call in old + new:
            load.hang_up(call)
        finish(load)
        wait_until("the oldest ends", lambda: not alive(daemon.process.pid), 10)
        causes = sorted(r["cause"] for r in ended_records(daemon, len(load.calls) + len(lost)))
        assert causes == ["interrupted"] * 6 + ["normal"] * (len(causes) - 6), causes
        assert not list(daemon.folder.glob("ctl.sock.*")), "a socket of nobody's is left"
        daemon.pids.pop(0)


def a_broken_configuration_is_refused(folder, pki):
    """Then, mended, it is taken, and the service manager follows."""
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(str(folder / "notify"))
    manager.settimeout(5)
    os.environ["NOTIFY_SOCKET"] = str(folder / "notify")
    with contextlib.closing(manager), place(pki) as (load, daemon):
        del os.environ["NOTIFY_SOCKET"]
        assert manager.recv(100) == b"READY=1"
        path = daemon.folder / "breakout.yaml"
        good = path.read_text()
        strange = "".join(f"strange_{number}: 1\n" for number in range(40))
        for wrong in (good.replace("bypass: loops", "bypass: sometimes"), good + strange):
            path.write_text(wrong)
            done = daemon.restart()
            assert done.returncode == 1 and "breakout.yaml:" in done.stderr, done
        assert daemon.status()["pid"] == daemon.process.pid
        path.write_text(good)
        call_through(load)
        done = daemon.restart()
        assert done.returncode == 0, done
        told = manager.recv(100)
        assert told == b"MAINPID=%d" % daemon.pids[0], (told, daemon.log()[-1500:])
        assert manager.recv(100) == b"READY=1"
        call_through(load)


def a_program_that_dies_is_refused(folder, pki):
    program = folder / "breakoutd"
    shutil.copy(BIN / "breakoutd", program)
    with place(pki, program=program) as (load, daemon):
        new = folder / "new"
        new.write_text("#!/bin/sh\nexit 1\n")
        new.chmod(0o755)
        new.rename(program)
        done = daemon.restart()
        assert done.returncode == 1 and "ended before it could serve" in done.stderr, done
        assert daemon.status()["pid"] == daemon.process.pid
        call_through(load)
        daemon.wait_log("restart: refused, this process goes on")


def the_old_one_is_killed(folder, pki):
    """After it was left, with calls, and while it hands over."""
    with place(pki) as (load, daemon):
        lost = [load.start(kind, None) for kind in ("loop", "ingress")]
        load.run(lambda: all(call.b and call.b.confirmed for call in lost))
        assert daemon.restart().returncode == 0
        assert daemon.status()["predecessors"][0]["calls"] == 2, daemon.status()
        daemon.kill()
        for call in lost:
            load.calls.remove(call)
        seen = time.monotonic() + 0.3  # that its connections have ended
        load.run(lambda: time.monotonic() > seen)
        call_through(load)
        wait_until("the killed process's records", lambda: len(daemon.records()) == 5, 15)
        causes = sorted(record["cause"] for record in daemon.records())
        assert causes == ["interrupted"] * 2 + ["normal"] * 3, causes

    with place(pki) as (load, daemon):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(daemon.folder / "ctl.sock"))
            sock.sendall(b"restart\n")
            sock.makefile().readline()
        daemon.wait_log(r"restart: pid=\d+ version")
        daemon.kill()
        wait_until("the new one serves", lambda: daemon.ctl("status").returncode == 0)
        daemon.pids.append(daemon.status()["pid"])
        call_through(load)


def what_is_on_its_way_at_the_end_is_answered(folder, pki):
    """An INVITE by a connection whose end the old process has said already: the answer comes
    where its Via says."""
    with place(pki) as (load, daemon):
        flow = load.connect()
        flow.half = True
        call = load.start("loop", None, flow=flow)
        load.run(lambda: call.b and call.b.confirmed)
        assert daemon.restart().returncode == 0
        load.start("loop", 0.1, flow=flow)  # the new process knows the connection now
        load.run(lambda: len(load.unfinished()) == 1)
        assert flow.open
        load.hang_up(call)
        load.run(lambda: not flow.open)
        load.start("loop", 0.1, flow=flow)
        finish(load)
        flow.sock.close()


def stopping_waits_for_the_old_one(folder, pki):
    """SIGTERM to the new one lets the calls of the old one end, a second one ends them."""
    with place(pki) as (load, daemon):
        call = load.start("loop", None)
        load.run(lambda: call.b and call.b.confirmed)
        assert daemon.restart().returncode == 0
        new = daemon.pids[0]
        [elder] = daemon.status()["predecessors"]
        assert elder["socket"] == f"{daemon.folder}/ctl.sock.{daemon.process.pid}", elder
        asked = [subprocess.run([BIN / "breakoutctl", "-s", elder["socket"], order],
                                capture_output=True, text=True, timeout=20)
                 for order in ("status", "drain")]
        assert [a.returncode for a in asked] == [0, 1], asked
        assert "1 (2 legs)" in asked[0].stdout and "only ends its calls" in asked[1].stderr, asked
        os.kill(new, signal.SIGTERM)
        time.sleep(0.5)
        assert alive(new) and alive(daemon.process.pid)
        os.kill(new, signal.SIGTERM)
        finish(load)
        wait_until("both end", lambda: not alive(new) and not alive(daemon.process.pid), 10)
        assert daemon.records()[0]["cause"] == "draining", daemon.records()


def counted(daemon, name):
    """Of all its labels."""
    lines = daemon.ctl("metrics").stdout.splitlines()
    return sum(int(line.split()[-1]) for line in lines if re.match(name + r"[ {]", line))


def what_is_counted_is_of_all(folder, pki):
    """Over two restarts counters go on, calls in progress are those of all, and the limit of
    a number's calls holds; one that is killed takes its calls with it and no count."""
    with place(pki, limits={"calls_per_number": 2}) as (load, daemon):
        def talk():
            call = load.start("loop", None)
            load.run(lambda: call.a.ok and call.b and call.b.confirmed)
            return call

        def assert_counted(active, ended):
            status = daemon.status()
            told = (counted(daemon, "breakout_calls_active"), status["calls"], status["legs"],
                    counted(daemon, "breakout_calls_total"))
            assert told == (active, active, 2 * active, ended), told

        call_through(load)
        talking = [talk(), talk()]
        for call in talking[:1]:
            load.hang_up(call)
        load.run(lambda: talking[0].done)
        wait_until("four have ended", lambda: counted(daemon, "breakout_calls_total") == 4)
        assert daemon.restart().returncode == 0
        assert_counted(1, 4)
        lost = talk()
        assert_counted(2, 4)
        assert daemon.restart().returncode == 0
        assert_counted(2, 4)
        refused = load.start("loop", None)
        load.run(lambda: any("SIP/2.0 486" in line for line in refused.story))
        assert_counted(2, 5)
        os.kill(daemon.pids[0], signal.SIGKILL)
        for call in (lost, refused):
            load.calls.remove(call)
        wait_until("it is missed", lambda: len(daemon.status()["predecessors"]) == 1)
        assert_counted(1, 5)
        seen = time.monotonic() + 0.3  # that its connections have ended
        load.run(lambda: time.monotonic() > seen)
        load.start("loop", 0.1)
        load.run(lambda: len(load.unfinished()) == 1)
        load.hang_up(talking[1])
        finish(load)
        wait_until("the oldest ends", lambda: not alive(daemon.process.pid), 10)
        wait_until("that is seen", lambda: "predecessors" not in daemon.status())
        assert_counted(0, 7)
        daemon.pids.pop(0)


def devices_go_on(folder, pki):
    """Soft phones over TCP and UDP are called by the new one where they registered with the
    old one, which has the TCP connection; a call that is there goes on."""
    sbc = Sbc(pki.cert, pki.key, pki.ca)
    daemon = Restarted(sbc.port, pki, {})
    daemon.changes.update(devices(daemon, folder))
    daemon.hurry()

    def answer(by):
        flow, leg = call_device(sbc, daemon)
        invites = [phone.wait(lambda m: not m.status and m.method == "INVITE")
                   for phone in phones]
        assert all(invites), "a phone does not ring\n" + daemon.log()[-2000:]
        phones[1 - by].flow.send(phones[1 - by].reply(invites[1 - by], 180, "Ringing"))
        phones[by].accept(invites[by])
        ok = answered(sbc, flow, leg)
        assert phones[by].wait(lambda m: m.start.startswith("ACK ")), "no ACK came"
        assert phones[1 - by].wait(lambda m: m.start.startswith("CANCEL ")), "the other rings on"
        phones[1 - by].flow.send(phones[1 - by].reply(invites[1 - by], 487, "Request Terminated"))
        return flow, leg, ok

    def end(by, flow, leg, ok):
        hang_up(sbc, flow, leg, ok)
        bye = phones[by].wait(lambda m: m.start.startswith("BYE "))
        assert bye, "no BYE came"
        phones[by].flow.send(phones[by].reply(bye, 200, "OK"))

    with contextlib.closing(sbc), daemon:
        daemon.start().wait_log(" ready ")
        phones = [Phone(daemon, "anna", "a-secret", transport) for transport in ("tcp", "udp")]
        for phone in phones:
            phone.contact = phone.contact.replace(".1:", f".{phone.source.split('.')[3]}:")
            assert phone.register().status == 200
        calls = [answer(0), answer(1)]
        assert daemon.restart().returncode == 0
        assert len(shown(daemon)) == 2, daemon.ctl("devices").stdout
        for by in (0, 1):
            end(by, *answer(by))
        for phone in phones:
            assert phone.register().status == 200, "it cannot register again"
        for by in (0, 1):
            end(by, *calls[by])
        phones[0].close()
        wait_until("the old one ends", lambda: not alive(daemon.process.pid), 10)
        end(1, *with_one_phone(sbc, daemon, phones[1]))


def with_one_phone(sbc, daemon, phone):
    """The connection over TCP has ended with the old process."""
    flow, leg = call_device(sbc, daemon)
    invite = phone.wait(lambda m: not m.status and m.method == "INVITE")
    assert invite, "the phone over UDP does not ring"
    phone.accept(invite)
    ok = answered(sbc, flow, leg)
    assert phone.wait(lambda m: m.start.startswith("ACK ")), "no ACK came"
    return flow, leg, ok


tally = Tally()
tally.run_in_folders([
    ("three restarts under load: no call fails", thrice_under_load),
    ("one between two others may be killed", one_in_the_middle_is_killed),
    ("a configuration with a mistake changes nothing", a_broken_configuration_is_refused),
    ("a program that dies at its start changes nothing", a_program_that_dies_is_refused),
    ("the old one may be killed at any time", the_old_one_is_killed),
    ("what is on its way at the end is answered", what_is_on_its_way_at_the_end_is_answered),
    ("a stop waits for the calls of both", stopping_waits_for_the_old_one),
    ("what is counted is of all", what_is_counted_is_of_all),
    ("soft phones are called where they are", devices_go_on),
])
raise SystemExit(tally.close())
