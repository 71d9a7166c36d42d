# SPDX-License-Identifier: Apache-2.0
"""breakoutctl regs import: a file of numbers becomes another as a whole, or not at all."""

import json
import os
import subprocess

from core import BIN, Core, Daemon, finish, run_tests, wait_until

TTL = 3600
BULK = 400

core = Core()
tas = Daemon(core)
numbers = core.folder / "numbers.csv"
new = core.folder / "new.csv"
FIRST = "# what we sell\n+4790001001\n+4790001002,fork,pbx\n"
numbers.write_text(FIRST)
numbers.chmod(0o640)
ORIGINAL = tas.config.read_text().replace(
    "registrations:\n", "registrations:\n  - { file: numbers.csv, route_type: loop }\n")
tas.config.write_text(ORIGINAL)
tas.start()
tas.wait_registered()


def _ctl(*words):
    return subprocess.run([BIN / "breakoutctl", "-s", core.folder / "breakout.sock", *words],
                          capture_output=True, text=True, timeout=60, check=False)


def _import(text, *words, status=0):
    new.write_text(text)
    done = _ctl("regs", "import", new, *words)
    assert done.returncode == status, done
    return done


def _counts(done):
    lines = [line.split() for line in done.stdout.splitlines()]
    return {line[0]: int(line[1]) for line in lines
            if line and line[0] in ("added", "changed", "removed", "unchanged")}


def _run():
    """What runs, of the numbers this test imports."""
    return {r["number"]: (r["route_type"], r["service"])
            for r in json.loads(_ctl("-o", "json", "regs").stdout)
            if r["number"].startswith("+479000") and r["state"] != "withdrawing"}


def _calm():
    wait_until(lambda: not any(r["state"] in ("new", "pending", "withdrawing", "backoff")
                               for r in json.loads(_ctl("-o", "json", "regs").stdout)),
               10, "all settled")


def every_mistake_is_told_in_one_run_with_its_line():
    done = _import("+4790001001\n4790001002\n+4790001003,lop\n+4790001004,fork,nobody\n"
                   "+4790001001,loop\n+4790001005,loop,loop,4\n", "--yes", status=1)
    lines = [line for line in done.stdout.splitlines() if ": error: " in line]
    assert [line.split(":")[1] for line in lines] == ["2", "3", "4", "5", "6"], done.stdout
    assert all(line.startswith(f"{new}:") for line in lines), lines
    assert "Did you mean `loop`" in lines[1] or "loop" in lines[1], lines[1]
    assert numbers.read_text() == FIRST
    done = _import(f"{tas.numbers[0]},fork,pbx\n", "--yes", status=1)  # configured in YAML
    assert "is registered already at" in done.stdout and "breakoutd.yaml" in done.stdout, done


def a_dry_run_shows_the_difference_and_changes_nothing():
    text = "+4790001001\n+4790001002,loop\n+4790001003,loop_mo\n"
    done = _import(text, "--dry-run")
    assert _counts(done) == {"added": 1, "changed": 1, "removed": 0,
                             "unchanged": 1 + len(tas.numbers)}, done.stdout
    assert "+4790001002 fork pbx -> loop loop" in done.stdout, done.stdout
    assert numbers.read_text() == FIRST and len(_run()) == 2
    done = _import(text, status=1)  # nobody there to ask
    assert "--yes" in done.stderr and numbers.read_text() == FIRST, done


def what_is_imported_counts_at_once_and_the_old_file_stays():
    text = "+4790001001\n+4790001002,loop\n+4790001003,loop_mo\n"
    done = _import(text, "--yes")
    assert f"imported: what it was is {numbers}.bak" in done.stdout, done
    assert _run() == {"+4790001001": ("loop", "loop"), "+4790001002": ("loop", "loop"),
                      "+4790001003": ("loop_mo", "loop")}, _run()
    assert numbers.read_text() == text and (core.folder / "numbers.csv.bak").read_text() == FIRST
    assert numbers.stat().st_mode & 0o777 == 0o640
    assert sorted(p.name for p in core.folder.glob("numbers.csv*")) == [
        "numbers.csv", "numbers.csv.bak"]
    done = json.loads(_ctl("-o", "json", "regs", "import", new, "--yes").stdout)
    assert not done["applied"] and not done["added"]["count"] + done["removed"]["count"], done
    _calm()


