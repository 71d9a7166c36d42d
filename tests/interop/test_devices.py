# SPDX-License-Identifier: Apache-2.0
"""Soft phones that register: a Python phone over TCP and UDP, and SIPp."""

import contextlib
import hashlib
import pathlib
import queue
import re
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from harness import SANITIZED, Daemon, Pki, Tally, free_port
from sipwire import Flow, Message, Sbc, parse

ATTEMPTS = 40  # a source and minute; the tests use a source each
OFFER = (pathlib.Path(__file__).resolve().parents[1] / "data/sdp/offer_browser.sdp").read_text()
ANSWER = ("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
          "m=audio 40000 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n")
HASHES = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}
sources = iter(range(10, 250))


class Udp:
    """A flow over UDP."""

    def __init__(self, source, port):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((source, 0))
        self.sock.connect(("127.0.0.1", port))
        self.inbox = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        with contextlib.suppress(OSError):
            while data := self.sock.recv(65536):
                head, _, body = data.partition(b"\r\n\r\n")
                self.inbox.put((self, parse(head, body)))

    def send(self, message):
        self.sock.send(message.encode())

    def close(self):
        self.sock.close()


class Phone:
    """One phone, on one connection from an address of its own."""

    def __init__(self, daemon, user, password, transport="tcp", source=None, algorithm="SHA-256"):
        self.user, self.password, self.algorithm = user, password, algorithm
        self.transport, self.source = transport, source or f"127.0.1.{next(sources)}"
        self.inbox, self.call_id, self.cseq = queue.Queue(), secrets.token_hex(8), 0
        if transport == "udp":
            self.flow = Udp(self.source, daemon.udp)
            self.inbox = self.flow.inbox
        else:
            sock = socket.create_connection(("127.0.0.1", daemon.tcp), 5, (self.source, 0))
            sock.settimeout(None)
            self.flow = Flow(sock, self.inbox)
        # An address nobody reaches: as behind a NAT.
        self.contact = f"<sip:{user}@10.255.255.1:5060;transport={transport}>"

    def request(self, method, uri="sip:localhost", to=None, extra=(), body="", call_id=None):
        self.cseq += 1
        return Message(f"{method} {uri} SIP/2.0", [
            ("via", f"SIP/2.0/{self.transport.upper()} 10.255.255.1:5060;rport;"
                    f"branch=z9hG4bK{secrets.token_hex(8)}"),
            ("max-forwards", "70"),
            ("from", f"<sip:{self.user}@localhost>;tag={secrets.token_hex(4)}"),
            ("to", to or f"<sip:{self.user}@localhost>"),
            ("call-id", call_id or self.call_id),
            ("cseq", f"{self.cseq} {method}"),
            *extra,
            *([("content-type", "application/sdp")] if body else []),
        ], body)

    def wait(self, wanted, seconds=5):
        end = time.monotonic() + seconds
        while True:
            try:
                _, message = self.inbox.get(timeout=max(0.01, end - time.monotonic()))
            except queue.Empty:
                return None
            if wanted(message):
                return message

    def ask(self, message, seconds=5):
        """The final response, or None."""
        self.flow.send(message)
        return self.wait(lambda m: m.status >= 200 and m.get("call-id") == message.get("call-id")
                         and m.get("cseq") == message.get("cseq"), seconds)

    def authorization(self, challenge, method, uri):
        """For the challenge of our algorithm among those of a 401."""
        for value in challenge.all("www-authenticate"):
            said = dict(re.findall(r'(\w+)="?([^",]+)"?', value))
            if said.get("algorithm", "MD5") == self.algorithm:
                break
        else:
            raise AssertionError(f"no {self.algorithm} among {challenge.headers}")

        def h(*parts):
            return HASHES[self.algorithm](":".join(parts).encode()).hexdigest()
        cnonce, nc = secrets.token_hex(4), "00000001"
        response = h(h(self.user, said["realm"], self.password), said["nonce"], nc, cnonce, "auth",
                     h(method, uri))
        return ("authorization",
                f'Digest username="{self.user}", realm="{said["realm"]}", '
                f'nonce="{said["nonce"]}", uri="{uri}", response="{response}", '
                f'algorithm={self.algorithm}, qop=auth, cnonce="{cnonce}", nc={nc}')

    def login(self, method, uri="sip:localhost", extra=(), **more):
        """Answers the challenge; both responses."""
        first = self.ask(self.request(method, uri, extra=extra, **more))
        assert first and first.status == 401, first and first.start
        if method == "INVITE":
            self.flow.send(self.request("ACK", uri, **more))
        answer = self.authorization(first, method, uri)
        return first, self.ask(self.request(method, uri, extra=[*extra, answer], **more))

    def register(self, expires=None, contact=None, to=None):
        contact = contact or self.contact
        extra = [("contact", contact)]
        if expires is not None:
            extra.append(("expires", str(expires)))
        return self.login("REGISTER", extra=extra, to=to)[1]

    def accept(self, invite):
        self.flow.send(self.reply(invite, 200, "OK", ANSWER))

    def reply(self, request, status, reason, body=""):
        to = request.get("to")
        return Message(f"SIP/2.0 {status} {reason}", [
            *[("via", v) for v in request.all("via")],
            *[("record-route", v) for v in request.all("record-route")],
            ("from", request.get("from")),
            ("to", to if "tag=" in to else f"{to};tag=phone{id(self) % 1000}"),
            ("call-id", request.get("call-id")), ("cseq", request.get("cseq")),
            ("contact", self.contact),
            *([("content-type", "application/sdp")] if body else [])], body)

    def close(self):
        self.flow.close()


