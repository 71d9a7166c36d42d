# SPDX-License-Identifier: Apache-2.0
"""What breakoutd says of a call's media, with the simulated phones at its ends."""

import json
import math
import os
import pathlib
import signal
import struct
import subprocess
import wave

from core import Core, Daemon, expect, finish, last_record, run_tests, wait_until

core = Core()
tas = Daemon(core)
LOOPED, ECHO = tas.numbers[0], tas.numbers[-2]
BASE = tas.config.read_text()
OUT = "+4790000099"
CTL = pathlib.Path(os.environ["BREAKOUT_BIN"]) / "breakoutctl"
SOCKET = core.folder / "breakout.sock"
tas.start()
tas.wait_registered()


def ctl(*words):
    out = subprocess.run([CTL, "-s", SOCKET, "-o", "json", *words], capture_output=True, text=True,
                         timeout=10)
    assert out.returncode == 0, out.stderr
    return json.loads(out.stdout)


def record():
    return last_record(core)


def a_running_call_shows_what_is_heard():
    core.phone(LOOPED, "answer")
    core.call(OUT, LOOPED, talk_ms=400, hangup="keep")
    call = wait_until(lambda: [call for call in ctl("calls") if call["verdict"] == "ok"],
                      5, "the verdict")[0]
    assert call["verdict_why"] == "", call
    for side in (call["a"], call["b"]):
        assert side["ice"] and side["dtls"] and side["packets_in"] > 50, side
        assert side["lost"] == side["duplicates"] == side["reordered"] == 0, side
        assert 0 <= side["jitter_ms"] < 20 and 0 < side["gap_ms"] < 500, side
        assert 4 < side["mos"] <= 4.5, side
        assert 0 <= side["last_ago_ms"] < 500 <= side["first_ago_ms"], side
    assert ctl("status")["media"] == {"ok": 1, "held": 0, "one-way": 0, "no media": 0,
                                      "bypassed": 0}
    core.must("hangup", id=core.last["id"])
    wait_until(lambda: ctl("status")["media"]["ok"] == 0, 5, "the call is over")


def the_record_says_it_too():
    core.phone(LOOPED, "answer")
    expect(core.call(OUT, LOOPED, talk_ms=1000), outcome="answered", verdict="two-way")
    call = wait_until(lambda: record() if record()["cause"] == "normal" else None, 5, "the record")
    assert call["verdict"] == "ok" and "verdict_why" not in call, call
    for side in (call["a"], call["b"]):
        assert 0 < side["first_ms"] < side["last_ms"] and side["mos"] > 4, side
    assert ' verdict="ok" ' in tas.log_path.read_text()


CALLS = core.folder / "calls"


def reload(recordings, rules="[{ record: yes, do: loop }]"):
    lines = [line for line in BASE.splitlines() if not line.startswith("  echo:")]
    at = lines.index("services:") + 1
    lines[at:at] = [f"  echo: {rules}"]
    tas.config.write_text("\n".join(lines) + f"\nrecordings: {recordings}\n")
    before = tas.log_path.read_text().count("reloaded registrations")
    tas.process.send_signal(signal.SIGHUP)
    wait_until(lambda: tas.log_path.read_text().count("reloaded registrations") > before, 5,
               "the configuration is taken")


def channel(path, left):
    with wave.open(str(path), "rb") as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8000, 2, 2)
        count = file.getnframes()
        return struct.unpack(f"<{2 * count}h", file.readframes(count))[0 if left else 1::2]


