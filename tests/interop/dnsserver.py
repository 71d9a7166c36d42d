# SPDX-License-Identifier: Apache-2.0
"""A DNS server for a test: a zone in memory that may change while it runs."""

import ipaddress
import socket
import struct
import threading

from harness import free_port

TYPES = {"A": 1, "SRV": 33, "NAPTR": 35}


def name(text):
    labels = [label.encode() for label in text.split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def string(text):
    return bytes([len(text)]) + text.encode()


def address(text, ttl=60):
    return "A", ttl, ipaddress.ip_address(text).packed


def srv(priority, weight, port, target, ttl=60):
    return "SRV", ttl, struct.pack("!HHH", priority, weight, port) + name(target)


def naptr(order, preference, service, target, ttl=60):
    return "NAPTR", ttl, struct.pack("!HH", order, preference) + string("s") + \
        string(service) + string("") + name(target)


class DnsServer:
    """zone: {"host": [records]}. While `silent` it answers nobody."""

    def __init__(self, zone):
        self.zone, self.silent, self.asked = zone, False, []
        self.port = free_port()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", self.port))
        self.thread = threading.Thread(target=self.serve, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.socket.close()

    def serve(self):
        while True:
            try:
                query, peer = self.socket.recvfrom(2048)
                reply = self.reply(query)
                if reply and not self.silent:
                    self.socket.sendto(reply, peer)
            except OSError:
                return

    def reply(self, query):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode())
            at += 1 + query[at]
        host, kind = ".".join(labels).lower(), struct.unpack_from("!H", query, at + 1)[0]
        self.asked.append((host, kind))
        records = [r for r in self.zone.get(host, []) if TYPES[r[0]] == kind]
        known = host in self.zone
        head = query[:2] + struct.pack("!HHHHH", 0x8180 if known else 0x8183, 1, len(records), 0, 0)
        body = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, ttl, len(data)) + data
                        for _, ttl, data in records)
        return head + query[12:at + 5] + body