def shown(daemon, name="anna"):
    rows = daemon.ctl("devices").stdout.splitlines()[1:]
    return [row for row in rows if row.split()[0] == name and row.split()[1] != "-"]


def registers_and_goes(daemon, transport, algorithm):
    phone = Phone(daemon, "anna", "a-secret", transport, algorithm=algorithm)
    ok = phone.register(expires=120)
    assert ok.status == 200, ok.start
    assert [c for c in ok.all("contact") if phone.contact in c and "expires=120" in c], ok.headers
    row, = shown(daemon)
    assert f"{phone.source}:" in row and f"transport={transport}" in row, row
    gone = phone.register(expires=0)
    assert gone.status == 200 and not gone.all("contact"), gone.headers
    assert not shown(daemon)
    phone.close()


def nobody_and_the_wrong_password_look_the_same(daemon):
    seen = []
    for user, password in (("anna", "wrong"), ("nobody", "wrong")):
        phone = Phone(daemon, user, password)
        first, last = phone.login("REGISTER", extra=[("contact", phone.contact)])
        seen.append((first.start, [n for n, _ in first.headers], last.start,
                     [n for n, _ in last.headers]))
        assert last.status == 403, last.start
        phone.close()
    assert seen[0] == seen[1], seen
    assert "nobody" not in daemon.log() and not shown(daemon)


def expiry_has_limits(daemon):
    phone = Phone(daemon, "anna", "a-secret")
    brief = phone.register(expires=10)
    assert brief.status == 423 and brief.get("min-expires") == "60", brief.headers
    long = phone.register(contact=phone.contact + ";expires=1000000")
    assert "expires=3600" in long.get("contact"), long.headers
    assert phone.register(contact="*", expires=10).status == 400
    gone = phone.register(contact="*", expires=0)
    assert gone.status == 200 and not gone.all("contact")
    phone.close()


def what_is_late_changes_nothing(daemon):
    phone = Phone(daemon, "anna", "a-secret")
    assert phone.register(expires=120).status == 200
    phone.cseq = 0
    assert phone.register(expires=0).status == 500
    assert len(shown(daemon)) == 1
    phone.cseq = 10
    assert phone.register(expires=0).status == 200
    phone.close()


