# SPDX-License-Identifier: Apache-2.0
"""What a process holds, now and over time: for tests that nothing grows."""

import os
import pathlib
import re
import time


def status_kb(pid, name):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(rf"^{name}:\s+(\d+)", text, re.MULTILINE).group(1))


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def threads(pid):
    return len(os.listdir(f"/proc/{pid}/task"))


def metric(text, name):
    """A figure of what `breakoutctl metrics` printed; name: with its labels."""
    return int(re.search(rf"^{re.escape(name)} (\d+)", text, re.MULTILINE).group(1))


def settled(measure, limit, seconds=10):
    """Waits until measure() falls to the limit; the last value."""
    end = time.monotonic() + seconds
    while (value := measure()) > limit and time.monotonic() < end:
        time.sleep(0.25)
    return value


def fitted_growth(times, values):
    """By how much the values grew from the first time to the last, by the straight line
    with the least squares through all of them: a peak at one end says little."""
    middle, mean = sum(times) / len(times), sum(values) / len(values)
    spread = sum((t - middle) ** 2 for t in times)
    slope = sum((t - middle) * (v - mean) for t, v in zip(times, values)) / spread
    return slope * (times[-1] - times[0])
