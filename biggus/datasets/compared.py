"""The coordinates that are compared when arrays are joined."""

from __future__ import annotations

import contextlib
import hashlib
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus import engine
from biggus.adapt import leaf_of
from biggus.datasets.noting import Note
from biggus.errors import GoneError, OpenError, SourceError
from biggus.graph import Mosaic, select
from biggus.indexing.selection import Selection
from biggus.labels import Coordinate
from biggus.labels.coordinate import calendar_of, texts
from biggus.support.once import once

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy.typing as npt

    from biggus.datasets.noting import Notes
    from biggus.graph import Node
    from biggus.sources.base import Box, Source

LARGEST = 2**20
"""The most bytes of a coordinate that is compared whole; others by their first and last rows."""

_MOST_TAKEN = 2**24
"""The most memory, in bytes, that reading the rows of a large coordinate takes."""

_KINDS = "biufcmMSUTO"
"""The kinds of dtypes that are compared: all but structures."""

_MOST_ALIKE = 8
"""The most digests of other coordinates in a note."""

_REMEDY = "`mismatch='ignore'` joins the arrays without reading coordinates"


class Compared:
    """A coordinate of one array.  It is opened and read only if nothing is noted of it.

    Parameters
    ----------
    number : int
        The place of the array in the sequence.
    name : str
        The name of the coordinate.
    source : Source
        The source of the array.
    notes : Notes
        The notes of the array.

    Attributes
    ----------
    note : Note
        What is known of the coordinate.
    """

    def __init__(self, number: int, name: str, source: Source, notes: Notes) -> None:
        self.number = number
        self.name = name
        self._source = source
        self._notes = notes
        self._values: npt.NDArray[Any] | None = None
        note = notes.find(name)
        if note is None or note.validator != self._validator(note.by_source):
            note = self._described()
            if not note.compared:
                self._keep(note)
        self.note = note

    @once
    def _sibling(self) -> Source | None:
        with _hinting():
            return self._source.sibling(self.name)

    @once
    def _before(self) -> str:
        """The validator of the opened coordinate, before its values are read."""
        return self._validator(by_source=False)

    @once
    def coordinate(self) -> Coordinate | None:
        """The coordinate; None if there is none, or it is not compared."""
        sibling, own = self._sibling, self._source.dims or ()
        if sibling is None or sibling.name == self._source.name:
            return None
        dims = (self.name,) if self.name in own else sibling.dims or ()
        text = sibling.dtype.str == "|S1" and dims[-1:] != () and dims[-1] not in own
        axes = [own.index(dim) for dim in dims if dim in own]
        lengths = tuple([self._source.shape[axis] for axis in axes])
        comparable = sibling.dtype.kind in _KINDS and len(axes) + text == len(dims)
        fits = len(sibling.shape) == len(dims) and sibling.shape[: len(axes)] == lengths
        if not comparable or not fits or self.boxes is None:
            return None
        return Coordinate(
            self.name, sibling.attributes, leaf_of(sibling, decode=not text), tuple(axes)
        )

    @once
    def boxes(self) -> list[Box] | None:
        """The boxes of the coordinate that are compared; None if they are too expensive to read."""
        return None if self._sibling is None else _compared_boxes(self._sibling)

    @property
    def values(self) -> npt.NDArray[Any]:
        """The values that are compared; they are read unless `take` was called before."""
        if self.note.value is not None:
            return np.array([self.note.value])
        if self._values is None:
            read([self])
            assert self._values is not None
        return self._values

    def place(self, index: tuple[int, ...]) -> list[int]:
        """Return the place in the coordinate of one of the `values`."""
        row, *inner = index
        for box in self.boxes or ():
            if row < box[0].stop - box[0].start:
                return [box[0].start + row, *inner]
            row -= box[0].stop - box[0].start
        return [*index]

    def take(self, values: npt.NDArray[Any]) -> None:
        """Take over the values that were read, and keep a note of them."""
        self._values = values
        note = self._described()
        digest = hashlib.blake2b(digest_size=20)
        digest.update(repr([values.dtype.str, values.shape, note.units]).encode())
        digest.update(np.ascontiguousarray(values).data.cast("B") if values.size else b"")
        scalar = values.dtype.kind == "f" and not note.dims
        value = float(values[0]) if scalar else None
        note = note._replace(digest=digest.hexdigest(), value=value)
        if self.note.digest != note.digest:
            # It was not read before, or the file has changed since it was noted.
            noted, self.note = self.note, note
            if not noted.digest:
                self._keep(note)

    def agrees(self, first: Compared) -> bool:
        """Tell whether it is known to agree with the coordinate of another array."""
        return first.note.digest in (self.note.digest, *self.note.alike)

    def agree(self, first: Compared) -> None:
        """Note that it agrees with the coordinate of another array."""
        alike = [*self.note.alike, first.note.digest][-_MOST_ALIKE:]
        self.note = self.note._replace(alike=alike)
        if self.note.validator:
            self._notes.keep(self.name, self.note)

    def _described(self) -> Note:
        """Return what is known without reading values."""
        each = self.coordinate
        if each is None:
            return Note(compared=False)
        if self._notes.state is None:
            self._before  # noqa: B018 - before values are read
        dims = [str((self._source.dims or ())[axis]) for axis in each.axes]
        return Note(
            True, dims, each.kind, [str(each.attributes.get("units", "")), calendar_of(each)]
        )

    def _validator(self, by_source: bool) -> str:
        """Return the present validator of the variable or of the coordinate, empty if unknown."""
        if by_source:
            return "" if self._notes.state is None else self._notes.state.hex()
        return _validator_of(self._sibling)

    def _keep(self, note: Note) -> None:
        """Keep a note if the state of the file is known, and has not changed."""
        sibling, state = self._sibling, self._notes.state
        # Options change how text is opened.
        if not self._notes.kept or (sibling is not None and sibling.dtype.kind not in "biufcmM"):
            return
        if state is None and not self._before:
            return
        if state is not None:
            inside = sibling is None or sibling.state() == state
            validator = state.hex() if inside and self._source.state() == state else ""
        else:
            # The attributes may be those of an earlier state.
            again = None if sibling is None else self._source.sibling(self.name)
            same = again is not None and sibling is not None and _same_metadata(sibling, again)
            validator = self._before if same and _validator_of(again) == self._before else ""
        if validator:
            self.note = note._replace(validator=validator, by_source=state is not None)
            self._notes.keep(self.name, self.note)