def a_captured_answer_is_worth_nothing(daemon):
    phone = Phone(daemon, "anna", "a-secret")
    first = phone.ask(phone.request("REGISTER", extra=[("contact", phone.contact)]))
    answer = phone.authorization(first, "REGISTER", "sip:localhost")
    more = [("contact", phone.contact), answer]
    assert phone.ask(phone.request("REGISTER", extra=more)).status == 200
    again = phone.ask(phone.request("REGISTER", extra=more))
    assert again.status == 401 and "stale=true" in again.get("www-authenticate"), again.headers
    assert phone.register(expires=0).status == 200
    phone.close()


def an_address_belongs_to_its_device(daemon):
    phone = Phone(daemon, "anna", "a-secret")
    assert phone.register(to="<sip:bert@localhost>").status == 403
    assert not shown(daemon, "bert")
    phone.close()


def of_too_many_contacts_the_newest_stay(daemon):
    phone = Phone(daemon, "bert", "b-secret")
    for port in (5061, 5062, 5063):
        ok = phone.register(contact=f"<sip:bert@10.255.255.1:{port}>")
    assert [re.search(r":(\d+)>", c).group(1) for c in ok.all("contact")] == ["5063", "5062"]
    assert phone.register(contact="*", expires=0).status == 200
    phone.close()


def hang_up(sbc, flow, leg, ok):
    flow.send(sbc.in_dialog("BYE", leg, ok))
    sbc.wait(lambda m: m.status == 200 and m.method == "BYE")


def call(sbc, daemon, number="+4799000001"):
    flow = sbc.connect(daemon.port)
    leg = sbc.invite(f"sips:{number}@127.0.0.1", "sip:+4722334455@core.example",
                     f"sip:{number}@core.example", OFFER)
    flow.send(leg)
    return flow, leg


def answered(sbc, flow, leg):
    _, ok = sbc.wait(lambda m: m.status >= 200 and m.get("call-id") == leg.get("call-id"))
    assert ok.status == 200, ok.start
    flow.send(sbc.in_dialog("ACK", leg, ok))
    return ok


def a_call_comes_by_the_connection_it_registered_on(daemon, sbc, transport):
    phone = Phone(daemon, "anna", "a-secret", transport)
    assert phone.register().status == 200
    flow, leg = call(sbc, daemon)
    invite = phone.wait(lambda m: not m.status and m.method == "INVITE")
    assert invite, "no INVITE came\n" + daemon.log()[-2000:]
    assert invite.start == f"INVITE {phone.contact[1:-1]} SIP/2.0", invite.start
    assert "+4722334455@" in invite.get("from") and "RTP/AVP" in invite.body, invite.headers
    phone.accept(invite)
    assert phone.wait(lambda m: m.start.startswith("ACK ")), "no ACK came"
    hang_up(sbc, flow, leg, answered(sbc, flow, leg))
    bye = phone.wait(lambda m: m.start.startswith("BYE "))
    assert bye, "no BYE came"
    phone.flow.send(phone.reply(bye, 200, "OK"))
    assert phone.register(expires=0).status == 200
    phone.close()


def all_its_phones_ring(daemon, sbc):
    phones = [Phone(daemon, "anna", "a-secret") for _ in range(2)]
    for phone in phones:
        phone.contact = f"<sip:anna@10.255.255.{phone.source.split('.')[3]}:5060;transport=tcp>"
        assert phone.register().status == 200
    flow, leg = call(sbc, daemon)
    invites = [p.wait(lambda m: not m.status and m.method == "INVITE") for p in phones]
    assert all(invites), "one does not ring"
    phones[1].flow.send(phones[1].reply(invites[1], 180, "Ringing"))
    phones[0].accept(invites[0])
    ok = answered(sbc, flow, leg)
    assert phones[1].wait(lambda m: m.start.startswith("CANCEL ")), "the other rings on"
    phones[1].flow.send(phones[1].reply(invites[1], 487, "Request Terminated"))
    hang_up(sbc, flow, leg, ok)
    assert phones[0].register(contact="*", expires=0).status == 200
    for phone in phones:
        phone.close()


