# SPDX-License-Identifier: Apache-2.0
"""Call records as rows of a PostgreSQL database that two daemons share: a real server,
away, slow to come back, killed beside a daemon that is killed too."""

import json
import pathlib
import signal
import sys
import tempfile
import time

from harness import Daemon, Pki, Tally, wait_until
from postgres import Postgres, programs
from sipwire import Message, Sbc

OFFER = ("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
         "m=audio 40000 RTP/AVP 8\r\n")
CLOSED = {"registrations": [{"number": "+4799000001", "route_type": "loop", "service": "closed"}],
          "services": {"closed": {"rules": [{"do": {"reject": {"status": 603}}}]}}}


def acknowledgement(invite, answer):
    """Of a refusal: RFC 3261 section 17.1.1.3."""
    kept = ("via", "max-forwards", "from", "call-id")
    headers = [(name, value) for name, value in invite.headers if name in kept]
    number = invite.get("cseq").split()[0]
    return Message(invite.start.replace("INVITE", "ACK"),
                   [*headers, ("to", answer.get("to")), ("cseq", f"{number} ACK")])


def rows(postgres, what="id", rest=""):
    """Of each call; nothing before there is a table."""
    if postgres.query("SELECT to_regclass('breakout.records') IS NULL") == ["t"]:
        return []
    return postgres.query(f"SELECT {what} FROM breakout.records {rest}")


class Node:
    """A daemon and its caller."""

    def __init__(self, postgres, pki, **records):
        self.sbc = Sbc(pki.cert, pki.key, pki.ca)
        self.daemon = Daemon(self.sbc.port, pki, {
            **CLOSED, "records": {"postgres": postgres.conninfo, **records}})

    def __enter__(self):
        self.daemon.start()
        return self

    def __exit__(self, *failure):
        self.daemon.__exit__(*failure)
        self.sbc.close()

    def call(self, count):
        """So many calls that are declined, until their records are written."""
        before = len(self.ids())
        flow = self.sbc.connect(self.daemon.port)
        for _ in range(count):
            invite = self.sbc.invite("sips:014799000001@127.0.0.1", "sip:+4790000001@core.example",
                                     "sip:+4799000001@core.example", OFFER)
            flow.send(invite)
            answer = self.sbc.wait(lambda m: m.status and m.status > 199
                                   and m.get("call-id") == invite.get("call-id"))[1]
            assert answer.status == 603, answer.status
            flow.send(acknowledgement(invite, answer))
        flow.close()
        wait_until("records", lambda: len(self.ids()) == before + count)

    def ids(self):
        path = self.daemon.folder / "cdr.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        return [json.loads(line)["id"] for line in lines]

    def kill(self):
        self.daemon.process.kill()
        self.daemon.process.wait()


def all_are_rows(postgres, *nodes):
    wanted = sorted(sum((node.ids() for node in nodes), []))
    wait_until("rows", lambda: sorted(rows(postgres)) == wanted, 15)
    return wanted


def two_daemons_share_a_table(postgres, pki):
    with Node(postgres, pki) as one, Node(postgres, pki) as other:
        one.call(3)
        other.call(2)
        assert len(all_are_rows(postgres, one, other)) == 5
        assert rows(postgres, "count(DISTINCT written_by)") == ["2"]
        assert set(rows(postgres, "cause")) == {"rejected"}
        assert set(rows(postgres, "record->>'caller'")) == {"+4790000001"}
        assert rows(postgres, "count(*)", "WHERE status = 603 AND answered_at IS NULL AND "
                    "ended_at >= started_at AND now() < started_at + interval '1 minute'") == ["5"]


def what_comes_while_the_database_is_away_is_caught_up_with(postgres, pki):
    with Node(postgres, pki) as node:
        node.call(2)
        all_are_rows(postgres, node)
        postgres.stop()
        node.call(2)
        node.daemon.wait_log("records.postgres host=.* cannot be used")
        node.kill()
        node.daemon.start()
        node.call(1)
        postgres.start()
        assert len(all_are_rows(postgres, node)) == 5
        node.daemon.wait_log("records.postgres host=.* works again")


