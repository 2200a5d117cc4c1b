"""Colour limits: computed once, kept, and replaced by limits that a user sets."""

import threading
from time import monotonic, sleep

import numpy as np
import pytest
from endless import Endless, array_of, halved, pyramid_of
from figures import new_axes, pixels
from matplotlib import colors
from windows import window

import biggus
from biggus.testing import ArraySource

SIDE = 2**16


def test_limits_of_a_small_array_are_its_extremes():
    values = np.random.default_rng(0).normal(size=(300, 400))
    ax = new_axes()
    image = biggus.imshow(values, ax)
    ax.set_xlim(0, 10)
    ax.set_ylim(10, 0)
    assert image.norm.vmin is None
    pixels(ax)
    assert image.get_clim() == (values.min(), values.max())


def test_limits_of_a_pyramid_are_those_of_its_coarsest_level():
    sources = halved(SIDE)
    everything = slice(0, 256, 1)
    coarse = sources[-1].values(everything, everything)
    for at in (0, 30_000):
        ax = new_axes()
        image = biggus.imshow(pyramid_of(sources), ax)
        ax.set_xlim(at, at + 400)
        ax.set_ylim(at + 300, at)
        pixels(ax)
        assert image.get_clim() == (coarse.min(), coarse.max())


def test_limits_of_a_large_array_are_those_of_the_first_view():
    source = Endless(SIDE)
    ax = new_axes()
    image = biggus.imshow(array_of(source), ax)
    first = None
    for at in (0, 500, 1000, 20_000):
        ax.set_xlim(at, at + 300)
        ax.set_ylim(at + 200, at)
        pixels(ax)
        first = first or image.get_clim()
        assert image.get_clim() == first
    seen = source.values(slice(0, 256, 1), slice(0, 384, 1))
    assert first == pytest.approx((seen.min(), seen.max()), abs=0.3)
    image.autoscale()
    assert image.get_clim() != first


def test_limits_set_later_win():
    values = np.random.default_rng(0).random((300, 400))
    for change, expected in (
        (lambda image: image.set_clim(0.2, 0.7), (0.2, 0.7)),
        (lambda image: image.set_clim(vmin=0.2), (0.2, values.max())),
        (lambda image: setattr(image.norm, "vmax", 0.7), (values.min(), 0.7)),
        (lambda image: image.set_norm(colors.Normalize(0.3, 0.4)), (0.3, 0.4)),
        (lambda image: image.set_norm(colors.LogNorm()), (values.min(), values.max())),
    ):
        for before in (False, True):
            ax = new_axes()
            image = biggus.imshow(values, ax)
            if not before:
                pixels(ax)
            change(image)
            pixels(ax)
            assert image.get_clim() == expected


@pytest.mark.parametrize("given", [{"vmin": 0.2}, {"vmax": 0.3}, {"vmin": 0.2, "vmax": 0.3}])
def test_given_limits_are_kept(given):
    ax = new_axes()
    values = np.random.default_rng(0).random((300, 400))
    image = biggus.imshow(values, ax, **given)
    pixels(ax)
    found = dict(zip(("vmin", "vmax"), image.get_clim(), strict=True))
    assert found == {"vmin": values.min(), "vmax": values.max()} | given
    with pytest.raises(ValueError, match="not both"):
        biggus.imshow(values, ax, norm=colors.Normalize(), **given)


class GatedHalf(ArraySource):
    """An array whose right half is read once a gate is open."""

    def __init__(self, values):
        super().__init__(values, (256, 256))
        self.gate = threading.Event()

    def __getitem__(self, box):
        assert box[1].start < 256 or self.gate.wait(60), "the gate stayed shut"
        return super().__getitem__(box)


def shown_by_half(source, **given):
    """Return an image in a window whose limits are those of the left half, 0 and 1."""
    ax = window()
    image = biggus.imshow(biggus.ArrayAdapter(source), ax, **given)
    ax.figure.canvas.draw()
    until = monotonic() + 60
    while not image.norm.scaled():
        assert monotonic() < until, "the left half never comes"
        ax.figure.canvas.turn()
        sleep(0.005)
    assert image.waiting
    return image


