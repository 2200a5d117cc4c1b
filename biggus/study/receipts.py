"""Receipts: one digest for all that a result was made from.

A tree of SHA-256 digests, written in lower-case hexadecimal:

- of a chunk: of its canonical form (see `canonical`);
- of a source: of the line ``biggus source 1``, a line of JSON that says what decides how its
  values are decoded, ``{"conventions":...,"packing":{...}}``, and for each chunk that was
  needed, ordered by where it starts, the line ``[[start,stop],...] DIGEST`` with the places of
  its edges along each axis;
- the receipt: of the line ``biggus receipt 1`` and a line for the digest of each source, in
  ascending order, each once; written behind ``biggus1-``.

JSON is as in the canonical form of a chunk, and lines end in one line feed.  A source is one
variable at one location; where that is, and what it is called there, is no part of this.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.cf import KEPT_DTYPE, PACKING
from biggus.sources.description import encode_value
from biggus.study.canonical import dtype_json, encoded, plain_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from biggus.indexing.grid import Box
    from biggus.sources.base import Values

PREFIX = "biggus1-"

_DECODING = PACKING | {KEPT_DTYPE, "dtype"}

Place = tuple[tuple[int, int], ...]
"""Where a chunk starts and stops along each axis."""


def place_of(chunk: Box) -> Place:
    """Return where a chunk lies."""
    return tuple([(s.start, s.stop) for s in chunk])


def box_at(place: Place) -> Box:
    """Return the box of the chunk that lies there."""
    return tuple([slice(start, stop, 1) for start, stop in place])


def chunk_digest(values: Values) -> str:
    """Return the digest of a chunk.

    Raises
    ------
    StudyError
        If its values have no canonical form.
    """
    digest = hashlib.sha256()
    for piece in encoded(values):
        digest.update(piece)
    return digest.hexdigest()


def source_digest(
    conventions: str | None, attributes: Mapping[str, Any], chunks: Mapping[Place, str]
) -> str:
    """Return the digest of a source, of which these chunks were needed."""
    packing = {
        name: _told(value)
        for name, value in attributes.items()
        if conventions is not None and name in _DECODING
    }
    lines = ["biggus source 1", plain_json({"conventions": conventions, "packing": packing})]
    lines += [f"{plain_json(place)} {digest}" for place, digest in sorted(chunks.items())]
    return _of_lines(lines)


def receipt_of(sources: Iterable[str]) -> str:
    """Return the receipt of sources from their digests.

    Examples
    --------
    >>> receipt_of([])
    'biggus1-5462028dc61ed45d49bfef797edf04bc09c7562ab4d406f8f7d5f8e8bab0976c'
    """
    return PREFIX + _of_lines(["biggus receipt 1", *sorted(set(sources))])


def _of_lines(lines: Iterable[str]) -> str:
    return hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()


def _told(value: Any) -> Any:
    """Return an attribute in one form, whichever format it comes from."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str):
        return {"text": value}
    array = np.asarray(value)
    if array.dtype.kind in "biufcSUmM":
        pieces = encoded(array)
        return {
            "dtype": dtype_json(array.dtype),
            "shape": list(array.shape),
            "hex": b"".join(pieces[1:]).hex(),
        }
    return {"json": encode_value(value)}
