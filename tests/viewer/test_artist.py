"""Pictures match those of `Axes.imshow` for the same ndarray, to the pixel."""

import numpy as np
import pytest
from figures import assert_same_pixels, pixels
from matplotlib import colors
from matplotlib.transforms import Affine2D

import biggus

ROWS, COLUMNS = 170, 230
"""A pixel of the figures covers less than two elements."""


def smooth(rows=ROWS, columns=COLUMNS, channels=None):
    i, j = np.mgrid[:rows, :columns]
    plane = np.sin(i / 9) * np.cos(j / 13) + (i % 7 == 3) / 3 + j / columns
    if channels is None:
        return plane
    return np.stack([(plane * (k + 1)) % 1 for k in range(channels)], axis=-1)


def chunked(values, chunks=(50, 60)):
    from biggus.testing import ArraySource

    return biggus.ArrayAdapter(ArraySource(values, chunks=(*chunks, *values.shape[2:])))


def holed(values):
    mask = np.zeros(values.shape, bool)
    mask[20:60, 30:90] = mask[::11, ::13] = True
    return np.ma.MaskedArray(values, mask)


def with_nan(values):
    return np.where(holed(values).mask, np.nan, values)


VALUES = {
    "f8": smooth(),
    "f4": smooth().astype("f4"),
    "f2": smooth().astype("f2"),
    ">f8": smooth().astype(">f8"),
    "u1": (smooth() * 60 + 70).astype("u1"),
    "i2": (smooth() * 1000).astype("i2"),
    "i8": (smooth() * 1e6).astype("i8"),
    "bool": smooth() > 0.5,
    "masked f8": holed(smooth()),
    "masked u1": holed((smooth() * 60 + 70).astype("u1")),
    "nan": with_nan(smooth()),
    "one channel": smooth(channels=1),
    "rgb u1": (smooth(channels=3) * 255).astype("u1"),
    "rgb i4": (smooth(channels=3) * 255).astype("i4"),
    "rgb f4": smooth(channels=3).astype("f4"),
    "rgba u1": (smooth(channels=4) * 255).astype("u1"),
    "rgba f8": smooth(channels=4),
}

ZOOMS = {
    "all": None,
    "part": (40.2, 180.9, 120.7, 12.4),
    "a few elements": (60, 75.3, 30, 18),
    "over an edge": (-30, 60, 200, 90),
    "one element": (71.6, 72.4, 20.4, 19.6),
    "upside down": (180.9, 40.2, 12.4, 120.7),
}


def both(make_axes, values, zoom=None, array=None, axes_options=lambda ax: None, **options):
    """Return the pixels of `biggus.imshow` and of `Axes.imshow`, at one zoom."""
    drawn = []
    for shown in (chunked(values) if array is None else array, values):
        ax = make_axes()
        if shown is values:
            image = ax.imshow(values, **options)
        else:
            image = biggus.imshow(shown, ax, **options)
        if zoom is not None:
            ax.set_xlim(zoom[:2])
            ax.set_ylim(zoom[2:])
        axes_options(ax)
        if not zoom and image.get_array().ndim == 2:
            ax.figure.colorbar(image)
        drawn.append(pixels(ax))
    return drawn


def assert_same(drawn):
    ours, theirs = drawn
    assert len(np.unique(theirs.view("u4"))) > 5, "there is nothing to be seen"
    assert_same_pixels(ours, theirs)


LIMITS = {"vmin": -0.9, "vmax": 1.7}


@pytest.mark.parametrize("zoom", ["all", "part"])
@pytest.mark.parametrize("name", VALUES)
def test_every_dtype_matches_imshow(axes, name, zoom):
    assert_same(both(axes, VALUES[name], ZOOMS[zoom]))


@pytest.mark.parametrize("zoom", ZOOMS)
@pytest.mark.parametrize("name", ["masked f8", "i2", "rgb u1"])
def test_every_zoom_matches_imshow(axes, name, zoom):
    assert_same(both(axes, VALUES[name], ZOOMS[zoom]))


@pytest.mark.parametrize("zoom", [None, ZOOMS["part"]], ids=["all", "part"])
@pytest.mark.parametrize(
    "interpolation", [None, "none", "nearest", "bilinear", "spline36", "lanczos", "hanning"]
)
def test_every_interpolation_matches_imshow(axes, interpolation, zoom):
    stage = "data" if zoom else "rgba"
    options = {"interpolation": interpolation, "interpolation_stage": stage}
    assert_same(both(axes, VALUES["masked f8"], zoom, **options))


@pytest.mark.parametrize("origin", ["upper", "lower"])
@pytest.mark.parametrize(
    "extent", [None, (-180, 180, -90, 90), (3, -4, 10, 20), (0, 20, 5, -5)], ids=str
)
def test_every_origin_and_extent_matches_imshow(axes, origin, extent):
    aspect = "equal" if origin == "upper" else "auto"
    options = {"origin": origin, "extent": extent, "aspect": aspect}
    assert_same(both(axes, VALUES["f8"], **options))
    if extent is not None:
        left, right, bottom, top = extent
        width, height = right - left, top - bottom
        zoom = (left + 0.21 * width, left + 0.4 * width, bottom + 0.1 * height, top - height / 3)
        assert_same(both(axes, VALUES["f8"], zoom, **options))


