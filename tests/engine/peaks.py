"""The peak memory of a part of a process's life, which only Linux reports."""

from __future__ import annotations

import ctypes
import gc
from pathlib import Path


def peaks_are_available():
    """Return whether this system reports the peak memory of a part of a process's life."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def peak_of(call):
    """Return by how many bytes the resident memory grows at most during a call."""
    gc.collect()
    # Memory that was freed counts as resident until the allocator returns it.
    ctypes.CDLL(None).malloc_trim(0)
    before = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    call()
    return _status("VmHWM") - before


def _status(name):
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return 1024 * int(line.split()[1])
    raise AssertionError(f"this system does not report {name}")
