# SPDX-License-Identifier: Apache-2.0
"""A NAT of our own between the daemon's media and its peers."""

import heapq
import itertools
import select
import socket
import threading
import time

INSIDE, OUTSIDE, NAT = "127.0.0.2", "127.0.0.1", "127.0.0.3"
PORTS = 20


def bound(host, port):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((host, port))
    return sock


class Mapping:
    """OUTSIDE's ports mapped to those of INSIDE; each peer has a port of NAT inside. `tap`
    sees what goes out: the packet, and to whom. `fate` says of a packet after how many
    seconds it arrives, each time that it does: [0], [] if it is lost."""

    def __init__(self, first, tap=None, fate=lambda packet: [0]):
        self.outer = {bound(OUTSIDE, port): port for port in range(first, first + PORTS)}
        self.inner, self.ways, self.tap, self.fate = {}, {}, tap, fate
        self.inward = self.outward = 0
        self.late, self.order = [], itertools.count()
        threading.Thread(target=self.run, daemon=True).start()

    def way_in(self, sock, peer):
        way = self.inner.get((sock, peer))
        if not way:
            way = self.inner[sock, peer] = bound(NAT, 0)
            self.ways[way] = sock, peer
        return way

    def send(self, sock, packet, peer):
        try:
            sock.sendto(packet, peer)
        except ConnectionError:  # a port that has been closed meanwhile
            pass

    def carry(self, sock):
        try:
            packet, peer = sock.recvfrom(65536)
        except ConnectionError:
            return
        if sock in self.outer:
            way, peer = self.way_in(sock, peer), (INSIDE, self.outer[sock])
            self.inward += 1
        else:
            way, peer = self.ways[sock]
            self.outward += 1
            if self.tap:
                self.tap(packet, peer)
        for delay in self.fate(packet):
            if delay:
                heapq.heappush(self.late, (time.monotonic() + delay, next(self.order),
                                           way, packet, peer))
            else:
                self.send(way, packet, peer)

    def run(self):
        while True:
            wait = max(0, self.late[0][0] - time.monotonic()) if self.late else None
            for sock in select.select([*self.outer, *self.ways], [], [], wait)[0]:
                self.carry(sock)
            while self.late and self.late[0][0] <= time.monotonic():
                self.send(*heapq.heappop(self.late)[2:])


def put_behind(config, first, **media):
    """`config`, as YAML has it, with its media behind the mapping of these ports, which
    carries no SIP: packets come from elsewhere than the trunk's signalling."""
    config["media"].update(address=INSIDE, advertised_address=OUTSIDE,
                           ports=f"{first}-{first + PORTS - 1}", **media)
    for trunk in config["trunks"]:
        trunk["latching"] = "any"
