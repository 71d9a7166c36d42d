# SPDX-License-Identifier: Apache-2.0
"""Every path and function() that README, CHANGELOG and docs/ name still exists."""

import re
import sys

from layers import ROOT, Tally, tracked

PAGES = ["README.md", "CHANGELOG.md", *tracked("docs/*.md", "docs/**/*.md")]
PATH = re.compile(r"`((?:base|config|proto|registrar|media|tas|tests|docs|tools|packaging)/[\w./*-]+)`")
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")
FUNCTION = re.compile(r"`(\w+)\(\)`")


def sources():
    return "\n".join((ROOT / p).read_text(errors="replace") for p in tracked("*.c", "*.h", "*.py"))


def lines():
    for page in PAGES:
        for number, line in enumerate((ROOT / page).read_text().splitlines(), 1):
            yield page, number, line


def dead_paths():
    for page, number, line in lines():
        for path in PATH.findall(line):
            if not list(ROOT.glob(path.rstrip("/"))):
                yield f"{page}:{number}: `{path}` does not exist"
        for link in LINK.findall(line):
            if not ((ROOT / page).parent / link).exists():
                yield f"{page}:{number}: link to {link} is dead"


def dead_functions():
    known = set(re.findall(r"\b(\w+)\s*\(", sources()))
    for page, number, line in lines():
        for name in FUNCTION.findall(line):
            if name not in known:
                yield f"{page}:{number}: `{name}()` is not in the sources"


tally = Tally()
tally.check("paths and links named in the documents exist", dead_paths())
tally.check("functions named in the documents exist", dead_functions())
sys.exit(tally.close())
