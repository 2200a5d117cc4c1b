"""Quick looks show the right values at the right positions, labelled from the store."""

from __future__ import annotations

import math
import shutil

import numpy as np
import pytest

import biggus

matplotlib = pytest.importorskip("matplotlib")
netCDF4 = pytest.importorskip("netCDF4")

from biggus.labels import Coordinate
from biggus.testing import ArraySource, RecordingSource
from biggus.viewer.maps import film

SST = (
    280 + np.arange(5)[:, None, None] + 20 * np.cos(np.linspace(-1.4, 1.4, 18))[:, None]
) + np.zeros((5, 18, 36))


@pytest.fixture(scope="module")
def ocean(tmp_path_factory):
    path = tmp_path_factory.mktemp("maps") / "ocean.nc"
    with netCDF4.Dataset(path, "w") as dataset:
        for name, n in (("time", 5), ("lat", 18), ("lon", 36)):
            dataset.createDimension(name, n)
        time = dataset.createVariable("time", "f8", ("time",))
        time.units, time.calendar = "days since 2004-01-01", "standard"
        time[:] = np.arange(5) * 31
        lat = dataset.createVariable("lat", "f4", ("lat",))
        lat.units = "degrees_north"
        lat[:] = np.linspace(85, -85, 18)
        lon = dataset.createVariable("lon", "f4", ("lon",))
        lon.units = "degrees_east"
        lon[:] = np.linspace(5, 355, 36)
        tos = dataset.createVariable("tos", "f4", ("time", "lat", "lon"), fill_value=-9)
        tos.long_name, tos.units = "sea surface temperature", "K"
        tos[:] = np.ma.masked_where(np.arange(36) % 9 == 0, np.ones(36)) * SST
        kind = dataset.createVariable("kind", "i1", ("lat", "lon"))
        kind.flag_values = np.array([1, 4, 7], "i1")
        kind.flag_meanings = "land shallow_sea deep_sea"
        kind[:] = np.array([1, 4, 7], "i1")[np.arange(36) % 3]
    return path


def map_of(figure):
    """Return the axes of a map, and the image or mesh in it."""
    ax = figure.axes[0]
    return ax, (ax.images or ax.collections)[0]


def test_map_has_north_up_and_the_extent_of_its_coordinates(ocean) -> None:
    array = biggus.open(ocean, "tos")[1]
    ax, image = map_of(biggus.quicklook(array))
    left, right, bottom, top = image.get_extent()
    assert np.allclose((left, right, bottom, top), (0, 360, -90, 90))
    assert np.allclose(ax.get_ylim(), (-90, 90))
    shown = image.get_array()
    assert np.ma.allclose(shown, array.masked_array())  # stored from the north
    assert np.array_equal(np.ma.getmaskarray(shown), array.masked_array().mask)


def test_rows_from_the_south_are_flipped(ocean) -> None:
    array = biggus.open(ocean, "tos")[1, ::-1, ::-1]
    _, image = map_of(biggus.quicklook(array))
    assert np.allclose(image.get_extent(), (0, 360, -90, 90))
    assert np.ma.allclose(image.get_array(), array.masked_array()[::-1, ::-1])


def test_title_and_labels_name_the_variable(ocean) -> None:
    figure = biggus.quicklook(biggus.open(ocean, "tos")[1])
    title = figure._suptitle.get_text()
    assert "ocean.nc" in title
    assert "tos" in title
    assert "2004-02-01" in title
    assert figure.axes[1].get_ylabel() == "sea surface temperature (K)"
    figure.canvas.draw()
    ax = figure.axes[0]
    assert any("N" in label.get_text() for label in ax.get_yticklabels())
    assert any("W" in label.get_text() for label in ax.get_xticklabels())


def test_title_counts_the_files_that_are_joined(ocean, tmp_path) -> None:
    paths = [shutil.copy(ocean, tmp_path / f"{n}.nc") for n in range(3)]
    for options in ({"axis": "time"}, {"stack": True}):
        joined = biggus.open_many(paths, "tos", **options)
        map_of_all = joined.mean(axis=tuple(range(joined.ndim - 2)))
        assert "0.nc and 2 more " in biggus.quicklook(map_of_all)._suptitle.get_text()


