"""Records of files that differ from a known file in values and texts of attributes alone.

The files of one model are alike, and the libraries take a millisecond to open each of them.  A
file that they have read becomes an example.  If all bytes of another file are equal to those of
the example, apart from uncompressed values of variables and texts of attributes, its record is
that of the example with other values and texts.

Only texts of variable length may differ.  Each is an object of a global heap, where its size
precedes it, and no checksum covers it.  The libraries read all other files.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import os
from collections import OrderedDict
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from biggus.backends.netcdf.glance import glance_at
from biggus.backends.netcdf.h5py_files import without_locks
from biggus.backends.netcdf.hdf5_datasets import FAILURES
from biggus.backends.settling import look_again, settled_signature
from biggus.backends.signature import FileSignature
from biggus.support.file_locks import lock
from biggus.support.once import once

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Mapping

    from biggus.backends.base import RecordedGroup
    from biggus.backends.netcdf.packed import PackedFacts
    from biggus.sources.base import Values

_MOST_BYTES = 2**20
"""The most bytes of a file to compare."""

_MOST_KINDS = 16
_MOST_EXAMPLES = 3
"""The most examples of one kind: files of one size, for one request.  The first ones are kept,
so that files of one size that are not alike cost few comparisons each."""

_MOST_MISSES = 16
"""After this many unlike files in succession, an example is not compared again."""

_BETWEEN = b"\xff"
"""The separator of the parts of a file that are compared; it is in no text."""


class _Stored(NamedTuple):
    """The places of the values of a variable in a file; one follows the other in C order."""

    places: list[slice]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def read(self, descriptor: int) -> Values:
        """Read all values.

        Raises
        ------
        ValueError
            If the places hold too few bytes.
        """
        nbytes = math.prod(self.shape) * self.dtype.itemsize
        data = b"".join([_part(descriptor, place) for place in self.places])
        return np.frombuffer(data[:nbytes], self.dtype).reshape(self.shape)


class _Text(NamedTuple):
    """A text of attributes, and its places among the bytes that are compared.

    `owners` are the name of the variable, None for the group, and that of the attribute.
    """

    places: list[slice]
    owners: list[tuple[str | None, str]]


class _Pattern(NamedTuple):
    """The bytes that are compared, and the same with zeros in the place of texts."""

    gaps: list[slice]
    compared: bytes
    blank: bytes
    texts: list[_Text]
    stored: dict[str, _Stored]
    """The places of the values that a record has, by the name of the variable."""


class Example:
    """A file that the libraries have read.

    Parameters
    ----------
    path, signature
        The file and its signature then.
    group : RecordedGroup
        The record of a group of the file.
    known : mapping of str to (str, PackedFacts)
        By the name of each variable, its name in the file and its properties.

    Attributes
    ----------
    misses : int
        How many files in succession were not like it.
    """

    def __init__(
        self,
        path: str,
        signature: FileSignature,
        group: RecordedGroup,
        known: Mapping[str, tuple[str, PackedFacts]],
    ) -> None:
        self.path = path
        self.signature = signature
        self.group = group
        self.known = known
        self.misses = 0

    @once
    def pattern(self) -> _Pattern | None:
        """The bytes to compare; None if the file cannot be an example.

        The caller holds the lock.
        """
        with contextlib.suppress(*FAILURES):
            return self._found()
        return None

    def _found(self) -> _Pattern | None:
        with glance_at(self.path) as glance:
            if not glance.is_self_contained():
                return None
            places = {name: glance.places(*each) for name, each in self.known.items()}
        gaps = _gaps(itertools.chain(*places.values()), self.signature.size)
        if sum(gap.stop - gap.start for gap in gaps) > _MOST_BYTES:
            return None
        stored = {}
        with _opened(self.path) as descriptor:
            compared = _BETWEEN.join([_part(descriptor, gap) for gap in gaps])
            for name, values in self.group.values.items():
                if places[name]:
                    if values.ndim > 1 and self.known[name][1].chunks is not None:
                        return None
                    stored[name] = _Stored(places[name], values.shape, values.dtype)
                    if stored[name].read(descriptor).tobytes() != values.tobytes():
                        return None
        look_again([(self.path, self.signature)])
        texts = list(_texts(self.group, compared))
        return _Pattern(gaps, compared, _blank(compared, texts), texts, stored)

    def record_of(self, descriptor: int) -> RecordedGroup | None:
        """Return the record of an open file of the same size; None if it is not alike."""
        pattern = self.pattern
        if pattern is None:
            return None
        compared = _BETWEEN.join([_part(descriptor, gap) for gap in pattern.gaps])
        changed: dict[tuple[str | None, str], str] = {}
        if compared != pattern.compared:
            if _blank(compared, pattern.texts) != pattern.blank:
                return None
            for text in pattern.texts:
                new, *others = {compared[place] for place in text.places}
                if others or not new.isascii() or not new.decode().isprintable():
                    return None
                changed.update(dict.fromkeys(text.owners, new.decode()))
        group = self.group
        return group._replace(
            attributes=_with_texts(None, group.attributes, changed),
            variables={
                name: record._replace(attributes=_with_texts(name, record.attributes, changed))
                for name, record in group.variables.items()
            },
            values=group.values
            | {name: stored.read(descriptor) for name, stored in pattern.stored.items()},
        )


known_examples: OrderedDict[Hashable, list[Example]] = OrderedDict()
"""The examples of each kind; the kind used last is last.  Used with the lock held."""


def record_alike(path: str, request: Hashable) -> RecordedGroup | None:
    """Return the record of a file that is like one known already; None if there is none.

    The caller holds the lock.

    Parameters
    ----------
    path : str
        The file.
    request : hashable
        What is wanted of the file.  It is equal for the examples of the file.
    """
    try:
        signature = settled_signature(path)
        kind = request, signature.size
        if kind not in known_examples or without_locks():
            return None
        known_examples.move_to_end(kind)
        with _opened(path) as descriptor:
            if FileSignature.of(os.fstat(descriptor)) != signature:
                return None
            examples = known_examples[kind]
            for example in [each for each in examples if each.misses < _MOST_MISSES]:
                record = example.record_of(descriptor)
                example.misses = 0 if record is not None else example.misses + 1
                if record is not None:
                    examples.sort(key=lambda each: each is not example)  # the next may be like it
                    look_again([(path, signature)])
                    return record
    except FAILURES:
        pass  # the libraries raise an error, if it is one
    return None


def become_example(example: Example, request: Hashable) -> None:
    """Keep the record of a file that the libraries have read.  The caller holds the lock."""
    examples = known_examples.setdefault((request, example.signature.size), [])
    if len(examples) < _MOST_EXAMPLES:
        examples.append(example)
    if len(known_examples) > _MOST_KINDS:
        known_examples.popitem(last=False)


def _gaps(places: Iterable[slice], size: int) -> list[slice]:
    """Return the parts of a file of `size` bytes that are in none of the places."""
    gaps, at = [], 0
    for place in sorted(places, key=attrgetter("start")):
        gaps.append(slice(at, max(at, place.start)))
        at = max(at, place.stop)
    return [*gaps, slice(at, max(at, size))]


@contextlib.contextmanager
def _opened(path: str) -> Iterator[int]:
    """Open a file for the length of a with block, with the lock that libhdf5 takes.

    Raises
    ------
    OSError
        If it cannot be opened or locked; a program may be writing to it.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        lock(descriptor, exclusively=False)
        yield descriptor
    finally:
        os.close(descriptor)


