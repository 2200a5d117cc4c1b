"""Statistics of sliding windows match NumPy, without a pass of their own."""

from __future__ import annotations

import numpy as np
import pytest

import biggus
from biggus.graph import Blockwise
from biggus.testing import ArraySource, RecordingSource, assert_same

windows = np.lib.stride_tricks.sliding_window_view

VALUES = np.random.default_rng(0).integers(-3, 9, (13, 4, 5))


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f4", "i1", "u2", "?", "c8", "g"])
@pytest.mark.parametrize("name", ["sum", "mean", "min", "max", "any", "all"])
def test_window_statistics_match_numpy(name, dtype):
    values = np.abs(VALUES).astype(dtype)
    if values.dtype.kind in "fc":
        values[3, 1, 2] = np.nan
    for axis, length, chunks in ((0, 3, (2, 4, 2)), (1, 4, (13, 1, 5)), (2, 1, (5, 2, 2))):
        view = windows(biggus.ArrayAdapter(ArraySource(values, chunks=chunks)), length, axis)
        right = getattr(windows(values, length, axis), name)(axis=-1)
        lazy = getattr(view, name)(axis=-1)
        assert (lazy.shape, lazy.dtype) == (right.shape, right.dtype)
        assert type(getattr(view[:], name)(axis=-1).node) is type(lazy.node)
        if length > 1 and not (dtype == "c8" and name in ("min", "max")):
            assert type(lazy.node) is Blockwise
        np.testing.assert_allclose(lazy.ndarray(), right, rtol=1e-3 if dtype == "f2" else 1e-6)
        key = np.s_[::-2, [0, 0], -1]
        np.testing.assert_array_equal(lazy[key].ndarray(), lazy.ndarray()[key])


def test_window_statistics_take_one_pass_in_any_memory():
    values = np.random.default_rng(1).normal(size=(600, 8, 9)).astype("f4")
    source = RecordingSource(ArraySource(values, chunks=(60, 8, 9)))
    lazy = windows(biggus.ArrayAdapter(source), 7, 0).mean(-1)
    total = lazy.mean((1, 2))
    assert len(biggus.plan([total]).passes) == 1
    found = []
    for memory in ("6 MB", "60 MB"):
        source.clear()
        with biggus.set_options(memory=memory, workers=2, chunk_memory=0):
            found.append((total.ndarray(), lazy.ndarray()))
        read = sum(np.prod([s.stop - s.start for s in box]) for box in source.boxes)
        assert read < 2.5 * values.size  # two evaluations, and a little overlap
    for one, other in zip(*found, strict=True):
        assert_same(one, other)


def test_other_reductions_of_windows_match_numpy():
    masked = np.ma.masked_equal(VALUES.astype("f8"), 3)
    for values, operate in (
        (masked, lambda a: windows(a, 3, 0).sum(-1)),
        (VALUES, lambda a: windows(a, 3, 0)[..., ::2].sum(-1)),
        (VALUES, lambda a: windows(a, 3, 0)[::2].sum(-1)),
        (VALUES, lambda a: windows(a, 3, 0).sum(0)),
        (VALUES, lambda a: windows(a, (2, 2), (0, 1)).max((-1, -2))),
        (VALUES, lambda a: windows(a, (2, 2), (0, 1)).max(-1)),
        (VALUES, lambda a: windows(a, 3, 0).sum(-1, keepdims=True)),
        (VALUES, lambda a: windows(a, 3, 0).sum(-1, dtype="f4")),
    ):
        lazy = operate(biggus.ArrayAdapter(values))
        if values is masked:
            right = masked[:-2].filled(0) + masked[1:-1].filled(0) + masked[2:].filled(0)
            np.testing.assert_array_equal(lazy.masked_array().filled(0), right)
        else:
            assert_same(lazy.ndarray(), operate(values))


@pytest.mark.parametrize("window", [*range(2, 18), 63, 257])
def test_windows_of_any_length_match_numpy(window):
    values = VALUES[:, 0, 0].repeat(30)
    for name in ("sum", "max"):
        for dtype in ("f8", "?", "i8"):
            typed = values.astype(dtype)
            view = windows(biggus.ArrayAdapter(ArraySource(typed, chunks=(90,))), window, 0)
            right = getattr(windows(typed, window, 0), name)(axis=-1)
            assert_same(getattr(view, name)(axis=-1).ndarray(), right)