def test_slice_of_a_mosaic_has_coordinates(ocean) -> None:
    both = biggus.open_many([ocean, ocean], "tos", axis=0)
    ax, image = map_of(biggus.quicklook(both[7, 2:9]))
    assert np.allclose(ax.get_ylim(), (0, 70))
    assert image.get_array().shape == (7, 36)
    assert "2004-03-03" in ax.figure._suptitle.get_text()


def test_mean_over_an_axis_keeps_other_coordinates(ocean) -> None:
    figure = biggus.quicklook(biggus.open(ocean, "tos").mean(axis=0))
    ax, _ = map_of(figure)
    assert np.allclose(ax.get_ylim(), (-90, 90))
    assert "mean tos" in figure._suptitle.get_text()


@pytest.mark.parametrize("maps", [False, True])
def test_statistics_are_computed_once_for_all_maps(maps) -> None:
    source = RecordingSource(ArraySource(np.random.default_rng(0).random((3, 300, 400))))
    array = biggus.ArrayAdapter(source, chunks=(3, 100, 100))
    with biggus.set_options(chunk_memory=0):
        figure = biggus.quicklook(array - array.mean(axis=0) if maps else array.mean(axis=0))
    size = sum(math.prod(s.stop - s.start for s in box) for box in source.boxes)
    assert size == source.shape[0] * 120_000 * (1 + maps)
    assert len([ax for ax in figure.axes if ax.images or ax.collections]) >= 1 + 2 * maps


def test_missing_values_have_a_colour_outside_the_colormap(ocean) -> None:
    figure = biggus.quicklook(biggus.open(ocean, "tos")[0])
    _, image = map_of(figure)
    missing = np.array(image.get_cmap()(np.ma.masked_all(1))[0])
    colours = image.get_cmap()(np.linspace(0, 1, 256))
    assert np.abs(colours - missing).max(axis=1).min() > 0.05


def test_line_has_dates(ocean) -> None:
    figure = biggus.quicklook(biggus.open(ocean, "tos")[:, 3, 5])
    (line,) = figure.axes[0].lines
    assert np.allclose(line.get_ydata(), SST[:, 3, 5])
    dates = np.asarray(line.get_xdata(orig=True))
    assert dates.astype("M8[D]").tolist()[1].isoformat() == "2004-02-01"
    assert figure.axes[0].get_ylabel() == "sea surface temperature (K)"


def test_three_axes_give_panels_with_one_scale(ocean) -> None:
    figure = biggus.quicklook(biggus.open(ocean, "tos"))
    titles = [ax.get_title() for ax in figure.axes if ax.get_title()]
    assert titles == ["2004-01-01", "2004-02-01", "2004-03-03", "2004-04-03", "2004-05-04"]
    limits = {ax.images[0].get_clim() for ax in figure.axes if ax.images}
    assert len(limits) == 1
    many = biggus.quicklook(biggus.zeros((40, 3, 4)))
    assert sum(bool(ax.get_title()) for ax in many.axes) == 12


def test_film_reads_coordinates_once(ocean, tmp_path, monkeypatch) -> None:
    pytest.importorskip("PIL")
    read = []
    values = Coordinate.values

    def recording_values(each):
        read.append(each.name)
        return values(each)

    monkeypatch.setattr(Coordinate, "values", recording_values)
    assert film(tmp_path / "out.gif", biggus.open(ocean, "tos"), ".gif") == 5
    assert (read.count("lat"), read.count("lon")) == (1, 1)


def test_flags_have_distinct_colours_and_names(ocean) -> None:
    figure = biggus.quicklook(biggus.open(ocean, "kind"))
    _, image = map_of(figure)
    assert np.array_equal(image.get_array()[0, :4], [0, 1, 2, 0])
    assert image.get_cmap().N == 3
    assert [t.get_text() for t in figure.axes[1].get_yticklabels()] == [
        "land",
        "shallow sea",
        "deep sea",
    ]


