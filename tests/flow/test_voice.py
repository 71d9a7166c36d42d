# SPDX-License-Identifier: Apache-2.0
"""What breakoutd plays and records itself: announcements and voicemail, with the
simulated phones at the other end."""

import json
import math
import signal
import struct
import wave

from core import Core, Daemon, expect, finish, last_record, run_tests, trace, wait_until

core = Core()
tas = Daemon(core)
CLOSED, ECHO, TONE = tas.numbers[-3:]
OUT = "+4790000099"


def write_tone(name, hz, seconds, rate=8000, channels=1):
    with wave.open(str(core.folder / name), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        for i in range(int(rate * seconds)):
            sample = int(12000 * math.sin(2 * math.pi * hz * i / rate))
            file.writeframes(struct.pack("<h", sample) * channels)


def reload(*services):
    """Gives the last three numbers these services, by a reload that must succeed."""
    lines = [line for line in BASE.splitlines()
             if not line.startswith(("  closed:", "  echo:", "  tone:"))]
    at = lines.index("services:") + 1
    names = ("closed", "echo", "tone")
    lines[at:at] = [f"  {name}: {text}" for name, text in zip(names, services)]
    tas.config.write_text("\n".join(lines) + "\n")
    if tas.process:
        before = tas.log_path.read_text().count("reloaded registrations")
        tas.process.send_signal(signal.SIGHUP)
        wait_until(lambda: tas.log_path.read_text().count("reloaded registrations") > before, 5,
                   "the configuration is taken")


def call_ends(caller, callee, seconds=8):
    """A call whose end is the other side's; the result with what was heard last."""
    return core.call(caller, callee, talk_ms=seconds * 1000)


BASE = tas.config.read_text()
write_tone("welcome.wav", 700, 1.2, rate=44100, channels=2)
write_tone("closed.wav", 1100, 0.9, rate=16000)
reload("[{ do: { reject: { status: 603, reason: Closed, announcement: closed.wav } } }]",
       "[{ do: { answer: { play: welcome.wav } } }]",
       "[{ do: { answer: { play: welcome.wav, repeat: forever } } }]")
tas.start()
tas.wait_registered()


def an_announcement_is_heard_and_then_the_call_ends():
    result = call_ends(OUT, ECHO)
    expect(result, outcome="dropped", answered_by="tas", legs="12", verdict="tone 700 Hz",
           both_ends_hung_up=True)
    assert 1200 <= result["end_ms"] - result["answer_ms"] < 4000, result
    assert any(text.startswith("BYE") for text in trace(result, 2)), trace(result, 2)


def an_announcement_without_end_is_heard_until_the_caller_hangs_up():
    result = core.call(OUT, TONE, talk_ms=2500)
    expect(result, outcome="answered", answered_by="tas", verdict="tone 700 Hz")
    assert result["end_ms"] - result["answer_ms"] >= 2500, result


def a_rejection_is_announced_as_early_media():
    result = call_ends(OUT, CLOSED)
    expect(result, outcome="refused", status=603, legs="12", answered_by="")
    assert result["early_ms"] is not None and result["answer_ms"] is None, result
    assert abs(result["caller"]["heard_hz"] - 1100) <= 10, result["caller"]
    assert result["end_ms"] - result["early_ms"] >= 900, result
    assert any("183 " in text for text in trace(result, 2)), trace(result, 2)


def a_caller_may_give_up_during_an_announcement():
    write_tone("long.wav", 1100, 20)
    reload("[{ do: { reject: { status: 603, announcement: long.wav } } }]",
           "[{ do: { answer: { play: welcome.wav } } }]", "[{ do: loop }]")
    result = core.call(OUT, CLOSED, patience_ms=1500)
    expect(result, outcome="cancelled")
    wait_until(lambda: core.must("status")["calls"] == 0, 5, "the call is over")


def a_rejection_may_be_told_in_an_answered_call():
    reload("[{ do: { reject: { status: 603, announcement: closed.wav, answer_first: yes } } }]",
           "[{ do: { answer: { play: welcome.wav } } }]", "[{ do: loop }]")
    result = call_ends(OUT, CLOSED)
    expect(result, outcome="dropped", verdict="tone 1100 Hz")


def a_file_that_changed_is_heard_after_a_reload_and_calls_keep_the_old_one():
    endless = "[{ do: { answer: { play: welcome.wav, repeat: forever } } }]"
    reload("[{ do: reject }]", endless, "[{ do: loop }]")
    running = core.call(OUT, ECHO, talk_ms=600, hangup="keep")
    write_tone("welcome.wav", 1900, 1.5)
    reload("[{ do: reject }]", "[{ do: { answer: { play: welcome.wav } } }]", "[{ do: loop }]")
    expect(call_ends(OUT, ECHO), outcome="dropped", verdict="tone 1900 Hz")
    heard = core.must("listen", id=running["id"])
    assert abs(heard["caller"]["heard_hz"] - 700) <= 10, heard["caller"]
    core.must("hangup", id=running["id"])


def a_file_that_is_no_sound_leaves_the_old_configuration():
    (core.folder / "text.wav").write_text("this is no sound")
    tas.config.write_text(tas.config.read_text().replace("welcome.wav", "text.wav"))
    tas.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "reload refused" in tas.log_path.read_text(), 5, "the refusal")
    assert "text.wav is no audio" in tas.log_path.read_text()
    expect(call_ends(OUT, ECHO), outcome="dropped", verdict="tone 1900 Hz")


