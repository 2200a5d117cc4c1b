"""Axes are given by number, or by name if they have names; other axes raise clear errors."""

import numpy as np
import pytest

import biggus
from biggus.functions.statistics import STATISTICS

VALUES = np.arange(24.0).reshape(2, 3, 4)
SPELLINGS = ["time", "", ("time",), (0, "x"), ["x"]]
REDUCTIONS = sorted(STATISTICS)
METHODS = [name for name in REDUCTIONS if hasattr(biggus.Array, name)]
QUANTILES = {"quantile": (0.5,), "percentile": (50,), "nanquantile": (0.5,), "nanpercentile": (50,)}
SINGLE = ("argmin", "argmax", "nanargmin", "nanargmax")


@pytest.fixture
def a():
    return biggus.ArrayAdapter(VALUES, chunks=(1, 3, 2))


@pytest.mark.parametrize("axis", SPELLINGS, ids=repr)
@pytest.mark.parametrize("name", REDUCTIONS)
def test_reduction_with_unknown_axis_name_raises(a, name, axis):
    more = QUANTILES.get(name, ())
    calls = [lambda: getattr(biggus, name)(a, *more, axis=axis)]
    if hasattr(np, name):
        calls.append(lambda: getattr(np, name)(a, *more, axis=axis))
        if axis != "":  # some NumPy functions treat it as no axis
            with pytest.raises(TypeError):
                getattr(np, name)(VALUES, *more, axis=axis)
    if name in METHODS:
        calls.append(lambda: getattr(a, name)(*more, axis=axis))
        calls.append(lambda: getattr(a, name)(*more, axis))
    for call in calls:
        with pytest.raises(TypeError, match="an axis is given by its number, not by a name"):
            call()


@pytest.mark.parametrize("name", ["time", "x"])
@pytest.mark.parametrize(
    "call",
    [
        lambda a, name: a.transpose(name, 1, 2),
        lambda a, name: a.transpose((0, 1, name)),
        lambda a, name: biggus.transpose(a, (name, 1, 0)),
        lambda a, name: np.transpose(a, (name, 1, 0)),
        lambda a, name: np.swapaxes(a, 0, name),
        lambda a, name: np.moveaxis(a, name, 0),
        lambda a, name: np.moveaxis(a, 0, name),
        lambda a, name: np.moveaxis(a, [0, 1], [0, name]),
        np.expand_dims,
        np.squeeze,
        np.flip,
        np.size,
        lambda a, name: biggus.concatenate([a, a], axis=name),
        lambda a, name: biggus.stack([a, a], axis=name),
        lambda a, name: biggus.LinearMosaic([a, a], axis=name),
    ],
)
def test_other_functions_with_unknown_axis_name_raise(a, call, name):
    with pytest.raises(TypeError, match="an axis is given by its number") as caught:
        call(a, name)
    assert repr(name) in str(caught.value)


NAMED = {
    "cumsum": lambda a, x: np.cumsum(a, axis=x),
    "cumsum by place": np.cumsum,
    "cumsum as a method": lambda a, x: a.cumsum(x),
    "sort": lambda a, x: np.sort(a, axis=x),
    "diff": lambda a, x: np.diff(a, axis=x),
    "flip": np.flip,
    "flip of several": lambda a, x: np.flip(a, (0, x)),
    "roll": lambda a, x: np.roll(a, 1, x),
    "take": lambda a, x: np.take(a, [1, 0], x),
    "take as a method": lambda a, x: a.take([1, 0], axis=x),
    "repeat": lambda a, x: np.repeat(a, 2, axis=x),
    "gradient": lambda a, x: np.gradient(a, axis=x),
    "fft": lambda a, x: np.fft.rfft(a, axis=x),
    "norm": lambda a, x: np.linalg.norm(a, axis=x),
    "concatenate": lambda a, x: np.concatenate([a, a], axis=x),
    "median": lambda a, x: np.median(a, axis=x),
    "average": lambda a, x: np.average(a, axis=x),
    "map_blocks": lambda a, x: biggus.map_blocks(np.sum, a, drop_axis=x, axis=1, dtype="f8"),
    "map_blocks of several": lambda a, x: biggus.map_blocks(
        np.sum, a, drop_axis=[0, x], axis=(0, 1), dtype="f8"
    ),
    "map_overlap": lambda a, x: biggus.map_overlap(
        np.cumsum, a, depth={x: (1, 0)}, boundary={x: "reflect"}, axis=1, dtype="f8"
    ),
    "coarsen": lambda a, x: biggus.coarsen(a, {x: 2}, boundary="trim"),
    "groupby_reduce": lambda a, x: biggus.groupby_reduce(a, [0, 1, 1], "sum", axis=x)[0],
}


def test_named_axes_work_in_all_functions(tmp_path):
    zarr = pytest.importorskip("zarr")
    group = zarr.open_group(tmp_path / "a.zarr", mode="w")
    stored = group.create_array(
        "v", shape=VALUES.shape, dtype="f8", chunks=(1, 3, 2), dimension_names=("time", "y", "x")
    )
    stored[...] = VALUES
    array = biggus.open(tmp_path / "a.zarr", "v").filled(0.0)
    assert array.dims == ("time", "y", "x")
    for name, call in NAMED.items():
        ours, theirs = call(array, "y"), call(array, 1)
        assert ours.shape == theirs.shape, name
        np.testing.assert_array_equal(ours.ndarray(), theirs.ndarray(), name)
        with pytest.raises(np.exceptions.AxisError, match="time, y, x"):
            call(array, "z")
