# SPDX-License-Identifier: Apache-2.0
"""Daemons that share one set of registrations through a real PostgreSQL server: nobody
lapses, and the core never hears two different things of a number, whoever dies."""

import concurrent.futures
import signal
import sys
import time

import postgres
from fake_consents import FakeConsents
from driver import LOOP, LOOP_MO, Scene, numbers, wait_for

TTL = 6       # seconds; refreshes come after 1.8 to 3 of them
LEASE_S = 1.2
COUNT = 60


class Fleet(Scene):
    """Scene with a store that is shared, and nodes by name."""

    def __init__(self, pki, folder, server):
        super().__init__(pki, folder, TTL)
        self.server, self.nodes = server, {}

    def file(self, node, version=1, count=COUNT, route="loop", alone="60s", more=(),
             lease_s=LEASE_S):
        store = {"postgres": self.server.conninfo, "node": node, "version": version,
                 "lease": f"{int(lease_s * 1000)}ms", "alone": alone}
        return self.config(numbers(count), f"{node}.yaml", route, store=store, more=more)

    def start(self, node, **more):
        self.nodes[node] = self.on(self.file(node, **more))
        return self.nodes[node]

    def kept(self, node):
        """Its numbers, by its own account."""
        return {n for n, state in self.nodes[node].states().items() if state != "elsewhere"}

    def shards(self, node):
        return int(self.nodes[node].ask("fleet")[0].split("shards=")[1].split()[0])

    def settled(self, *nodes):
        """All numbers are kept, each by one, in fair shares."""
        kept = [self.kept(node) for node in nodes]
        shards = [self.shards(node) for node in nodes]
        return (sum(map(len, kept)) == COUNT == len(set().union(*kept))
                and sum(shards) == 256 and max(shards) - min(shards) <= 1)

    def settle(self, *nodes):
        wait_for(f"fair shares of {nodes}", lambda: self.settled(*nodes))

    def all_active(self, *nodes):
        wait_for(f"all active at {nodes}", lambda: sum(
            list(self.nodes[n].states().values()).count("active") for n in nodes) == COUNT)

    def judge(self):
        """At the core: no lapse, no delete, and always the same parameters."""
        until = time.monotonic()
        for number in numbers(COUNT):
            seen = [s for s in list(self.api.seen) if s.number == number]
            times = [s.at for s in seen] + [until]
            gaps = [b - a for a, b in zip(times, times[1:])]
            assert gaps and max(gaps) < TTL, f"{number} lapsed: {[round(g, 1) for g in gaps]}"
            said = {s.registration for s in seen}
            assert len(said) == 1, f"{number}: {len(said)} different things were said"
            assert all(s.kind == "upsert" for s in seen), f"{number} was deleted"


def nodes_share_and_take_over(fleet):
    """Join, kill -9, join again, drain: the others go on within seconds."""
    fleet.start("a")
    fleet.settle("a")
    fleet.start("b")
    fleet.start("c")
    fleet.settle("a", "b", "c")
    fleet.all_active("a", "b", "c")
    assert len(fleet.api.of()) < COUNT * 2.5, "changing hands repeats what is fresh"

    lost = fleet.kept("c")
    fleet.nodes["c"].process.kill()
    killed = time.monotonic()
    fleet.settle("a", "b")
    assert time.monotonic() - killed < LEASE_S + 2, "taken over late"
    wait_for("the lost ones refreshed", lambda: lost <= {
        s.number for s in fleet.api.of(since=killed + 0.2)}, TTL)
    assert "node c of the fleet was silent" in fleet.nodes["a"].log() + fleet.nodes["b"].log()

    fleet.nodes["b"].end("stop")
    left = time.monotonic()
    fleet.settle("a")
    assert time.monotonic() - left < 1, "a node that stops does not hand over at once"
    fleet.judge()


