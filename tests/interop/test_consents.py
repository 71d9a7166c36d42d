# SPDX-License-Identifier: Apache-2.0
"""Numbers that the core itself names: consents come and go in a stream of events and
in a list, both served by a peer that is not ours."""

import contextlib
import sqlite3
import sys
import time

import grpc

from driver import Scene, run_scenes, wait_for
from fake_consents import FakeConsents

FORK = 2
LOOP = 1


def numbers(count):
    return [f"+4799{i:06d}" for i in range(1, count + 1)]


class ConsentScene(Scene):
    """With the core's consents, and a configuration that goes by them."""

    def __init__(self, pki, folder):
        super().__init__(pki, folder, ttl=600)
        self.api.stop()
        self.consents = FakeConsents(self.api)
        self.api.start()
        self.plan = {"route_type": "loop"}

    def config(self, numbers, **more):
        return super().config(numbers, more=[{"consents": self.plan}], **more)

    def held(self):
        """What the core holds registered, by route type."""
        book = {}
        for seen in list(self.api.seen):
            book[seen.number] = seen.route_type if seen.kind == "upsert" else None
        return {number: route for number, route in book.items() if route}

    def store(self, statement):
        with contextlib.closing(sqlite3.connect(self.folder / "store.db", timeout=5)) as database:
            rows = database.execute(statement).fetchall()
            database.commit()
        return rows

    def record(self, number):
        return self.store("SELECT what, why, event FROM consent_record"
                          f" WHERE number = '{number}' ORDER BY rowid")

    def kill(self, driver):
        driver.process.kill()
        driver.process.wait()

    def make_old(self):
        """A list judges what is older than half a minute."""
        self.store("UPDATE consents SET seen_ms = seen_ms - 60000")


def holds(scene, *wanted):
    return lambda: set(scene.held()) == set(wanted)


def a_consent_registers_and_its_revocation_deletes_within_seconds(scene):
    first, second, third = numbers(3)
    scene.consents.emit("added", first)
    driver = scene.driver([third])
    wait_for("the one from before", holds(scene, first, third))
    scene.consents.emit("added", second)
    wait_for("another one", holds(scene, first, second, third))
    assert scene.api.of(second)[0].route_type == LOOP
    wait_for("its answer", lambda: "+4799000002 active loop 0 " in driver.ask("list"))
    revoked, at = scene.consents.emit("revoked", second), time.monotonic()
    wait_for("its end", holds(scene, first, third), 5)
    assert scene.api.of(second, "delete")[0].at - at < 2
    wait_for("acknowledged", lambda: all(e.acked for e in scene.consents.events))
    assert all(e.sent == 1 for e in scene.consents.events)
    wait_for("on record", lambda: scene.record(second) == [
        ("added", "event", "event-2"), ("revoked", "event", revoked.name),
        ("deleted", "the core confirmed", "")])
    assert "consent revoked" in driver.log() and second not in driver.log(), driver.log()
    asked = scene.consents.configurations[0]
    assert asked.durable_queue.custom_name.startswith("breakout-") and asked.max_in_flight == 50
    assert asked.HasField("start_at_oldest_possible")
    # Unreachable, the core does not have to be asked who it was.
    driver.end()
    scene.api.stop()
    driver = scene.driver([third])
    wait_for("known from the store", lambda: set(driver.states()) == {first, third})
    scene.api.start()
    driver.end()
    # Not wanted any more by the configuration, they go.
    driver = scene.driver([third])
    scene.plan = {"route_type": "loop_mo"}
    driver.ask(f"reload {scene.config([third], name='second.yaml')}")
    wait_for("another route", lambda: scene.held() == {first: 4, third: LOOP})
    driver.ask(f"reload {super(ConsentScene, scene).config([third], name='third.yaml')}")
    wait_for("only the configured one", holds(scene, third))
    driver.end()


def killed_between_an_event_and_its_acknowledgement_it_is_done_once(scene):
    first, second = numbers(2)
    scene.consents.hold_acks = True
    scene.consents.emit("added", first)
    driver = scene.driver([])
    wait_for("registered", holds(scene, first))
    event = scene.consents.events[0]
    assert not event.acked
    time.sleep(0.3)  # the store lags by up to 100 ms
    scene.kill(driver)
    upserts = len(scene.api.of(first))
    scene.consents.hold_acks = False
    driver = scene.driver([])
    wait_for("acknowledged", lambda: event.acked)
    assert event.sent == 2
    assert len(scene.api.of(first)) == upserts, "registered a second time"
    assert scene.record(first) == [("added", "event", "event-1")], scene.record(first)
    # The same once more, and an older one after a newer one.
    scene.consents.emit("revoked", first)
    wait_for("deleted", holds(scene))
    scene.consents.again(event)
    scene.consents.emit("added", second)
    wait_for("the other one", holds(scene, second))
    wait_for("acknowledged", lambda: all(e.acked for e in scene.consents.events))
    time.sleep(0.2)
    assert set(scene.held()) == {second}, "an old event brought a consent back"
    driver.end()


def a_stream_that_is_cut_is_opened_again_and_the_list_compared(scene):
    first, second, third = numbers(3)
    for number in (first, second, third):
        scene.consents.emit("added", number)
    driver = scene.driver([])
    wait_for("three", holds(scene, first, second, third))
    scene.kill(driver)
    scene.make_old()
    # Revoked while nobody listened, and the event is lost: the list tells.
    scene.consents.emit("revoked", second, silent=True)
    driver = scene.driver([])
    wait_for("two by the list", holds(scene, first, third))
    assert scene.record(second)[1] == ("revoked", "list", ""), scene.record(second)
    wait_for("streaming", lambda: scene.consents.streams)
    opened, lists = scene.consents.opened, scene.consents.lists
    scene.consents.cut()
    scene.consents.emit("revoked", third)
    wait_for("opened again", lambda: scene.consents.opened > opened)
    wait_for("one after the cut", holds(scene, first))
    wait_for("listed again", lambda: scene.consents.lists > lists)
    driver.end()


def a_list_that_fails_or_lacks_too_many_withdraws_nobody(scene):
    everybody = numbers(4)
    for number in everybody:
        scene.consents.emit("added", number)
    scene.plan["withdraw_at_most"] = 3
    driver = scene.driver([])
    wait_for("all", holds(scene, *everybody))
    scene.kill(driver)
    scene.make_old()
    scene.consents.list_fault = grpc.StatusCode.INTERNAL
    driver = scene.driver([])
    wait_for("said", lambda: "nothing is withdrawn by it" in driver.log())
    late = "+4799000009"
    scene.consents.emit("added", late)
    wait_for("the stream works without a list", holds(scene, late, *everybody))
    scene.consents.list_fault, scene.consents.list_empty = None, True
    wait_for("held", lambda: "lacks 4 that we have: nothing is withdrawn" in driver.log())
    time.sleep(0.3)
    assert set(scene.held()) == {late, *everybody}
    # The operator says that it is right.
    scene.plan["withdraw_at_most"] = 4
    driver.ask(f"reload {scene.config([], name='second.yaml')}")
    wait_for("withdrawn", holds(scene, late))
    driver.end()


TESTS = [a_consent_registers_and_its_revocation_deletes_within_seconds,
         killed_between_an_event_and_its_acknowledgement_it_is_done_once,
         a_stream_that_is_cut_is_opened_again_and_the_list_compared,
         a_list_that_fails_or_lacks_too_many_withdraws_nobody]


sys.exit(run_scenes(TESTS, ConsentScene))
