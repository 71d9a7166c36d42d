# SPDX-License-Identifier: Apache-2.0
"""No growth: 10,000 TLS connections of four kinds and 1,000 calls with media
leave the daemon's memory and descriptors where they were after warm-up."""

import os
import pathlib
import socket
import ssl
import sys
import tempfile
import time

from harness import Daemon, Pki, Tally
from test_hostile import Peer, request
from test_sipp import SippCore

CONNECTIONS = 2500  # of each of the four kinds
GROWTH_KB = 4096    # the leak this guards against is 25 to 50 kB a connection: 250 MB and more


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


def descriptors(daemon):
    return len(os.listdir(f"/proc/{daemon.process.pid}/fd"))


def settled(daemon, measure, limit, seconds=40):
    """Waits until `measure` falls to the limit; the last value."""
    end = time.monotonic() + seconds
    while (value := measure(daemon)) > limit and time.monotonic() < end:
        time.sleep(0.25)
    return value


def tls_connections(daemon):
    connections(daemon, 150)
    before, open_before = daemon.rss_kb(), settled(daemon, descriptors, 64)
    connections(daemon, CONNECTIONS)
    after = settled(daemon, Daemon.rss_kb, before + GROWTH_KB)
    open_after = settled(daemon, descriptors, open_before)
    print(f"     RSS {before} -> {after} kB, descriptors {open_before} -> {open_after}")
    assert after - before <= GROWTH_KB, f"RSS grew from {before} to {after} kB"
    assert open_after <= open_before, f"descriptors grew from {open_before} to {open_after}"


def calls(daemon, core):
    def batch(count):
        done, failed, _, errors = core.run(count, 40, "+004722334455")
        assert (done, failed) == (count, 0), errors

    batch(300)
    open_before = settled(daemon, descriptors, 64)
    before = daemon.rss_kb()
    batch(1000)
    after = settled(daemon, Daemon.rss_kb, before + GROWTH_KB)
    open_after = settled(daemon, descriptors, open_before)
    print(f"     RSS {before} -> {after} kB, descriptors {open_before} -> {open_after}")
    assert after - before <= GROWTH_KB, f"RSS grew from {before} to {after} kB"
    assert open_after <= open_before, f"descriptors grew from {open_before} to {open_after}"


def main():
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="breakout-soak-") as name:
        folder = pathlib.Path(name)
        pki = Pki(folder)
        core = SippCore(folder, pki)
        with Daemon(core.sbc_port, {"log": {"level": "error"}}) as daemon:
            daemon.pki = pki
            daemon.start()
            core.tunnels(daemon.port)
            try:
                tally.run("10,000 TLS connections leave no memory and no descriptor behind",
                          tls_connections, daemon)
                tally.run("1,000 calls with media leave no memory and no descriptor behind",
                          calls, daemon, core)
            finally:
                core.close()
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
