# SPDX-License-Identifier: Apache-2.0
"""The statements of a fleet and of its store, each cut off on its way there and back, and
what a link to a real PostgreSQL server does: fleet_database.c, with one server for all."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

import postgres


def main():
    if not postgres.programs():
        print("0 passed, 0 failed: there is no PostgreSQL server here")
        return 0
    with tempfile.TemporaryDirectory(prefix="breakout-database-") as folder:
        server = postgres.Postgres(folder)
        hba = server.data / "pg_hba.conf"
        hba.write_text("local all locked scram-sha-256\n" + hba.read_text())
        server.start()
        try:
            done = subprocess.run(
                [pathlib.Path(os.environ["BREAKOUT_TESTS"]) / "fleet_database", server.folder],
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120,
                check=False)
        finally:
            server.stop()
        if done.returncode:
            print(done.stdout, (pathlib.Path(folder) / "postgres.log").read_text())
    passed = len(re.findall(r"^\[ +OK \]", done.stdout, re.M))
    failed = len(set(re.findall(r"^\[  FAILED  \] (\w+)$", done.stdout, re.M)))
    print(f"{passed} passed, {failed} failed")
    return done.returncode or not passed


if __name__ == "__main__":
    sys.exit(main())
