# SPDX-License-Identifier: Apache-2.0
"""Trunks with SIPp as the PBX: refusals, passwords, OPTIONS."""

import contextlib
import json
import subprocess
import sys
import time

from harness import Tally, free_port
from sippcore import HERE, sipp_core

CALLS = 10


@contextlib.contextmanager
def pbx(folder, scenario, port):
    """SIPp on a UDP port until the block ends."""
    with open(folder / f"{scenario}.out", "wb") as out:
        process = subprocess.Popen(
            ["sipp", "-sf", HERE / "sipp" / f"{scenario}.xml", "-i", "127.0.0.1", "-p", str(port),
             "-nostdin", "-trace_err", "-t", "u1"], cwd=folder, stdout=out, stderr=out)
        try:
            time.sleep(0.3)  # it says nothing when it is ready
            assert process.poll() is None, "SIPp did not start"
            yield
        finally:
            process.terminate()
            process.wait(10)


def addresses(daemon):
    """What breakoutctl tells of each address, by port."""
    out = daemon.ctl("-o", "json", "trunks").stdout
    return {int(line["address"].rsplit(":", 1)[1]): line for line in json.loads(out)}


def wait_for(daemon, port, state, seconds=15):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        line = addresses(daemon)[port]
        if line["state"] == state:
            return line
        time.sleep(0.2)
    raise AssertionError(f"{line} does not become {state}\n{daemon.log()}")


def trunk_config(folder, **trunk):
    secret = folder / "password"
    secret.write_text("open sesame\n")
    secret.chmod(0o600)
    return {
        "trunks": [{"name": "pbx", "auth": {"username": "tas", "password_file": str(secret),
                                            "realm": "pbx.example", "md5": True}, **trunk}],
        "services": {"office": {"on_failure": "reject", "rules": [{"do": {"dial": "pbx"}}]}},
        "registrations": [{"number": "+4799000001", "route_type": "loop", "service": "office"}],
    }


def refusal_and_passwords(folder, pki):
    first, second = free_port(), free_port()
    changes = trunk_config(folder, uris=[f"sip:127.0.0.1:{p}" for p in (first, second)],
                           options_every=0)
    with pbx(folder, "pbx_503", first), pbx(folder, "pbx_auth", second), \
            sipp_core(folder, pki, changes) as (core, daemon):
        done, failed, errors = core.call(CALLS, 4, "+004722334455")
        assert (done, failed) == (CALLS, 0), f"{done} done, {failed} failed\n{errors}\n" + \
            "".join(p.read_text() for p in folder.glob("pbx*errors.log")) + daemon.log()
        lines = addresses(daemon)
        # Three in a row are enough to leave the first alone.
        assert lines[first]["state"] == "down", lines
        assert 3 <= lines[first]["failures"] < CALLS, lines
        assert lines[second]["calls"] == CALLS and lines[second]["failures"] == 0, lines
        assert lines[second]["state"] == "up", lines
        assert "open sesame" not in daemon.log()
        table = daemon.ctl("trunks").stdout
        assert "calls get 503" in table, table


def a_wrong_password_ends_the_call(folder, pki):
    port = free_port()
    changes = trunk_config(folder, uris=[f"sip:127.0.0.1:{port}"], options_every=0)
    (folder / "password").write_text("guess\n")
    with pbx(folder, "pbx_auth", port), sipp_core(folder, pki, changes) as (core, daemon):
        done, failed, _ = core.call(1, 1, "+004722334455")
        assert (done, failed) == (0, 1), daemon.log()
        assert addresses(daemon)[port]["calls"] == 1


def options_tell_who_is_there(folder, pki):
    alive, dead = free_port(), free_port()
    changes = trunk_config(folder, uris=[f"sip:127.0.0.1:{p}" for p in (alive, dead)],
                           options_every="1s", down_after=2)
    with sipp_core(folder, pki, changes) as (_, daemon):
        with pbx(folder, "pbx_options", alive):
            assert wait_for(daemon, alive, "up")["last_status"] == 200
            assert wait_for(daemon, dead, "down")["last_failure"]
            daemon.wait_log(r"notice sip +trunk=pbx .* is down")
        wait_for(daemon, alive, "down", 30)
        with pbx(folder, "pbx_options", alive):
            wait_for(daemon, alive, "up", 30)
        daemon.wait_log(r"notice sip +trunk=.* is up again")


def main():
    tally = Tally()
    tests = (
        ("SIPp as PBX: 503 is passed by, a challenge is answered", refusal_and_passwords),
        ("SIPp as PBX: a wrong password ends the call", a_wrong_password_ends_the_call),
        ("SIPp as PBX: OPTIONS tell which addresses answer", options_tell_who_is_there),
    )
    tally.run_in_folders(tests)
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
