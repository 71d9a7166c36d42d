# SPDX-License-Identifier: Apache-2.0
"""When every node of a fleet is dead, breakout-watchdog withdraws what they left registered,
through a real PostgreSQL server; while one lives, and once one is back, it does nothing."""

import contextlib
import re
import signal
import subprocess
import sys
import time

import yaml

import postgres
from driver import Scene, wait_for
from harness import BIN, free_port
from test_api_registrar import numbers
from test_fleet_restart import Node

TTL, COUNT = 600, 60
AFTER_S, UNSEEN_S = 2, 7
ALL = set(numbers(COUNT))


class Watched(Node):
    """A node with a way to the database that can be cut, and perhaps a watchdog beside it,
    which has a way of its own."""

    def __init__(self, scene, server, name, **health):
        super().__init__(scene, server, name)
        self.server, self.watchdog = server, None
        self.way = self.folder / "way"
        self.way.mkdir()
        self.way.chmod(0o755)
        self.folder.chmod(0o711)
        store = {**self.changes["store"]}
        self.socket = self.way / ".s.PGSQL.5432"
        self.mend()
        server.query(f"DO $$ BEGIN IF to_regrole('node_{name}') IS NULL THEN"
                     f" CREATE ROLE node_{name} SUPERUSER LOGIN; END IF; END $$")
        self.changes["store"] = {
            **store, "postgres": f"host={self.way} dbname=postgres user=node_{name}"}
        self.changes["health"] = {"gate": "report", **health, "watchdog": {
            "after": f"{AFTER_S}s", "unseen_after": f"{UNSEEN_S}s"}}
        self.store = store

    def watch_config(self, **api):
        """As the daemon has it, but for its own way to the database."""
        config = self.config()
        path = self.folder / "watchdog.yaml"
        path.write_text(yaml.safe_dump({**config, "store": self.store, "core": {
            **config["core"], "api": {**config["core"]["api"], **api}}}))
        return path

    def cut(self):
        self.socket.unlink()
        ended = self.server.query("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                                  f" WHERE usename = 'node_{self.name}'")
        assert int(ended[0]) >= 1, "it had no connection"

    def mend(self):
        self.socket.symlink_to(self.server.folder / ".s.PGSQL.5432")

    def watch(self, **api):
        self.watchdog = subprocess.Popen(
            [BIN / "breakout-watchdog", "--config", self.watch_config(**api)],
            stderr=(self.folder / "watchdog.log").open("ab"))
        return self

    def watchdog_log(self):
        path = self.folder / "watchdog.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def said(self, text):
        return text in self.watchdog_log()

    def again(self):
        self.killed = False
        return self.start()

    def __exit__(self, *error):
        if self.watchdog and self.watchdog.poll() is None:
            self.watchdog.terminate()
            status = self.watchdog.wait(20)
            assert error[0] or status == 0, f"breakout-watchdog ended with {status}"
        return super().__exit__(*error)


@contextlib.contextmanager
def fleet(pki, folder, server, watched="ab", api=(), **health):
    """api: of the watchdogs' configuration."""
    scene = Scene(pki, folder, TTL)
    with contextlib.closing(scene), Watched(scene, server, "a", **health) as a, \
            Watched(scene, server, "b", **health) as b:
        try:
            for node in (a, b):
                node.start()
            for node in (a, b):
                if node.name in watched:
                    node.watch(**dict(api))
            wait_for("all registered", lambda: {s.number for s in scene.api.of()} == ALL
                     and a.active() + b.active() == COUNT)
            wait_for("watched", lambda: all(
                n.said("the fleet is there") for n in (a, b) if n.watchdog))
            wait_for("seen", lambda: server.query(
                "SELECT node FROM breakout.watchdog WHERE answers ORDER BY node") == list(watched))
            yield scene, a, b
        except BaseException:
            for node in (a, b):
                print(f"--- {node.name}", node.log()[-3000:], "--- its watchdog",
                      node.watchdog_log()[-5000:], sep="\n")
            raise


def deleted(scene, since=0.0):
    return {s.number for s in scene.api.of(kind="delete", since=since)}


def withdrawn(scene, since, seconds=15.0):
    wait_for("all withdrawn", lambda: deleted(scene, since) == ALL, seconds)


def nothing_is_withdrawn(scene, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert not deleted(scene), f"withdrawn: {deleted(scene)}"
        time.sleep(0.1)


def held(scene):
    """What the core has."""
    book = {}
    for seen in list(scene.api.seen):
        book[seen.number] = seen.kind == "upsert"
    return {number for number, there in book.items() if there}


def registered_again(scene, server, *nodes):
    """Each by a node, nothing by a watchdog, and it stays so."""
    wait_for("registered again", lambda: held(scene) == ALL
             and sum(n.active() for n in nodes) == COUNT, 20)
    names = sorted(n.name for n in nodes)
    wait_for("the nodes have all shards", lambda: sorted(set(server.query(
        "SELECT coalesce(node, '-') FROM breakout.shard"))) == names)
    back = time.monotonic()
    time.sleep(AFTER_S + 1)
    assert not deleted(scene, back), "withdrawn again"


def when_all_nodes_are_dead_all_is_withdrawn_and_not_before(pki, folder, server):
    with fleet(pki, folder, server) as (scene, a, b):
        a.kill()
        nothing_is_withdrawn(scene, AFTER_S + 2)
        wait_for("the other has all", lambda: b.active() == COUNT)
        begun = time.monotonic()
        b.kill()
        withdrawn(scene, begun)
        took = time.monotonic() - begun
        assert AFTER_S - 0.5 < took < AFTER_S + 5, f"withdrawn after {took:.1f} s"
        first = [n for n in (a, b) if n.said("all nodes of the fleet are dead")]
        assert first, "nobody says so"
        # What a node had said last may have been on its way: all is said twice, and no more.
        wait_for("the end", lambda: a.said("all withdrawn to_native_ms=")
                 and b.said("all withdrawn to_native_ms="), 45)
        held_ms = (time.monotonic() - begun) * 1000
        for node in (a, b):
            said = int(re.search(r"to_native_ms=(\d+)", node.watchdog_log()).group(1))
            assert AFTER_S * 1000 <= said < held_ms + 500, f"{said} of {held_ms:.0f} ms"
        assert server.query("SELECT count(*) FROM breakout.told") == ["0"]
        deletes = scene.api.of(kind="delete")
        assert len(deletes) == 2 * COUNT, f"{len(deletes)} deletes of {COUNT} numbers"
        assert not scene.api.of(since=begun), "something was registered"
        wait_for("both have left", lambda: server.query("SELECT count(*) FROM breakout.node")
                 == ["0"])
        b.again()
        registered_again(scene, server, b)


def who_comes_back_in_the_middle_is_yielded_to(pki, folder, server):
    with fleet(pki, folder, server, rate=10) as (scene, a, b):
        a.kill()
        b.kill()
        wait_for("some are withdrawn", lambda: len(deleted(scene)) >= 15)
        a.again()
        registered_again(scene, server, a)
        assert len(deleted(scene)) < COUNT, "it did not come in the middle"
        wait_for("both watchdogs see it", lambda: all(
            n.watchdog_log().count("the fleet is there") == 2 for n in (a, b)))


def a_node_that_is_only_cut_off_keeps_all(pki, folder, server):
    """It serves calls; its own watchdog says so, and when it is dead."""
    with fleet(pki, folder, server) as (scene, a, b):
        b.cut()
        a.kill()
        nothing_is_withdrawn(scene, UNSEEN_S + 3)
        begun = time.monotonic()
        b.kill()
        withdrawn(scene, begun)


def one_that_hangs_is_dead_for_its_fleet(pki, folder, server):
    """It takes nobody out of the queue at its admin.socket, which is soon full. Nobody but the
    watchdog that waits there can tell."""
    with fleet(pki, folder, server, watched="b") as (scene, a, b):
        begun = time.monotonic()
        a.kill()
        b.process.send_signal(signal.SIGSTOP)
        try:
            withdrawn(scene, begun, 40)
        finally:
            b.process.send_signal(signal.SIGCONT)
        registered_again(scene, server, b)


def whose_machine_nobody_sees_is_waited_for(pki, folder, server):
    with fleet(pki, folder, server, watched="a") as (scene, a, b):
        b.cut()
        cut = time.monotonic()
        a.kill()
        nothing_is_withdrawn(scene, UNSEEN_S - 1)
        assert a.said("node b may be cut off from the database only"), "it does not say so"
        withdrawn(scene, cut)
        b.mend()
        wait_for("it has all again", lambda: held(scene) == ALL and b.active() == COUNT, 20)


def a_watchdog_that_dies_is_replaced(pki, folder, server):
    with fleet(pki, folder, server, rate=10) as (scene, a, b):
        begun = time.monotonic()
        a.kill()
        b.kill()
        wait_for("some are withdrawn", lambda: len(deleted(scene)) >= 10)
        owners = server.query("SELECT DISTINCT node FROM breakout.shard WHERE node IS NOT NULL")
        worker = next(n for n in (a, b) if owners[0].startswith(f"{n.name}.watchdog."))
        worker.watchdog.kill()
        worker.watchdog.wait()
        withdrawn(scene, begun, 30)
        assert not scene.api.of(since=begun), "something was registered"


def one_that_does_not_reach_the_core_lets_another_do_it(pki, folder, server):
    nobody = {"target": f"127.0.0.1:{free_port()}"}
    with fleet(pki, folder, server, watched="a", api=nobody) as (scene, a, b):
        begun = time.monotonic()
        a.kill()
        b.kill()
        wait_for("it has taken all", lambda: {n.rsplit(".", 1)[0] for n in server.query(
            "SELECT coalesce(node, '-') FROM breakout.shard")} == {"a.watchdog"})
        b.watch()
        withdrawn(scene, begun)
        assert a.said("the core cannot be reached from here"), "it does not say so"


def without_the_database_nothing_can_be_withdrawn_until_it_is_back(pki, folder, server):
    with fleet(pki, folder, server) as (scene, a, b):
        server.stop(signal.SIGQUIT)
        try:
            a.kill()
            b.kill()
            wait_for("it says so", lambda: a.said("what is registered cannot be withdrawn"))
            nothing_is_withdrawn(scene, AFTER_S + 2)
        finally:
            server.start()
        begun = time.monotonic()
        withdrawn(scene, begun)


TESTS = [when_all_nodes_are_dead_all_is_withdrawn_and_not_before,
         who_comes_back_in_the_middle_is_yielded_to, a_node_that_is_only_cut_off_keeps_all,
         one_that_hangs_is_dead_for_its_fleet, whose_machine_nobody_sees_is_waited_for,
         a_watchdog_that_dies_is_replaced,
         one_that_does_not_reach_the_core_lets_another_do_it,
         without_the_database_nothing_can_be_withdrawn_until_it_is_back]


if __name__ == "__main__":
    sys.exit(postgres.run_tests(TESTS))
