# SPDX-License-Identifier: Apache-2.0
"""The registrar against an API that is not ours, of which requests and answers get lost, come
late or twice, that fails for some numbers, and whose TTL is another each time: judged
by what the API saw, by its own clock and its own book."""

import random
import sys
import threading
import time
from collections import Counter

from driver import LOOP, LOOP_MO, numbers, run_scenes, wait_for
from fake_api import busiest_second

DEADLINE = "1s"
A_MINUTE = 20  # requests that docs/registration.md allows a number


class Losses:
    """Of each number's requests every fourth gets no answer, and another fourth is not even
    carried out; never two in a row."""

    def __init__(self):
        self.asked, self.lock = Counter(), threading.Lock()

    def __call__(self, seen):
        with self.lock:
            turn = self.asked[seen.number, seen.kind] % 4
            self.asked[seen.number, seen.kind] += 1
        return ("lost", None, "hang", None)[turn]


def lost_requests_and_lost_answers_lapse_nobody(scene):
    chance = random.Random(7)
    scene.api.late_s = lambda: chance.uniform(0, 0.4)  # answers overtake each other
    scene.api.fault = Losses()
    driver = scene.starts(40, ttl=14, deadline=DEADLINE)
    time.sleep(16)
    scene.nobody_lapsed()
    for number in numbers(40):
        upserts = scene.api.of(number)
        assert len({u.registration for u in upserts}) == 1, "a repeated one is another"
        assert len(upserts) <= A_MINUTE, f"{number}: {len(upserts)} in 20 s"
    driver.ask(f"reload {scene.config(numbers(35), 'second.yaml', deadline=DEADLINE)}")
    wait_for("five are gone", lambda: set(scene.api.book.routes()) == set(numbers(35)))
    lost = len(scene.api.failures("lost")), len(scene.api.failures("hang"))
    print(f"     {lost[0]} answers and {lost[1]} requests of {len(scene.api.seen)} were lost")
    scene.nobody_lapsed()
    driver.end()


class Echo:
    """A network that delivers some requests once more, later."""

    def __init__(self, api, after_s):
        self.api, self.after_s, self.timers, self.count = api, after_s, [], 0

    def __call__(self, seen):
        if seen.kind == "upsert":
            timer = threading.Timer(self.after_s, self.again, (seen,))
            timer.daemon = True
            self.timers.append(timer)
            timer.start()

    def again(self, seen):
        self.count += 1
        self.api.book.upsert(seen.number, seen.route_type, self.api.ttl)

    def end(self):
        self.api.fault = None
        for timer in list(self.timers):
            timer.join()


def what_arrives_twice_is_harmless(scene):
    ttl, echo = 10, Echo(scene.api, 0.7)
    scene.api.fault = echo
    driver = scene.starts(40, ttl)
    time.sleep(4)
    # What is changed and deleted now is undone by what arrives late, until the next refresh.
    changed = time.monotonic()
    second = scene.config(numbers(35), "second.yaml", route="loop_mo")
    driver.ask(f"reload {second}")
    wait_for("five deleted", lambda: len(scene.api.of(kind="delete", since=changed)) >= 5)
    echo.end()
    undone = [n for n, route in scene.api.book.routes().items() if route == LOOP]
    wait_for("all as they are wanted", lambda: scene.api.book.routes()
             == dict.fromkeys(numbers(35), LOOP_MO), 2 * ttl)
    print(f"     {echo.count} came twice, {len(undone)} were undone by it for a while")
    scene.nobody_lapsed(but=numbers(40)[35:])
    assert len(scene.api.of()) < 40 * A_MINUTE
    driver.end()


def each_answer_may_have_another_ttl(scene):
    driver = scene.starts(60, ttl=24)
    chance, granted, lock = random.Random(3), {}, threading.Lock()

    def any_ttl(number):
        with lock:
            granted[number] = chance.choice((8, 12, 24))
            return granted[number]

    for ttl, seconds in ((8, 9), (24, 2), (any_ttl, 12)):
        since = time.monotonic()
        scene.api.ttl = ttl
        driver.ask("refresh")  # nobody can know of another TTL before
        wait_for("all told of it", scene.all_were_asked_for(numbers(60), since))
        time.sleep(seconds)
    scene.nobody_lapsed()
    # What is asked for goes by the TTL that this number was given last.
    done, early, late = {}, 0, 0
    for d in list(scene.api.book.done):
        if d.number in done and d.at > since + 1:
            last = done[d.number]
            part = (d.at - last.at) / (last.until - last.at)
            early, late = early + (part < 0.25), late + (part > 0.75)
        done[d.number] = d
    print(f"     {len(scene.api.book.done)} upserts, {early} earlier and {late} later than due")
    assert late == 0, "later than three quarters of its TTL"
    assert early <= 6, "refreshed as if its TTL were another"
    driver.end()


def what_is_poisoned_holds_up_nobody(scene):
    kinds = ["invalid_argument", "internal", "unknown", "hang", "resource_exhausted",
             "permission_denied", "not_acceptable", "aborted"]
    all_of_them = numbers(60)
    poison = dict(zip(all_of_them[10:], kinds))
    scene.api.faults = poison
    scene.api.ttl = 8
    driver = scene.driver(all_of_them, deadline=DEADLINE)
    wait_for("the others are registered", lambda: len(scene.api.book.routes()) == 52)
    time.sleep(12)
    scene.nobody_lapsed()
    asked = {fault: len(scene.api.of(n)) for n, fault in poison.items()}
    print(f"     asked for in 12 s: {asked}")
    assert max(asked.values()) <= 10, "hammered"
    for final in ("invalid_argument", "permission_denied", "not_acceptable"):
        assert asked[final] == 1, f"{final} says that repeating is in vain"
    # A server of two is broken: whoever meets it fails.
    since = time.monotonic()
    broken = dict.fromkeys(all_of_them[30:], "internal")
    scene.api.faults = poison | broken
    time.sleep(14)
    scene.nobody_lapsed(but=broken)
    assert "API does not work" not in driver.log(), driver.log()
    busiest = busiest_second([s.at for s in scene.api.of(since=since) if s.number in broken])
    print(f"     of 30 that fail at most {busiest} were tried within a second")
    mended = time.monotonic()
    scene.api.faults = {}
    driver.ask("refresh")
    wait_for("all are back", lambda: set(scene.api.book.routes()) == set(all_of_them))
    print(f"     all back {time.monotonic() - mended:.1f} s after it was mended")
    driver.end()


TESTS = [what_is_poisoned_holds_up_nobody, each_answer_may_have_another_ttl,
         lost_requests_and_lost_answers_lapse_nobody, what_arrives_twice_is_harmless]

if __name__ == "__main__":
    sys.exit(run_scenes(TESTS))