def read(several: Iterable[Compared]) -> None:
    """Read the values of opened coordinates, those of one name together."""
    alike: dict[Any, list[Compared]] = {}
    for each in several:
        if each.coordinate is not None:
            node = each.coordinate.node
            key = each.name, node.dtype, node.shape[1:]
            alike.setdefault(key, []).append(each)
    for those in alike.values():
        nodes = [_selected(each) for each in those]
        with _hinting():
            values: Any = engine.evaluate(nodes[0] if len(nodes) == 1 else Mosaic(nodes, 0))
        if values.dtype.kind in "biuf":
            values = np.ma.filled(values.astype(np.float64), np.nan)
        elif values.dtype.kind == "O":
            values = values.astype(str)
        ends = np.cumsum([node.shape[0] for node in nodes])
        parts = np.split(np.ma.getdata(values), ends[:-1])
        for each, part in zip(those, parts, strict=True):
            characters = each.coordinate is not None and each.coordinate.is_characters
            each.take(np.atleast_1d(np.strings.rstrip(texts(part))) if characters else part)


def _selected(each: Compared) -> Node:
    """Return the node of the values that are compared; a scalar gets an axis."""
    assert each.coordinate is not None
    node = each.coordinate.node
    if not node.shape:
        return select(node, Selection.broadcast((), (1,)))
    parts = [select(node, Selection.of_box(box)) for box in each.boxes or ()]
    return parts[0] if len(parts) == 1 else Mosaic(parts, 0)


def _compared_boxes(source: Source) -> list[Box] | None:
    """Return the whole box, or the first and the last rows; None if reading takes too much."""
    shape = source.shape
    nbytes = math.prod(shape) * source.dtype.itemsize
    if nbytes <= LARGEST:
        return [tuple([slice(0, n, 1) for n in shape])]
    rows = max(1, LARGEST // 2 * shape[0] // nbytes)
    inner = tuple([slice(0, n, 1) for n in shape[1:]])
    spans = (0, rows), (max(rows, shape[0] - rows), shape[0])
    boxes: list[Box] = [(slice(*span, 1), *inner) for span in spans if span[0] < span[1]]
    return boxes if sum(map(source.peak_bytes, boxes)) <= _MOST_TAKEN else None


def _validator_of(sibling: Source | None) -> str:
    """Return the validator of the compared boxes of a coordinate; empty if it is unknown."""
    boxes = None if sibling is None or sibling.remote else _compared_boxes(sibling)
    if sibling is None or boxes is None or 0 in sibling.shape:
        return ""
    validators = [sibling.validator(box) for box in boxes]
    return "" if None in validators else b"|".join(filter(None, validators)).hex()


def _same_metadata(one: Source, other: Source) -> bool:
    return (one.shape, one.dtype, one.dims, one.conventions, repr(one.attributes)) == (
        *(other.shape, other.dtype, other.dims, other.conventions, repr(other.attributes)),
    )


@contextlib.contextmanager
def _hinting() -> Iterator[None]:
    """Add to errors of opening and reading a coordinate how to do without it."""
    try:
        yield
    except SourceError as error:
        raise type(error)(error.source, error.box, f"{error.cause}; {_REMEDY}") from error
    except OpenError as error:
        if type(error) not in (OpenError, GoneError):
            raise
        raise type(error)(error.location, f"{error.problem}; {_REMEDY}") from error
