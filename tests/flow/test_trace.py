# SPDX-License-Identifier: Apache-2.0
"""What was said in a call: the ladder, the messages, the page, the capture, and the
copies for a HEP collector. No key and no proof of a password is ever in it. And what the
log says of it, as an operator wants."""

import json
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import threading
import time
from concurrent import futures

from core import BIN, Core, Daemon, expect, finish, run_tests, wait_until

core = Core("--no-answer", "300ms")
tas = Daemon(core)
collector = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
collector.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
collector.bind(("127.0.0.1", 0))
collector.settimeout(5)
KEPT = core.folder / "kept"
TRACE = ("trace: { memory: 128KiB, hep: { to: \"127.0.0.1:"
         f"{collector.getsockname()[1]}\", id: 77 }}, dir: \"{KEPT}\" }}")
tas.config.write_text(re.sub(r"^trace: .*$", TRACE, tas.config.read_text(), flags=re.M))
assert TRACE in tas.config.read_text()
tas.start()
tas.wait_registered()
LOOP, FALLBACK = tas.numbers[0], tas.numbers[4]


def _ctl(*words, status=0):
    done = subprocess.run([BIN / "breakoutctl", "-s", core.folder / "breakout.sock", *words],
                          capture_output=True)
    assert done.returncode == status, (words, done.returncode, done.stderr)
    return done.stdout if not status else done.stderr


def _last_id():
    return json.loads((core.folder / "cdr.jsonl").read_text().splitlines()[-1])["id"]


def _record_of(call):
    lines = (core.folder / "cdr.jsonl").read_text().splitlines()
    return next(r for r in map(json.loads, lines) if r["id"] == call)


def _place(number=LOOP, **more):
    before = (core.folder / "cdr.jsonl").read_text() if (core.folder / "cdr.jsonl").exists() else ""
    core.phone(number, "answer")
    expect(core.call("+4790000098", number, **more), outcome="answered", verdict="two-way")
    wait_until(lambda: (core.folder / "cdr.jsonl").read_text() != before, 5, "record")
    return _last_id()


def the_ladder_shows_both_dialogs_in_order():
    call = _place()
    lines = _ctl("trace", call).decode().splitlines()
    record = _record_of(call)
    assert lines[0].startswith("left") and lines[0].endswith(record["call_id_a"]), lines[0]
    assert lines[1].startswith("right") and lines[1].endswith(record["call_id_b"]), lines[1]
    said = [re.sub(r"^ *\d+\.\d+ +", "", line) for line in lines if "|" in line or " * " in line]
    wanted = [r"\|-* INVITE \(SDP\) ->\| +\|", r"\|<-* 100 Trying to INVITE --\| +\|",
              r"\* start direction=mt type=loop", r"\| +\|- INVITE \(SDP\) -*>\|",
              r"\| +\|< 180 Ringing to INVITE -*\|", r"\|<-* 180 Ringing to INVITE --\| +\|",
              r"\| +\|< 200 OK to INVITE \(SDP\) -*\|", r"\| +\|- ACK -*>\|",
              r"\|<-* 200 OK to INVITE \(SDP\) --\| +\|", r"\|-* ACK ->\| +\|",
              r"\* media flows side=", r"\|-* BYE ->\| +\|", r"\| +\|- BYE -*>\|",
              r"\* end cause=normal by=a"]
    at = 0
    for line in said:
        if at < len(wanted) and re.match(wanted[at], line):
            at += 1
        elif at < len(wanted) and wanted[at].startswith(r"\* end"):
            at += any(re.match(wanted[at], other) for other in said)
    assert at == len(wanted), (wanted[at], said)


def every_dialog_of_a_call_is_in_it():
    core.phone(FALLBACK, "no-answer")
    core.pbx("answer")
    expect(core.call("+4790000098", FALLBACK), outcome="answered", verdict="two-way")
    wait_until(lambda: _record_of(_last_id())["number"] == FALLBACK, 5, "record")
    record = _record_of(_last_id())
    for word in (record["id"], record["call_id_a"], record["call_id_b"]):
        text = _ctl("-o", "text", "trace", word).decode()
        assert text == _ctl("-o", "text", "trace", record["id"]).decode(), word
    assert record["call_id_a"] in text and record["call_id_b"] in text
    assert "/udp" in text and "/tls" in text, "both transports are named"


