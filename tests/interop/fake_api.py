# SPDX-License-Identifier: Apache-2.0
"""The core's API and its token endpoint as an independent peer: Python grpcio
with messages generated from our .proto files by protoc, and http.server."""

import base64
import dataclasses
import http.server
import json
import pathlib
import ssl
import sys
import tempfile
import threading
import time
import urllib.parse
from concurrent import futures

import grpc
from grpc_tools import protoc

ROOT = pathlib.Path(__file__).resolve().parents[2]
_generated = tempfile.TemporaryDirectory(prefix="breakout-messages-")


def _messages():
    """Compiles our .proto files and imports the modules."""
    include = str(pathlib.Path(protoc.__file__).parent / "_proto")
    files = [str(p.relative_to(ROOT / "proto")) for p in (ROOT / "proto").rglob("*.proto")]
    status = protoc.main(["protoc", f"-I{ROOT / 'proto'}", f"-I{include}",
                          f"--python_out={_generated.name}",
                          f"--grpc_python_out={_generated.name}", *files])
    assert status == 0, "protoc refuses our .proto files"
    sys.path.insert(0, _generated.name)
    from wgtwo.sipbreakout.v1 import sipbreakout_pb2, sipbreakout_pb2_grpc
    return sipbreakout_pb2, sipbreakout_pb2_grpc


pb, pb_grpc = _messages()


@dataclasses.dataclass(frozen=True)
class Seen:
    at: float
    kind: str  # "upsert" or "delete"
    number: str
    registration: bytes  # serialized, to compare parameters
    sip_uri: str
    route_type: int
    token: str
    agent: str


@dataclasses.dataclass(frozen=True)
class Done:
    """An upsert that was carried out: at that time, until when it lasts, and until when the
    one before did (0.0: there was none)."""
    at: float
    number: str
    route_type: int
    until: float
    before: float


class Book:
    """What the core holds, by its own clock."""

    def __init__(self):
        self.held, self.done, self.lock = {}, [], threading.Lock()

    def upsert(self, number, route_type, ttl):
        with self.lock:
            now = time.monotonic()
            old = self.held.get(number)
            self.held[number] = Done(now, number, route_type, now + ttl, old.until if old else 0.0)
            self.done.append(self.held[number])

    def delete(self, number):
        """False: there is none."""
        with self.lock:
            return self.held.pop(number, None) is not None

    def routes(self):
        """Of what has not lapsed."""
        with self.lock:
            now = time.monotonic()
            return {n: d.route_type for n, d in self.held.items() if d.until > now}

    def lapsed(self):
        """Who lapsed, and is lapsed still or came back: number and since when."""
        with self.lock:
            now = time.monotonic()
            back = [(d.number, d.before) for d in self.done if 0.0 < d.before < d.at]
            away = [(d.number, d.until) for d in self.held.values() if d.until < now]
            return back + away


