# SPDX-License-Identifier: Apache-2.0
"""What the distance to a fleet's database costs: one node, a PostgreSQL server that a
forwarder keeps so many milliseconds away (there and back), and the rate of a million
numbers, which is that of a fiftieth of them with a fiftieth of the TTL.

All of them are new at first: each is in the database before the core hears of it. Then
they are refreshed in their time. Last, some consents are taken back at once: their
registrations are deleted, and that goes on record. On a quiet machine: what is printed
as late says whether the refreshes kept their time meanwhile.

    bench_fleet.py [NUMBERS [SECONDS [CONSENTS]]]
"""

import pathlib
import queue
import re
import socket
import sys
import tempfile
import threading
import time

import postgres
from bench_daemon import Measured, upserts
from core import Core
from growth import metric
from subjects import process_cpu_s

ROUND_TRIPS_MS = (0, 5, 20, 50)
TTL_S = 72
SLOT_S = 1


class Distance:
    """A socket in `folder` behind which the server of `server` is `round_trip_ms` away."""

    def __init__(self, folder, server, round_trip_ms):
        self.server, self.one_way = f"{server}/.s.PGSQL.5432", round_trip_ms / 2000
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(f"{folder}/.s.PGSQL.5432")
        self.listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            near, far = self.listener.accept()[0], socket.socket(socket.AF_UNIX)
            far.connect(self.server)
            for source, sink in ((near, far), (far, near)):
                way = queue.SimpleQueue()
                threading.Thread(target=self._take, args=(source, way), daemon=True).start()
                threading.Thread(target=self._bring, args=(way, sink), daemon=True).start()

    def _take(self, source, way):
        data = b"more"
        while data:
            try:
                data = source.recv(262144)
            except OSError:
                data = b""
            way.put((time.monotonic() + self.one_way, data))

    @staticmethod
    def _bring(way, sink):
        data = b"more"
        while data:
            due, data = way.get()
            time.sleep(max(0, due - time.monotonic()))
            try:
                sink.sendall(data) if data else sink.shutdown(socket.SHUT_RDWR)
            except OSError:
                return


class Node(Measured):
    def __init__(self, core, count, conninfo):
        super().__init__(core, count)
        store = f'store: {{ postgres: "{conninfo}", node: bench, version: 1 }}'
        text = re.sub(r"^store: .*$", store, self.config.read_text(), flags=re.MULTILINE)
        self.config.write_text(text.replace(
            "registrations:\n", "registrations:\n  - consents: { route_type: loop }\n"))

    def margin_s(self):
        return metric(self.metrics(), "breakout_registration_first_expiry_seconds")


def all_told(node, count):
    """Seconds until the core has heard of all, and the most upserts a second."""
    begin, before, highest = time.monotonic(), 0, 0
    while before < count:
        time.sleep(SLOT_S)
        now = upserts(node) if "breakout_upserts_total{" in node.metrics() else 0
        highest, before = max(highest, (now - before) / SLOT_S), now
    return time.monotonic() - begin, highest


def steady(node, seconds):
    sent, cpu, begin = upserts(node), process_cpu_s(node.process.pid), time.monotonic()
    margin = TTL_S
    while time.monotonic() - begin < seconds:
        time.sleep(SLOT_S)
        margin = min(margin, node.margin_s())
    passed = time.monotonic() - begin
    cpu = process_cpu_s(node.process.pid) - cpu
    return (upserts(node) - sent) / passed, 100 * cpu / passed, margin


def consented(core, numbers):
    for number in numbers:
        core.must("consent", number=number)
    core.must("wait-registered", numbers=numbers, timeout_ms=60000)


def taken_back(core, node, server, numbers):
    """Seconds until all are deleted and on record, and the least time that a number had."""
    for number in numbers:
        core.must("revoke-consent", number=number)
    begin, margin = time.monotonic(), TTL_S
    recorded = "SELECT count(*) FROM breakout.consent_record WHERE what = 'deleted'"
    while int(server.query(recorded)[0]) < len(numbers):
        assert time.monotonic() - begin < 600, "they are not deleted"
        margin = min(margin, node.margin_s())
        time.sleep(0.1)
    return time.monotonic() - begin, margin


def measure(folder, round_trip_ms, count, seconds, consents):
    server = postgres.Postgres(folder).start()
    Distance(folder, server.folder, round_trip_ms)
    core = Core("--ttl", f"{TTL_S}s", "--log", "error")
    node = Node(core, count, f"host={folder} dbname=postgres user=breakout")
    try:
        node.serve()
        told, highest = all_told(node, count)
        time.sleep(TTL_S / 2)
        rate, cpu, margin = steady(node, seconds)
        print(f"{round_trip_ms:3} ms away  new: {count / told:.0f}/s, at most {highest:.0f}/s; "
              f"steady: {rate:.0f}/s, {cpu:.1f} % of a core, the first to lapse has {margin} s",
              flush=True)
        numbers = [f"+47{31000000 + i}" for i in range(consents)]
        consented(core, numbers)
        took, margin = taken_back(core, node, server, numbers)
        print(f"{'':12}{consents} consents taken back: deleted and recorded after {took:.1f} s, "
              f"the first to lapse has {margin} s", flush=True)
        node.end()
    finally:
        node.close()
        core.close()
        server.stop()


def main():
    count, seconds, consents = (int(a) for a in (sys.argv[1:] + ["20000", "30", "1000"][
        len(sys.argv) - 1:]))
    for round_trip_ms in ROUND_TRIPS_MS:
        with tempfile.TemporaryDirectory(prefix="breakout-fleet-") as folder:
            pathlib.Path(folder).chmod(0o711)
            measure(folder, round_trip_ms, count, seconds, consents)


if __name__ == "__main__":
    main()
