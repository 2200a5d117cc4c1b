"""The conformance suite for this package's sources, plain, recorded and cached."""

import biggus_grid
import numpy as np
import pytest

import biggus
from biggus.backends import Location, backend_named
from biggus.testing import RecordingSource, SourceTests


class TestGrid(SourceTests):
    dtypes = ("f8", "i1", ">i4", "u8", "f4")
    shapes = (*SourceTests.shapes, (0,), (3, 0, 2))

    def store(self, values, folder):
        biggus_grid.write(folder / "values.grid", values, units="K")

    def open(self, folder):
        return backend_named("grid").open(Location(folder / "values.grid"), "values")


class TestRecordedGrid(TestGrid):
    def open(self, folder):
        return RecordingSource(super().open(folder))


class TestCachedGrid(TestGrid):
    survives = True

    def open(self, folder):
        return biggus.Cache(folder.parent / "cache").wrap(super().open(folder))


def test_biggus_finds_the_backend_by_content(tmp_path):
    values = np.arange(12.0).reshape(3, 4)
    biggus_grid.write(tmp_path / "no-suffix", values, units="K")
    array = biggus.open(tmp_path / "no-suffix")
    assert array.shape == (3, 4)
    assert np.array_equal(array[1:, ::-1].ndarray(), values[1:, ::-1])


def test_missing_variable_raises(tmp_path):
    biggus_grid.write(tmp_path / "a.grid", np.zeros(3))
    with pytest.raises(biggus.errors.VariableError, match="values"):
        biggus.open(tmp_path / "a.grid", "pressure")


def test_truncated_file_raises(tmp_path):
    biggus_grid.write(tmp_path / "a.grid", np.zeros(3))
    text = (tmp_path / "a.grid").read_text()
    (tmp_path / "a.grid").write_text(text[:-5])
    with pytest.raises(biggus.errors.SourceError, match="2 values, not 3"):
        biggus.open(tmp_path / "a.grid").ndarray()
