"""Pictures to pan over: their extents, colours and labels follow the store."""

from __future__ import annotations

import numpy as np
import pytest

import biggus
from biggus.pyramids import Pyramid
from biggus.testing import ArraySource, FaultySource

pytest.importorskip("matplotlib")
netCDF4 = pytest.importorskip("netCDF4")

from matplotlib.backend_bases import MouseEvent
from matplotlib.colors import to_rgba

from biggus.viewer.maps.colours import distinct
from biggus.viewer.maps.drawing import MISSING, new_figure
from biggus.viewer.maps.panned import Panned

LATITUDES = {"up": np.linspace(-85, 85, 18), "down": np.linspace(85, -85, 18)}
LONGITUDES = np.linspace(5, 355, 36)
VALUES = (280 + np.arange(18)[:, None] - np.arange(36) / 8 + np.arange(3)[:, None, None]).astype(
    "f4"
)
HOLES = np.broadcast_to(np.arange(36) % 9 == 0, VALUES.shape)
FLAGS = np.array([1, 2, 5], "i1")


@pytest.fixture(scope="module", params=["up", "down"])
def path(request, tmp_path_factory):
    found = tmp_path_factory.mktemp("panned") / f"{request.param}.nc"
    with netCDF4.Dataset(found, "w") as dataset:
        for name, n in (("time", 3), ("lat", 18), ("lon", 36), ("bent", 36)):
            dataset.createDimension(name, n)
        time = dataset.createVariable("time", "f8", ("time",))
        time.units, time.calendar = "days since 2004-01-01", "360_day"
        time[:] = np.arange(3) * 30
        for name, units, values in (
            ("lat", "degrees_north", LATITUDES[request.param]),
            ("lon", "degrees_east", LONGITUDES),
            ("bent", "degrees_east", LONGITUDES**1.1),
        ):
            dataset.createVariable(name, "f8", (name,)).units = units
            dataset[name][:] = values
        tos = dataset.createVariable("tos", "f4", ("time", "lat", "lon"), fill_value=-9)
        tos.standard_name, tos.long_name, tos.units = "sea_surface_temperature", "heat", "K"
        tos[:] = np.ma.MaskedArray(VALUES, HOLES)
        kind = dataset.createVariable("kind", "i1", ("lat", "lon"))
        kind.flag_values, kind.flag_meanings = FLAGS, "land shallow deep"
        kind[:] = FLAGS[np.arange(36) % 3]
        dataset.createVariable("odd", "f4", ("lat", "bent"))[:] = VALUES[0]
    return found


def panned(path, name):
    array = biggus.open(path, name)
    return Panned(Pyramid([(array, (1,) * array.ndim)], (array.ndim - 2, array.ndim - 1)))


def drawn(picture):
    figure = new_figure((6.0, 4.0), "")
    image = picture.draw(figure)
    figure.canvas.draw()
    return figure, image


def test_north_is_up_for_any_order_of_latitudes(path) -> None:
    figure, image = drawn(panned(path, "tos"))
    ax = figure.axes[0]
    assert ax.get_ylim() == pytest.approx((-90, 90))
    assert ax.get_xlim() == pytest.approx((0, 360))
    # The colour at a position is that of its value.
    for row, column in ((0, 1), (17, 35), (4, 20)):
        latitude = LATITUDES[path.stem][row]
        across, down = ax.transData.transform((LONGITUDES[column], latitude))
        pixels = np.asarray(figure.canvas.buffer_rgba())
        shown = pixels[round(pixels.shape[0] - 1 - down), round(across)] / 255
        assert np.allclose(shown, image.to_rgba(VALUES[0, row, column]), atol=0.06)


def test_colours_and_colour_bar_match_quicklook(path) -> None:
    figure, image = drawn(panned(path, "tos"))
    quick = biggus.quicklook(biggus.open(path, "tos")[0]).axes[0].images[0]
    assert image.get_cmap().name == quick.get_cmap().name == "inferno"
    assert image.get_clim() == pytest.approx(quick.get_clim())
    assert figure.axes[1].get_ylabel() == "heat (K)"
    assert figure.axes[0].get_facecolor() == to_rgba(MISSING)


def test_title_names_the_selected_time(path) -> None:
    assert panned(path, "tos").title("ocean.nc tos") == "ocean.nc tos   2004-01-01"
    assert panned(path, "kind").title("ocean.nc kind") == "ocean.nc kind"