def announced_then(action):
    write_tone("welcome.wav", 700, 1)
    reload("[{ do: reject }]", f"[{{ do: [ {{ announce: welcome.wav }}, {action} ] }}]",
           "[{ do: loop }]")
    result = core.call(OUT, ECHO)
    assert result["early_ms"] is not None, result
    assert result["answer_ms"] - result["early_ms"] >= 1000, result
    return result


def an_announcement_goes_before_a_pbx():
    core.pbx("answer")
    expect(announced_then("{ dial: pbx }"), outcome="answered", answered_by="pbx",
           verdict="two-way")


def an_announcement_goes_before_the_loop():
    core.phone(ECHO, "answer")
    expect(announced_then("loop"), outcome="answered", answered_by="phone", legs="1234",
           verdict="two-way")


def an_announcement_is_followed_by_the_next_action_when_a_pbx_is_busy():
    core.pbx("busy")
    expect(announced_then("{ dial: pbx }, { answer: tone }"), outcome="answered",
           answered_by="tas", verdict="tone 425 Hz")


# The same in a call that is answered first.

def answered_then(actions, seconds=2.2, **more):
    """The call, which begins with an answer of ours."""
    write_tone("welcome.wav", 700, 1)
    reload("[{ do: reject }]",
           f"[{{ do: [ {{ announce: {{ play: welcome.wav, answer_first: yes }} }}, {actions} ] }}]",
           "[{ do: loop }]")
    return core.call(OUT, ECHO, talk_ms=int(seconds * 1000), **more)


def told_once(result):
    """The caller gets a 200 to its INVITE, and then nothing but the end."""
    said = [text for text in trace(result, 2) if not text.startswith(("ACK", "BYE"))]
    assert [text.split()[0] for text in said] in (["INVITE", "200"], ["INVITE", "200", "200"]), said
    assert result["early_ms"] is None, result


def an_answered_announcement_goes_before_a_pbx():
    core.pbx("answer", ring_ms=300)
    result = answered_then("{ dial: pbx }")
    expect(result, outcome="answered", verdict="two-way", both_ends_hung_up=True)
    told_once(result)
    record = cdr()
    assert record["step"] == "dial pbx" and record["cause"] == "normal", record
    assert record["plan"] == ["answer, announce", "dial pbx", "loop"], record
    assert record["answer"] < record["connected"] < record["end"], record


def an_answered_announcement_goes_before_the_loop():
    core.phone(ECHO, "answer", ring_ms=300)
    result = answered_then("loop")
    expect(result, outcome="answered", legs="1234", verdict="two-way")
    told_once(result)


def who_is_answered_first_hears_the_ringing_and_then_the_next_if_it_is_busy():
    core.pbx("no-answer")
    result = answered_then("{ dial: { trunk: pbx, ring: 2s } }, { answer: { tone: 1000 } }", seconds=2.3)
    expect(result, outcome="answered")
    assert abs(result["caller"]["heard_hz"] - 425) <= 10, result["caller"]  # the ring-back
    core.pbx("busy")
    result = answered_then("{ dial: pbx }, { answer: { tone: 1000 } }", seconds=2)
    expect(result, outcome="answered", verdict="tone 1000 Hz")
    assert cdr()["step"] == "answer tone", cdr()


def who_is_answered_first_is_told_by_a_bye_if_all_fail():
    core.pbx("busy")
    result = answered_then("{ dial: pbx }, { reject: { status: 486 } }", seconds=8)
    expect(result, outcome="dropped")
    bye = [line for line in trace(result, 2) if line.startswith("BYE")]
    assert bye, trace(result, 2)
    assert cdr()["connected"] is None and cdr()["talk_ms"] >= 1000, cdr()


def who_is_answered_first_may_hang_up_at_any_time():
    core.pbx("no-answer")
    expect(answered_then("{ dial: pbx }", seconds=0.4), outcome="answered")
    assert cdr()["step"] == "answer, announce" and cdr()["ended_by"] == "a", cdr()
    expect(answered_then("{ dial: pbx }", seconds=1.8), outcome="answered")
    assert cdr()["step"] == "dial pbx" and cdr()["ended_by"] == "a", cdr()
    wait_until(lambda: core.must("status")["calls"] == 0, 5, "the PBX is let go")


# Voicemail.

MAIL = core.folder / "mail"


def mailbox(options):
    reload("[{ do: reject }]",
           f"[{{ do: {{ voicemail: {{ box: office, dir: {MAIL}, {options} }} }} }}]",
           "[{ do: loop }]")


def new_message(known):
    """The JSON of the message that was not there before; its file's name is in `wav`."""
    def look():
        return [path for path in MAIL.glob("office/*.json") if path not in known]
    path = wait_until(look, 5, "a message")[0]
    return {**json.loads(path.read_text()), "wav": path.with_suffix(".wav")}


