"""A check of Blosc frames that their decoder does not make.

A Blosc frame holds its length, and the decoder trusts that more than the bytes it is given: a
truncated frame decodes to whatever follows it in memory.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from biggus.backends.zarr.store import WHOLE

if TYPE_CHECKING:
    from biggus.backends.zarr.store import Span

_HEADER = 16


def check_blosc(data: bytes, span: Span = WHOLE) -> None:  # noqa: ARG001 - a Check
    """Raise an OSError for a Blosc frame that is not as long as it says."""
    if len(data) < _HEADER:
        raise OSError(f"a Blosc frame has at least {_HEADER} bytes, not {len(data)}")
    (length,) = struct.unpack_from("<I", data, 12)
    if length != len(data):
        raise OSError(f"a Blosc frame of {length} bytes has {len(data)}: damaged or cut short")
