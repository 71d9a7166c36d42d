# SPDX-License-Identifier: Apache-2.0
"""House rules a reader should be able to rely on without checking."""

import os
import re
import subprocess
import sys

from layers import ROOT, Tally, tracked

SOURCES = tracked("*.c", "*.h")
SCRIPTS = tracked("*.py", "*.sh", "*.cmake", "CMakeLists.txt", "**/CMakeLists.txt", "*.proto")
BINARIES = ["breakoutd", "breakoutctl", "breakout-core"]


def without_licence():
    for path in SOURCES + SCRIPTS:
        head = "\n".join((ROOT / path).read_text(errors="replace").splitlines()[:3])
        if "SPDX-License-Identifier: Apache-2.0" not in head:
            yield f"{path}:1: the first lines carry no SPDX licence line"


def unfinished():
    mark = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
    for path in SOURCES + tracked("*.md"):
        for number, line in enumerate((ROOT / path).read_text(errors="replace").splitlines(), 1):
            if mark.search(line):
                yield f"{path}:{number}: unfinished mark"


def sleeping_tests():
    call = re.compile(r"\b(u?sleep|nanosleep)\s*\(")
    for path in tracked("tests/unit/*.c", "tests/unit/**/*.c"):
        for number, line in enumerate((ROOT / path).read_text().splitlines(), 1):
            if call.search(line):
                yield f"{path}:{number}: a unit test sleeps; inject time instead"


def soft_binaries():
    """PIE, full RELRO, no executable stack, no RPATH."""
    folder = os.environ.get("BREAKOUT_BIN", str(ROOT / "build/bin"))
    for name in BINARIES:
        path = os.path.join(folder, name)
        out = subprocess.run(["readelf", "-hldW", path], capture_output=True, text=True).stdout
        wanted = {"PIE": "DYN (Position-Independent Executable file)" in out,
                  "BIND_NOW": "BIND_NOW" in out or "FLAGS_1" in out and "NOW" in out,
                  "RELRO": "GNU_RELRO" in out,
                  "stack not executable": re.search(r"GNU_STACK.*RWE", out) is None,
                  "no RPATH": "RPATH" not in out and "RUNPATH" not in out}
        for what, ok in wanted.items():
            if not ok:
                yield f"{path}: hardening missing: {what}"


def wrong_load_order():
    """Both libraries export stun_message_length(), and libnice calls its own through
    the PLT: the one that is loaded first wins."""
    folder = os.environ.get("BREAKOUT_BIN", str(ROOT / "build/bin"))
    for name in ["breakoutd", "breakout-core"]:
        path = os.path.join(folder, name)
        out = subprocess.run(["readelf", "-dW", path], capture_output=True, text=True).stdout
        needed = re.findall(r"\(NEEDED\).*\[(lib\w+)", out)
        if not {"libnice", "libsofia"} <= set(needed):
            yield f"{path}: does not load both libnice and libsofia-sip-ua"
        elif needed.index("libnice") > needed.index("libsofia"):
            yield f"{path}: loads libsofia-sip-ua before libnice"


tally = Tally()
tally.check("sources carry the licence line", without_licence())
tally.check("nothing is marked unfinished", unfinished())
tally.check("unit tests do not sleep", sleeping_tests())
tally.check("libnice is loaded before libsofia", wrong_load_order())
if os.environ.get("BREAKOUT_SANITIZE", "") == "":
    tally.check("programs are hardened", soft_binaries())
sys.exit(tally.close())
