# SPDX-License-Identifier: Apache-2.0
"""A sick TAS withdraws, a dead one is withdrawn: the gate and breakout-watchdog, real."""

import contextlib
import threading

import yaml

from core import *

core = Core()
tas = Daemon(core)
HTTP = core.folder / "http.sock"
SOCKET = core.folder / "breakout.sock"
LINE = {"every": "100ms", "sick_after": "300ms", "well_after": "300ms"}


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


class FrontDoor:
    """Ends TLS in front of the daemon, as a load balancer does, with a certificate that
    can be exchanged: what the core would see of us."""

    def __init__(self, port):
        self.folder = core.folder / "front"
        self.folder.mkdir()
        self.daemon_port = port
        self.ca = self.folder / "ca.pem"
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        openssl("req", "-x509", *key, "-keyout", self.folder / "ca.key", "-out", self.ca,
                "-days", 30, "-subj", "/CN=front CA")
        for name, names, days in (("good", "IP:127.0.0.1", 30), ("expired", "IP:127.0.0.1", -1),
                                  ("other", "DNS:tas.example.net", 30)):
            (self.folder / "names").write_text(f"subjectAltName={names}\n")
            openssl("req", *key, "-keyout", self.folder / f"{name}.key", "-out",
                    self.folder / "request", "-subj", "/CN=tas")
            openssl("x509", "-req", "-in", self.folder / "request", "-CA", self.ca, "-CAkey",
                    self.folder / "ca.key", "-days", days, "-extfile", self.folder / "names",
                    "-out", self.folder / f"{name}.pem")
        self.show("good")
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def show(self, name):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        self.context = context

    def serve(self):
        while True:
            plain, _ = self.listener.accept()
            threading.Thread(target=self.one, args=(plain,), daemon=True).start()

    def one(self, plain):
        inner = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        inner.check_hostname, inner.verify_mode = False, ssl.CERT_NONE
        # Whoever turns away ends the exchange: that is what is tested.
        with contextlib.suppress(OSError), plain:
            plain.settimeout(3)
            with self.context.wrap_socket(plain, server_side=True) as outside, \
                    socket.create_connection(("127.0.0.1", self.daemon_port), 3) as behind, \
                    inner.wrap_socket(behind) as inside:
                inside.sendall(outside.recv(65536))
                outside.sendall(inside.recv(65536))
                outside.recv(1)


front = FrontDoor(tas.port)
config = yaml.safe_load(tas.config.read_text())
config["health"] = {
    "self_call": {**LINE, "to": f"127.0.0.1:{front.port}", "ca_file": str(front.ca),
                  "timeout": "1s"},
    "watchdog": {"after": "1s"},
}
config["admin"]["http"] = {"listen": [f"unix:{HTTP}"]}
tas.config.write_text(yaml.safe_dump(config))


class Watchdog:
    def __init__(self):
        self.log_path = core.folder / "watchdog.log"
        self.process = subprocess.Popen([BIN / "breakout-watchdog", "--config", tas.config],
                                        stderr=open(self.log_path, "ab"))

    def said(self, pattern):
        return re.findall(pattern, self.log_path.read_text(errors="replace"))

    def close(self):
        self.process.terminate()
        assert self.process.wait(5) == 0


def held():
    return core.must("registrations")["registrations"]


def withdrawn(seconds):
    wait_until(lambda: not held(), seconds, "nothing is registered any more")


def log_says(pattern, seconds=3):
    return wait_until(lambda: re.search(pattern, tas.log_path.read_text(errors="replace")),
                      seconds, pattern)


def ctl(*arguments):
    return subprocess.run([BIN / "breakoutctl", "-s", SOCKET, *arguments], capture_output=True,
                          text=True, timeout=20).stdout


def readyz():
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(5)
        try:
            sock.connect(str(HTTP))
        except OSError:
            return None  # it starts
        sock.sendall(b"GET /readyz HTTP/1.0\r\nHost: localhost\r\n\r\n")
        answer = sock.makefile("rb").read().decode()
    return int(answer.split()[1]), answer.split("\r\n\r\n")[1].strip()


def metric(name):
    return float(re.search(rf"^{re.escape(name)} (\S+)$", ctl("metrics"), re.M).group(1))


