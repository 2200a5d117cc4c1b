"""xarray plots of lazy arrays match those of arrays in memory."""

from __future__ import annotations

import numpy as np
import pytest

import biggus

xarray = pytest.importorskip("xarray")
plt = pytest.importorskip("matplotlib.pyplot")

VALUES = np.hypot(*np.mgrid[-4:5, -6:8]).astype("f4")
COORDINATES = {"y": np.linspace(10, 18, 9), "x": np.linspace(-3, 10, 14)}
MASKED = np.ma.masked_greater(VALUES, 6)


def drawn(values, kind: str):
    """Return all numbers and texts that a plot shows."""
    array = xarray.DataArray(values, COORDINATES, ("y", "x"), name="v", attrs={"units": "m"})
    figure, ax = plt.subplots()
    try:
        if kind == "line":
            array[:, 2].plot(ax=ax)
        elif kind == "hist":
            array.plot.hist(ax=ax)
        else:
            getattr(array.plot, kind)(ax=ax)
        shown = [np.ma.filled(line.get_ydata(), np.nan) for line in ax.lines]
        for artist in (*ax.images, *ax.collections):
            if artist.get_array() is not None:
                shown.append(np.ma.filled(np.ma.asarray(artist.get_array(), float), np.nan))
        shown += [np.array(patch.get_height()) for patch in ax.patches]
        texts = (ax.get_xlabel(), ax.get_ylabel(), ax.get_title())
    finally:
        plt.close(figure)
    return shown, texts


@pytest.mark.parametrize("kind", ["pcolormesh", "imshow", "contourf", "contour", "line", "hist"])
@pytest.mark.parametrize("values", [VALUES, MASKED], ids=["plain", "masked"])
def test_plot_matches_in_memory_values(kind, values) -> None:
    lazy, lazy_texts = drawn(biggus.ArrayAdapter(values), kind)
    known, texts = drawn(np.ma.filled(values, np.nan), kind)
    assert lazy_texts == texts
    assert len(lazy) == len(known) > 0
    for one, other in zip(lazy, known, strict=True):
        assert np.allclose(one, other, equal_nan=True)
