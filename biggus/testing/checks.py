"""Checks of one source, for `SourceTests`."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from biggus.indexing.grid import Grid
from biggus.sources.base import Box, Source, Values, box_shape, read, read_into, whole
from biggus.sources.parts import only_chunk
from biggus.sources.stream import AnyOrderStream, streamed
from biggus.testing.values import assert_same


def fetched(source: Source, box: Box) -> Values:
    """Return the values of `fetch`."""
    return source.fetch(box)[0]


def placed(source: Source, box: Box) -> Values:
    """Return values that are read into a given array, if the source can, else read plainly."""
    if source.masked:
        return read(source, box)
    # Memory around the array must not be written to.
    room = np.zeros(2 + math.prod(box_shape(box)), source.dtype)
    out = room[1:-1].reshape(box_shape(box))
    done = read_into(source, box, out)
    assert type(done) is bool, "read_into returns no bool"
    assert source.reads_into or not done, "reads_into says that read_into is not worth asking for"
    around = room[[0, -1]]
    assert (around == np.zeros(2, source.dtype)).all(), "values were put beside their place"
    return out if done else read(source, box)


def flowing(source: Source, box: Box) -> Values:
    """Return values that are read as a stream, if the source has one, else read plainly."""
    if source.masked or not source.streams:
        return read(source, box)
    stream = streamed(source, box)
    assert stream.shape == box_shape(box), "the stream is of another shape than the box"
    assert stream.dtype == source.dtype, "the stream is of another dtype than the source"
    values = np.empty(math.prod(stream.shape), source.dtype)
    # In runs of different lengths.
    cuts = sorted({0, values.size // 3, values.size // 2 + 1, values.size})
    for start, stop in itertools.pairwise(cuts):
        stream.read_into(start, values[start:stop])
    if isinstance(stream, AnyOrderStream):
        starts, stops = np.array(cuts[:-1])[::-1], np.array(cuts[1:])[::-1]
        backwards = np.empty_like(values)
        if stream.read_at_hand(starts, stops - starts, backwards):
            runs = [values[start:stop] for start, stop in zip(starts, stops, strict=True)]
            assert_same(backwards, np.concatenate(runs, dtype=values.dtype))
    return values.reshape(stream.shape)


def check_fetch(source: Source, box: Box, expected: Values) -> None:
    """Check the values of all ways to fetch `box`, and the encoded bytes of a chunk in it."""
    values, validator = source.fetch(box)
    ((same, _, _),) = source.fetch_encoded([box])
    for one in (values, same):
        assert_same(one, expected)
    assert validator is None or isinstance(validator, bytes), "a validator is no bytes"
    if source.encoding is None:
        return
    first = tuple([slice(s.start, s.start + 1, 1) for s in box])
    chunk = only_chunk(Grid(source.shape, source.chunks or ()), first)
    assert chunk is not None
    ((values, _, data),) = source.fetch_encoded([chunk])
    fields = json.loads(json.dumps(source.encoding.fields))
    for encoding in (source.encoding, type(source.encoding)(**fields)):
        if data is not None:
            assert_same(encoding.decode(chunk, memoryview(data)), values)


def check_validator_holds(source: Source, box: Box, validator: bytes | None) -> None:
    """Check a validator that a fetch of `box` has just returned."""
    assert validator is not None, "fetching tells no validator of some boxes"
    current = source.validator(box)
    assert current == source.validator(box), "the validator changes by itself"
    assert current in {None, validator}, "validator and fetch tell different validators"
    assert source.revalidate(box, validator) is not None, "a good copy is refused"
    assert type(source.revalidation_waits(box, validator)) is bool, "revalidation_waits is no bool"
    assert source.revalidate(box, b"never told") is None, "any validator is taken for a good one"


def part_of(expected: Values, box: Box) -> Values:
    """Return the values that a read of `box` must return."""
    # With an Ellipsis a zero-dimensional array stays an array.
    key: Any = (*box, Ellipsis)
    part: Values = expected[key]
    return part


def check_box(source: Source, box: Box, expected: Values) -> None:
    """Check that all ways to read `box` return the expected values."""
    with case(box=box):
        for get in (read, placed, flowing):
            assert_same(get(source, box), part_of(expected, box))


def check_metadata(source: Source) -> None:
    """Check the types of all attributes of a source."""
    assert type(source.shape) is tuple, "the shape is no tuple"
    assert all(type(n) is int for n in source.shape), f"not all of {source.shape} are ints"
    assert isinstance(source.dtype, np.dtype), "the dtype is no numpy.dtype"
    assert isinstance(source.name, str), "the name is no str"
    assert source.name.strip(), "the name is empty"
    assert "\n" not in source.name, "the name has several lines"
    assert source.token is None or isinstance(source.token, str), "the token is no str"
    assert source.token != "", "the token is empty"
    for flag in ("masked", "io_bound", "remote", "in_memory", "owns_data", "reads_into", "streams"):
        assert type(getattr(source, flag)) is bool, f"{flag} is no bool"
    assert isinstance(source.attributes, Mapping), "the attributes are no mapping"
    assert all(isinstance(key, str) for key in source.attributes), "not all attributes have names"
    if source.dims is not None:
        assert len(source.dims) == len(source.shape), "dims are not one for each axis"
        assert all(isinstance(dim, str | None) for dim in source.dims), (
            "not all dims are str or None"
        )
    assert source.conventions in {None, "CF", "CF-HDF5", "CF-Zarr"}, (
        f"unknown conventions {source.conventions}"
    )
    assert source.lock is None or hasattr(source.lock, "__enter__"), "the lock is none"
    validators = [source.state()]
    if all(source.shape):
        validators.append(source.validator(whole(source.shape)))
    for validator in validators:
        assert validator is None or isinstance(validator, bytes), "a validator is no bytes"


@contextmanager
def case(**what: Any) -> Iterator[None]:
    """Add a note with the test case to errors."""
    try:
        yield
    except Exception as error:
        case = ", ".join(f"{name}={value}" for name, value in what.items())
        error.add_note(f"with {case}")
        raise
