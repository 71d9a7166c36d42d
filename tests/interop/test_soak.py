# SPDX-License-Identifier: Apache-2.0
"""No growth: 10,000 TLS connections of four kinds and 1,000 calls with anchored
media leave the daemon's memory, descriptors and TLS sessions where they were.

A call's transactions hold about 17 kB until 32 s after its end (RFC 6026 timers
L and M), and some heaps keep their peak, others give it back: so the calls before the
measured ones are as many, as fast, and rested from, and what counts is what there is
right after each. Whatever a sanitizer's allocator does to
the RSS, it finds leaks itself when the daemon ends."""

import pathlib
import socket
import ssl
import sys
import tempfile
import time

from growth import descriptors, metric, settled
from harness import SANITIZED, Pki, Tally
from sippcore import sipp_core
from test_hostile import Peer, request

CONNECTIONS = 250 if SANITIZED else 2500  # of each of the four kinds
CALLS, RATE = (200, 15) if SANITIZED else (1000, 100)
REST_S = 34
# OpenSSL objects a connection leaks without the guard: 25 to 50 kB, 250 MB and more.
GROWTH_KB = 4096


def connect_close(daemon):
    socket.create_connection(("127.0.0.1", daemon.port), 5).close()


def hello_reset(daemon):
    sock = socket.create_connection(("127.0.0.1", daemon.port), 5)
    sock.sendall(b"\x16\x03\x01\x00\xf4\x01\x00")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    sock.close()


def handshake(daemon, context):
    with context.wrap_socket(socket.create_connection(("127.0.0.1", daemon.port), 5),
                             server_hostname="127.0.0.1"):
        pass


def handshake_options(daemon):
    peer = Peer(daemon)
    peer.send(request("OPTIONS").encode())
    assert peer.answer().status == 200
    peer.close()


def connections(daemon, count):
    context = ssl.create_default_context(cafile=daemon.pki.ca)
    for _ in range(count):
        connect_close(daemon)
        hello_reset(daemon)
        handshake(daemon, context)
        handshake_options(daemon)


def tls_sessions(daemon):
    return metric(daemon.ctl("metrics").stdout, "breakout_tls_sessions")


def tls_settled(daemon, limit):
    return settled(lambda: tls_sessions(daemon), limit)


def nothing_grows(daemon, work, before):
    """What stays open is back at once; memory grows by less than the bound."""
    pid = daemon.process.pid
    open_before, tls_before = descriptors(pid), tls_sessions(daemon)
    begin = time.monotonic()
    work()
    took = time.monotonic() - begin
    tls_after = tls_settled(daemon, tls_before)
    open_after = settled(lambda: descriptors(pid), open_before)
    after = daemon.rss_kb()
    print(f"     {took:.0f} s: RSS {before} -> {after} kB, descriptors {open_before} -> "
          f"{open_after}, TLS sessions {tls_before} -> {tls_after}")
    assert tls_after <= tls_before, f"TLS sessions grew from {tls_before} to {tls_after}"
    assert open_after <= open_before, f"descriptors grew from {open_before} to {open_after}"
    assert SANITIZED or after - before <= GROWTH_KB, f"RSS grew from {before} to {after} kB"


def tls_connections(daemon):
    connections(daemon, CONNECTIONS // 10)
    tls_settled(daemon, 0)
    nothing_grows(daemon, lambda: connections(daemon, CONNECTIONS), daemon.rss_kb())


def calls(daemon, core):
    def batch():
        done, failed, _, errors = core.run(CALLS, RATE, "+004722334455")
        assert (done, failed) == (CALLS, 0), errors

    batch()
    before = daemon.rss_kb()
    time.sleep(REST_S)
    tls_settled(daemon, 0)
    nothing_grows(daemon, batch, before)


def stops(daemon):
    status = daemon.stop()
    assert status == 0, f"exit status {status}\n{daemon.log()[-6000:]}"


def main():
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="breakout-soak-") as name:
        folder = pathlib.Path(name)
        # The ring of messages fills up to its size, which is no growth: here a small one.
        changes = {"log": {"level": "error"}, "trace": {"memory": "64KiB"}}
        with sipp_core(folder, Pki(folder), changes) as (core, daemon):
            tally.run(f"{4 * CONNECTIONS} TLS connections leave nothing behind",
                      tls_connections, daemon)
            tally.run(f"{CALLS} calls with anchored media leave nothing behind",
                      calls, daemon, core)
            tally.run("the daemon stops cleanly", stops, daemon)
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