@pytest.fixture
def halves():
    values = np.linspace(0, 1, 256 * 256).reshape(256, 256)
    return GatedHalf(np.hstack([values, 100 * values - 50]))


def test_limits_follow_arriving_tiles(halves):
    image = shown_by_half(halves)
    assert (image.norm.vmin, image.norm.vmax) == (0, 1)
    halves.gate.set()
    image.figure.canvas.settle()
    assert (image.norm.vmin, image.norm.vmax) == (-50, 50)


@pytest.mark.parametrize("given", [{}, {"vmin": -7}, {"vmax": 3}])
def test_limits_after_set_data_depend_on_the_new_array_only(halves, given):
    image = shown_by_half(halves, **given)
    image.set_data(np.linspace(0.25, 0.75, 256 * 512).reshape(256, 512))
    halves.gate.set()
    image.figure.canvas.draw()
    image.figure.canvas.settle()
    expected = {"vmin": 0.25, "vmax": 0.75} | given
    assert (image.norm.vmin, image.norm.vmax) == (expected["vmin"], expected["vmax"])


def test_limits_stay_after_the_first_view_is_complete():
    source = Endless(2**12)
    ax = window()
    canvas = ax.figure.canvas
    image = biggus.imshow(array_of(source), ax)
    canvas.draw()
    canvas.settle()
    limits = image.get_clim()
    changes = []
    image.norm.callbacks.connect("changed", lambda: changes.append(image.norm.vmax))
    for at in (0, 700):
        ax.set_xlim(at, at + 300)
        canvas.draw()
        canvas.settle()
    assert image.get_clim() == limits
    assert not changes


def test_colour_bar_computes_the_limits():
    sources = halved(SIDE)
    ax = window()
    image = biggus.imshow(pyramid_of(sources), ax)
    bar = ax.figure.colorbar(image)
    assert (bar.vmin, bar.vmax) == image.get_clim()
    assert bar.vmax - bar.vmin > 3


def test_missing_values_and_infinities_do_not_affect_limits():
    values = np.array([[np.nan, 2.0, -np.inf], [np.inf, 1.0, 5.0]])
    for shown in (values, np.ma.masked_invalid(values)):
        ax = new_axes()
        image = biggus.imshow(biggus.ArrayAdapter(ArraySource(shown)), ax)
        pixels(ax)
        assert image.get_clim() == (1, 5)
    for nothing in (np.full((3, 3), np.nan), np.ma.masked_all((3, 3))):
        drawn = []
        for show in (lambda ax, v: biggus.imshow(v, ax), lambda ax, v: ax.imshow(v)):
            ax = new_axes()
            image = show(ax, nothing)
            image.cmap = image.cmap.with_extremes(bad="red")
            image.set_clim(0, 1)
            drawn.append(pixels(ax))
        np.testing.assert_array_equal(*drawn)


def test_images_may_share_a_norm():
    norm = colors.Normalize()
    ax = new_axes()
    biggus.imshow(np.array([[1.0, 2.0]]), ax, norm=norm)
    second = biggus.imshow(np.array([[0.0, 9.0]]), ax, norm=norm)
    pixels(ax)
    assert second.norm is norm
    assert (norm.vmin, norm.vmax) == (1, 2)


def test_set_index_keeps_the_limits(tmp_path):
    values = np.random.default_rng(0).random((5, 30, 40)) * np.arange(1, 6)[:, None, None]
    ax, other = new_axes(), new_axes()
    image = biggus.imshow(biggus.ArrayAdapter(ArraySource(values, chunks=(2, 16, 16))), ax)
    theirs = other.imshow(values[0])
    for time in (0, 3, -1, 2):
        image.set_index(time)
        theirs.set_data(values[time])
        np.testing.assert_array_equal(pixels(ax), pixels(other))
    assert image.index == (2,)
    with pytest.raises(IndexError):
        image.set_index(5)
    image.set_data(values[4])
    theirs.set_data(values[4])
    np.testing.assert_array_equal(pixels(ax), pixels(other))