def frequency(samples):
    middle = samples[len(samples) // 3:len(samples) * 2 // 3]
    ups = sum(1 for a, b in zip(middle, middle[1:]) if a < 0 <= b)
    assert math.sqrt(sum(s * s for s in middle) / len(middle)) > 500, "nothing is heard"
    return ups * 8000 / len(middle)


def recorded_call(talk_ms=2000):
    core.phone(ECHO, "answer")
    known = set(CALLS.glob("*.json"))
    result = core.call(OUT, ECHO, talk_ms=talk_ms)
    expect(result, outcome="answered", verdict="two-way")
    path = wait_until(lambda: set(CALLS.glob("*.json")) - known, 5, "a recording").pop()
    about = json.loads(path.read_text())
    assert about["ended"] == "hangup" and about["caller"] == OUT, about
    assert abs(about["length_ms"] - talk_ms) < 600 and about["dropped_ms"] == 0, about
    assert about["id"] == record()["id"], (about, record())
    return result, path


def sides_are_heard(result, path):
    for left, side in ((True, "caller"), (False, "callee")):
        heard = frequency(channel(path, left))
        assert abs(heard - result[side]["tone_hz"]) < 15, (side, heard, result[side])


def a_call_is_recorded_in_stereo():
    reload(f"{{ dir: {CALLS} }}")
    result, about = recorded_call()
    path = about.with_suffix(".wav")
    sides_are_heard(result, path)
    assert record()["recording"] == str(path), record()
    assert path.stat().st_mode & 0o777 == 0o640


def a_sealed_call_is_heard_by_the_private_key():
    private, public = core.folder / "private.pem", core.folder / "public.pem"
    subprocess.run(["openssl", "genrsa", "-out", private, "2048"], check=True, capture_output=True)
    subprocess.run(["openssl", "rsa", "-in", private, "-pubout", "-out", public], check=True,
                   capture_output=True)
    reload(f"{{ dir: {CALLS}, key: {public} }}")
    result, about = recorded_call()
    sealed = about.with_suffix(".wav.sealed")
    assert record()["recording"] == str(sealed) and not about.with_suffix(".wav").exists()
    done = subprocess.run([CTL, "unseal", sealed, "--key", private], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    sides_are_heard(result, about.with_suffix(".wav"))
    again = subprocess.run([CTL, "unseal", sealed, "--key", private], capture_output=True)
    assert again.returncode == 1, "it would write over a file"


def decoded(path):
    wav = path.with_suffix(".decoded.wav")
    subprocess.run(["opusdec", "--quiet", "--rate", "8000", path, wav], check=True,
                   capture_output=True)
    return wav


def a_call_is_recorded_as_opus():
    reload(f"{{ dir: {CALLS}, format: opus }}")
    result, about = recorded_call()
    path = about.with_suffix(".opus")
    assert record()["recording"] == str(path), record()
    sides_are_heard(result, decoded(path))
    seconds = json.loads(about.read_text())["length_ms"] / 1000
    assert path.stat().st_size < 6000 * seconds, (path.stat().st_size, seconds)
    decoded_s = len(channel(decoded(path), True)) / 8000
    assert abs(decoded_s - seconds) < 0.002, (decoded_s, seconds)


def a_killed_process_leaves_opus_that_can_be_heard():
    core.phone(ECHO, "answer")
    known = set(CALLS.glob("*.json"))
    core.call(OUT, ECHO, talk_ms=3000, hangup="keep")
    wait_until(lambda: [p for p in CALLS.glob("*.opus.part") if p.stat().st_size > 5000],
               5, "a second of the call")
    tas.kill()
    tas.start()
    about = wait_until(lambda: set(CALLS.glob("*.json")) - known, 5, "it is completed").pop()
    assert json.loads(about.read_text())["ended"] == "interrupted"
    sides_are_heard(core.last, decoded(about.with_suffix(".opus")))
    core.must("hangup", id=core.last["id"])
    tas.wait_registered()


def a_killed_process_leaves_a_call_that_can_be_heard():
    reload(f"{{ dir: {CALLS} }}")
    core.phone(ECHO, "answer")
    known = set(CALLS.glob("*.json"))
    core.call(OUT, ECHO, talk_ms=3000, hangup="keep")
    part = wait_until(lambda: [p for p in CALLS.glob("*.wav.part") if p.stat().st_size > 44 + 32000],
                      5, "a second of the call")[0]
    tas.kill()
    sides_are_heard(core.last, part)
    tas.start()
    path = wait_until(lambda: set(CALLS.glob("*.json")) - known, 5, "it is completed").pop()
    assert json.loads(path.read_text())["ended"] == "interrupted"
    core.must("hangup", id=core.last["id"])
    tas.wait_registered()


def a_call_that_cannot_be_recorded_goes_on():
    (core.folder / "file").write_text("in the way")
    reload(f"{{ dir: {core.folder}/file }}")
    core.phone(ECHO, "answer")
    expect(core.call(OUT, ECHO, talk_ms=1500), outcome="answered", verdict="two-way")
    wait_until(lambda: record().get("recording_why") == "no file could be made", 5, "the record")


TESTS = [a_running_call_shows_what_is_heard, the_record_says_it_too, a_call_is_recorded_in_stereo,
         a_sealed_call_is_heard_by_the_private_key, a_call_is_recorded_as_opus,
         a_killed_process_leaves_opus_that_can_be_heard,
         a_killed_process_leaves_a_call_that_can_be_heard, a_call_that_cannot_be_recorded_goes_on]
finish(run_tests(TESTS, core), core, tas)