def an_export_comes_back_without_a_change():
    before = numbers.read_text()
    exported = _ctl("regs", "export").stdout
    done = _import(exported, "--yes")
    assert "nothing to import" in done.stdout and _counts(done)["unchanged"], done.stdout
    assert f"left out   {len(tas.numbers)} lines" in done.stdout, done.stdout
    assert numbers.read_text() == before
    # One of them less: the others stay whatever their source.
    done = _import("".join(line for line in exported.splitlines(True)
                           if "+4790001003" not in line), "--yes")
    assert _counts(done)["removed"] == 1 and _counts(done)["unchanged"] == 2 + len(tas.numbers)
    assert set(_run()) == {"+4790001001", "+4790001002"}
    assert numbers.read_text().splitlines()[1:].count("#") == len(tas.numbers)
    _calm()


def a_reload_that_is_refused_puts_everything_back():
    before, bak = numbers.read_text(), core.folder / "numbers.csv.bak"
    secret = core.folder / "gone"
    # Well for whoever imports, not for the daemon, which also opens what is named.
    tas.config.write_text(ORIGINAL.replace("certificate: ", f"certificate: {secret} # ", 1))
    done = _import("+4790001009\n", "--yes", status=1)
    assert "the daemon refuses the reload" in done.stderr and "is as it was" in done.stderr, done
    assert numbers.read_text() == before and not bak.exists()
    tas.config.write_text(ORIGINAL)
    assert _ctl("reload").returncode == 0
    assert set(_run()) == {"+4790001001", "+4790001002"}


def numbers_that_come_together_are_refreshed_apart():
    text = "".join(f"+47900020{i:03d}\n" for i in range(BULK))
    done = _import(numbers.read_text() + text, "--yes")
    assert _counts(done)["added"] == BULK, done.stdout
    _calm()
    due = sorted(r["next_s"] for r in json.loads(_ctl("-o", "json", "regs").stdout)
                 if r["number"].startswith("+47900020"))
    assert len(due) == BULK
    tenth = [sum(TTL * i / 10 <= d < TTL * (i + 1) / 10 for d in due) for i in range(10)]
    # From a tenth to the half of the TTL: four even parts.
    assert sum(tenth[0:5]) == BULK and min(tenth[1:5]) > BULK / 8, tenth


def a_second_file_has_to_be_named():
    (core.folder / "more.csv").write_text("+4790003001\n")
    tas.config.write_text(ORIGINAL.replace(
        "registrations:\n", "registrations:\n  - { file: more.csv, route_type: loop }\n"))
    assert _ctl("reload").returncode == 0
    done = _import("+4790003002\n", "--yes", status=1)
    assert f"  {core.folder}/more.csv\n  {numbers}\n" in done.stderr, done
    done = _import("+4790003002\n", "--yes", "--into", core.folder / "more.csv")
    assert _counts(done)["added"] == _counts(done)["removed"] == 1, done.stdout
    assert "+4790003002" in _run() and "+4790003001" not in _run()
    (core.folder / "numbers.csv.import").write_text("")
    done = _import(numbers.read_text() + "+4790003009\n", "--yes", "--into", numbers, status=1)
    assert "another import is under way" in done.stderr, done
    os.unlink(core.folder / "numbers.csv.import")


TESTS = [value for name, value in list(globals().items())
         if callable(value) and getattr(value, "__module__", "") == "__main__" and name[0] != "_"]

finish(run_tests(TESTS, core), core, tas)