def no_password_of_ice_is_in_it():
    text = _ctl("-o", "text", "trace", _place()).decode()
    assert len(re.findall(r"a=ice-pwd:\*+$", text, re.M)) == 4, text
    assert not re.search(r"a=ice-pwd:[^*\n]", text), "a password"


def the_page_shows_texts_of_peers_as_texts():
    core.phone(LOOP, "answer")
    core.call("+4790000098", LOOP, headers={"X-Note": "<script>alert(1)</script>"})
    wait_until(lambda: _record_of(_last_id())["number"] == LOOP, 5, "record")
    html = _ctl("-o", "html", "trace", _last_id()).decode()
    assert "<script" not in html and "default-src 'none'" in html
    assert html.count("<details>") > 10 and "200 OK to INVITE (SDP)" in html


def _blocks(capture):
    at = 0
    while at < len(capture):
        kind, length = struct.unpack_from("<II", capture, at)
        assert length % 4 == 0 and struct.unpack_from("<I", capture, at + length - 4)[0] == length
        yield kind, capture[at + 8:at + length - 4]
        at += length


def the_capture_has_each_message_in_a_datagram():
    call = _place()
    messages = [e for e in json.loads(_ctl("-o", "json", "trace", call))["entries"]
                if e["kind"] == "message"]
    blocks = list(_blocks(_ctl("-o", "pcapng", "trace", call)))
    assert [kind for kind, _ in blocks[:2]] == [0x0A0D0D0A, 1] and len(blocks) == len(messages) + 2
    for (kind, body), message in zip(blocks[2:], messages):
        _, high, low, length, _ = struct.unpack_from("<IIIII", body)
        packet = body[20:20 + length]
        assert kind == 6 and (high << 32 | low) == message["at"] * 1000
        assert packet[0] == 0x45 and packet[9] == 17 and packet[28:].decode() == message["text"]
        ports = struct.unpack_from(">HH", packet, 20)
        wanted = (message["local_port"], message["remote_port"])
        assert ports == (wanted if message["sent"] else wanted[::-1]), ports


def the_collector_gets_a_copy_of_each_message():
    collector.setblocking(False)
    try:
        while collector.recv(65536):
            pass
    except BlockingIOError:
        pass
    collector.settimeout(5)
    call = _place()
    messages = [e["text"] for e in json.loads(_ctl("-o", "json", "trace", call))["entries"]
                if e["kind"] == "message"]
    copies = []
    while len(copies) < len(messages):
        datagram = collector.recv(65536)
        assert datagram[:4] == b"HEP3" and struct.unpack_from(">H", datagram, 4)[0] == len(datagram)
        chunks, at = {}, 6
        while at < len(datagram):
            vendor, kind, length = struct.unpack_from(">HHH", datagram, at)
            assert vendor == 0
            chunks[kind] = datagram[at + 6:at + length]
            at += length
        assert struct.unpack(">I", chunks[12])[0] == 77
        text = chunks[15].decode()
        if text in messages:
            copies.append(text)
            assert f"Call-ID: {chunks[17].decode()}\r\n" in text
    assert sorted(copies) == sorted(messages)


def the_ladder_tells_of_sdp_ice_dtls_and_the_core():
    ladder = _ctl("trace", _place()).decode()
    for line in (r"\* SDP: media at 127\.0\.0\.1:\d+ -> 127\.0\.0\.1:\d+\n",
                 r"\* core registration=active expires_s=\d+ failures=0\n",
                 r"\* media step side=[AB]: ICE begins: the peer has 1 candidate\n",
                 r"\* media step side=[AB]: ICE connected with 127\.0\.0\.1:\d+, \d+ ms after",
                 r"\* media step side=A: DTLS can begin, we are the client\n",
                 r"\* media step side=A: DTLS done, we are the client: AEAD_AES_\d+_GCM, \d+ ms"):
        assert re.search(line, ladder), (line, ladder)