def nobody_there_is_unavailable(daemon, sbc):
    _, leg = call(sbc, daemon)
    _, last = sbc.wait(lambda m: m.status >= 200 and m.get("call-id") == leg.get("call-id"))
    assert last.status == 480, last.start


def a_dead_connection_does_not_hold_a_call_up(daemon, sbc):
    phone = Phone(daemon, "anna", "a-secret")
    assert phone.register().status == 200
    phone.flow.sock.shutdown(socket.SHUT_RDWR)
    phone.close()
    began = time.monotonic()
    _, leg = call(sbc, daemon)
    _, last = sbc.wait(lambda m: m.status >= 200 and m.get("call-id") == leg.get("call-id"))
    assert last.status in (408, 480, 503, 504) and time.monotonic() - began < 2, last.start
    phone = Phone(daemon, "anna", "a-secret")
    assert phone.register(contact="*", expires=0).status == 200
    phone.close()


def it_calls_as_its_number(daemon, sbc):
    phone = Phone(daemon, "anna", "a-secret")
    extra = [("contact", phone.contact)]
    first = phone.ask(phone.request("INVITE", "sip:+4799000006@localhost", extra=extra,
                                    body=ANSWER, to="<sip:+4799000006@localhost>"))
    assert first.status == 401
    answer = phone.authorization(first, "INVITE", "sip:+4799000006@localhost")
    phone.flow.send(phone.request("INVITE", "sip:+4799000006@localhost", extra=[*extra, answer],
                                  body=ANSWER, to="<sip:+4799000006@localhost>"))
    flow, invite = sbc.wait(lambda m: not m.status and m.method == "INVITE")
    assert "+4799000005@" in invite.get("from"), invite.get("from")
    assert "+4799000006@127.0.0.1" in invite.start, invite.start
    flow.send(sbc.reply(invite, 486, "Busy Here"))
    busy = phone.wait(lambda m: m.status >= 200 and m.method == "INVITE")
    assert busy.status == 486, busy.start
    for user, password, uri, status in [
            ("anna", "a-secret", "sip:+4799000001@localhost", 404),
            ("anna", "a-secret", "sip:+4712345678@localhost", 404),
            ("anna", "wrong", "sip:+4799000006@localhost", 403),
            ("bert", "b-secret", "sip:+4799000006@localhost", 403)]:
        other = Phone(daemon, user, password)
        _, last = other.login("INVITE", uri, extra=[("contact", other.contact)], body=ANSWER,
                              to=f"<{uri}>")
        assert last.status == status, (user, uri, last.start)
        other.close()
    phone.close()


def methods_nobody_needs_are_refused(daemon):
    """T16: no state, no dialog, and the connection of a device stays."""
    phone = Phone(daemon, "anna", "a-secret")
    assert phone.register().status == 200
    for method in ("MESSAGE", "SUBSCRIBE", "NOTIFY", "PUBLISH", "REFER"):
        assert phone.ask(phone.request(method)).status == 405, method
    assert phone.ask(phone.request("OPTIONS")).status == 200
    for method in ("MESSAGE", "SUBSCRIBE", "NOTIFY", "PUBLISH", "REFER", "OPTIONS"):
        stranger = Phone(daemon, "x", "")
        answer = stranger.ask(stranger.request(method))
        assert answer.status == 403, method
        stranger.close()
    assert '"call_id_a"' not in daemon.ctl("-o", "json", "calls").stdout
    assert phone.register(expires=0).status == 200
    phone.close()