class FakeApi(pb_grpc.SipBreakoutServiceServicer):
    """`fault` holds for everybody, `faults[number]` for one: a gRPC status in lower case,
    "not_acceptable", "hang" (nothing is carried out, nor answered), "lost" (carried out and
    not answered), or a function that says which of them (None: none) of what was seen.
    `ttl` too may be a function of the number; `late_s` is how long an answer takes, or a
    function."""

    WORKERS = 320  # more than the registrar has in flight

    def __init__(self, pki, port, ttl=2, tokens=None):
        self.pki, self.port, self.ttl, self.tokens = pki, port, ttl, tokens
        self.fault, self.faults, self.late_s = None, {}, 0.0
        self.seen, self.failed, self.lock = [], [], threading.Lock()
        self.book = Book()
        self.busy = self.busiest = 0  # requests at a time
        self.over = threading.Event()
        self.server = None
        self.more = []  # what adds other services to the server

    def start(self):
        self.over.clear()
        self.server = grpc.server(futures.ThreadPoolExecutor(self.WORKERS),
                                  options=[("grpc.so_reuseport", 0)])
        pb_grpc.add_SipBreakoutServiceServicer_to_server(self, self.server)
        for add in self.more:
            add(self.server)
        key, cert = (pathlib.Path(p).read_bytes() for p in (self.pki.key, self.pki.cert))
        credentials = grpc.ssl_server_credentials([(key, cert)])
        assert self.server.add_secure_port(f"127.0.0.1:{self.port}", credentials) == self.port
        self.server.start()
        return self

    def stop(self):
        self.over.set()
        self.server.stop(0).wait()

    def _note(self, kind, request, context):
        metadata = dict(context.invocation_metadata())
        registration = request.registration
        token = metadata.get("authorization", "").removeprefix("Bearer ")
        seen = Seen(time.monotonic(), kind, registration.phone_number.e164,
                    registration.SerializeToString(deterministic=True), registration.sip_uri,
                    registration.route_type, token, metadata.get("user-agent", ""))
        with self.lock:
            self.seen.append(seen)
        return seen

    def _fault_of(self, seen):
        if self.tokens and seen.token not in self.tokens.valid:
            return "unauthenticated"
        fault = self.faults.get(seen.number, self.fault)
        return fault(seen) if callable(fault) else fault

    def _trouble(self, seen, carry_out, context):
        """Ends the call as the fault says; returns a status code otherwise."""
        fault = self._fault_of(seen)
        if fault:
            with self.lock:
                self.failed.append((time.monotonic(), seen.number, fault))
        if fault == "lost":
            carry_out()
        if fault in ("hang", "lost"):
            while context.is_active() and not self.over.wait(0.25):
                pass
            context.abort(grpc.StatusCode.UNAVAILABLE, "nobody hears this")
        if fault == "not_acceptable":
            return pb.STATUS_CODE_NOT_ACCEPTABLE
        if fault:
            context.abort(grpc.StatusCode[fault.upper()], "as the test wants it")
        carry_out()
        self.over.wait(self.late_s() if callable(self.late_s) else self.late_s)
        return pb.STATUS_CODE_OK

    def _serve(self, kind, request, context, carry_out):
        with self.lock:
            self.busy += 1
            self.busiest = max(self.busiest, self.busy)
        try:
            return self._trouble(self._note(kind, request, context), carry_out, context)
        finally:
            with self.lock:
                self.busy -= 1

    def UpsertRegistration(self, request, context):
        registration = request.registration
        number = registration.phone_number.e164
        ttl = self.ttl(number) if callable(self.ttl) else self.ttl
        code = self._serve("upsert", request, context, lambda: self.book.upsert(
            number, registration.route_type, ttl))
        response = pb.UpsertRegistrationResponse(status_code=code)
        if code == pb.STATUS_CODE_OK:
            response.time_to_live.seconds = ttl
        else:
            response.error_message = "number is not in your range"
        return response

    def DeleteRegistration(self, request, context):
        def carry_out():
            if not self.book.delete(request.registration.phone_number.e164):
                context.abort(grpc.StatusCode.NOT_FOUND, "no such registration")

        code = self._serve("delete", request, context, carry_out)
        return pb.DeleteRegistrationResponse(status_code=code)

    def of(self, number=None, kind="upsert", since=0.0):
        with self.lock:
            return [s for s in self.seen if s.kind == kind and s.at >= since
                    and number in (None, s.number)]

    def failures(self, fault, since=0.0):
        """When somebody met this fault."""
        with self.lock:
            return [at for at, _, name in self.failed if name == fault and at >= since]


def busiest_second(times):
    """How many of these there were within a second at most."""
    times, most, first = sorted(times), 0, 0
    for i, at in enumerate(times):
        while at - times[first] >= 1.0:
            first += 1
        most = max(most, i - first + 1)
    return most


class FakeTokens:
    """An HTTPS token endpoint: client credentials by HTTP Basic."""

    def __init__(self, pki, port, client_id="client", secret="s3cret", expires_in=3600):
        self.client_id, self.secret, self.expires_in = client_id, secret, expires_in
        self.valid, self.issued, self.refused = set(), 0, 0
        self.late_s = 0.0
        self.forms = []
        tokens = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                form = self.rfile.read(int(self.headers["Content-Length"])).decode()
                time.sleep(tokens.late_s)
                status, body = tokens.answer(self.headers.get("Authorization", ""), form)
                body = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pki.cert, pki.key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, authorization, form):
        kind, _, value = authorization.partition(" ")
        name, _, secret = base64.b64decode(value).decode().partition(":")
        name, secret = urllib.parse.unquote_plus(name), urllib.parse.unquote_plus(secret)
        if kind != "Basic" or (name, secret) != (self.client_id, self.secret):
            self.refused += 1
            return 401, {"error": "invalid_client", "error_description": "secret does not match"}
        self.forms.append(urllib.parse.parse_qs(form))
        self.issued += 1
        token = f"token-{self.issued}-" + "x" * 75
        self.valid.add(token)
        return 200, {"access_token": token, "expires_in": self.expires_in,
                     "scope": "call.routing:write", "token_type": "bearer"}

    def revoke(self):
        self.valid.clear()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