def a_moment_of_a_call_is_told():
    call = _place()
    record = _record_of(call)
    assert _ctl("calls", "show", call, "--ladder") == _ctl("trace", call)
    assert b"why it went there" in _ctl("calls", "show", call)
    told = _ctl("trace", call, "--at", "+0.3").decode()
    assert re.search(r"^state       TALKING since 2", told, re.M), told
    assert re.search(r"^left        127\.0\.0\.1:\d+/tls: INVITE answered and acknowledged", told, re.M)
    assert re.search(r"^media B     ICE begins", told, re.M) and "next        BYE" in told, told
    early = json.loads(_ctl("-o", "json", "trace", call, "--at", "+0.05"))
    assert early["state"] == "DIALLING" and "TALKING" not in json.dumps(early), early
    at_end = json.loads(_ctl("-o", "json", "calls", call, "--at", "+9.5"))
    day = json.loads(_ctl("-o", "json", "trace", call, "--at",
                          time.strftime("%H:%M:%S", time.localtime(at_end["at"] / 1000 + 2))))
    assert at_end["state"] == day["state"] == "ENDED", (at_end, day)
    assert b"is no moment" in _ctl("trace", call, "--at", "noon", status=1)
    assert b"nothing is known of the call before" in _ctl("calls", call, "--at", "2020-01-01T00:00:00",
                                                          status=1)
    from_record = _ctl("calls", "show", call, "--at", record["answer"], "--cdr",
                       core.folder / "cdr.jsonl").decode()
    assert "state       TALKING since" in from_record and "INVITE" not in from_record, from_record
    _ctl("trace", "--at", "+1", status=2)
    _ctl("status", "--at", "+1", status=2)
    _ctl("regs", "--ladder", status=2)


def _fill_ring(number):
    """16 calls of some 12 kB, eight at a time: what was there is forgotten."""
    with futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: core.call("+4790000098", number, talk_ms=0), range(16)))


def _listed():
    return json.loads(_ctl("-o", "json", "trace", "list"))


def a_traced_number_is_kept_beyond_the_ring_and_over_restarts():
    assert not _listed()["numbers"] and not KEPT.exists()
    _ctl("trace", "on", LOOP, "--for", "10m", "--calls", "2")
    _ctl("trace", "on", FALLBACK, "--for", "1h")
    call = _place(talk_ms=2300)
    _fill_ring(tas.numbers[1])
    assert json.loads(_ctl("-o", "json", "trace", call))["in_full"]
    ladder = _ctl("trace", call).decode()
    assert len(re.findall(r"\* rtp A in \d\d/s out \d\d/s lost \d+.* jitter \d+ ms, B in \d\d/s",
                          ladder)) >= 2 or "(and so until" in ladder, ladder
    assert "INVITE (SDP)" in ladder and "200 OK to BYE" in ladder and "api=up token=ok" in ladder
    assert all(_ctl("trace", _record_of(call)[leg]) == _ctl("trace", call)
               for leg in ("call_id_a", "call_id_b"))
    assert b"<details>" in _ctl("-o", "html", "trace", call)
    for file in [KEPT, *KEPT.iterdir()]:
        assert file.stat().st_mode & 0o77 == 0, file
    text = b"".join(file.read_bytes() for file in KEPT.iterdir())
    assert b"a=ice-pwd:****" in text and not re.search(rb"a=ice-pwd:[^*]", text)
    tas.kill()
    tas.start()
    tas.wait_registered()
    assert {n["number"]: (n["seen"], n["calls"]) for n in _listed()["numbers"]} == {
        LOOP: (1, 2), FALLBACK: (0, None)}, _listed()
    assert _ctl("trace", call).decode() == ladder
    _place()
    _place()
    assert [n["number"] for n in _listed()["numbers"]] == [FALLBACK], "--calls 2"
    assert [k["number"] for k in _listed()["kept"]] == [LOOP, LOOP]
    table = _ctl("trace", "list").decode()
    assert call in table and re.search(rf"^\{FALLBACK} +\S+ +59m\d\ds +0 +", table, re.M), table
    assert b"not traced any more" in _ctl("trace", "off", FALLBACK)
    assert b"is not traced" in _ctl("trace", "off", FALLBACK, status=1)
    for words in (("on",), ("on", LOOP, "--for", "x"), ("on", LOOP, "--calls", "x"), ("off",),
                  ("list", LOOP), ("on", LOOP, "--why", "x"), (call, "--calls", "1")):
        _ctl("trace", *words, status=2)
    assert b"E.164" in _ctl("trace", "on", "112", status=1)
    log = [line for line in tas.log_path.read_text().splitlines() if " trace " in line]
    assert any("ordered by=" in line for line in log) and any("has ended: calls=2" in line for line in log)
    assert LOOP not in "".join(log) and FALLBACK not in "".join(log), log


