# SPDX-License-Identifier: Apache-2.0
"""Dependencies point downwards only, and each foreign library stays in its files."""

import re
import sys

from layers import FOREIGN, ROOMS, ROOT, Tally, room_of, tracked

INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')


def includes():
    for path in tracked("*.c", "*.h"):
        for number, line in enumerate((ROOT / path).read_text().splitlines(), 1):
            match = INCLUDE.match(line)
            if match:
                yield path, number, match.group(2)


def allowed(room, header):
    target = room_of(header)
    if target == room:
        return True
    return any(header == door or (not door.endswith(".h") and header.startswith(door + "/"))
               for door in ROOMS[room])


def upward():
    for path, number, header in includes():
        room = room_of(path)
        if room is None:
            continue
        target = room_of(header)
        inside = target is not None or header.startswith(("tests/", "tools/"))
        if inside and not allowed(room, header):
            yield (f"{path}:{number}: {room} may not include {header} "
                   f"(may use: {', '.join(ROOMS[room]) or 'nothing'})")


def strayed():
    for path, number, header in includes():
        for library, (beginnings, homes) in FOREIGN.items():
            if not any(header.startswith(b) for b in beginnings):
                continue
            if path.startswith("tests/") or any(path.startswith(home) for home in homes):
                continue
            yield f"{path}:{number}: {library} ({header}) lives in {', '.join(homes)} only"


def self_test():
    """The guard itself must see what it is for."""
    if allowed("media", "tas/call/call.h"):
        yield "the rule table lets media include tas/call"
    if not allowed("tas/call", "media/media.h") or allowed("tas/call", "media/session.h"):
        yield "the rule table does not tell a door from an inner header"


tally = Tally()
tally.check("the guard tells a door from an inner header", self_test())
tally.check("rooms include only the doors below them", upward())
tally.check("foreign libraries stay in their files", strayed())
sys.exit(tally.close())
