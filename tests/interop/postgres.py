# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL server of our own: private folder, Unix socket only, never root."""

import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from harness import Pki, Tally


def programs():
    """The folder of initdb and postgres, or None."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    initdb = shutil.which("initdb")
    return pathlib.Path(initdb).parent if initdb else None


class Postgres:
    """start(), stop(), kill(); `conninfo` for libpq. The server refuses to run as root:
    there it runs as nobody."""

    def __init__(self, folder):
        self.bin = programs()
        self.folder = pathlib.Path(folder) / "pg"
        self.folder.mkdir()
        self.data, self.process, self.frozen = self.folder / "data", None, []
        self.user = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        if self.user:
            os.chmod(self.folder.parent, 0o711)
            os.chown(self.folder, self.user.pw_uid, self.user.pw_gid)
        self._run("initdb", "-D", self.data, "-U", "breakout", "-A", "trust", "-N",
                  "--no-instructions", "-E", "UTF8", "--locale", "C")
        self.conninfo = f"host={self.folder} dbname=postgres user=breakout"

    def _as_user(self):
        return {"user": self.user.pw_uid, "group": self.user.pw_gid,
                "extra_groups": []} if self.user else {}

    def _run(self, program, *arguments):
        done = subprocess.run([self.bin / program, *map(str, arguments)], capture_output=True,
                              text=True, cwd=self.folder, env={"PATH": "/usr/bin:/bin"},
                              **self._as_user())
        assert done.returncode == 0, f"{program}: {done.stderr}"
        return done.stdout

    def start(self):
        self.process = subprocess.Popen(
            [self.bin / "postgres", "-D", self.data, "-k", self.folder, "-h", "", "-F",
             "-c", "shared_buffers=8MB", "-c", "max_connections=40"],
            cwd=self.folder, env={"PATH": "/usr/bin:/bin"}, stdout=subprocess.DEVNULL,
            stderr=(self.folder.parent / "postgres.log").open("ab"), **self._as_user())
        end = time.monotonic() + 20
        while not (self.folder / ".s.PGSQL.5432").exists() or not self._answers():
            assert time.monotonic() < end, "PostgreSQL does not start"
            time.sleep(0.02)
        return self

    def _answers(self):
        return subprocess.run([self.bin / "pg_isready", "-q", "-h", str(self.folder)],
                              check=False).returncode == 0

    def query(self, statement):
        """The rows, as texts; one column only."""
        done = subprocess.run([self.bin / "psql", "-XAtq", "-d", self.conninfo, "-c", statement],
                              capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    def freeze(self, frozen=True):
        """It says nothing any more, and its connections stay; or goes on."""
        if frozen:
            children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
            self.process.send_signal(signal.SIGSTOP)  # so that no more are born
            self.frozen = [int(pid) for pid in children.read_text().split()]
        for pid in self.frozen:
            os.kill(pid, signal.SIGSTOP if frozen else signal.SIGCONT)
        if not frozen:
            self.process.send_signal(signal.SIGCONT)

    def stop(self, how=signal.SIGINT):
        """Fast: who is connected is thrown out."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(20)
        self.process = None


def run_tests(tests, run=lambda test, *scene: test(*scene)):
    """A program's tests, or those that its arguments name: each with a folder and tables of its
    own, as run(test, pki, folder, server). Returns the program's status."""
    if not programs():
        print("0 passed, 0 failed: there is no PostgreSQL server here")
        return 0
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="breakout-fleet-") as name:
        folder = pathlib.Path(name)
        (folder / "pki").mkdir()
        pki = Pki(folder / "pki")
        server = Postgres(folder).start()
        for test in tests:
            if len(sys.argv) > 1 and test.__name__ not in sys.argv[1:]:
                continue
            own = folder / test.__name__
            own.mkdir()
            server.query("DROP SCHEMA IF EXISTS breakout CASCADE")
            tally.run(test.__name__.replace("_", " "), run, test, pki, own, server)
        server.stop()
    return tally.close()