def messages():
    return set(MAIL.glob("office/*.json"))


def frequency(path):
    """By the zeros the sound crosses upwards, and its length in seconds."""
    with wave.open(str(path), "rb") as file:
        rate, count = file.getframerate(), file.getnframes()
        assert (rate, file.getnchannels(), file.getsampwidth()) == (8000, 1, 2), path
        samples = struct.unpack(f"<{count}h", file.readframes(count))
    middle = samples[count // 4:count * 3 // 4]
    ups = sum(1 for a, b in zip(middle, middle[1:]) if a < 0 <= b)
    return ups * rate / len(middle), count / rate


def cdr():
    return last_record(core)


def a_caller_leaves_a_message_and_hangs_up():
    write_tone("greeting.wav", 1700, 0.6)
    mailbox("greeting: greeting.wav")
    result = core.call(OUT, ECHO, talk_ms=3500)
    expect(result, outcome="answered", answered_by="tas", legs="12")
    message = new_message(set())
    heard, seconds = frequency(message["wav"])
    assert abs(heard - result["caller"]["tone_hz"]) < 15, (heard, result["caller"])
    assert 1.5 < seconds < 3, seconds
    assert abs(message["length_ms"] - seconds * 1000) < 30, message
    assert message["mailbox"] == "office" and message["ended"] == "hangup", message
    assert message["caller"] == OUT and message["called"] == ECHO, message
    assert message["wav"].stat().st_mode & 0o777 == 0o640
    assert (MAIL / "office").stat().st_mode & 0o777 == 0o750
    record = cdr()
    assert record["id"] == message["id"], (record, message)
    assert record["recording"] == str(message["wav"]), record
    assert abs(record["recording_ms"] - message["length_ms"]) < 200, record


def a_message_has_a_longest_length():
    known = messages()
    mailbox("max_length: 2s, beep: no")
    result = call_ends(OUT, ECHO)
    expect(result, outcome="dropped", answered_by="tas")
    message = new_message(known)
    assert message["ended"] == "max_length" and message["length_ms"] <= 2000, message
    assert 1900 <= result["end_ms"] - result["answer_ms"] < 4000, result


def a_caller_that_hides_is_not_named():
    known = messages()
    result = core.call(OUT, ECHO, talk_ms=2500, anonymous=True)
    expect(result, outcome="dropped")
    message = new_message(known)
    assert message["caller"] == "", message
    assert OUT not in message["wav"].with_suffix(".json").read_text()


def a_caller_that_says_nothing_leaves_nothing():
    known = messages()
    mailbox("greeting: greeting.wav")
    expect(core.call(OUT, ECHO, talk_ms=400), outcome="answered")
    wait_until(lambda: not list(MAIL.glob("office/*.part")), 5, "nothing is half done")
    assert messages() == known


def a_greeting_goes_before_a_message():
    known = messages()
    core.pbx("busy")
    answered_then(f"{{ dial: pbx }}, {{ voicemail: {{ box: office, dir: {MAIL}, beep: no }} }}",
                  seconds=4)
    message = new_message(known)
    assert message["length_ms"] >= 1000, message


def a_mailbox_that_takes_nothing_leaves_the_call_to_the_core():
    (core.folder / "file").write_text("in the way")
    reload("[{ do: reject }]",
           f"[{{ do: {{ voicemail: {{ box: office, dir: {core.folder}/file }} }} }}]",
           "[{ do: loop }]")
    core.phone(ECHO, "answer")
    expect(core.call(OUT, ECHO), outcome="answered", answered_by="phone", verdict="two-way")
    assert "cannot be made: Not a directory" in tas.log_path.read_text()


def a_killed_process_loses_no_message():
    known = messages()
    mailbox("greeting: greeting.wav, beep: no")
    core.call(OUT, ECHO, talk_ms=2500, hangup="keep")
    part = wait_until(lambda: [p for p in MAIL.glob("office/*.wav.part")
                               if p.stat().st_size > 44 + 16000], 5, "a second of the message")[0]
    tas.kill()
    assert abs(frequency(part)[0] - core.last["caller"]["tone_hz"]) < 15  # can be heard as it is
    tas.start()
    message = new_message(known)
    assert message["ended"] == "interrupted" and message["length_ms"] >= 1000, message
    assert abs(frequency(message["wav"])[0] - core.last["caller"]["tone_hz"]) < 15
    core.must("hangup", id=core.last["id"])
    tas.wait_registered()


def nothing_is_left_behind():
    wait_until(lambda: core.must("status")["calls"] == 0, 10, "calls are over")
    assert core.must("status")["ua_calls"] == 0, core.must("status")


TESTS = [value for name, value in list(globals().items())
         if callable(value) and getattr(value, "__module__", "") == "__main__"
         and name not in ("write_tone", "reload", "call_ends", "announced_then", "answered_then",
                          "told_once", "mailbox", "new_message",
                          "messages", "frequency", "cdr")]

finish(run_tests(TESTS, core), core, tas)
