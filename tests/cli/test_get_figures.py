"""`biggus get` into pictures, figures and animations."""

import numpy as np
import pytest
from get_stores import NUMBERS, decoded

h5py = pytest.importorskip("h5py")
netCDF4 = pytest.importorskip("netCDF4")
zarr = pytest.importorskip("zarr")
image_module = pytest.importorskip("PIL.Image")


def pixels(path):
    with image_module.open(path) as image:
        return image.mode, np.asarray(image)


def test_rgb_values_are_written_unchanged(get, folder):
    mode, values = pixels(get("a.h5", "picture[1:, ::-1]", "out.png"))
    with h5py.File(folder / "a.h5") as file:
        assert np.array_equal(values, file["picture"][1:][:, ::-1])
    assert mode == "RGB"


def test_grey_values_are_written_unchanged(get):
    mode, values = pixels(get("a.h5", "grey", "out.png", "--pixels"))
    assert mode == "L"
    assert np.array_equal(values, np.arange(30).reshape(6, 5))


def test_numbers_are_scaled_to_grey_and_the_range_is_printed(get):
    mode, values = pixels(get("a.h5", "floats", "out.png", "--pixels"))
    assert mode == "L"
    floats = NUMBERS[0] / 7
    assert np.array_equal(values, np.rint(floats / floats.max() * 255))
    assert "black is 0, white is 2.71429" in get.output


def test_missing_values_are_transparent(get, folder):
    mode, values = pixels(get("a.nc", "t[0]", "out.png", "--pixels"))
    assert mode == "LA"
    assert np.array_equal(values[..., 1] == 0, np.ma.getmaskarray(decoded(folder)[0]))


def test_nan_is_transparent_and_infinity_is_white(get):
    _, values = pixels(get("a.h5", "gaps", "out.png", "--pixels"))
    assert values.tolist() == [[[255, 255], [0, 0]], [[255, 255], [0, 255]]]


def test_booleans_are_black_and_white(get):
    _, values = pixels(get("a.h5", "flags", "out.png", "--pixels"))
    assert np.array_equal(values == 255, NUMBERS[0] % 3 == 0)


@pytest.mark.parametrize(
    "selection", ["numbers", "words", "empty", "scalar", "complex", "picture[0, 0]", "gaps[:1, 1:]"]
)
def test_arrays_that_are_no_pictures_fail(selection, refused):
    refused("a.h5", selection, "out.png", "--pixels")


@pytest.mark.parametrize("name", ["out.png", "out.pdf", "out.svg"])
def test_figure_formats(get, name):
    pytest.importorskip("matplotlib")
    starts = {".png": b"\x89PNG", ".pdf": b"%PDF", ".svg": b"<?xml"}
    out = get("a.nc", "t[0]", name)
    assert out.read_bytes().startswith(starts[out.suffix])


@pytest.mark.parametrize("name", ["out.gif", "out.mp4"])
def test_maps_along_an_axis_are_animated(get, name):
    pytest.importorskip("matplotlib")
    if name == "out.mp4":
        pytest.importorskip("imageio_ffmpeg")
    out = get("a.nc", "t", name)
    assert "3 maps" in get.output
    if name == "out.gif":
        with image_module.open(out) as film:
            assert film.n_frames == 3
    else:
        assert out.read_bytes()[4:8] == b"ftyp"


def test_raw_values_become_pixels(get):
    mode, values = pixels(get("a.nc", "t[0]", "out.png", "--raw"))
    assert (mode, values.shape) == ("L", (5, 7))


@pytest.mark.parametrize("name", ["out.png", "out.gif"])
@pytest.mark.parametrize("selection", ["words", "empty", "scalar", "complex"])
def test_arrays_that_are_no_figures_fail(selection, name, refused):
    pytest.importorskip("matplotlib")
    assert "cannot" in refused("a.h5", selection, name)