@pytest.mark.parametrize("zoom", [None, ZOOMS["part"]], ids=["all", "part"])
@pytest.mark.parametrize(
    "options",
    [
        {"norm": "log"},
        {"norm": "symlog"},
        {"cmap": "RdBu"},
        {"vmin": 0.2},
        {"vmax": 0.2, "alpha": 0.4},
        {"alpha": 0.5},
        {"resample": False},
        {"filterrad": 7.0, "interpolation": "sinc"},
    ],
    ids=str,
)
def test_options_match_imshow(axes, options, zoom):
    values = np.abs(VALUES["f8"]) if options.get("norm") == "log" else VALUES["f8"]
    assert_same(both(axes, values, zoom, **options))


@pytest.mark.parametrize(
    "norm",
    [
        lambda: colors.Normalize(0.1, 0.9),
        lambda: colors.LogNorm(0.01, 3),
        lambda: colors.CenteredNorm(0.3),
        lambda: colors.TwoSlopeNorm(0.3),
        lambda: colors.PowerNorm(0.5),
        lambda: colors.BoundaryNorm([-1, 0, 0.5, 1], 256),
        colors.NoNorm,
    ],
    ids=["normalize", "log", "centered", "slopes", "power", "boundaries", "none"],
)
def test_norms_match_imshow(axes, norm):
    values = np.abs(VALUES["f8"]) if isinstance(norm(), colors.LogNorm) else VALUES["f8"]
    if isinstance(norm(), colors.NoNorm):
        values = VALUES["u1"]
    drawn = []
    for show in (lambda ax: biggus.imshow(chunked(values), ax, norm=norm()),):
        ax = axes()
        show(ax)
        drawn.append(pixels(ax))
    ax = axes()
    ax.imshow(values, norm=norm())
    assert_same([*drawn, pixels(ax)])


def test_rotated_images_and_log_axes_match_imshow(axes):
    def rotated(ax):
        (image,) = ax.images
        image.set_transform(Affine2D().rotate_deg_around(100, 80, 30) + ax.transData)

    def logarithmic(ax):
        ax.set_xscale("log")
        ax.set_xlim(2, 200)
        ax.set_yscale("symlog")

    for change in (rotated, logarithmic):
        options = {"axes_options": change, "interpolation": "nearest", **LIMITS}
        assert_same(both(axes, VALUES["f8"], **options))


def test_ndarrays_and_expressions_match_imshow(axes):
    values = VALUES["i2"]
    assert_same(both(axes, values, array=values))
    assert_same(both(axes, values, array=chunked(values)[::-1].T[::-1].T[::-1, ::-1]))
    assert_same(both(axes, values * 2.0, array=chunked(values) * 2.0))
    assert_same(both(axes, values[:, ::2], array=chunked(values)[:, ::2]))


@pytest.mark.parametrize("chunks", [(1, COLUMNS), (ROWS, 1), (7, 11), (ROWS, COLUMNS), (300, 9)])
def test_every_chunking_matches_imshow(axes, chunks):
    array = chunked(VALUES["f8"], tuple(map(min, chunks, (ROWS, COLUMNS))))
    for zoom in (None, ZOOMS["part"]):
        assert_same(both(axes, VALUES["f8"], zoom, array=array))


def test_shared_axes_with_other_artists_match_imshow():
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    drawn = []
    for ours in (True, False):
        fig = Figure(figsize=(6, 3))
        FigureCanvasAgg(fig)
        left, right = fig.subplots(1, 2, sharex=True, sharey=True)
        for ax, name in ((left, "f8"), (right, "rgb u1")):
            if ours:
                biggus.imshow(chunked(VALUES[name]), ax)
            else:
                ax.imshow(VALUES[name])
            ax.plot([10, 200], [100, 20], "w-")
        first = pixels(left)
        right.set_xlim(20, 90)
        assert left.get_xlim() == (20, 90)
        drawn.append((first, pixels(left)))
    for ours, theirs in zip(*drawn, strict=True):
        assert_same([ours, theirs])


def test_subfigures_match_imshow():
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    drawn = []
    for ours in (True, False):
        figure = Figure(figsize=(6, 3), layout="constrained")
        for part, name in zip(figure.subfigures(1, 2), ("f8", "rgb u1"), strict=True):
            ax = part.add_subplot()
            image = biggus.imshow(chunked(VALUES[name]), ax) if ours else ax.imshow(VALUES[name])
            if name == "f8":
                part.colorbar(image)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        drawn.append(np.asarray(canvas.buffer_rgba()).copy())
    assert_same(drawn)


@pytest.mark.parametrize("name", ["pdf", "svg", "png", "ps"])
@pytest.mark.parametrize(("interpolation", "dpi"), [("none", 40), (None, 110)])
def test_saved_files_match_imshow(axes, tmp_path, name, interpolation, dpi):
    import os

    written = []
    os.environ["SOURCE_DATE_EPOCH"] = "0"
    try:
        for ours in (True, False):
            ax = axes()
            values = VALUES["f8"][:120, :120]
            if ours:
                biggus.imshow(chunked(values), ax, interpolation=interpolation)
            else:
                ax.imshow(values, interpolation=interpolation)
            path = tmp_path / f"a.{name}"
            import matplotlib as mpl

            with mpl.rc_context({"svg.hashsalt": "x"}):
                ax.figure.savefig(path, dpi=dpi)
            written.append(path.read_bytes())
    finally:
        del os.environ["SOURCE_DATE_EPOCH"]
    ours, theirs = written
    assert ours == theirs


@pytest.mark.parametrize("dtype", ["f8", "f4", "u1"])
def test_colours_with_another_instance_of_a_dtype_are_drawn(dtype, axes):
    values = (smooth(channels=3) * (200 if dtype == "u1" else 1)).astype(dtype)
    other = chunked(values.astype(np.dtype(dtype).newbyteorder("=")))
    assert_same(both(axes, values, array=other))
