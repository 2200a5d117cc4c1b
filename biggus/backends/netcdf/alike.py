"""Files that differ from a file known already in values and texts alone.

The files of one model are alike, and the libraries take a millisecond to open each of them.  A
file that they have read becomes an example.  If all bytes of another file are equal to those of
the example, apart from the contiguous values of variables and the texts of attributes, its record
is that of the example with other values and texts.

Only texts of variable length may differ.  Each is an object of a global heap, where its size
precedes it, and no checksum covers it.  The libraries read all other files.
"""

from __future__ import annotations

import contextlib
import os
from collections import OrderedDict
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from biggus.backends.hdf5.files import h5py
from biggus.backends.netcdf.behind import FAILURES
from biggus.backends.netcdf.h5py_files import opened_briefly, without_locks
from biggus.backends.settling import look_again, settled_signature
from biggus.backends.signature import FileSignature
from biggus.support.forks import between_forks
from biggus.support.once import once

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence

    from biggus.backends.base import RecordedGroup

_MOST_BYTES = 2**20
"""The most bytes of a file to compare."""

_MOST_KINDS = 16
_MOST_EXAMPLES = 3
"""The most examples of one kind: files of one size, asked in one way.  The first ones are kept,
so that files of one size that are not alike cost few comparisons each."""

_BETWEEN = b"\xff"
"""The separator of the parts of a file that are compared; it is in no text."""