def sick_and_back(certificate, why):
    front.show(certificate)
    withdrawn(4)
    wait_until(lambda: json.loads(ctl("-o", "json", "status"))["to_native_ms"], 2, "confirmed")
    status = json.loads(ctl("-o", "json", "status"))
    assert status["health"]["sick"] and why in status["health"]["why"], status
    assert status["registrations"]["withheld"] == len(tas.numbers) == status["withheld"], status
    assert 300 <= status["to_native_ms"] < 4000, status
    assert readyz() == (503, status["health"]["why"]), readyz()
    assert f"held: {status['withheld_why']}" in ctl("regs"), ctl("regs")
    assert (metric('breakout_health{check="self_call"}'), metric("breakout_gate_closed")) == (0, 1)
    assert metric("breakout_seconds_to_native") <= 4
    front.show("good")
    tas.wait_registered(5)
    wait_until(lambda: readyz() == (200, "ok"), 2, "ready again")
    assert metric("breakout_gate_closed") == 0


def a_tas_that_is_well_keeps_its_registrations():
    wait_until(lambda: "well" in ctl("status"), 3, "well")
    log = tas.log_path.read_text()
    assert "sick" not in log and "stranger" not in log, log
    assert len(held()) == len(tas.numbers)


def an_expired_certificate_at_the_front_door_closes_the_gate():
    sick_and_back("expired", "certificate has expired")
    log_says(r'error +health +sick: check=self_call why="our certificate is not accepted: '
             r'certificate has expired": registrations are withdrawn until it is well')
    log_says(r"error +registrar gate closed registrations=9 why=")
    log_says(r"notice +registrar gate: all withheld are deleted, held=9")
    log_says(r"notice +health +well again: check=self_call")


def so_does_one_of_another_name():
    sick_and_back("other", "mismatch")


def who_drains_withdraws_nothing():
    second = {r["number"]: r["upserts"] for r in held()}
    tas.process.send_signal(signal.SIGTERM)
    front.show("expired")
    tas.process.wait(10)
    assert {r["number"]: r["upserts"] for r in held()} == second
    front.show("good")
    tas.start()
    wait_until(lambda: readyz() == (200, "ok"), 3, "ready")


def a_restart_within_a_second_is_no_death():
    tas.kill()
    tas.start()
    time.sleep(1.2)
    assert not watchdog.said("withdrawing"), watchdog.said(".*withdrawing.*")
    assert len(held()) == len(tas.numbers)


def a_dead_daemon_is_withdrawn_and_comes_back():
    time.sleep(0.3)  # until the store knows that the core has answered
    tas.kill()
    withdrawn(4)
    took = wait_until(lambda: watchdog.said(r"all withdrawn to_native_ms=(\d+)"), 3, "all")
    assert 900 <= int(took[-1]) < 4000, took
    assert watchdog.said(r"error +watchdog +breakoutd is dead dead_ms=\d+: withdrawing "
                         r"registrations=9")
    tas.start()
    tas.wait_registered(5)
    assert {r["upserts"] for r in held()} == {1}


def one_that_hangs_is_killed():
    alive = core.folder / "breakout.db.alive"  # a start is given ten times as long
    wait_until(lambda: alive.read_text().split()[:2] == ["1", str(tas.process.pid)], 5, "serving")
    tas.process.send_signal(signal.SIGSTOP)
    assert tas.process.wait(8) == -signal.SIGKILL
    assert watchdog.said(r"hangs for \d+ ms and answers nobody: killed")
    tas.start()
    tas.wait_registered(5)


tas.start()
tas.wait_registered()
watchdog = Watchdog()
failed = run_tests([a_tas_that_is_well_keeps_its_registrations,
                    an_expired_certificate_at_the_front_door_closes_the_gate,
                    so_does_one_of_another_name,
                    who_drains_withdraws_nothing,
                    a_restart_within_a_second_is_no_death,
                    a_dead_daemon_is_withdrawn_and_comes_back,
                    one_that_hangs_is_killed], core)
if failed:
    print(watchdog.log_path.read_text(errors="replace"))
watchdog.close()
finish(failed, core, tas)
