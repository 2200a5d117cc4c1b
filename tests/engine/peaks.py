"""What a part of the life of a process takes at most, which Linux alone tells."""

from __future__ import annotations

import ctypes
import gc
from pathlib import Path


def told():
    """Tell whether this system tells the peak of a part of a life."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def peak_of(call):
    """Return the bytes that the process takes at most during a call, beyond what it has."""
    gc.collect()
    # What was freed counts as taken for as long as the allocator has it.
    ctypes.CDLL(None).malloc_trim(0)
    before = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    call()
    return _status("VmHWM") - before


def _status(name):
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return 1024 * int(line.split()[1])
    raise AssertionError(f"this system does not tell {name}")
