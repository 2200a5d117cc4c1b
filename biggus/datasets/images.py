"""Images of small files: those that differ in values and texts alone are not opened.

All that a library finds out about a file it takes from bytes of it that are no values.  Where
these are the same as those of a file that was opened, what it finds is the same.  A text among
the attributes may be another one of the same length, where it is known which bytes are that
text: where they occur once, for an attribute is stored as it is.
"""

from __future__ import annotations

import json
import math
from collections import OrderedDict
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from biggus.backends import backend_named
from biggus.sources.description import decode_value, encode_value

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping

    import numpy.typing as npt

    from biggus.backends.base import RecordedGroup

LARGEST = 2**16 - 1
"""Bytes: a location knows so many of a file, and so all of one that is no larger."""

_MOST = 16
_LEAST_TEXT = 4

kept: OrderedDict[Hashable, Image] = OrderedDict()
"""Of files that were opened; those that were kept last are last."""


class Spot(NamedTuple):
    """Where a text lies: an attribute of a variable, or of the group if that is ""."""

    variable: str
    attribute: str
    where: slice


class StoredAt(NamedTuple):
    """Where the values of a variable lie."""

    where: slice
    dtype: np.dtype[Any]
    shape: tuple[int, ...]


class Image(NamedTuple):
    """A file that was opened, and what is known of it.

    Attributes
    ----------
    record : dict
        As `biggus.datasets.records` makes it.
    stored : ndarray of uint8
        All bytes of the file.
    fixed : ndarray of bool
        Which of them are the same in all files that are like it.
    spots : list of Spot
    pieces : dict of str to StoredAt
        Of each variable whose values are in the record.
    """

    record: dict[str, Any]
    stored: npt.NDArray[np.uint8]
    fixed: npt.NDArray[np.bool_]
    spots: list[Spot]
    pieces: dict[str, StoredAt]


def note(key: Hashable, stored: bytes, record: dict[str, Any], found: RecordedGroup) -> None:
    """Keep the image of a file, if others can be like it.

    Parameters
    ----------
    key : Hashable
        What files besides must have in common that are like one another.
    stored : bytes
        All of the file.
    record : dict
        What is known of it.
    found : RecordedGroup
        What it was made of.
    """
    fixed = np.ones(len(stored), np.bool_)
    pieces = {}
    for name, text in record["variables"].items():
        _, _, shape, (dtype, *_), _ = json.loads(text)
        if name in found.places:
            piece = _stored_at(found.places[name], np.dtype(dtype), tuple(shape))
            fixed[piece.where] = False
            pieces[name] = piece
    if not record["values"].keys() <= pieces.keys():
        return
    spots = [spot for spot in _spots(stored, found.texts) if fixed[spot.where].all()]
    for spot in spots:
        fixed[spot.where] = False
    small = {name: pieces[name] for name in record["values"]}
    kept[key, len(stored)] = Image(record, np.frombuffer(stored, np.uint8), fixed, spots, small)
    while len(kept) > _MOST:
        kept.popitem(last=False)


def record_like(key: Hashable, stored: bytes) -> dict[str, Any] | None:
    """Return the record of a file that is like one that was opened; None if there was none."""
    image = kept.get((key, len(stored)))
    if image is None:
        return None
    differs = np.frombuffer(stored, np.uint8) != image.stored
    differs &= image.fixed
    if differs.any():
        return None
    texts: dict[str, dict[str, str]] = {}
    for variable, attribute, where in image.spots:
        text = _text(stored[where])
        if text is None:
            return None
        texts.setdefault(variable, {})[attribute] = text
    known = image.record
    told = {
        name: _retold(known["backend"], text, tuple(texts[name].items())) if name in texts else text
        for name, text in known["variables"].items()
    }
    values = {
        name: encode_value(np.frombuffer(stored[where], dtype).reshape(shape))
        for name, (where, dtype, shape) in image.pieces.items()
    }
    attributes = known["attributes"]
    if "" in texts:
        attributes = _with_texts(attributes, texts[""])
    return {**known, "variables": told, "values": values, "attributes": attributes}


def _stored_at(start: int, dtype: np.dtype[Any], shape: tuple[int, ...]) -> StoredAt:
    return StoredAt(slice(start, start + math.prod(shape) * dtype.itemsize), dtype, shape)


def _spots(stored: bytes, texts: Mapping[str, Mapping[str, str]]) -> Iterator[Spot]:
    for variable, attributes in texts.items():
        for attribute, value in attributes.items():
            encoded = value.encode(errors="replace")
            start = stored.find(encoded)
            once = start >= 0 and stored.find(encoded, start + 1) < 0
            if once and len(encoded) >= _LEAST_TEXT and _text(encoded) == value:
                yield Spot(variable, attribute, slice(start, start + len(encoded)))


def _text(stored: bytes) -> str | None:
    """Return a text; None if libraries may differ about it."""
    if b"\0" in stored:
        return None
    try:
        return stored.decode()
    except UnicodeDecodeError:
        return None


@lru_cache(maxsize=2**12)
def _retold(server: str, text: str, texts: tuple[tuple[str, str], ...]) -> str:
    """Return what is said of a variable, with other texts."""
    *told, (dtype, masked, attributes), same = json.loads(text)
    new = dict(texts)
    attributes = {name: new.get(name, value) for name, value in attributes.items()}
    meaning = [dtype, masked, attributes]
    return json.dumps([*told, meaning, backend_named(server).retold(same, new)])


def _with_texts(attributes: str, texts: Mapping[str, str]) -> str:
    return json.dumps(encode_value({**decode_value(json.loads(attributes)), **texts}))