def _part(descriptor: int, place: slice) -> bytes:
    return os.pread(descriptor, place.stop - place.start, place.start)


def _texts(group: RecordedGroup, compared: bytes) -> Iterator[_Text]:
    """Yield the texts of attributes that are stored as often as there are such attributes."""
    owners: dict[str, list[tuple[str | None, str]]] = {}
    holders: dict[str | None, dict[str, Any]] = {None: group.attributes}
    holders.update({name: record.attributes for name, record in group.variables.items()})
    for variable, attributes in holders.items():
        for name, value in attributes.items():
            # The names of attributes that say how values are stored begin with an underscore.
            if type(value) is str and value and value.isascii() and not name.startswith("_"):
                owners.setdefault(value, []).append((variable, name))
    for text, own in owners.items():
        stored = len(text).to_bytes(8, "little") + text.encode()
        places, at = [], compared.find(stored)
        while at >= 0:
            places.append(slice(at + 8, at + len(stored)))
            at = compared.find(stored, at + 1)
        # Equal text elsewhere may be that of an attribute, and one of these that of a variable.
        if len(places) == len(own) == compared.count(text.encode()):
            yield _Text(places, own)


def _blank(compared: bytes, texts: Iterable[_Text]) -> bytes:
    blank = bytearray(compared)
    for text in texts:
        for place in text.places:
            blank[place] = bytes(place.stop - place.start)
    return bytes(blank)


def _with_texts(
    variable: str | None, attributes: dict[str, Any], changed: Mapping[tuple[str | None, str], str]
) -> dict[str, Any]:
    return {name: changed.get((variable, name), value) for name, value in attributes.items()}
