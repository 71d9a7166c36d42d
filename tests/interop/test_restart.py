# SPDX-License-Identifier: Apache-2.0
"""A new daemon in the place of the old one while calls go on."""

import contextlib
import json
import os
import shutil
import signal
import socket
import threading
import time

from harness import BIN, Daemon, Tally, free_port, wait_until
from load import Load
from sipwire import Sbc
from test_devices import Phone, answered, hang_up, shown
from test_devices import call as call_device, configuration as devices

RATE, TOTAL_S = 50, 5


def udp_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class Restarted(Daemon):
    """One whose process is another one after a restart: `pid` is the one that serves."""

    def __init__(self, sbc_port, pki, changes):
        super().__init__(sbc_port, pki, changes)
        self.pids, self.killed = [], False

    def hurry(self):
        """Nobody answers for the core's API, and a stop waits for what it was asked."""
        core = self.config()["core"]
        self.changes["core"] = {**core, "api": {**core["api"], "deadline": "500ms"}}

    def status(self):
        return json.loads(self.ctl("-o", "json", "status").stdout)

    def restart(self):
        done = self.ctl("restart")
        if done.returncode == 0:
            self.pids.append(self.status()["pid"])
        return done

    def kill(self):
        """The first one, whose end is then no finding."""
        self.process.kill()
        self.process.wait()
        self.killed = True

    def records(self):
        path = self.folder / "cdr.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def stop(self):
        """All of its processes; the status of the first, if that has ended by itself."""
        late = []
        for pid in reversed(self.pids):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
                end = time.monotonic() + 15
                while alive(pid) and time.monotonic() < end:
                    time.sleep(0.02)
                if alive(pid):
                    late.append(pid)
                    os.kill(pid, signal.SIGKILL)
        status = 0 if self.killed else super().stop()
        return f"{late} did not end" if late else status


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


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


def twice_under_load(folder, pki):
    """Two restarts, 50 calls a second and some that go on for the whole of it: none fails,
    nobody who connects is turned away, and each call has one record."""
    kinds = ["loop", "loop", "trunk", "loop", "ingress", "loop"]
    with place(pki) as (load, daemon):
        begin, answers = time.monotonic(), []

        def more(number):
            kind = kinds[number % len(kinds)]
            load.start(kind, 0.1 + number % 7 * 0.1, by_callee=number % 2 == 1,
                       fresh=number % 2 == 0 and kind == "loop")

        for number, kind in enumerate(("loop", "loop", "trunk", "trunk", "ingress", "ingress")):
            load.start(kind, 2.5, by_callee=number % 2 == 1)
        for number in range(RATE * TOTAL_S):
            load.at(begin + 0.5 + number / RATE, lambda number=number: more(number))
        load.keep_connecting(0.01, begin + TOTAL_S)

        def operator():
            time.sleep(1)
            answers.append(daemon.restart())
            wait_until("the first one ends", lambda: not alive(daemon.process.pid), 20)
            answers.append(daemon.restart())

        operates = threading.Thread(target=operator, daemon=True)
        operates.start()
        load.run(lambda: time.monotonic() > begin + TOTAL_S and not operates.is_alive())
        finish(load)
        assert [a.returncode for a in answers] == [0, 0], f"{answers}\n{daemon.log()[-3000:]}"
        pids = [daemon.process.pid, *daemon.pids]
        assert not load.refused, f"{len(load.refused)} turned away: {load.refused[0]}"
        wait_until("the old processes end", lambda: not alive(pids[0]) and not alive(pids[1]), 10)
        for record in ended_records(daemon, len(load.calls)):
            assert record["cause"] == "normal", record
        print(f"     {len(load.calls)} calls, {load.connects} connections beside them")


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
        assert daemon.status()["predecessor"]["calls"] == 2, daemon.status()
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
        os.kill(new, signal.SIGTERM)
        time.sleep(0.5)
        assert alive(new) and alive(daemon.process.pid)
        os.kill(new, signal.SIGTERM)
        finish(load)
        wait_until("both end", lambda: not alive(new) and not alive(daemon.process.pid), 10)
        assert daemon.records()[0]["cause"] == "draining", daemon.records()


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
    ("two restarts under load: no call fails", twice_under_load),
    ("a configuration with a mistake changes nothing", a_broken_configuration_is_refused),
    ("a program that dies at its start changes nothing", a_program_that_dies_is_refused),
    ("the old one may be killed at any time", the_old_one_is_killed),
    ("what is on its way at the end is answered", what_is_on_its_way_at_the_end_is_answered),
    ("a stop waits for the calls of both", stopping_waits_for_the_old_one),
    ("soft phones are called where they are", devices_go_on),
])
raise SystemExit(tally.close())
