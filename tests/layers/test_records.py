# SPDX-License-Identifier: Apache-2.0
"""docs/records.md explains every member a call record can have, and no other."""

import re
import sys

from layers import ROOT, Tally

WRITERS = ["tas/call/record.c", "tas/call/record_line.c", "tas/service/decision.c"]
MEMBER = re.compile(r'\\"(\w+)\\":|add_(?:text|time|moment|side|number|number_ms|name|gap)\([^";]*, "(\w+)"')


def written():
    names = set()
    for path in WRITERS:
        for groups in MEMBER.findall((ROOT / path).read_text()):
            names.add(groups[0] or groups[1])
    return names


def documented():
    page = (ROOT / "docs/records.md").read_text()
    cells = re.findall(r"^\| (`[^|]*`) \|", page, re.M)
    return {name.rpartition(".")[2] for cell in cells for name in re.findall(r"`([\w.]+)`", cell)} \
        | set(re.findall(r"`(lost_percent)`", page))


tally = Tally()
tally.check("every member of a record is documented",
            (f"docs/records.md: `{name}` is missing" for name in sorted(written() - documented())))
tally.check("every documented member can be written",
            (f"docs/records.md: `{name}` is written nowhere" for name in
             sorted(documented() - written())))
sys.exit(tally.close())
