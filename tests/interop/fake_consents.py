# SPDX-License-Identifier: Apache-2.0
"""The core's consents as an independent peer: a list, and a durable queue of events
that come again until they are acknowledged. Beside fake_api.py, which compiles the
messages."""

import dataclasses
import threading
import time

import grpc

import fake_api  # noqa: F401, the generated modules come with it
from wgtwo.consents.v0 import consents_pb2 as list_pb, consents_pb2_grpc as list_grpc
from wgtwo.consents.v1 import consent_events_pb2 as event_pb, consent_events_pb2_grpc as event_grpc
from wgtwo.events.v1 import events_pb2


@dataclasses.dataclass
class Event:
    name: str  # its acknowledgement's
    kind: str  # "added", "updated" or "revoked"
    number: str
    subscription: str
    at: float
    sent: int = 0
    acked: float = 0.0


class FakeConsents(list_grpc.ConsentServiceServicer, event_grpc.ConsentEventServiceServicer):
    """`listed` is what the list names, `events` what the queue holds. The switches:
    list_fault (a grpc.StatusCode), list_empty, hold_acks (answers no acknowledgement),
    page (how many a page has)."""

    def __init__(self, api):
        self.lock = threading.Condition()
        self.listed, self.events, self.streams = [], [], {}
        self.list_fault, self.list_empty, self.hold_acks, self.page = None, False, False, 2
        self.lists, self.opened, self.configurations = 0, 0, []
        api.more += [lambda s: list_grpc.add_ConsentServiceServicer_to_server(self, s),
                     lambda s: event_grpc.add_ConsentEventServiceServicer_to_server(self, s)]

    # ---- what happens at the core ----

    @staticmethod
    def subscription(number):
        return f"pairwise-{number[-4:]}"

    def emit(self, kind, number, at=None, silent=False):
        """A consent comes or goes. silent: the stream is told nothing."""
        with self.lock:
            name = self.subscription(number)
            if kind == "revoked":
                self.listed = [s for s in self.listed if s != name]
            elif name not in self.listed:
                self.listed.append(name)
            event = Event(f"event-{len(self.events) + 1}", kind, number, name, at or time.time())
            if not silent:
                self.events.append(event)
            self.lock.notify_all()
            return event

    def again(self, event):
        """Delivered although it was acknowledged, as a queue may."""
        with self.lock:
            for sent in self.streams.values():
                sent.discard(event.name)
            event.acked = 0.0
            self.lock.notify_all()

    def cut(self):
        """Ends all streams, as the core does after an hour."""
        with self.lock:
            self.streams = {}
            self.lock.notify_all()

    # ---- the services ----

    def ListConsentsForProduct(self, request, context):
        with self.lock:
            self.lists += 1
            if self.list_fault:
                context.abort(self.list_fault, "as the test wants it")
            names = [] if self.list_empty else self.listed
            start = int(request.pagination.page_token or "0")
            response = list_pb.ListConsentsForProductResponse()
            for name in names[start:start + self.page]:
                consent = response.consents.add(product_id="product", revocable=True)
                consent.metadata["colour"] = "blue"
                consent.owner.subscription.subscription_identifier.value = name
            if start + self.page < len(names):
                response.pagination.next_page_token = str(start + self.page)
            return response

    def StreamConsentChangeEvents(self, request, context):
        key = object()
        with self.lock:
            self.opened += 1
            self.configurations.append(request.stream_configuration)
            self.streams[key] = set()
        context.add_callback(lambda: self._gone(key))
        while True:
            with self.lock:
                event = None
                while key in self.streams and not (event := self._next(key)):
                    self.lock.wait(0.2)
                if key not in self.streams:
                    context.abort(grpc.StatusCode.UNAVAILABLE, "stream timeout; reconnect")
                self.streams[key].add(event.name)
                event.sent += 1
                response = self._response(event)
            yield response

    def _gone(self, key):
        with self.lock:
            self.streams.pop(key, None)
            self.lock.notify_all()

    def _next(self, key):
        waiting = [e for e in self.events if not e.acked]
        return next((e for e in waiting if e.name not in self.streams[key]), None)

    @staticmethod
    def _response(event):
        response = event_pb.StreamConsentChangeEventsResponse()
        metadata, change = response.metadata, response.consent_change_event
        metadata.timestamp.FromNanoseconds(int(event.at * 1e9))
        metadata.identifier.subscription_identifier.value = event.subscription
        metadata.ack_info.value = event.name
        metadata.is_redelivered = event.sent > 1
        change.number.e164 = event.number
        getattr(change, event.kind).SetInParent()
        if event.kind != "revoked":
            getattr(change, event.kind).scopes.append("call.routing:write")
        return response

    def AckConsentChangeEvent(self, request, context):
        with self.lock:
            if self.hold_acks:
                context.abort(grpc.StatusCode.UNAVAILABLE, "as the test wants it")
            for event in self.events:
                if event.name == request.ack_info.value:
                    event.acked = time.monotonic()
        success = events_pb2.AckStatus.STATUS_CODE_SUCCESS
        return event_pb.AckConsentChangeEventResponse(
            ack_status=events_pb2.AckStatus(status_code=success))
