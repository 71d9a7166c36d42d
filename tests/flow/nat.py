# SPDX-License-Identifier: Apache-2.0
"""A NAT of our own between the daemon's media and its peers."""

import select
import socket
import threading

INSIDE, OUTSIDE, NAT = "127.0.0.2", "127.0.0.1", "127.0.0.3"
PORTS = 20


def bound(host, port):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((host, port))
    return sock


class Mapping:
    """OUTSIDE's ports mapped to those of INSIDE; each peer has a port of NAT inside. `tap`
    sees what goes out: the packet, and to whom."""

    def __init__(self, first, tap=None):
        self.outer = {bound(OUTSIDE, port): port for port in range(first, first + PORTS)}
        self.inner, self.ways, self.tap = {}, {}, tap
        self.inward = self.outward = 0
        threading.Thread(target=self.run, daemon=True).start()

    def way_in(self, sock, peer):
        way = self.inner.get((sock, peer))
        if not way:
            way = self.inner[sock, peer] = bound(NAT, 0)
            self.ways[way] = sock, peer
        return way

    def carry(self, sock):
        try:
            packet, peer = sock.recvfrom(65536)
            if sock in self.outer:
                self.way_in(sock, peer).sendto(packet, (INSIDE, self.outer[sock]))
                self.inward += 1
            else:
                outer, peer = self.ways[sock]
                outer.sendto(packet, peer)
                self.outward += 1
                if self.tap:
                    self.tap(packet, peer)
        except ConnectionError:  # a port that has been closed meanwhile
            pass

    def run(self):
        while True:
            for sock in select.select([*self.outer, *self.ways], [], [])[0]:
                self.carry(sock)


def put_behind(config, first, **media):
    """`config`, as YAML has it, with its media behind the mapping of these ports, which
    carries no SIP: packets come from elsewhere than the trunk's signalling."""
    config["media"].update(address=INSIDE, advertised_address=OUTSIDE,
                           ports=f"{first}-{first + PORTS - 1}", **media)
    for trunk in config["trunks"]:
        trunk["latching"] = "any"
