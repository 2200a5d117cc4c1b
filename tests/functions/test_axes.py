"""Axes are given by number: a name is refused in words, by all that takes axes."""

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
def test_reductions(a, name, axis):
    more = QUANTILES.get(name, ())
    calls = [lambda: getattr(biggus, name)(a, *more, axis=axis)]
    if hasattr(np, name):
        calls.append(lambda: getattr(np, name)(a, *more, axis=axis))
        if axis != "":  # which some of NumPy's take for no axis at all
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
def test_all_else(a, call, name):
    with pytest.raises(TypeError, match="an axis is given by its number") as caught:
        call(a, name)
    assert repr(name) in str(caught.value)
