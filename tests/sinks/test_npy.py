"""A .npy file is written through memory maps of short windows."""

import numpy as np
import pytest

import biggus
from biggus.sinks import npy


@pytest.mark.parametrize("window", [1, 40, 300, 2**23])
@pytest.mark.parametrize("chunks", [(1, 9, 7), (2, 2, 2), (5, 3, 7), (5, 9, 1)])
def test_windows_of_any_length_write_the_whole_array(window, chunks, tmp_path, monkeypatch):
    monkeypatch.setattr(npy, "_WINDOW", window)
    values = np.arange(5 * 9 * 7, dtype="i2").reshape(5, 9, 7)
    mapped = []
    whole = np.memmap

    def short(path, dtype, mode, offset, shape):
        mapped.append(shape[0])
        return whole(path, dtype, mode, offset, shape)

    class Blocks:
        shape, dtype = values.shape, values.dtype

        def __getitem__(self, box):
            return values[box]

    monkeypatch.setattr(np, "memmap", short)
    with biggus.set_options(memory=2000):
        biggus.save(biggus.ArrayAdapter(Blocks(), chunks=chunks), tmp_path / "a.npy")
    assert max(mapped) <= max(window, 2)
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), values)