def a_scanner_learns_nothing(daemon):
    """T17: one address tries extensions; some exist."""
    scanner = Phone(daemon, "x", "y", "udp")
    times, answers = {True: [], False: []}, 0
    for i in range(300):
        exists = i % 3 == 0
        scanner.user = "anna" if exists else f"1{i:03}"
        message = scanner.request("REGISTER", extra=[("contact", scanner.contact)],
                                  call_id=secrets.token_hex(8))
        began = time.perf_counter()
        answer = scanner.ask(message, 0.02 if answers >= ATTEMPTS else 1)
        if answer:
            assert answer.status == 401, answer.start
            times[exists].append(time.perf_counter() - began)
            answers += 1
    assert ATTEMPTS <= answers <= ATTEMPTS + 20, answers  # it refills meanwhile
    known, unknown = (statistics.median(times[k]) for k in (True, False))
    assert abs(known - unknown) < 0.001, (known, unknown)
    scanner.close()
    stranger = Phone(daemon, "anna", "wrong", source=scanner.source)
    stranger.flow.send(stranger.request("REGISTER", extra=[("contact", stranger.contact)]))
    stranger.flow.sock.settimeout(3)
    assert stranger.wait(lambda m: m.status, 1) is None
    other = Phone(daemon, "anna", "a-secret")  # another address is not held to it
    assert other.register().status == 200 and other.register(expires=0).status == 200
    other.close()


def an_office_behind_one_address_logs_in(daemon):
    """More log-ins than may fail: those that succeed do not count."""
    phone = Phone(daemon, "anna", "a-secret")
    for _ in range(2 * ATTEMPTS):
        assert phone.register().status == 200
    assert phone.register(expires=0).status == 200
    phone.close()


def a_flood_leaves_nothing(daemon, sbc):
    """T14: from an address nobody named, over UDP."""
    flooder = Phone(daemon, "x", "y", "udp")
    before = daemon.rss_kb()
    for method in ("REGISTER", "OPTIONS", "INVITE"):
        for _ in range(7000):
            flooder.flow.send(flooder.request(method, extra=[("contact", flooder.contact)],
                                              call_id=secrets.token_hex(8)))
    phone = Phone(daemon, "anna", "a-secret")
    assert phone.register().status == 200
    flow, leg = call(sbc, daemon)
    invite = phone.wait(lambda m: not m.status and m.method == "INVITE")
    phone.accept(invite)
    hang_up(sbc, flow, leg, answered(sbc, flow, leg))
    assert phone.register(expires=0).status == 200
    grown = daemon.rss_kb() - before
    assert SANITIZED or grown < 8 * 1024, f"{grown} KiB more"
    flooder.close()
    phone.close()


def a_reload_keeps_where_everybody_is(daemon):
    phone = Phone(daemon, "anna", "a-secret")
    assert phone.register().status == 200
    daemon.process.send_signal(1)  # SIGHUP
    daemon.wait_log("reloaded registrations")
    assert len(shown(daemon)) == 1
    assert phone.register(expires=0).status == 200
    phone.close()


SIPP_REGISTER = """<?xml version="1.0" encoding="ISO-8859-1" ?>
<scenario name="register">
  <send retrans="500"><![CDATA[
REGISTER sip:localhost SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
Max-Forwards: 70
From: <sip:anna@localhost>;tag=[call_number]
To: <sip:anna@localhost>
Call-ID: [call_id]
CSeq: 1 REGISTER
Contact: <sip:anna@[local_ip]:[local_port];transport=[transport]>
Expires: %(expires)s
Content-Length: 0

]]></send>
  <recv response="401" auth="true"></recv>
  <send retrans="500"><![CDATA[
REGISTER sip:localhost SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
Max-Forwards: 70
From: <sip:anna@localhost>;tag=[call_number]
To: <sip:anna@localhost>
Call-ID: [call_id]
CSeq: 2 REGISTER
Contact: <sip:anna@[local_ip]:[local_port];transport=[transport]>
[authentication username=anna password=%(password)s]
Expires: %(expires)s
Content-Length: 0

]]></send>
  <recv response="%(response)s"></recv>
</scenario>
"""


