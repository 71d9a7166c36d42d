# SPDX-License-Identifier: Apache-2.0
"""What was said in a call: the ladder, the messages, the page, the capture, and the
copies for a HEP collector. No key and no proof of a password is ever in it. And what the
log says of it, as an operator wants."""

import json
import re
import socket
import struct
import subprocess

from core import BIN, Core, Daemon, expect, finish, run_tests, wait_until

core = Core("--no-answer", "300ms")
tas = Daemon(core)
collector = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
collector.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
collector.bind(("127.0.0.1", 0))
collector.settimeout(5)
tas.config.write_text(tas.config.read_text() + "trace: { memory: 128KiB, hep: { to: \"127.0.0.1:"
                      f"{collector.getsockname()[1]}\", id: 77 }} }}\n")
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


def _place():
    before = (core.folder / "cdr.jsonl").read_text() if (core.folder / "cdr.jsonl").exists() else ""
    core.phone(LOOP, "answer")
    expect(core.call("+4790000098", LOOP), outcome="answered", verdict="two-way")
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
        assert "INVITE sip" in text, word
    text = _ctl("-o", "text", "trace", record["id"]).decode()
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


def what_is_unknown_or_forgotten_is_said_to_be():
    assert b"nothing is known of this call" in _ctl("trace", "0000000000000000", status=1)
    first = _place()
    for _ in range(16):  # some 12 kB each
        core.call("+4790000098", LOOP, talk_ms=0)
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
    assert all(line["area"] == "media" for line in wait_until(told, 3, "a summary"))
    start = next(line for line in lines if " start " in line["message"])
    assert start["level"] == "info" and start["fields"]["direction"] == "mt", start
    assert LOOP[1:] not in json.dumps(lines)


TESTS = [value for name, value in list(globals().items())
         if callable(value) and getattr(value, "__module__", "") == "__main__" and name[0] != "_"]

finish(run_tests(TESTS, core), core, tas)
