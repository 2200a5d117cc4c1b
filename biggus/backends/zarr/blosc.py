"""Blosc frames: what their decoder does not check of them.

A Blosc frame says how long it is, but the decoder believes the frame and not
the bytes that it is given: one that was cut short decodes to whatever lies
behind it in memory.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from biggus.backends.zarr.store import WHOLE

if TYPE_CHECKING:
    from biggus.backends.zarr.store import Span

_HEADER = 16


def check_blosc(data: bytes, span: Span = WHOLE) -> None:  # noqa: ARG001 - of all spans
    """Refuse a Blosc frame that is not as long as it says."""
    if len(data) < _HEADER:
        raise OSError(f"a Blosc frame has at least {_HEADER} bytes, not {len(data)}")
    (length,) = struct.unpack_from("<I", data, 12)
    if length != len(data):
        raise OSError(f"a Blosc frame of {length} bytes is here of {len(data)}: damaged or cut")