def sipp(daemon, folder, expires, password, response):
    scenario = folder / "register.xml"
    scenario.write_text(SIPP_REGISTER % {"expires": expires, "password": password,
                                         "response": response})
    done = subprocess.run(["sipp", "-sf", scenario, "-t", "t1", "-m", "1", "-i",
                           f"127.0.1.{next(sources)}", "-p", str(free_port()), "-timeout", "10",
                           "-nostdin", f"127.0.0.1:{daemon.tcp}"], cwd=folder,
                          capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stdout[-1500:] + done.stderr[-1500:]


def sipp_registers(daemon, folder):
    sipp(daemon, folder, 300, "a-secret", 200)
    assert len(shown(daemon)) == 1
    sipp(daemon, folder, 300, "wrong", 403)
    phone = Phone(daemon, "anna", "a-secret", algorithm="MD5")
    assert phone.register(contact="*", expires=0).status == 200
    assert not shown(daemon)
    phone.close()


def configuration(daemon, folder, digest="both"):
    """Two devices; a FORK number that rings anna, and two ingress numbers."""
    daemon.tcp, daemon.udp = free_port(), free_port()
    for name, password in (("anna", "a-secret"), ("bert", "b-secret")):
        (folder / name).write_text(password + "\n")
        (folder / name).chmod(0o600)
    sip = daemon.config()["sip"]
    sip["listen"] += [f"tcp://127.0.0.1:{daemon.tcp}", f"udp://127.0.0.1:{daemon.udp}"]
    sip["device_digest"] = digest
    return {
        "sip": sip,
        "limits": {"device_attempts": ATTEMPTS},
        "devices": [{"name": "anna", "password_file": str(folder / "anna"),
                     "number": "+4799000005"},
                    {"name": "bert", "password_file": str(folder / "bert"), "max_contacts": 2}],
        "services": {"soft": [{"do": {"dial": {"device": "anna", "ring": "20s"}}}]},
        "registrations": [
            {"number": "+4799000001", "route_type": "fork", "service": "soft"},
            {"numbers": ["+4799000005", "+4799000006"], "route_type": "ingress"}],
    }


def main():
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="breakout-devices-") as name:
        folder = pathlib.Path(name)
        pki = Pki(folder)
        sbc = Sbc(pki.cert, pki.key, pki.ca)
        daemon = Daemon(sbc.port, pki)
        daemon.changes.update(configuration(daemon, folder))
        with daemon:
            daemon.start()
            for transport, algorithm in (("tcp", "SHA-256"), ("tcp", "MD5"), ("udp", "SHA-256")):
                tally.run(f"a device registers over {transport} with {algorithm}, and goes",
                          registers_and_goes, daemon, transport, algorithm)
            for test in (nobody_and_the_wrong_password_look_the_same, expiry_has_limits,
                         what_is_late_changes_nothing, a_captured_answer_is_worth_nothing,
                         an_address_belongs_to_its_device, of_too_many_contacts_the_newest_stay):
                tally.run(test.__name__.replace("_", " "), test, daemon)
            for transport in ("tcp", "udp"):
                tally.run(f"a call comes by the way it registered, {transport}",
                          a_call_comes_by_the_connection_it_registered_on, daemon, sbc, transport)
            for test in (all_its_phones_ring, nobody_there_is_unavailable,
                         a_dead_connection_does_not_hold_a_call_up, it_calls_as_its_number,
                         a_flood_leaves_nothing):
                tally.run(test.__name__.replace("_", " "), test, daemon, sbc)
            for test in (methods_nobody_needs_are_refused, a_scanner_learns_nothing,
                         an_office_behind_one_address_logs_in,
                         a_reload_keeps_where_everybody_is):
                tally.run(test.__name__.replace("_", " "), test, daemon)
            if tally.failed:
                print(daemon.log()[-6000:])
        daemon = Daemon(sbc.port, pki)
        # SIPp knows MD5 only, and answers the first challenge whatever it is.
        daemon.changes.update(configuration(daemon, folder, "md5"))
        with daemon:
            daemon.start()
            tally.run("SIPp registers; with a wrong password it is refused", sipp_registers,
                      daemon, folder)
        sbc.close()
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