def test_flags_have_colours_and_other_values_are_missing(path) -> None:
    figure, image = drawn(panned(path, "kind"))
    for flag, colour in zip(FLAGS, distinct(3), strict=True):
        assert image.to_rgba(flag) == pytest.approx(to_rgba(colour))
    for number in (-3, 0, 3, 4, 6, 100):
        assert image.to_rgba(number) == pytest.approx(to_rgba(MISSING))
    bar = figure.axes[1]
    assert [text.get_text() for text in bar.get_yticklabels()] == ["land", "shallow", "deep"]
    assert list(bar.get_yticks()) == list(FLAGS)


def test_uneven_coordinates_are_tick_labels(path) -> None:
    figure, image = drawn(panned(path, "odd"))
    [ax, _] = figure.axes
    assert image.get_extent() == [-0.5, 35.5, 17.5, -0.5]
    assert ax.get_ylim() == ((-0.5, 17.5) if path.stem == "up" else (17.5, -0.5))  # north is up
    written = dict(zip(ax.get_yticks(), (t.get_text() for t in ax.get_yticklabels()), strict=True))
    assert written[0] == ("85° S" if path.stem == "up" else "85° N")
    assert {t.get_text() for t in ax.get_xticklabels()} > {"5.873° E"}


def test_nearly_even_grid_has_the_extent_of_its_coordinates(tmp_path) -> None:
    """Examples are Gaussian latitudes and close float32 longitudes."""
    latitudes = np.degrees(np.arcsin(np.polynomial.legendre.leggauss(64)[0]))
    longitudes = (np.arange(9000) * 0.04).astype("f4")
    with netCDF4.Dataset(tmp_path / "gauss.nc", "w") as dataset:
        for name, units, values in (
            ("lat", "degrees_north", latitudes),
            ("lon", "degrees_east", longitudes),
        ):
            dataset.createDimension(name, len(values))
            dataset.createVariable(name, values.dtype, (name,)).units = units
            dataset[name][:] = values
        dataset.createVariable("v", "i1", ("lat", "lon"))[:] = 1
    figure, _ = drawn(panned(tmp_path / "gauss.nc", "v"))
    assert figure.axes[0].get_ylim() == pytest.approx((-90, 90), abs=1)
    assert figure.axes[0].get_xlim() == pytest.approx((0, 360), abs=0.1)


def test_image_of_one_row_fills_the_axes(path) -> None:
    array = biggus.open(path, "tos")[0, :1]
    figure, _ = drawn(Panned(Pyramid([(array, (1, 1))], (0, 1))))
    box = figure.axes[0].get_window_extent()
    assert box.height > 0.3 * box.width


def test_rgb_values_are_shown_unchanged() -> None:
    pixels = np.arange(4 * 5 * 3, dtype="u1").reshape(4, 5, 3)
    array = biggus.ArrayAdapter(pixels)
    figure, image = drawn(Panned(Pyramid([(array, (1, 1, 1))], (0, 1))))
    assert len(figure.axes) == 1
    assert image.get_extent() == [-0.5, 4.5, 3.5, -0.5]


def test_huge_array_without_coordinates_has_no_grid() -> None:
    endless = biggus.zeros((2**40, 2**40, 3), "u1")
    assert Panned(Pyramid([(endless, (1, 1, 1))], (0, 1))).grid is None


def test_unreadable_tiles_are_missing() -> None:
    values = np.arange(600 * 600.0).reshape(600, 600)
    source = ArraySource(values, chunks=(200, 200))
    broken = FaultySource(source, OSError("unplugged"), on=lambda box: box[1].start == 0)
    array = biggus.ArrayAdapter(broken)
    with pytest.warns(UserWarning, match="shown as missing"):
        figure, image = drawn(Panned(Pyramid([(array, (1, 1))], (0, 1))))
    assert image.errors
    assert all("unplugged" in str(error) for error in image.errors)
    for row, column in ((300, 100), (300, 500)):
        place = figure.axes[0].transData.transform((column, row))
        shown = image.get_cursor_data(MouseEvent("move", figure.canvas, *place))
        assert shown is None if column < 200 else abs(shown - values[row, column]) <= 3 * 600


@pytest.mark.parametrize(("count", "most"), [(4, 4), (12, 5), (13, 5), (1000, 5)])
def test_date_ticks_are_equally_spaced(count, most, tmp_path) -> None:
    with netCDF4.Dataset(tmp_path / "a.nc", "w") as dataset:
        dataset.createDimension("time", count)
        time = dataset.createVariable("time", "f8", ("time",))
        time.units, time.calendar = "days since 2004-01-01", "360_day"
        time[:] = np.arange(count)
        dataset.createVariable("a", "f4", ("time",))[:] = np.arange(count) + 1
    array = biggus.open(tmp_path / "a.nc", "a")
    (ax,) = biggus.quicklook(array).axes
    ticks = ax.get_xticks()
    assert 2 <= len(ticks) <= most
    assert len(set(np.diff(ticks))) == 1
