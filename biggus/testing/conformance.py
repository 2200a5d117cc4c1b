"""`SourceTests`: the test suite that every source must pass."""

from __future__ import annotations

import json
import math
import os
import pickle
import re
import shutil
import threading
import time
import unittest
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from biggus.errors import BiggusError, SourceError
from biggus.sources.base import Box, Source, Values, read, whole
from biggus.sources.description import DescribedSource, describe
from biggus.sources.normal import normal_chunks
from biggus.sources.wrappers import as_source
from biggus.support.extras import needing
from biggus.testing.checks import (
    case,
    check_box,
    check_fetch,
    check_metadata,
    check_validator_holds,
    fetched,
    flowing,
    part_of,
    placed,
)
from biggus.testing.elsewhere import read_elsewhere
from biggus.testing.regions import some_boxes
from biggus.testing.values import assert_same, sample_values

_THREADS = 8
_CREDENTIALS = re.compile(
    r"://[^/\s]*@|(key|token|secret|passw\w*|auth\w*|credential\w*|signature)=[^&\s]", re.IGNORECASE
)


class SourceTests:
    """The test suite that every source must pass.

    Subclass it, define how values are stored and opened, and set attributes that differ from
    their defaults.  pytest collects classes whose names begin with ``Test``::

        class TestMine(SourceTests):
            dtypes = ("f4", "f8")

            def store(self, values, folder):
                mine.write(folder / "values.mine", values)

            def open(self, folder):
                return biggus.backends.backend_named("mine").open(
                    Location(folder / "values.mine"), "values"
                )

    For a source without a store, override `make` and set ``stored = False``.
    """

    shapes: ClassVar[tuple[tuple[int, ...], ...]] = ((), (1,), (7,), (5, 6), (3, 4, 5))
    """The shapes to test; empty arrays are not read."""

    dtypes: ClassVar[tuple[str, ...]] = ("f8",)
    """The dtypes to test; most tests use the first."""

    most_boxes: ClassVar[int] = 200
    """The most boxes that a test reads; set it lower if reads are slow."""

    stored: ClassVar[bool] = True
    """Whether values are stored somewhere, so that they can be opened again."""

    rewrites: ClassVar[bool] = True
    """Whether `store` can be called again in a folder, which the source must notice."""

    destroys: ClassVar[bool] = True
    """Whether reads fail after the stored values were removed."""

    survives: ClassVar[bool] = False
    """Whether reads may still return the right values then, as those of a cache do."""

    has_validator: ClassVar[bool] = True
    """Whether fetches return a validator, once stored values are old enough."""

    owned: ClassVar[bool] = True
    """Whether reads return new arrays, not views of memory of the source."""

    pickles: ClassVar[bool] = True
    """Whether sources can be pickled."""

    settles: ClassVar[float] = 30.0
    """The most seconds until a fetch returns a validator of new values."""

    secret: ClassVar[str | None] = None
    """A credential that sources are given, and must never show."""

    # -- methods to override ---------------------------------------------------

    def store(self, values: npt.NDArray[Any], folder: Path) -> None:
        """Store `values` in `folder`, replacing those stored before."""
        raise NotImplementedError(f"{type(self).__name__} must define how to store values")

    def open(self, folder: Path) -> Source:
        """Open the values that are stored in `folder`."""
        raise NotImplementedError(f"{type(self).__name__} must define how to open stored values")

    def make(self, values: npt.NDArray[Any], folder: Path) -> Source:
        """Make a source of `values`; `folder` is a new, empty folder."""
        self.store(values, folder)
        return self.open(folder)

    def destroy(self, folder: Path) -> None:
        """Remove the values that are stored in `folder`."""
        shutil.rmtree(folder)

    def cut_off(self, folder: Path) -> None:
        """Truncate the values that are stored in `folder`; by default every file to a half."""
        for path in folder.rglob("*"):
            if path.is_file():
                os.truncate(path, path.stat().st_size // 2)

    def values(self, shape: tuple[int, ...], dtype: str, seed: int = 0) -> npt.NDArray[Any]:
        """Return values to store; they differ for each `seed`."""
        return sample_values(shape, dtype, seed)

    def expected(self, values: npt.NDArray[Any]) -> Values:
        """Return the values that a source of `values` must return."""
        return values

    # -- helpers ---------------------------------------------------------------

    def _values(self, seed: int = 0) -> npt.NDArray[Any]:
        return self.values(self._shape(), self.dtypes[0], seed)

    def _shape(self) -> tuple[int, ...]:
        return max(self.shapes, key=math.prod)

    def _new(
        self, tmp_path: Path, values: npt.NDArray[Any] | None = None
    ) -> tuple[Source, Values, Path]:
        values = self._values() if values is None else values
        folder = tmp_path / f"store{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        return as_source(self.make(values.copy(), folder)), self.expected(values), folder

    def _only_if(self, flag: str) -> None:
        if not getattr(self, flag):
            raise unittest.SkipTest(f"{type(self).__name__}.{flag} is not set")

    def _settled(self, source: Source) -> bytes:
        """Wait until a fetch returns a validator, and return it."""
        box = whole(source.shape)
        give_up = time.monotonic() + self.settles
        while (validator := source.fetch(box)[1]) is None:
            assert time.monotonic() < give_up, (
                f"fetching {source.name} returns no validator; "
                "set has_validator = False if it never does"
            )
            time.sleep(0.1)
        return validator

    # -- the tests -------------------------------------------------------------

    def test_attribute_types(self, tmp_path: Path) -> None:
        """All attributes have the required types."""
        for shape in self.shapes:
            with case(shape=shape):
                source, expected, _ = self._new(tmp_path, self.values(shape, self.dtypes[0]))
                check_metadata(source)
                assert source.shape == expected.shape, f"the shape is not {expected.shape}"
                assert source.dtype == expected.dtype, f"the dtype is not {expected.dtype}"

    def test_chunks_fit(self, tmp_path: Path) -> None:
        """`chunks` has an entry for each axis, and its lengths add up to the shape."""
        for shape in self.shapes:
            with case(shape=shape):
                source, expected, _ = self._new(tmp_path, self.values(shape, self.dtypes[0]))
                if source.chunks is not None:
                    fitting = normal_chunks(source.chunks, expected.shape)
                    assert source.chunks == fitting, f"chunks are {source.chunks}, not {fitting}"

    def test_reads_every_shape(self, tmp_path: Path) -> None:
        """Reads of boxes return the right values, for every shape."""
        for shape in self.shapes:
            source, expected, _ = self._new(tmp_path, self.values(shape, self.dtypes[0]))
            for box in some_boxes(expected.shape, self.most_boxes):
                check_box(source, box, expected)

    def test_reads_every_dtype(self, tmp_path: Path) -> None:
        """Reads return values of every dtype to the bit, without warnings."""
        for dtype in self.dtypes:
            with case(dtype=dtype), warnings.catch_warnings():
                warnings.simplefilter("error")
                source, expected, _ = self._new(tmp_path, self.values(self._shape(), dtype))
                for box in some_boxes(expected.shape, min(30, self.most_boxes)):
                    check_box(source, box, expected)

    def test_reads_any_box(self, tmp_path: Path) -> None:
        """Reads of random boxes of Hypothesis return the right values."""
        with needing("hypothesis", "testing", "SourceTests"):
            from hypothesis import HealthCheck, given, settings
        from biggus.testing.strategies import boxes

        source, expected, _ = self._new(tmp_path)
        check: Any = given(box=boxes(expected.shape))(lambda box: check_box(source, box, expected))
        slow: Any = {"deadline": None, "database": None}
        slow["suppress_health_check"] = list(HealthCheck)
        settings(max_examples=min(50, self.most_boxes), **slow)(check)()

    def test_reads_do_not_share_memory(self, tmp_path: Path) -> None:
        """Changing the values that a read returns affects no other read."""
        self._only_if("owned")
        source, expected, _ = self._new(tmp_path)
        box = whole(expected.shape)
        for get in (read, fetched):
            first, second = get(source, box), get(source, box)
            assert not np.shares_memory(np.ma.getdata(first), np.ma.getdata(second)), (
                "two reads share their memory"
            )
            if source.owns_data:
                assert first.flags.writeable, "what it gives cannot be written to"
            if first.flags.writeable:
                np.ma.getdata(first)[...] = np.zeros((), first.dtype)
                assert_same(get(source, box), expected)

    def test_token(self, tmp_path: Path) -> None:
        """The token identifies the variable, and is the same when it is opened again."""
        source, _, folder = self._new(tmp_path)
        token = source.token
        if token is None:
            raise unittest.SkipTest("the source has no token")
        assert source.token == token
        if self.pickles:
            assert pickle.loads(pickle.dumps(source)).token == token
        if self.stored:
            assert as_source(self.open(folder)).token == token, "opened again, it has another token"
        other, _, _ = self._new(tmp_path, self._values(seed=1))
        assert other.token != token, "another variable has the same token"

    def test_keeps_secrets(self, tmp_path: Path) -> None:
        """Names, tokens, attributes and errors contain no credentials."""
        source, _, _ = self._new(tmp_path)
        shown = [source.name, source.token or "", repr(source), str(dict(source.attributes))]
        for text in shown:
            assert not _CREDENTIALS.search(text), f"there are credentials in {text!r}"
            assert self.secret is None or self.secret not in text, f"the secret is in {text!r}"
        if self.stored and self.destroys and self.secret is not None:
            source, _, folder = self._new(tmp_path)
            self.destroy(folder)
            try:
                read(source, whole(source.shape))
            except BiggusError as error:
                assert self.secret not in str(error), f"the secret is in {str(error)!r}"

    def test_can_be_described(self, tmp_path: Path) -> None:
        """The description of the source can be encoded as JSON, and replaces the source."""
        for dtype in self.dtypes:
            with case(dtype=dtype):
                source, _, _ = self._new(tmp_path, self.values(self._shape(), dtype))
                text = json.dumps(describe(source))
                assert self.secret is None or self.secret not in text, "it tells the secret"
                stand_in = DescribedSource(json.loads(text))
                for name in ("shape", "dtype", "chunks", "token", "name", "masked", "dims"):
                    assert getattr(stand_in, name) == getattr(source, name), f"another {name}"
                lost = source.attributes.keys() - stand_in.attributes.keys()
                assert not lost, f"the attributes {sorted(lost)} cannot be described"

    def test_fetch_matches_reads(self, tmp_path: Path) -> None:
        """`fetch` returns the same values as a read, and `fetch_encoded` their stored bytes."""
        source, expected, _ = self._new(tmp_path)
        for box in some_boxes(expected.shape, min(20, self.most_boxes)):
            with case(box=box):
                check_fetch(source, box, part_of(expected, box))

    def test_validator(self, tmp_path: Path) -> None:
        """A validator is valid until the stored values change."""
        source, expected, folder = self._new(tmp_path)
        box = whole(expected.shape)
        present, fetched_one = source.validator(box), source.fetch(box)[1]
        if self.has_validator:
            fetched_one = self._settled(source)
            present = source.validator(box)
            again = [as_source(self.open(folder))] if self.stored else []
            for one in (source, *again):
                for part in some_boxes(expected.shape, most=5):
                    with case(box=part):
                        check_validator_holds(one, part, source.fetch(part)[1])
        if not (self.stored and self.rewrites):
            return
        values = self._values(seed=1)
        self.store(values, folder)
        for after in (source, as_source(self.open(folder))):
            if present is not None:
                assert after.validator(box) != present, "the validator is that of the old values"
            if fetched_one is not None:
                assert after.revalidate(box, fetched_one) is None, "old values are taken for good"
        assert_same(read(as_source(self.open(folder)), box), self.expected(values))
        # The source that was open before may refuse, but not mix or remember.
        with suppress(BiggusError):
            assert_same(read(source, box), self.expected(values))

    def test_reads_in_many_threads(self, tmp_path: Path) -> None:
        """Eight threads that read at the same time get the right values."""
        source, expected, _ = self._new(tmp_path)
        boxes = list(some_boxes(expected.shape, min(20, self.most_boxes)))
        ready = threading.Barrier(_THREADS)

        def check(number: int) -> None:
            ready.wait(300)
            for box in boxes[number:] + boxes[:number]:
                check_box(source, box, expected)

        with ThreadPoolExecutor(_THREADS) as pool:
            list(pool.map(check, range(_THREADS)))

    def test_pickles(self, tmp_path: Path) -> None:
        """A pickled copy reads the same values, which are not part of the pickle."""
        self._only_if("pickles")
        source, expected, _ = self._new(tmp_path)
        pickled = pickle.dumps(source)
        if self.stored:
            raw = np.ascontiguousarray(np.ma.getdata(expected))
            assert raw.nbytes < 64 or raw.tobytes() not in pickled, "the pickle holds the values"
        copy = pickle.loads(pickled)
        for box in some_boxes(expected.shape, most=5):
            check_box(copy, box, expected)

    def test_reads_in_other_processes(self, tmp_path: Path) -> None:
        """A spawned process and a fork of it read the same values."""
        self._only_if("pickles")
        source, expected, _ = self._new(tmp_path)
        boxes = list(some_boxes(expected.shape, most=5))
        for how, reads in read_elsewhere(source, boxes).items():
            for box, values in zip(boxes, reads, strict=True):
                with case(process=how, box=box):
                    assert_same(values, part_of(expected, box))

    def test_missing_store_raises(self, tmp_path: Path) -> None:
        """After the stored values were removed, a read raises an error naming source and box."""
        self._only_if("stored")
        self._only_if("destroys")
        first, expected, folder = self._new(tmp_path)
        boxes = list(some_boxes(expected.shape, most=3))
        unread = as_source(self.open(folder))
        read(first, boxes[0])
        self.destroy(folder)
        for source in (first, unread):
            for box in boxes:
                for get in (read, fetched, placed, flowing):
                    self._check_gone(get, source, box, expected)
        try:
            reopened = as_source(self.open(folder))
        except BiggusError as error:
            assert "\n" not in str(error), f"the message has several lines: {error}"
        else:
            for box in boxes:
                self._check_gone(read, reopened, box, expected)

    def test_truncated_store_raises(self, tmp_path: Path) -> None:
        """After the stored values were truncated, a read raises an error."""
        self._only_if("stored")
        self._only_if("destroys")
        source, expected, folder = self._new(tmp_path)
        box = whole(expected.shape)
        read(source, box)
        self.cut_off(folder)
        for opened in (source, None):
            for get in (read, placed, flowing):
                try:
                    values = get(opened or as_source(self.open(folder)), box)
                except BiggusError as error:
                    assert "\n" not in str(error), f"the message has several lines: {error}"
                else:
                    assert self.survives, "a read of what is cut off gave data"
                    assert_same(values, expected)

    def _check_gone(self, get: Any, source: Source, box: Box, expected: Values) -> None:
        try:
            values = get(source, box)
        except SourceError as error:
            message = str(error)
            assert source.name in message, f"the source {source.name!r} is not in {message!r}"
            assert error.box is not None, f"the box is not in {message!r}"
            assert "\n" not in message, f"the message has several lines: {message!r}"
            return
        assert self.survives, "a read of what is gone gave data"
        assert_same(values, part_of(expected, box))