def test_invalid_images_raise_as_in_matplotlib():
    ax = new_axes()
    for values in (
        np.zeros((3, 4), complex),
        np.zeros((3, 4), "M8[s]"),
        np.zeros((3, 4), "S3"),
        np.zeros(3),
    ):
        with pytest.raises(TypeError):
            ax.imshow(values)
        with pytest.raises(TypeError):
            biggus.imshow(values, ax)
    with pytest.raises(TypeError, match="one number"):
        biggus.imshow(np.zeros((3, 4)), ax, alpha=np.ones((3, 4)))
    assert len(ax.images) == 0


def test_missing_rgb_values_are_transparent():
    values = np.ma.MaskedArray(np.full((4, 6, 3), 200, "u1"), mask=False)
    values[1, 2, 0] = np.ma.masked
    ax = new_axes()
    biggus.imshow(biggus.ArrayAdapter(ArraySource(values)), ax, interpolation="nearest")
    x, y = ax.transData.transform((2, 1))
    row = ax.figure.bbox.height - y
    assert (pixels(ax)[int(row), int(x)] == 255).all()
    x, y = ax.transData.transform((3, 1))
    assert (pixels(ax)[int(row), int(x)] == (200, 200, 200, 255)).all()


def test_empty_image_draws_nothing():
    for shape in ((0, 5), (5, 0), (0, 5, 3)):
        ax = new_axes()
        ax.set_xlim(0, 1)
        image = biggus.imshow(np.zeros(shape), ax, extent=(0, 1, 0, 1))
        pixels(ax)
        assert image.get_size() == shape[:2]


@pytest.mark.parametrize("values", [np.full((30, 40), np.nan), np.ma.masked_all((30, 40))])
def test_all_missing_image_matches_imshow(values):
    drawn = []
    for show in (lambda ax: biggus.imshow(values, ax), lambda ax: ax.imshow(values)):
        ax = new_axes()
        image = show(ax)
        image.cmap = image.cmap.with_extremes(bad="red")
        drawn.append(pixels(ax))
    np.testing.assert_array_equal(*drawn)


def test_limits_with_an_unreadable_coarsest_level():
    sources = halved(SIDE)
    sources[-1].fails = lambda box: True
    for make, draw in ((new_axes, pixels), (window, lambda ax: ax.figure.canvas.draw_all())):
        ax = make()
        image = biggus.imshow(pyramid_of(sources), ax)
        ax.set_xlim(0, 300)
        ax.set_ylim(200, 0)
        with pytest.warns(UserWarning, match="unplugged"):
            draw(ax)
        seen = sources[0].values(slice(0, 256, 1), slice(0, 384, 1))
        assert image.get_clim() == pytest.approx((seen.min(), seen.max()), abs=0.3)
        assert not np.ma.is_masked(image.get_array())


def test_late_failure_of_the_coarsest_level_warns():
    sources = halved(SIDE)
    sources[-1].fails = lambda box: True
    sources[-1].gate.clear()
    ax = window()
    image = biggus.imshow(pyramid_of(sources), ax)
    ax.set_xlim(0, 300)
    ax.set_ylim(200, 0)
    ax.figure.canvas.draw()
    sources[-1].gate.set()
    with pytest.warns(UserWarning, match="unplugged"):
        ax.figure.canvas.settle()
    assert image.norm.scaled()


@pytest.mark.parametrize("show", [biggus.imshow, biggus.plot, biggus.hist])
def test_missing_matplotlib_error_names_the_extra(monkeypatch, show):
    import sys

    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setattr(sys, "path_importer_cache", {})
    with pytest.raises(biggus.errors.MissingDependencyError, match=r"biggus\[viewer\]"):
        show(np.zeros(3))
