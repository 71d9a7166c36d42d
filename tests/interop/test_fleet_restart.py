# SPDX-License-Identifier: Apache-2.0
"""A node of a fleet gets a new process while the others look on, through a real PostgreSQL
server: its numbers stay its own, nobody lapses, nobody is told twice."""

import contextlib
import json
import os
import signal
import sys
import time

import yaml

import postgres
from driver import Scene, numbers, wait_for
from harness import Restarted, alive, free_port

TTL, LEASE_S, COUNT = 6, 1.2, 60


class Node(Restarted):
    """breakoutd as a node of the scene's fleet."""

    def __init__(self, scene, server, name):
        super().__init__(free_port(), scene.pki, {})
        self.name = name
        section = yaml.safe_load(scene.config([]).read_text())["core"]["api"]
        self.changes.update({
            "core": {**self.config()["core"], "api": section},
            "store": {"postgres": server.conninfo, "node": name, "version": 1,
                      "lease": f"{int(LEASE_S * 1000)}ms", "alone": "60s"},
            "registrations": [{"number": n, "route_type": "loop"} for n in numbers(COUNT)]})

    def write(self, **changes):
        (self.folder / "breakout.yaml").write_text(
            yaml.safe_dump({**self.config(), **changes}))

    def kept(self):
        done = self.ctl("-o", "json", "regs")
        return {r["number"] for r in json.loads(done.stdout)
                if r["state"] != "elsewhere"} if done.returncode == 0 else set()

    def active(self):
        return self.status()["registrations"]["active"]


def judge(scene, begun=0):
    """At the core: no lapse, no delete, and always the same parameters."""
    until = time.monotonic()
    for number in numbers(COUNT):
        seen = [s for s in list(scene.api.seen) if s.number == number]
        times = [s.at for s in seen] + [until]
        gaps = [b - a for a, b in zip(times, times[1:])]
        assert gaps and max(gaps) < TTL, f"{number} lapsed: {[round(g, 1) for g in gaps]}"
        assert len({s.registration for s in seen}) == 1, f"{number}: told different things"
        assert all(s.kind == "upsert" for s in seen), f"{number} was deleted"


@contextlib.contextmanager
def fleet(pki, folder, server):
    scene = Scene(pki, folder, TTL)
    with contextlib.closing(scene), Node(scene, server, "a") as a, Node(scene, server, "b") as b:
        for node in (a, b):
            node.start()
        wait_for("fair shares", lambda: len(a.kept()) + len(b.kept()) == COUNT
                 and not a.kept() & b.kept() and a.active() + b.active() == COUNT
                 and [n["shards"] for n in a.status()["fleet"]["nodes"]] == [128, 128])
        yield scene, a, b


def repeats(scene, of, since):
    """Seconds from one time a number was told to the core to the next, which is later."""
    last, gaps = {}, [TTL]
    for seen in list(scene.api.seen):
        if seen.number in of and seen.number in last and seen.at > since:
            gaps.append(seen.at - last[seen.number])
        last[seen.number] = seen.at
    return gaps


def owners(server):
    return dict(tuple(row.split("|")) for row in server.query(
        "SELECT node || '|' || string_agg(shard::text, ',' ORDER BY shard) FROM breakout.shard"
        " WHERE node IS NOT NULL GROUP BY node"))


def twice_nobody_notices(pki, folder, server):
    """What was said shortly before is not said again."""
    with fleet(pki, folder, server) as (scene, a, b):
        before = owners(server)
        for _ in range(2):
            mine, theirs, begun = a.kept(), b.kept(), time.monotonic()
            done, done_at = a.restart(), time.monotonic()
            assert done.returncode == 0, done
            shared = []

            def back():
                shared.extend(a.kept() & b.kept())
                assert b.kept() == theirs, "another node took over"
                return a.kept() == mine and a.active() == len(mine)
            wait_for("its numbers are its own", back)
            assert time.monotonic() - begun < LEASE_S + 1, "it took longer than a lease"
            assert not shared, f"two nodes keep {shared}"
            assert server.query("SELECT bool_and(clean) FROM breakout.shard") == ["t"], \
                "the new process does not believe what the old one wrote"
            time.sleep(0.5)
            gaps = repeats(scene, mine, done_at)
            assert min(gaps) > TTL * 0.25, f"what was fresh was said again: {sorted(gaps)[:5]}"
        assert owners(server) == before
        time.sleep(TTL * 0.5)
        judge(scene)
        log = a.log() + b.log()
        assert "put node" not in log and "was silent" not in log, log[-3000:]
        wait_for("the old ones end", lambda: not any(map(alive, [a.process.pid, a.pids[0]])))


def a_node_that_cannot_be_restarted_goes_on(pki, folder, server):
    """Another name is another node; and what fails once the store was let go is taken back."""
    with fleet(pki, folder, server) as (scene, a, b):
        mine, theirs = a.kept(), b.kept()
        a.write(store={**a.config()["store"], "node": "c"})
        done = a.restart()
        assert done.returncode == 1 and "store.node" in done.stderr, done
        a.write(cdr={"file": str(folder / "nowhere" / "cdr.jsonl")})
        done = a.restart()
        assert done.returncode == 1 and "could not start" in done.stderr, done
        refused = time.monotonic()
        wait_for("refreshed by it", lambda: mine <= {
            s.number for s in scene.api.of(since=refused)}, TTL)
        assert a.kept() == mine and b.kept() == theirs
        judge(scene)
        assert "was silent" not in b.log(), b.log()[-2000:]


def a_new_process_that_dies_is_missed_after_a_lease(pki, folder, server):
    """Once it has the place of the old one, which says nothing any more."""
    with fleet(pki, folder, server) as (scene, a, b):
        assert a.restart().returncode == 0
        wait_for("its numbers are its own", lambda: a.active() + b.active() == COUNT)
        os.kill(a.pids[0], signal.SIGKILL)
        killed = time.monotonic()
        wait_for("all are the other's", lambda: len(b.kept()) == COUNT)
        assert time.monotonic() - killed < LEASE_S + 2, "taken over late"
        a.pids.clear()
        wait_for("all refreshed", lambda: set(numbers(COUNT)) <= {
            s.number for s in scene.api.of(since=killed)}, TTL)
        judge(scene)


TESTS = [twice_nobody_notices, a_node_that_cannot_be_restarted_goes_on,
         a_new_process_that_dies_is_missed_after_a_lease]


if __name__ == "__main__":
    sys.exit(postgres.run_tests(TESTS))