def only_when_all_are_sick_they_withdraw(fleet):
    fleet.start("a")
    fleet.start("b")
    fleet.settle("a", "b")
    fleet.all_active("a", "b")
    fleet.nodes["b"].ask("sick")
    fleet.settle("a")
    assert "others of the fleet serve" in fleet.nodes["b"].log()
    fleet.nodes["b"].ask("well")
    fleet.settle("a", "b")
    fleet.judge()

    def withdrawn():
        for node in fleet.nodes.values():
            node.ask("sick")  # said again and again, as a daemon does
        return {s.number for s in fleet.api.of(kind="delete")} == set(numbers(COUNT))

    wait_for("all withdrawn", withdrawn)


def a_paused_node_says_nothing_after_its_lease(fleet):
    fleet.start("a")
    fleet.start("b")
    fleet.settle("a", "b")
    fleet.all_active("a", "b")
    theirs = fleet.kept("b")
    paused = fleet.nodes["b"].process
    paused.send_signal(signal.SIGSTOP)
    begun = time.monotonic()
    fleet.settle("a")
    wait_for("all refreshed by the other", lambda: theirs <= {
        s.number for s in fleet.api.of(since=begun + LEASE_S)}, TTL)
    mine = {s.token for s in fleet.api.seen if s.number in theirs and s.at < begun} - {
        s.token for s in fleet.api.of(since=begun)}
    assert len(mine) == 1, mine  # each node has a token of its own
    paused.send_signal(signal.SIGCONT)
    woken = time.monotonic()
    wait_for("it knows that it was put out", lambda: "has put node b out" in fleet.nodes["b"].log())
    known = time.monotonic()
    early = [s for s in fleet.api.of(since=woken) if s.at < known - 0.1 and s.token in mine]
    assert not early, f"it said something it had no lease for: {early}"
    fleet.settle("a", "b")
    fleet.all_active("a", "b")
    fleet.judge()


def without_the_database_all_goes_on(fleet):
    """The server stops for longer than the lease; a change has to wait, nobody lapses."""
    fleet.start("a")
    fleet.start("b")
    fleet.settle("a", "b")
    fleet.all_active("a", "b")
    fleet.server.stop(signal.SIGQUIT)
    begun = time.monotonic()
    wait_for("both alone", lambda: all(
        "alone" in fleet.nodes[n].ask("fleet")[0] for n in "ab"))
    fleet.nodes["a"].ask(f"reload {fleet.file('a', version=2, route='loop_mo')}")
    time.sleep(TTL * 0.6)
    fleet.judge()  # said again, and nothing new
    fleet.server.start()
    wait_for("the change", lambda: LOOP_MO in {s.route_type for s in fleet.api.of(since=begun)})
    wait_for("b is behind", lambda: "is in force in the fleet, ours is 1" in fleet.nodes["b"].log())
    fleet.nodes["b"].ask(f"reload {fleet.file('b', version=2, route='loop_mo')}")
    wait_for("all changed", lambda: {s.number for s in fleet.api.of(since=begun)
                                     if s.route_type == LOOP_MO} == set(numbers(COUNT)))
    time.sleep(0.5)
    changed = {}
    for seen in fleet.api.of(since=begun):  # in order: never back to the older one
        assert changed.get(seen.number) != LOOP_MO or seen.route_type == LOOP_MO, seen
        changed[seen.number] = seen.route_type
    fleet.settle("a", "b")


def a_silent_database_holds_up_little(fleet):
    """The registrar waits for a write, 1.5 s at most and once; who asks does not wait."""
    fleet.start("a")
    fleet.settle("a")
    fleet.all_active("a")
    time.sleep(2)  # refreshes come all the time, and a write of them each 0.6 s
    begun, slowest = time.monotonic(), 0
    fleet.server.freeze()
    try:
        while time.monotonic() - begun < 6:
            asked = time.monotonic()
            assert len(fleet.nodes["a"].states()) == COUNT
            slowest = max(slowest, time.monotonic() - asked)
            time.sleep(0.02)
    finally:
        fleet.server.freeze(False)
    times = sorted(s.at for s in fleet.api.of(since=begun))
    gap = max(b - a for a, b in zip([begun, *times], times))
    print(f"     no upsert for {gap:.2f} s at most, an answer took {slowest * 1000:.0f} ms at most")
    assert gap < 2.2, f"no upsert for {gap:.1f} s"
    assert slowest < 1, f"an answer took {slowest:.1f} s"
    fleet.judge()


