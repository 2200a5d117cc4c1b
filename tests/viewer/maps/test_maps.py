"""Quick looks at unusual stores."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest

import biggus

matplotlib = pytest.importorskip("matplotlib")
pytest.importorskip("matplotlib.dates")
netCDF4 = pytest.importorskip("netCDF4")
pytest.importorskip("cftime")

CALENDARS = ("standard", "proleptic_gregorian", "julian", "noleap", "all_leap", "360_day")


@pytest.fixture
def written(tmp_path):
    """Write a variable with the coordinates of its axes, and open it."""

    def write(values, coordinates, attributes=None, name="sample.nc"):
        path = tmp_path / name
        with netCDF4.Dataset(path, "w") as dataset:
            for (dim, (along, metadata)), length in zip(
                coordinates.items(), np.shape(values), strict=True
            ):
                dataset.createDimension(dim, length)
                if along is not None:
                    coordinate = dataset.createVariable(dim, np.asarray(along).dtype, (dim,))
                    coordinate.setncatts(metadata)
                    coordinate[:] = along
            made = dataset.createVariable("v", np.asarray(values).dtype, tuple(coordinates))
            made.setncatts(attributes or {})
            made[:] = values
        return biggus.open(path, "v")

    return write


@pytest.mark.parametrize("calendar", CALENDARS)
def test_missing_times_have_no_date(written, calendar) -> None:
    times = np.where(np.arange(9) > 6, np.nan, np.arange(9.0))
    metadata = {"units": "days since 2000-01-01", "calendar": calendar}
    figure = biggus.quicklook(written(np.arange(9.0), {"time": (times, metadata)}))
    figure.canvas.draw()
    x = np.asarray(figure.axes[0].lines[0].get_xdata(orig=True))
    missing = np.isnat(x) if x.dtype.kind == "M" else np.isnan(x)
    assert missing.tolist() == [False] * 7 + [True] * 2
    texts = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert any(texts)
    assert "NaT" not in texts


@pytest.mark.parametrize(
    ("metadata", "downward"),
    [
        ({"units": "m", "positive": "down"}, True),
        ({"units": "m", "positive": "up"}, False),
        ({"units": "m"}, False),
        ({"units": "hPa"}, True),
        ({"units": "Pa", "positive": "up"}, False),
    ],
)
@pytest.mark.parametrize(("step", "even"), [(1, False), (-1, True)])
def test_depths_and_pressures_increase_downwards(written, metadata, downward, step, even) -> None:
    heights = (np.arange(6.0) if even else np.arange(6.0) ** 2)[::step]
    array = written(np.arange(24.0).reshape(6, 4), {"z": (heights, metadata), "y": (None, {})})
    for shown in (array, biggus.stack([array] * 2)):
        figure = biggus.quicklook(shown)
        figure.canvas.draw()
        for ax in figure.axes[:-1]:
            bottom, top = ax.get_ylim()
            assert (bottom > top) == downward


DOLLARS = "a $x_{ $ b $ \\frac"


def test_labels_are_not_parsed_as_formulas(written) -> None:
    metadata = {"long_name": DOLLARS, "units": "$^{"}
    meanings = {"flag_values": np.array([0, 1]), "flag_meanings": "$_{ $b"}
    flags = written(
        np.eye(4), {"u": (np.arange(4.0), metadata), "w": (None, {})}, metadata | meanings
    )
    values = np.arange(48.0).reshape(3, 4, 4)
    axes = {"t": (np.arange(3.0), metadata), "u": (np.arange(4.0), metadata), "w": (None, {})}
    array = written(values, axes, metadata, "$v_{.nc")
    for shown in (flags, array, array[0], array[0, 0]):
        figure = biggus.quicklook(shown)
        figure.canvas.draw()
    assert DOLLARS in figure.axes[0].get_ylabel()


@pytest.mark.parametrize("shape", [(40, 1, 3), (1, 40, 4), (1, 1, 5, 6, 3), (1, 1, 3)])
def test_rgb_arrays_of_one_row_or_column(shape) -> None:
    values = np.random.default_rng(0).integers(0, 255, shape, "u1")
    [ax] = biggus.quicklook(biggus.ArrayAdapter(values)).axes
    assert np.array_equal(ax.images[0].get_array(), values.reshape(shape[-3:]))


def test_missing_rgb_values_are_transparent() -> None:
    values = np.ma.array(np.full((5, 6, 3), 7, "u1"))
    values[2, 3] = np.ma.masked
    [ax] = biggus.quicklook(biggus.ArrayAdapter(values)).axes
    shown = ax.images[0].get_array()
    assert np.argwhere(shown[..., 3] == 0).tolist() == [[2, 3]]


def test_flags_are_not_averaged(written) -> None:
    values = np.random.default_rng(0).choice(np.array([1, 3], "i1"), (9, 3000))
    metadata = {"flag_values": np.array([1, 2, 3], "i1"), "flag_meanings": "a b c"}
    array = written(values, {"y": (None, {}), "x": (None, {})}, metadata)
    shown = biggus.quicklook(array).axes[0].images[0].get_array()
    assert shown.shape == (5, 1500)
    assert set(np.unique(shown)) == {0, 2}  # the indices of flags 1 and 3


def test_datetime64_coordinates_of_zarr(tmp_path) -> None:
    zarr = pytest.importorskip("zarr")
    group = zarr.create_group(tmp_path / "dates.zarr")
    days = np.arange("2001-01-01", "2001-01-09", dtype="M8[D]").astype("M8[ns]")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zarr-python has no stable form of such a dtype yet
        group.create_array("time", data=days, dimension_names=("time",))
    group.create_array("v", data=np.ones((8, 3)), dimension_names=("time", "x"))
    array = biggus.open(tmp_path / "dates.zarr", "v")
    for shown, name in ((array, "yaxis"), (array[:, 0], "xaxis")):
        figure = biggus.quicklook(shown)
        figure.canvas.draw()
        axis = getattr(figure.axes[0], name)
        assert isinstance(axis.get_major_formatter(), matplotlib.dates.ConciseDateFormatter)


ALL_MISSING = "all values are missing"


def notes_of(figure):
    return [t.get_text() for ax in figure.axes for t in ax.texts if t.get_visible()]


def test_all_missing_line_has_a_note_and_dates(written) -> None:
    days = {"time": (np.arange(9.0), {"units": "days since 2000-01-01"})}
    figure = biggus.quicklook(written(np.full(9, np.nan), days))
    figure.canvas.draw()
    assert notes_of(figure) == [ALL_MISSING]
    texts = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert any("Jan" in text or "2000" in text for text in texts)


def test_all_missing_maps_have_a_note() -> None:
    values = np.arange(60.0).reshape(3, 4, 5)
    values[1] = np.nan
    assert not notes_of(biggus.quicklook(values[0]))
    assert notes_of(biggus.quicklook(values)) == [ALL_MISSING]
    assert notes_of(biggus.quicklook(np.ma.masked_all((4, 5), "i4"))) == [ALL_MISSING]


def test_isolated_values_of_a_line_are_points() -> None:
    values = np.array([1, np.nan, 2, 3, np.nan, np.nan, 4])
    line = biggus.quicklook(values).axes[0].lines[0]
    assert line.get_marker() == "."
    assert np.flatnonzero(line.get_markevery()).tolist() == [0, 6]
    assert biggus.quicklook(np.arange(5.0)).axes[0].lines[0].get_marker() in ("None", "")


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
@pytest.mark.parametrize("widest", [True, False])
def test_infinities_have_the_end_colours(dtype, widest) -> None:
    far = np.finfo(dtype).max if widest else 3
    values = np.array([[far, np.inf, np.nan], [-far, -np.inf, 0]], dtype)
    figure = biggus.quicklook(values)
    figure.canvas.draw()
    image = figure.axes[0].images[0]
    shown = image.to_rgba(image.get_array())
    assert np.array_equal(shown[:, 0], shown[:, 1])
    assert np.array_equal(image.get_array().mask, np.isnan(values))
    assert image.colorbar.extend == "both"


def test_long_labels_are_wrapped(written) -> None:
    metadata = {"long_name": "some words " * 9, "units": "kilograms and more words " * 9}
    array = written(np.eye(4), {"y": (None, {}), "x": (None, {})}, metadata)
    for shown in (array, array[0], biggus.stack([array] * 2)):
        figure = biggus.quicklook(shown)
        figure.canvas.draw()
        whole = figure.bbox
        for ax in figure.axes:
            box = ax.yaxis.label.get_window_extent()
            assert whole.y0 <= box.y0
            assert box.y1 <= whole.y1


def test_many_flags_have_distinct_colours_and_labels(written) -> None:
    names = " ".join(f"kind_{number}" for number in range(40))
    metadata = {"flag_values": np.arange(40, dtype="i1"), "flag_meanings": names}
    values = np.arange(40, dtype="i1").reshape(5, 8)
    figure = biggus.quicklook(written(values, {"y": (None, {}), "x": (None, {})}, metadata))
    figure.canvas.draw()
    ax, bar = figure.axes
    shown = ax.images[0].to_rgba(ax.images[0].get_array())[..., :3].reshape(-1, 3)
    assert len(np.unique(shown, axis=0)) == 40
    assert np.ptp(shown, axis=1).min() > 0.1  # none is a grey
    boxes = [label.get_window_extent() for label in bar.get_yticklabels()]
    assert all(above.y0 >= below.y1 - 1 for below, above in itertools.pairwise(boxes))


def test_booleans_are_labelled() -> None:
    figure = biggus.quicklook(np.eye(4) > 0)
    figure.canvas.draw()
    assert [t.get_text() for t in figure.axes[1].get_yticklabels()] == ["false", "true"]


def test_ticks_of_positions_are_integers() -> None:
    figure = biggus.quicklook(np.arange(40.0).reshape(4, 10))
    for ticks in (figure.axes[0].get_xticks(), figure.axes[0].get_yticks()):
        assert np.array_equal(ticks, np.round(ticks))


def test_titles_fit_into_the_figure(written) -> None:
    name = "name_of_many_words_" * 4
    levels = {"units": "m", "positive": "down"}
    coordinates = {"z": (np.arange(4.0), levels), "y": (None, {}), "x": (None, {})}
    array = written(np.zeros((4, 4, 4)), coordinates, name=f"{name}.nc")
    for shown in (array[0, 0], array[:, 0, 0], array[0], array):
        figure = biggus.quicklook(shown)
        figure.canvas.draw()
        title = figure.texts[0].get_window_extent()
        assert figure.bbox.x0 <= title.x0
        assert title.x1 <= figure.bbox.x1


@pytest.mark.parametrize("missing", [False, True])
def test_profiles_have_the_depth_on_the_vertical_axis(written, missing) -> None:
    depths = {"units": "m", "positive": "down", "long_name": "depth"}
    values = np.ma.masked_array([3.0, 2.0, 1.0], missing)
    array = written(values, {"z": ([0.0, 10.0, 30.0], depths)}, {"units": "K"})
    [ax] = biggus.quicklook(array).axes
    [line] = ax.lines
    assert line.get_ydata().tolist() == [0, 10, 30]
    assert np.array_equal(line.get_xdata(), values.filled(np.nan), equal_nan=True)
    bottom, top = ax.get_ylim()
    assert bottom > top
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("v (K)", "depth (m)")


@pytest.mark.parametrize(("shape", "windows"), [((5000, 20), (4, 1)), ((3, 4097), (1, 4))])
@pytest.mark.parametrize("dtype", ["f4", "i2"])
def test_narrow_arrays_are_coarsened_along_the_longer_axis_alone(shape, windows, dtype) -> None:
    values = (np.random.default_rng(0).random(shape) * 1000).astype(dtype)
    if dtype == "f4":
        values[:4, :4] = np.nan
    figure = biggus.quicklook(biggus.ArrayAdapter(values))
    [image] = figure.axes[0].images
    shown = image.get_array()
    assert shown.shape == tuple(-(-n // f) for n, f in zip(shape, windows, strict=True))
    last = values[
        -(shape[0] % windows[0] or windows[0]) :, -(shape[1] % windows[1] or windows[1]) :
    ]
    assert np.isclose(shown[-1, -1], last.mean(), rtol=1e-3)
    assert np.ma.getmaskarray(shown)[0, 0] == (dtype == "f4")
    rows, columns = shape
    edges = (-0.5, columns - 0.5, rows - 0.5, -0.5)
    assert np.allclose(image.get_extent(), edges, atol=max(windows))


@pytest.mark.parametrize("panels", [1, 3, 12])
@pytest.mark.parametrize("west", [-180, 0])
def test_degrees_have_ticks_at_parts_of_the_circle(written, panels, west) -> None:
    lat = (np.arange(-85.0, 90, 10), {"units": "degrees_north"})
    lon = (np.arange(west + 5.0, west + 360, 10), {"units": "degrees_east"})
    coordinates = {"time": (None, {}), "lat": lat, "lon": lon}
    figure = biggus.quicklook(written(np.zeros((panels, 18, 36)), coordinates))
    ax = figure.axes[0]
    for ticks in (ax.get_xticks(), ax.get_yticks()):
        steps = set(np.diff(ticks).tolist())
        assert len(steps) == 1
        assert steps <= {15, 30, 45, 60, 90}
