"""Sources that wrap other sources or plain objects, or are computed from other sources."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from biggus.sources.base import Box, Chunks, Readable, Source, Stream, Values
from biggus.sources.normal import normal_chunks, normal_dtype, normal_shape

_LONGEST_NAME = 80


class Wrapper(Source):
    """A source that delegates to the source inside it.

    Subclasses override only what they change.  Every public member of :class:`Source` is
    delegated, those added later included, except `cached_read`, `read_into` and `stream`: a
    wrapper that changes values must not be bypassed by them.  A wrapper that changes no values
    may delegate them too.

    Parameters
    ----------
    source : Source
        The source inside.
    """

    delegated: ClassVar[tuple[str, ...]]

    def __init__(self, source: Source) -> None:
        self.source = source

    def __getitem__(self, box: Box) -> Values:
        return self.source[box]

    def fetch(self, box: Box) -> tuple[Values, bytes | None]:
        return self.source.fetch(box)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.source!r})"


def _delegate(name: str) -> property:
    def get(self: Wrapper) -> Any:
        return getattr(self.source, name)

    return property(get, doc=f"The ``{name}`` of the source inside.")


# `fetch` is spelled out above: a wrapper that changes reading must override both it and
# `__getitem__`.  The methods for many boxes call those for one.
_OF_MANY = "fetch_many", "fetch_encoded", "revalidate_many"
_APART = frozenset({"fetch", *_OF_MANY, "cached_read", "read_into", "stream"})
Wrapper.delegated = tuple(
    sorted(
        name
        for name in {*Source.__annotations__, *vars(Source)}
        if not name.startswith("_") and name not in _APART
    )
)
for _name in Wrapper.delegated:
    setattr(Wrapper, _name, _delegate(_name))


class Annotated(Wrapper):
    """A source with chunks, a token or a lock given by the user.

    Parameters
    ----------
    source : Source
        The source.
    chunks, token, lock
        As in :class:`ObjectSource`; None keeps the source's own.
    """

    def __init__(
        self,
        source: Source,
        chunks: Chunks | None = None,
        token: str | None = None,
        lock: contextlib.AbstractContextManager[Any] | None = None,
    ) -> None:
        super().__init__(source)
        self._chunks = None if chunks is None else normal_chunks(chunks, source.shape)
        self._token = token
        self._lock = lock

    @property
    def chunks(self) -> Chunks | None:  # type: ignore[override]
        return self.source.chunks if self._chunks is None else self._chunks

    @property
    def shards(self) -> Chunks | None:  # type: ignore[override]
        return self.source.shards if self._chunks is None else None

    @property
    def decodes_chunks(self) -> bool:  # type: ignore[override]
        return self._chunks is None and self.source.decodes_chunks

    @property
    def token(self) -> str | None:  # type: ignore[override]
        return self.source.token if self._token is None else self._token

    @property
    def lock(self) -> contextlib.AbstractContextManager[Any] | None:  # type: ignore[override]
        return self.source.lock if self._lock is None else self._lock

    def cached_read(self, box: Box) -> Values | None:
        return self.source.cached_read(box)

    def read_into(self, box: Box, out: npt.NDArray[Any]) -> bool:
        return self.source.read_into(box, out)

    def stream(self, box: Box) -> Stream | None:
        # A stream is read without the lock, but the user's lock must be held for reading.
        return self.source.stream(box) if self._lock is None else None

    def fetch(self, box: Box) -> tuple[Values, bytes | None]:
        return self.fetch_many([box])[0]

    def fetch_many(self, boxes: Sequence[Box]) -> list[tuple[Values, bytes | None]]:
        with self._locked():
            fetched = self.source.fetch_many(boxes)
        return [(values, self._vouched(validator)) for values, validator in fetched]

    def fetch_encoded(
        self, boxes: Sequence[Box]
    ) -> list[tuple[Values, bytes | None, bytes | None]]:
        with self._locked():
            fetched = self.source.fetch_encoded(boxes)
        return [(values, self._vouched(validator), data) for values, validator, data in fetched]

    def _locked(self) -> contextlib.AbstractContextManager[Any]:
        # The source takes its own lock in `fetch`, and perhaps cannot take it twice.
        lock = None if self._lock is self.source.lock else self._lock
        return contextlib.nullcontext() if lock is None else lock

    def state(self) -> bytes | None:
        return self._vouched(self.source.state())

    def validator(self, box: Box) -> bytes | None:
        return self._vouched(self.source.validator(box))

    def revalidate(self, box: Box, validator: bytes) -> bytes | None:
        revalidated = self.source.revalidate(box, validator)
        return (
            validator if revalidated is None and validator == self.validator(box) else revalidated
        )

    def _vouched(self, validator: bytes | None) -> bytes | None:
        # With a token the user promises that the values never change.
        return b"token" if validator is None and self._token is not None else validator


class ObjectSource(Source):
    """The source of a user's object, with metadata given by the user.

    Parameters
    ----------
    obj : object with shape, dtype and __getitem__
        The object that holds the values.
    chunks : tuple, optional
        For each axis the chunk length, or the lengths of all chunks.
    token : str, optional
        Identity of the values; needed for caching.  The user promises that
        equal tokens mean equal values.
    lock : context manager, optional
        Held while reading.
    masked : bool, optional
        Whether reads may give MaskedArrays with values missing.
    """

    def __init__(
        self,
        obj: Readable,
        chunks: Chunks | None = None,
        token: str | None = None,
        lock: contextlib.AbstractContextManager[Any] | None = None,
        masked: bool = False,
    ) -> None:
        self.obj = obj
        self.shape = normal_shape(obj.shape)
        self.dtype = normal_dtype(obj.dtype)
        self.chunks = None if chunks is None else normal_chunks(chunks, self.shape)
        self.token = token
        self.lock = lock
        self.masked = masked

    @property
    def name(self) -> str:  # type: ignore[override]
        """The first line of the object's own repr, if its class defines one, else its class.

        Computed when needed: of 2^18 adapters few fail, and a `__repr__` may be slow.
        """
        return _name_of(self.obj)

    def __getitem__(self, box: Box) -> Values:
        return self._array(box, self.obj[box])

    def _array(self, box: Box, values: Any) -> Values:
        """Return the result of indexing the object as an array."""
        if isinstance(values, np.ndarray):
            return values
        return np.asarray(values) if box else _of_scalar(values, self.dtype)

    def state(self) -> bytes | None:
        # With a token the user promises that the values never change.
        return None if self.token is None else b"token"


def _of_scalar(value: Any, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Return the zero-dimensional array of an element of an array of `dtype`."""
    if dtype.kind == "O":
        array = np.empty((), dtype)
        array[()] = value
        return array
    array = np.asarray(value)
    # NumPy strips the padding of text.
    shorter = array.dtype.kind == dtype.kind and array.dtype.itemsize < dtype.itemsize
    return array.astype(dtype) if shorter and dtype.kind in "SU" else array


def _name_of(obj: Any) -> str:
    own: Any = type(obj).__repr__
    if own is not object.__repr__:
        # A failing __repr__ must not hide the error that needs the name.
        with contextlib.suppress(Exception):
            line = repr(obj).strip().splitlines()[0].strip()
            return line if len(line) <= _LONGEST_NAME else f"{line[: _LONGEST_NAME - 3]}..."
    return f"{type(obj).__name__} object"


def as_source(obj: Any) -> Source:
    """Return `obj` itself if it is a :class:`Source`, else a source around it."""
    return obj if isinstance(obj, Source) else ObjectSource(obj)


class DerivedSource(Source):
    """A source computed from other sources; its receipt lists the chunks that these read."""

    derived = True

    def made_of(self, box: Box) -> Sequence[Any]:
        """Return the nodes whose values are all read for a box."""
        raise NotImplementedError