def a_kill_of_both_loses_and_doubles_nothing(postgres, pki):
    with Node(postgres, pki) as node:
        for _ in range(2):
            node.call(4)
            postgres.stop(signal.SIGQUIT)
            node.kill()
            postgres.start()
            node.daemon.start()
        assert len(all_are_rows(postgres, node)) == 8


def a_record_that_fits_no_column_holds_up_nobody(postgres, pki):
    with Node(postgres, pki) as node:
        node.call(1)
        all_are_rows(postgres, node)
        strange = {"schema": 1, "id": "f" * 16, "start": "last night", "caller": "+4790000001"}
        with (node.daemon.folder / "cdr.jsonl").open("a") as file:
            file.write(json.dumps(strange) + "\n")
        node.call(2)
        node.daemon.wait_log("takes no row of the call f{16}: .*timestamp")
        wait_until("the others", lambda: len(rows(postgres)) == 3, 10)


def old_rows_lose_their_numbers_and_go(postgres, pki):
    with Node(postgres, pki, mask="30d", retention="90d") as node:
        old = [dict(schema=1, id=f"{age:016d}", caller="+4790000001", number="+4799000001",
                    start=time.strftime("%Y-%m-%dT%H:%M:%S.000Z",
                                        time.gmtime(time.time() - age * 86400)))
               for age in (10, 40, 100)]
        with (node.daemon.folder / "cdr.jsonl").open("a") as file:
            file.writelines(json.dumps(record) + "\n" for record in old)
        wait_until("rows", lambda: f"{10:016d}" in rows(postgres), 10)
        node.kill()
        node.daemon.start()  # what is kept is looked at once an hour, and at a start
        wait_until("the oldest is gone", lambda: rows(postgres, rest="ORDER BY id")
                   == [f"{10:016d}", f"{40:016d}"], 10)
        wait_until("the older is masked", lambda: rows(
            postgres, "caller", f"WHERE masked AND id = '{40:016d}'") == ["+4790***01"], 10)
        assert rows(postgres, "record->>'number'", "ORDER BY id") == ["+4799000001", "+4799***01"]


def tables_of_a_newer_program_are_left_alone(postgres, pki):
    postgres.query("CREATE SCHEMA breakout; CREATE TABLE breakout.records_version("
                   "version integer); INSERT INTO breakout.records_version VALUES(99)")
    with Node(postgres, pki) as node:
        node.call(1)
        node.daemon.wait_log("version 99 and were written by a newer program")
        assert postgres.query("SELECT to_regclass('breakout.records') IS NULL") == ["t"]


def a_column_that_is_new_is_added(postgres, pki):
    with Node(postgres, pki) as node:
        node.call(1)
        all_are_rows(postgres, node)
        node.kill()
        postgres.query("ALTER TABLE breakout.records DROP COLUMN tenant")  # as it was before
        node.daemon.start()
        node.call(1)
        assert len(all_are_rows(postgres, node)) == 2
        assert rows(postgres, "count(*)", "WHERE tenant IS NULL") == ["2"]
        assert postgres.query("SELECT version FROM breakout.records_version") == ["1"]


TESTS = [a_column_that_is_new_is_added, two_daemons_share_a_table, what_comes_while_the_database_is_away_is_caught_up_with,
         a_kill_of_both_loses_and_doubles_nothing, a_record_that_fits_no_column_holds_up_nobody,
         old_rows_lose_their_numbers_and_go, tables_of_a_newer_program_are_left_alone]


def main():
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="breakout-records-") as folder:
        pki = Pki(pathlib.Path(folder))
        postgres = Postgres(folder).start()
        try:
            for test in TESTS:
                tally.run(test.__name__.replace("_", " "), test, postgres, pki)
                postgres.query("DROP SCHEMA IF EXISTS breakout CASCADE")
        finally:
            postgres.stop()
    return tally.close()


if not programs():
    sys.exit(print("0 passed, 0 failed: there is no PostgreSQL server here"))
sys.exit(main())