def test_curvilinear_grid_has_the_extent_of_its_coordinates(tmp_path) -> None:
    path = tmp_path / "curved.nc"
    y, x = np.mgrid[0:10, 0:12].astype("f8")
    with netCDF4.Dataset(path, "w") as dataset:
        dataset.createDimension("j", 10)
        dataset.createDimension("i", 12)
        for name, units, values in (
            ("nav_lat", "degrees_north", 30 + y + 0.1 * x),
            ("nav_lon", "degrees_east", (176 + x - 0.1 * y + 180) % 360 - 180),
        ):
            variable = dataset.createVariable(name, "f8", ("j", "i"))
            variable.units = units
            variable[:] = values
        v = dataset.createVariable("v", "f8", ("j", "i"))
        v.coordinates = "nav_lat nav_lon"
        v[:] = y * x
    ax, mesh = map_of(biggus.quicklook(biggus.open(path, "v")))
    assert mesh.get_array().shape == (10, 12)
    left, right = ax.get_xlim()
    # No jump at 180 degrees.
    assert 172 < left < 176
    assert 187 < right < 190
    assert ax.get_ylim()[0] < 30


def test_without_coordinates_axes_count_elements() -> None:
    values = np.arange(12.0).reshape(3, 4)
    ax, image = map_of(biggus.quicklook(biggus.ArrayAdapter(values)))
    assert image.get_extent() == [-0.5, 3.5, 2.5, -0.5]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("axis 1", "axis 0")
    assert np.array_equal(image.get_array(), values)


def test_rgb_values_are_shown_unchanged() -> None:
    values = np.random.default_rng(0).integers(0, 255, (20, 30, 3), "u1")
    figure = biggus.quicklook(biggus.ArrayAdapter(values))
    _, image = map_of(figure)
    assert np.array_equal(image.get_array(), values)
    assert len(figure.axes) == 1


def test_large_arrays_are_averaged() -> None:
    values = np.random.default_rng(0).random((5000, 3000), dtype="f4")
    _, image = map_of(biggus.quicklook(biggus.ArrayAdapter(values)))
    shown = image.get_array()
    assert shown.shape == (1250, 750)
    assert np.allclose(shown[3, 4], values[12:16, 16:20].mean(), rtol=1e-5)
    assert np.allclose(image.get_extent(), (-0.5, 2999.5, 4999.5, -0.5), atol=1)


@pytest.mark.parametrize(
    ("array", "kind"),
    [
        (np.zeros(()), ValueError),
        (np.zeros((1, 1)), ValueError),
        (np.zeros((0, 3)), ValueError),
        (np.zeros((2, 3, 4, 5)), ValueError),
        (np.array([["a", "b"]]), TypeError),
        (np.zeros(3, "c8"), TypeError),
    ],
)
def test_undrawable_arrays_raise(array, kind) -> None:
    with pytest.raises(kind, match=r"draw|picture"):
        biggus.quicklook(biggus.ArrayAdapter(array))


def test_all_missing_and_constant_arrays_can_be_drawn() -> None:
    for values in (np.full((4, 5), np.nan), np.ma.masked_all((4, 5)), np.full((4, 5), 7)):
        figure = biggus.quicklook(biggus.ArrayAdapter(values))
        figure.canvas.draw()
        assert figure.axes[0].images[0].get_array().shape == (4, 5)


@pytest.mark.parametrize("lazy", [True, False])
def test_data_array_of_xarray_has_its_name_units_and_coordinates(ocean, lazy) -> None:
    xr = pytest.importorskip("xarray")
    pytest.importorskip("biggus.xarray")
    with xr.open_dataset(ocean, engine="biggus") as dataset:
        array = dataset["tos"].transpose("lon", "time", "lat")
        mean = array.mean("time", keep_attrs=True).T
        day = array.isel(time=1).T
        figures = [biggus.quicklook(each if lazy else each.compute()) for each in (mean, day)]
    for figure, right in zip(figures, (SST.mean(axis=0), SST[1]), strict=True):
        ax, image = map_of(figure)
        assert np.allclose(ax.get_ylim(), (-90, 90))
        assert np.allclose(image.get_array(), right)
        assert figure.axes[1].get_ylabel() == "sea surface temperature (K)"
        assert figure._suptitle.get_text().startswith("tos")
    assert "2004-02-01" in figures[1]._suptitle.get_text()
    biggus.quicklook(array[:, 0, 0].drop_vars("lon").rename(None))