class ContiguousExtent(NamedTuple):
    """The place of contiguous values in a file."""

    offset: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def nbytes(self) -> int:
        """The number of bytes."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize


class _Text(NamedTuple):
    """A text of attributes, and its places among the bytes that are compared.

    `owners` are the name of the variable, None for the group, and that of the attribute.
    """

    places: list[slice]
    owners: list[tuple[str | None, str]]


class _Pattern(NamedTuple):
    """The bytes that are compared, and the same with zeros in the place of texts."""

    gaps: list[slice]
    told: bytes
    blank: bytes
    texts: list[_Text]


class _Example:
    """A file that the libraries have read.

    Parameters
    ----------
    path, signature
        The file and its signature then.
    group : RecordedGroup
        The record of a group of the file.
    extents : mapping of str to ContiguousExtent
        The places of values, by the name of the variable.
    """

    def __init__(
        self,
        path: str,
        signature: FileSignature,
        group: RecordedGroup,
        extents: Mapping[str, ContiguousExtent],
    ) -> None:
        self.path = path
        self.signature = signature
        self.group = group
        self.extents = extents

    @once
    def pattern(self) -> _Pattern | None:
        """The bytes to compare; None if the file cannot be an example.

        The caller holds the lock.
        """
        with contextlib.suppress(*FAILURES):
            return self._found()
        return None

    def _found(self) -> _Pattern | None:
        gaps = _gaps(self.extents.values(), self.signature.size)
        if sum(gap.stop - gap.start for gap in gaps) > _MOST_BYTES:
            return None
        with opened_briefly(self.path) as file:
            if file is None or not _is_self_contained(file):
                return None
        with _opened(self.path) as descriptor:
            told = _parts(descriptor, gaps)
            for name, values in self.group.values.items():
                extent = self.extents.get(name)
                if extent is not None and _values(descriptor, extent).tobytes() != values.tobytes():
                    return None
        look_again([(self.path, self.signature)])
        texts = list(_texts(self.group, told))
        return _Pattern(gaps, told, _blank(told, texts), texts)

    def record_of(self, descriptor: int) -> RecordedGroup | None:
        """Return the record of an open file of the same size; None if it is not alike."""
        pattern = self.pattern
        if pattern is None:
            return None
        told, changed = _parts(descriptor, pattern.gaps), {}
        if told != pattern.told:
            if _blank(told, pattern.texts) != pattern.blank:
                return None
            for text in pattern.texts:
                new, *others = {told[place] for place in text.places}
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
            values={
                name: _values(descriptor, self.extents[name]) if name in self.extents else values
                for name, values in group.values.items()
            },
        )


_examples: OrderedDict[Hashable, list[_Example]] = OrderedDict()
"""The examples of each kind; the kind used last is last.  Used with the lock held."""


def record_alike(path: str, asked: Hashable) -> RecordedGroup | None:
    """Return the record of a file that is like one known already; None if there is none.

    The caller holds the lock.

    Parameters
    ----------
    path : str
        The file.
    asked : hashable
        The same for examples and files that are asked the same.
    """
    try:
        signature = settled_signature(path)
        kind = asked, signature.size
        if kind not in _examples or without_locks():
            return None
        _examples.move_to_end(kind)
        with _opened(path) as descriptor:
            if FileSignature.of(os.fstat(descriptor)) != signature:
                return None
            for example in _examples[kind]:
                found = example.record_of(descriptor)
                if found is not None:
                    look_again([(path, signature)])
                    return found
    except (*FAILURES, ImportError):
        pass  # the libraries raise an error, if it is one
    return None


def become_example(
    path: str,
    signature: FileSignature,
    asked: Hashable,
    group: RecordedGroup,
    extents: Mapping[str, ContiguousExtent],
) -> None:
    """Keep the record of a file that the libraries have read.  The caller holds the lock."""
    examples = _examples.setdefault((asked, signature.size), [])
    if len(examples) < _MOST_EXAMPLES:
        examples.append(_Example(path, signature, group, extents))
    if len(_examples) > _MOST_KINDS:
        _examples.popitem(last=False)


def _is_self_contained(file: Any) -> bool:
    """Return whether nothing of a file, an h5py FileID, lies in another file."""
    library = h5py()
    hard_or_soft = {library.h5l.TYPE_HARD, library.h5l.TYPE_SOFT}

    def outside(_: bytes, link: Any) -> bool | None:
        return None if link.type in hard_or_soft else True

    def elsewhere(name: bytes, info: Any) -> bool | None:
        if info.type != library.h5o.TYPE_DATASET:
            return None
        properties = library.h5d.open(file, name).get_create_plist()
        virtual = properties.get_layout() == library.h5d.VIRTUAL
        return True if virtual or properties.get_external_count() else None

    root = library.h5g.open(file, b"/")
    if root.links.visit(outside, info=True) is not None:
        return False
    return library.h5o.visit(file, elsewhere, info=True) is None


def _gaps(extents: Iterable[ContiguousExtent], size: int) -> list[slice]:
    """Return the parts of a file of `size` bytes that are in none of the extents."""
    gaps, at = [], 0
    for extent in sorted(extents, key=attrgetter("offset")):
        gaps.append(slice(at, max(at, extent.offset)))
        at = max(at, extent.offset + extent.nbytes)
    return [*gaps, slice(at, max(at, size))]


@contextlib.contextmanager
def _opened(path: str) -> Iterator[int]:
    """Open a file for the length of a with block, with the lock that libhdf5 takes.

    Raises
    ------
    OSError
        If it cannot be opened, or a program is writing to it.
    ImportError
        If the system has no such locks.
    """
    with between_forks():
        import fcntl
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        yield descriptor
    finally:
        os.close(descriptor)


def _parts(descriptor: int, gaps: Sequence[slice]) -> bytes:
    return _BETWEEN.join([os.pread(descriptor, gap.stop - gap.start, gap.start) for gap in gaps])


def _values(descriptor: int, extent: ContiguousExtent) -> np.ndarray[Any, Any]:
    data = os.pread(descriptor, extent.nbytes, extent.offset)
    return np.frombuffer(data, extent.dtype).reshape(extent.shape)


def _texts(group: RecordedGroup, told: bytes) -> Iterator[_Text]:
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
        places, at = [], told.find(stored)
        while at >= 0:
            places.append(slice(at + 8, at + len(stored)))
            at = told.find(stored, at + 1)
        if len(places) == len(own):
            yield _Text(places, own)


def _blank(told: bytes, texts: Iterable[_Text]) -> bytes:
    blank = bytearray(told)
    for text in texts:
        for place in text.places:
            blank[place] = bytes(place.stop - place.start)
    return bytes(blank)


def _with_texts(
    variable: str | None, attributes: dict[str, Any], changed: Mapping[tuple[str | None, str], str]
) -> dict[str, Any]:
    return {name: changed.get((variable, name), value) for name, value in attributes.items()}
