"""Receipts: one digest of all the data that a result was made from.

It is the root of a tree of SHA-256 digests, in lower-case hexadecimal:

- of a chunk: the digest of its canonical form (see `canonical`);
- of a source: the digest of the line ``biggus source 1``; a line of JSON with the attributes that
  decide how values are decoded, ``{"conventions":...,"packing":{...}}``; and a line for each
  chunk that was needed, ordered by its start, ``[[start,stop],...] DIGEST``, with its start and
  stop along each axis;
- the receipt: ``biggus1-`` and the digest of the line ``biggus receipt 1`` and a line with the
  digest of each source, in ascending order without duplicates.

JSON is written as in the canonical form of a chunk, and lines end in one line feed.  A source is
one variable at one location; neither the location nor the variable's name is a part of this.
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
"""The start and stop of a chunk along each axis."""


def place_of(chunk: Box) -> Place:
    """Return the place of a chunk, given its box."""
    return tuple([(s.start, s.stop) for s in chunk])


def box_at(place: Place) -> Box:
    """Return the box of a chunk, given its place."""
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
    """Return the digest of a source from the digests of the chunks that were needed."""
    packing = {
        name: _attribute_json(value)
        for name, value in attributes.items()
        if conventions is not None and name in _DECODING
    }
    lines = ["biggus source 1", plain_json({"conventions": conventions, "packing": packing})]
    lines += [f"{plain_json(place)} {digest}" for place, digest in sorted(chunks.items())]
    return _of_lines(lines)


def receipt_of(sources: Iterable[str]) -> str:
    """Return the receipt for the digests of sources.

    Examples
    --------
    >>> receipt_of([])
    'biggus1-5462028dc61ed45d49bfef797edf04bc09c7562ab4d406f8f7d5f8e8bab0976c'
    """
    return PREFIX + _of_lines(["biggus receipt 1", *sorted(set(sources))])


def _of_lines(lines: Iterable[str]) -> str:
    return hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()


def _attribute_json(value: Any) -> Any:
    """Return an attribute as a JSON value that does not depend on the file format."""
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