def _gaps(fleet, begun, until):
    times = sorted(s.at for s in fleet.api.of(since=begun) if s.at < until)
    return sorted((b - a for a, b in zip([begun, *times], [*times, until])), reverse=True)


def with_a_long_lease_a_silent_database_is_waited_for_once(fleet):
    """Nor do deletions that the core confirms meanwhile each wait to be put on record."""
    fleet.api.stop()
    consents = FakeConsents(fleet.api)
    fleet.api.start()
    willing = [f"+4798{i:06d}" for i in range(1, 13)]
    for number in willing:
        consents.emit("added", number)
    fleet.start("a", more=[{"consents": {"route_type": "loop"}}], lease_s=60)
    wait_for("all active", lambda: list(fleet.nodes["a"].states().values()).count(
        "active") == COUNT + len(willing))
    wait_for("acknowledged", lambda: all(e.acked for e in consents.events))
    time.sleep(1)
    fleet.api.faults = dict.fromkeys(willing, "unavailable")  # the deletes are confirmed later
    gone = [consents.emit("revoked", number) for number in willing]
    wait_for("taken in", lambda: all(e.acked for e in gone))
    begun = time.monotonic()
    fleet.server.freeze()
    fleet.api.faults = {}
    late = consents.emit("added", "+4798000099")
    try:
        time.sleep(14)
    finally:
        fleet.server.freeze(False)
    gaps = _gaps(fleet, begun, time.monotonic())
    print("     no upsert for", ", ".join(f"{gap:.2f}" for gap in gaps[:8]), "s")
    assert sum(gap for gap in gaps if gap > 0.8) < 3.5, gaps[:8]
    wait_for("made up for", lambda: late.acked, 20)