def what_is_unknown_or_forgotten_is_said_to_be():
    assert b"nothing is known of this call" in _ctl("trace", "0000000000000000", status=1)
    first = _place()
    _fill_ring(LOOP)
    assert b"too long ago" in _ctl("trace", first, status=1)
    assert _ctl("trace", _last_id())
    _ctl("-o", "pcapng", "calls", status=2)
    _ctl("trace", status=2)


def the_log_changes_live():
    def levels():
        return json.loads(_ctl("-o", "json", "log"))

    def new_lines(seen=[0]):
        text = tas.log_path.read_text()
        lines, seen[0] = text[seen[0]:].splitlines(), len(text)
        return lines

    _ctl("log", "level", "call=debug", "for", "1s")
    _ctl("log", "level", "media=error")
    assert [entry["area"] for entry in levels()] == ["*", "call", "media"], levels()
    assert b"media      error\n" in _ctl("log")
    assert b"no level" in _ctl("log", "level", "loud", status=1)
    _ctl("log", "level", status=2)
    new_lines()
    _place()
    assert any(" debug  call " in line for line in new_lines())
    wait_until(lambda: len(levels()) == 2, 3, "the end of a while")
    _ctl("log", "level", "media=default")
    tas.config.write_text(tas.config.read_text() + "log: { format: json, rate: 1 }\n")
    _ctl("reload")
    new_lines()
    _place()
    lines = []

    def told():
        lines.extend(map(json.loads, new_lines()))
        return [line for line in lines if "suppressed" in line["fields"]]
    summary = wait_until(told, 3, "a summary")
    assert any(line["area"] == "media" for line in summary), summary
    start = next(line for line in lines if " start " in line["message"])
    assert start["level"] == "info" and start["fields"]["direction"] == "mt", start
    assert LOOP[1:] not in json.dumps(lines)


def a_traced_call_goes_on_in_the_old_process_of_a_restart():
    _ctl("trace", "on", LOOP)
    core.phone(LOOP, "answer")
    talk = threading.Thread(target=core.call, args=("+4790000098", LOOP), kwargs={"talk_ms": 3500})
    talk.start()
    wait_until(lambda: json.loads(_ctl("-o", "json", "calls")), 5, "a call")
    call = json.loads(_ctl("-o", "json", "calls"))[0]["id"]
    _ctl("restart")
    assert [n["number"] for n in _listed()["numbers"]] == [LOOP]
    assert "INVITE (SDP)" in _ctl("trace", call).decode(), "the new process reads it too"
    talk.join()
    wait_until(lambda: b"200 OK to BYE" in _ctl("trace", call), 5, "its end")
    later = _place()
    assert json.loads(_ctl("-o", "json", "trace", later))["in_full"]
    _ctl("trace", "off", "all")
    tas.process.wait(20)
    tas.process = None  # its successor is ended by its pid
    global _successor
    _successor = json.loads(_ctl("-o", "json", "status"))["pid"]


def without_a_ring_only_traced_calls_are_known():
    os.kill(_successor, signal.SIGTERM)
    wait_until(lambda: not pathlib.Path(f"/proc/{_successor}").exists(), 15, "the end")
    tas.config.write_text(re.sub(r"memory: 128KiB, hep: \{[^}]*\}, ", "memory: 0, ",
                                 tas.config.read_text()))
    tas.start()
    tas.wait_registered()
    assert b"trace.memory is 0" in _ctl("trace", _place(), status=1)
    _ctl("trace", "on", LOOP, "--for", "1m")
    call = _place()
    wait_until(lambda: _listed()["kept"][-1]["call"] == call, 5, "the file")
    assert "200 OK to INVITE (SDP)" in _ctl("trace", call).decode()
    assert b"trace.memory is 0" in _ctl("trace", "0000000000000000", status=1)


TESTS = [value for name, value in list(globals().items())
         if callable(value) and getattr(value, "__module__", "") == "__main__" and name[0] != "_"]

finish(run_tests(TESTS, core), core, tas)