def what_is_to_be_withdrawn_survives(fleet):
    """A node dies, with the server, in the middle of withdrawing. Another does the rest,
    once the dead one cannot be repeating what was said any more."""
    fleet.start("a", alone="2s")
    fleet.settle("a")
    fleet.all_active("a")
    fleet.api.fault = "unavailable"
    fleet.nodes["a"].ask(f"reload {fleet.file('a', version=2, count=COUNT // 2, alone='2s')}")
    wait_for("deletes are tried", lambda: fleet.api.of(kind="delete"))
    fleet.server.stop(signal.SIGQUIT)
    fleet.nodes["a"].process.kill()
    fleet.server.start()
    fleet.api.fault = None
    begun = time.monotonic()
    fleet.start("b", version=2, count=COUNT // 2)
    wait_for("taken over", lambda: "node a of the fleet was silent" in fleet.nodes["b"].log())
    wait_for("held", lambda: "held=256" in fleet.nodes["b"].ask("fleet")[0])
    assert not fleet.api.of(kind="delete", since=begun), "withdrawn in spite of the hold"
    wait_for("all are withdrawn", lambda: {s.number for s in fleet.api.of(
        kind="delete", since=begun)} == set(numbers(COUNT)[COUNT // 2:]), 15)


def an_older_configuration_changes_nothing(fleet):
    fleet.start("a", version=7)
    fleet.settle("a")
    fleet.all_active("a")
    begun = time.monotonic()
    fleet.start("b", version=6, route="loop_mo", count=COUNT - 10)
    fleet.start("c", version=7, route="loop_mo")
    wait_for("both are told", lambda: "ours is 6" in fleet.nodes["b"].log()
             and "another configuration of version 7" in fleet.nodes["c"].log())
    time.sleep(TTL * 0.5)
    assert {s.route_type for s in fleet.api.of(since=begun)} == {LOOP}
    fleet.nodes["a"].end("stop")  # the one that has the newest is gone: kept as it was
    wait_for("taken by those left", lambda: len(fleet.kept("b") | fleet.kept("c")) >= COUNT)
    fleet.judge()


def an_order_to_pause_holds_on_every_node(fleet):
    """Whoever is asked; over a node's death and restart; and it ends everywhere."""
    fleet.start("a")
    fleet.start("b")
    fleet.settle("a", "b")
    fleet.all_active("a", "b")
    ours, theirs = sorted(fleet.kept("a"))[0], sorted(fleet.kept("b"))[0]
    begun = time.monotonic()
    assert fleet.nodes["a"].ask(f"pause {theirs}") == ["0"]
    wait_for("deleted by its owner", lambda: fleet.api.of(theirs, "delete"))
    assert fleet.api.of(theirs, "delete")[0].at - begun < LEASE_S / 4 + 0.5
    wait_for("its answer", lambda: fleet.nodes["b"].states()[theirs] == "withheld")
    assert "paused by another node: number=+" in fleet.nodes["b"].log()
    assert fleet.nodes["b"].ask(f"pause {ours} shortly") == ["0"]
    wait_for("deleted for a moment", lambda: fleet.api.of(ours, "delete"))
    wait_for("and back by itself", lambda: fleet.nodes["a"].states()[ours] == "active")

    fleet.nodes["b"].process.kill()  # its successor honours what it was told
    fleet.settle("a")
    assert not fleet.api.of(theirs, "upsert", since=begun + 0.5)
    begun = time.monotonic()
    fleet.start("b")
    fleet.settle("a", "b")
    wait_for("heard after its start", lambda: fleet.nodes["b"].ask("pauses")
             == [f"number {theirs} a try"])
    assert "still paused: number=+" in fleet.nodes["b"].log()
    assert not fleet.api.of(theirs, "upsert", since=begun)
    assert fleet.nodes["b"].ask(f"resume {theirs}") == ["0"]
    wait_for("registered again", lambda: fleet.api.of(theirs, "upsert", since=begun))
    wait_for("heard by all", lambda: not fleet.nodes["a"].ask("pauses"))

    fleet.server.stop(signal.SIGQUIT)
    assert fleet.nodes["a"].ask(f"pause {ours}") == ["-5"], "nobody would have heard of it"
    assert not fleet.nodes["a"].ask("pauses")
    fleet.server.start()


def a_dead_node_can_be_forgotten(fleet):
    """What it had need not wait for the hold. One that lives cannot."""
    fleet.start("a")
    fleet.start("b")
    fleet.settle("a", "b")
    fleet.all_active("a", "b")
    assert fleet.nodes["a"].ask("forget b") == ["Device or resource busy 0"]
    assert fleet.nodes["a"].ask("forget c") == ["No such file or directory 0"]
    theirs = fleet.kept("b")
    fleet.nodes["b"].process.kill()
    fleet.settle("a")
    wait_for("held", lambda: "held=128" in fleet.nodes["a"].ask("fleet")[0])
    fleet.nodes["a"].process.kill()  # whose restart ends no hold because of another
    fleet.start("a")
    fleet.settle("a")
    assert "held=128" in fleet.nodes["a"].ask("fleet")[0]
    begun = time.monotonic()
    fleet.nodes["a"].ask(f"reload {fleet.file('a', version=2, count=COUNT // 2)}")
    time.sleep(0.5)
    gone = set(numbers(COUNT)[COUNT // 2:])
    assert not theirs & {s.number for s in fleet.api.of(kind="delete")}
    assert fleet.nodes["a"].ask("forget b") == ["forgotten 128"]
    wait_for("withdrawn", lambda: {s.number for s in fleet.api.of(
        kind="delete", since=begun)} == gone)
    assert 'node b is forgotten by="driver"' in fleet.nodes["a"].log()
    assert "held=0" in fleet.nodes["a"].ask("fleet")[0]
    fleet.start("b", version=2, count=COUNT // 2)  # it may come back under its name
    wait_for("its share", lambda: fleet.shards("b") == 128)


def one_node_reads_consents_for_all(fleet):
    """The stream is one node's at a time, what it told is known to all before it is
    acknowledged, and another goes on when that node dies."""
    fleet.api.stop()
    consents = FakeConsents(fleet.api)
    fleet.api.start()
    plan = [{"consents": {"route_type": "loop_mo"}}]
    willing = [f"+4798{i:06d}" for i in range(1, 31)]

    def known(node):
        return {n for n in fleet.nodes[node].states() if n in willing}

    def held():
        book = {}
        for seen in list(fleet.api.seen):
            book[seen.number] = seen.kind == "upsert"
        return {n for n, there in book.items() if there and n in willing}

    for number in willing[:20]:
        consents.emit("added", number)
    for node in "ab":
        fleet.start(node, count=2, more=plan)
    wait_for("all of them, at both", lambda: known("a") == known("b") == set(willing[:20]))
    wait_for("registered", lambda: held() == set(willing[:20]))
    wait_for("acknowledged", lambda: all(e.acked for e in consents.events))
    assert len(consents.streams) == 1 and all(e.sent == 1 for e in consents.events)
    assert len({s.token for s in fleet.api.seen if s.number in willing}) == 2, "one has them all"
    reader = [n for n in "ab" if "this node reads them for the fleet" in fleet.nodes[n].log()]
    assert reader, "nobody says that it reads"
    reader, other = reader[-1], "ab".replace(reader[-1], "")

    gone = consents.emit("revoked", willing[0])
    wait_for("withdrawn", lambda: willing[0] not in held())
    wait_for("known to both", lambda: willing[0] not in {
        n for node in "ab" for n, state in fleet.nodes[node].states().items() if state == "active"})
    wait_for("on record", lambda: fleet.server.query(
        "SELECT what || '/' || why || '/' || event FROM breakout.consent_record WHERE number ="
        f" '{willing[0]}' ORDER BY written_ms, event DESC") == [
            "added/event/event-1", f"revoked/event/{gone.name}", "deleted/the", "core", "confirmed/"])

    # Without the database nothing is acknowledged, and nothing lost.
    fleet.server.stop(signal.SIGQUIT)
    late = consents.emit("added", willing[20])
    time.sleep(LEASE_S + 0.5)
    assert not late.acked and willing[20] not in held()
    fleet.server.start()
    wait_for("made up for", lambda: late.acked and willing[20] in held(), 20)

    fleet.nodes[reader].process.kill()
    after = consents.emit("added", willing[21])
    wait_for("the other reads on", lambda: after.acked, 15)
    wait_for("registered", lambda: held() == set(willing[1:22]))
    assert "this node reads them for the fleet" in fleet.nodes[other].log()
    fleet.start(reader, count=2, more=plan)
    wait_for("known after its start", lambda: known(reader) >= set(willing[1:22]))
    names = {c.durable_queue.custom_name for c in consents.configurations}
    assert len(names) == 1, f"a queue is read under {names}"


def an_added_number_is_shared(fleet):
    """Whoever is asked; over deaths, a database that is away, orders at the same time, and a
    node that starts later; what is deleted stays so."""
    fleet.start("a")
    fleet.start("b")
    fleet.settle("a", "b")
    fleet.all_active("a", "b")
    new = [f"+479700{i:04d}" for i in range(40)]

    def at_core():
        book = {}
        for seen in list(fleet.api.seen):
            book[seen.number] = seen.kind == "upsert"
        return {n for n, there in book.items() if there and n in new}

    def known(node):
        return {line.split()[0] for line in fleet.nodes[node].ask("added")}

    def active():
        return {line.split()[0] for node in fleet.nodes for line in fleet.nodes[node].ask("added")
                if line.endswith(" active")}

    begun = time.monotonic()
    assert fleet.nodes["a"].ask(f"add {new[0]} 20") == ["0"]
    wait_for("registered", lambda: at_core() == set(new[:20]))
    assert time.monotonic() - begun < LEASE_S + 1
    assert len({s.token for s in fleet.api.of(since=begun) if s.number in new}) == 2
    wait_for("known to both", lambda: known("a") == known("b") == set(new[:20]))

    # Both are asked at once, again and again: all of it is done.
    def add(node, first):
        return [fleet.nodes[node].ask(f"add {new[i]} 1") for i in range(first, 30, 2)]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        both = [pool.submit(add, "a", 20), pool.submit(add, "b", 21)]
        assert all(one == ["0"] for half in both for one in half.result())
    wait_for("all of both", lambda: known("a") == known("b") == set(new[:30]))
    assert fleet.server.query("SELECT serial FROM breakout.added_head") == ["11"]

    assert fleet.nodes["b"].ask(f"delete {new[0]} 5") == ["0"]
    assert fleet.nodes["b"].ask(f"delete {new[0]} 5") == ["-2"]
    wait_for("deleted", lambda: at_core() == set(new[5:30]))
    wait_for("known to the database", lambda: fleet.server.query(  # else it is said again
        f"SELECT count(*) FROM breakout.told WHERE number BETWEEN {new[0][1:]} AND {new[4][1:]}"
        ) == ["0"])
    fleet.nodes["b"].process.kill()  # with what it knows
    del fleet.nodes["b"]
    wait_for("kept by the other", lambda: active() == set(new[5:30]))
    begun = time.monotonic()
    fleet.start("b")
    wait_for("known after its start", lambda: known("b") == set(new[5:30]))
    wait_for("shared again", lambda: fleet.shards("b") == 128 and active() == set(new[5:30]))
    time.sleep(TTL * 0.5)
    assert not [s for s in fleet.api.of(since=begun) if s.number in new[:5]], "they are back"
    gone = [(s.number, s.at - begun) for s in fleet.api.of(kind="delete", since=begun)]
    assert not gone, f"a wanted one was deleted: {gone}"

    fleet.server.stop(signal.SIGQUIT)
    assert fleet.nodes["a"].ask(f"add {new[30]} 1") == ["-5"], "nobody would have heard of it"
    time.sleep(LEASE_S)
    assert known("a") == set(new[5:30])
    fleet.server.start()
    wait_for("again", lambda: fleet.nodes["a"].ask(f"add {new[30]} 1") == ["0"])
    wait_for("registered", lambda: at_core() == set(new[5:31]), 20)
    # A statement that was given up arrives after another order has been carried out.
    late = fleet.server.query("SELECT serial FROM breakout.added_head")[0]
    assert fleet.nodes["b"].ask(f"delete {new[30]} 1") == ["0"]
    assert fleet.server.query(
        f"WITH turn AS (UPDATE breakout.added_head SET serial = serial + 1 WHERE serial = {late}"
        " RETURNING serial) SELECT count(*) FROM turn") == ["0"]
    wait_for("deleted", lambda: at_core() == set(new[5:30]))
    assert fleet.server.query(
        "SELECT what || '/' || who FROM breakout.added_record WHERE number ="
        f" '{new[30]}' ORDER BY written_ms") == ["added/driver", "removed/driver"]


def tables_of_the_version_before_are_brought_up_to_date(fleet):
    fleet.start("a")
    fleet.settle("a")
    fleet.nodes["a"].end("stop")
    fleet.server.query("DROP TABLE breakout.added, breakout.added_head, breakout.added_record;"
                       " UPDATE breakout.fleet SET tables = 2")
    fleet.start("a")
    fleet.settle("a")
    assert fleet.server.query("SELECT tables FROM breakout.fleet") == ["3"]
    assert fleet.nodes["a"].ask("add +4797000001 1") == ["0"]


TESTS = [nodes_share_and_take_over, only_when_all_are_sick_they_withdraw,
         a_paused_node_says_nothing_after_its_lease, without_the_database_all_goes_on,
         a_silent_database_holds_up_little,
         with_a_long_lease_a_silent_database_is_waited_for_once, what_is_to_be_withdrawn_survives, an_older_configuration_changes_nothing,
         an_order_to_pause_holds_on_every_node, a_dead_node_can_be_forgotten,
         one_node_reads_consents_for_all, an_added_number_is_shared,
         tables_of_the_version_before_are_brought_up_to_date]


def run(test, pki, folder, server):
    fleet = Fleet(pki, folder, server)
    try:
        test(fleet)
    except BaseException:
        for name, node in fleet.nodes.items():
            alive = node.process.poll() is None
            print(f"--- {name} {node.ask('fleet') if alive else 'ended'}\n{node.log()}")
        raise
    finally:
        fleet.close()


if __name__ == "__main__":
    sys.exit(postgres.run_tests(TESTS, run))
