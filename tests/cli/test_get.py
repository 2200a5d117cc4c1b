"""`biggus get`: what is written is what NumPy selects, read back by the formats' own libraries."""

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import biggus
from biggus.cli import main
from biggus.indexing.keys import numpy_selection
from biggus.labels.rules import names_through

h5py = pytest.importorskip("h5py")
netCDF4 = pytest.importorskip("netCDF4")
zarr = pytest.importorskip("zarr")
image_module = pytest.importorskip("PIL.Image")

NUMBERS = np.arange(6 * 5 * 4, dtype="i4").reshape(6, 5, 4)
TEMPERATURES = np.ma.masked_greater(np.linspace(-3, 30, 35).reshape(5, 7), 25)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("stores")
    with h5py.File(made / "a.h5", "w") as file:
        file["numbers"] = NUMBERS
        file["floats"] = NUMBERS[0].astype("f8") / 7
        file["gaps"] = np.array([[0.5, np.nan], [np.inf, -1]])
        file["flags"] = NUMBERS[0] % 3 == 0
        file["picture"] = np.arange(6 * 5 * 3, dtype="u1").reshape(6, 5, 3)
        file["grey"] = np.arange(30, dtype="u1").reshape(6, 5)
        file["scalar"] = 3.5
        file["empty"] = np.zeros((0, 4), "f4")
        file["big endian"] = np.arange(4, dtype=">f8")
        file["words"] = np.array(["one", "zwölf", ""], dtype=h5py.string_dtype())
        file["complex"] = np.arange(3) * 1j
        file["halves"] = np.arange(3, dtype="f2") / 2
    with netCDF4.Dataset(made / "a.nc", "w") as dataset:
        for name, n in (("time", 3), ("y", 5), ("x", 7)):
            dataset.createDimension(name, n)
        packed = dataset.createVariable("t", "i2", ("time", "y", "x"), fill_value=-999)
        packed.scale_factor = 0.01
        packed.add_offset = np.float64(10)
        packed.units = "degree_C"
        packed.valid_min = np.int16(-5000)
        packed[:] = np.ma.stack([TEMPERATURES] * 3)
        counts = dataset.createVariable("counts", "u1", ("x",), fill_value=255)
        counts[:] = np.ma.masked_equal(np.arange(7, dtype="u1"), 3)
    return made


def decoded(folder):
    with netCDF4.Dataset(folder / "a.nc") as dataset:
        return dataset["t"][:]


@pytest.fixture
def get(folder, tmp_path, capsys):
    """Return a function that runs the command and gives the path that it wrote."""

    def run(store, selection, name="out.npy", *arguments):
        out = tmp_path / name
        code = main(["get", str(folder / store), selection, "-o", str(out), *arguments])
        captured = capsys.readouterr()
        assert (code, captured.err) == (0, "")
        assert captured.out.startswith(str(out))
        assert list(tmp_path.iterdir()) == [out]
        run.said = captured.out
        return out

    return run


@pytest.fixture
def refused(folder, tmp_path, capsys):
    """Return a function that runs the command, which must refuse and leave nothing."""

    def run(store, selection, name="out.npy", *arguments):
        assert (
            main(["get", str(folder / store), selection, "-o", str(tmp_path / name), *arguments])
            == 1
        )
        captured = capsys.readouterr()
        assert captured.err.count("\n") == 1
        assert list(tmp_path.iterdir()) == []
        return captured.err

    return run


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("", ...),
        ("[...]", ...),
        ("[3]", 3),
        ("[-1, ::-1]", np.s_[-1, ::-1]),
        ("[1:5:2, ..., -1]", np.s_[1:5:2, ..., -1]),
        ("[[0, 5], :, [1, 2]]", np.s_[[0, 5], :, [1, 2]]),
        ("[:, None, 2]", np.s_[:, None, 2]),
        (
            "[[True, False, True, False, False, True]]",
            np.s_[[True, False, True, False, False, True]],
        ),
        ("[2, 2, 2]", np.s_[2, 2, 2]),
        ("[3:3]", np.s_[3:3]),
        ("[5:0:-2, 1]", np.s_[5:0:-2, 1]),
    ],
)
def test_a_key_selects_what_it_selects_in_numpy(text, key, get):
    values = np.load(get("a.h5", f"numbers{text}"))
    expected = NUMBERS[key]
    assert values.dtype == expected.dtype
    assert values.shape == expected.shape
    assert np.array_equal(values, expected)


@pytest.mark.parametrize("words", [("a.h5::numbers[3]",), ("a.h5::numbers", "[3]")])
def test_variable_and_key_may_stand_behind_the_location(words, folder, tmp_path):
    location, *selection = words
    out = tmp_path / "out.npy"
    assert main(["get", str(folder / location), *selection, "-o", str(out)]) == 0
    assert np.array_equal(np.load(out), NUMBERS[3])


def test_a_variable_is_named_once(refused):
    assert "named twice" in refused("a.h5::numbers[3]", "numbers[3]")


@pytest.mark.parametrize("name", ["scalar", "empty", "big endian", "complex", "halves", "flags"])
@pytest.mark.parametrize("suffix", [".npy", ".zarr", ".nc"])
def test_dtypes_and_shapes(name, suffix, get, refused, folder):
    with h5py.File(folder / "a.h5") as file:
        expected = file[name][()]
    if (name, suffix) == ("complex", ".nc"):
        assert "complex128" in refused("a.h5", name, "out.nc")
        return
    out = get("a.h5", name, f"out{suffix}")
    if suffix == ".npy":
        values = np.load(out)
    elif suffix == ".zarr":
        values = zarr.open_group(out, mode="r")[name.replace(" ", "_")][...]
    else:
        with netCDF4.Dataset(out) as dataset:
            variable = dataset[name.replace(" ", "_")]
            values = np.asarray(variable[...]).reshape(variable.shape)
    assert values.shape == np.shape(expected)
    assert np.array_equal(values, expected)
    if suffix != ".nc":
        assert values.dtype == np.asarray(expected).dtype


def test_strings(get, refused):
    assert np.load(get("a.h5", "words")).tolist() == ["one", "zwölf", ""]


def test_strings_to_netcdf(get):
    with netCDF4.Dataset(get("a.h5", "words", "out.nc")) as dataset:
        assert dataset["words"][:].tolist() == ["one", "zwölf", ""]


def test_strings_to_zarr(get):
    array = zarr.open_group(get("a.h5", "words", "out.zarr"), mode="r")["words"]
    assert array[...].tolist() == ["one", "zwölf", ""]


def test_missing_values_need_a_fill_in_npy(refused, get, folder):
    assert "--fill" in refused("a.nc", "t")
    values = np.load(get("a.nc", "t", "out.npy", "--fill", "nan"))
    expected = decoded(folder)
    assert np.array_equal(np.isnan(values), np.ma.getmaskarray(expected))
    assert np.array_equal(values[~np.isnan(values)], expected.compressed())


def test_no_fill_is_needed_where_nothing_is_missing(get, folder):
    assert np.array_equal(np.load(get("a.nc", "t[0, :2]")), decoded(folder)[0, :2])


@pytest.mark.parametrize("fill", ["nan", "1e9", "300", "-1", "x", "0.5"])
def test_a_fill_that_the_dtype_cannot_hold(fill, refused):
    assert "--fill" in refused("a.nc", "counts", "out.npy", f"--fill={fill}")


def test_a_fill_that_is_a_value(refused, get, folder):
    assert "is there as a value" in refused("a.nc", "counts", "out.nc", "--fill=5")
    with netCDF4.Dataset(get("a.nc", "counts", "out.nc", "--fill=77")) as dataset:
        assert dataset["counts"][:].tolist() == [0, 1, 2, None, 4, 5, 6]
        assert dataset["counts"].getncattr("_FillValue") == 77


def test_netcdf_keeps_mask_dims_and_attributes(get, folder):
    out = get("a.nc", "t[1, ::-1, 2:]", "out.nc")
    expected = decoded(folder)[1, ::-1, 2:]
    with netCDF4.Dataset(out) as dataset:
        variable = dataset["t"]
        values = variable[:]
        assert variable.dimensions == ("y", "x")
        assert variable.dtype == np.int16
        with netCDF4.Dataset(folder / "a.nc") as source:
            assert variable.__dict__ == source["t"].__dict__
        assert variable.units == "degree_C"
    assert np.array_equal(np.ma.getmaskarray(values), np.ma.getmaskarray(expected))
    assert np.array_equal(values.compressed(), expected.compressed())


def test_raw_values_keep_how_they_are_packed(get, folder):
    with netCDF4.Dataset(get("a.nc", "t[0]", "out.nc", "--raw")) as dataset:
        assert dataset["t"].dtype == np.int16
        assert dataset["t"].scale_factor == 0.01
        assert dataset["t"].add_offset == 10


@pytest.mark.parametrize("name", ["out.nc", "out.zarr"])
def test_coordinates_go_with_it(name, get, folder):
    with netCDF4.Dataset(folder / "named.nc", "w") as dataset:
        dataset.createDimension("x", 4)
        for variable in ("x", "v"):
            dataset.createVariable(variable, "i4", ("x",))[:] = [3, 1, 4, 1]
    out = get("named.nc", "v[::-2]", name)
    assert biggus.open(out, "x").ndarray().tolist() == [1, 1]


@pytest.fixture
def packed(folder):
    """Make a file of variables that are packed in several ways; give its name."""
    with netCDF4.Dataset(folder / "packed.nc", "w") as dataset:
        dataset.createDimension("x", 6)
        for name, dtype, fill, attributes in (
            ("fill", "i2", -9, {"scale_factor": np.float32(0.1), "valid_max": np.int16(90)}),
            ("default", "i4", None, {"add_offset": 5.0}),
            ("missing", "i2", -1, {"missing_value": np.array([-9, -8], "i2")}),
            ("unsigned", "i1", -1, {"_Unsigned": "true", "scale_factor": 0.5}),
            ("unfilled", "u1", False, {}),
            ("nan", "f4", np.nan, {}),
        ):
            variable = dataset.createVariable(name, dtype, ("x",), fill_value=fill)
            variable.set_auto_maskandscale(False)
            variable.setncatts(attributes)
            least = 255 if name == "unfilled" else (np.nan if name == "nan" else -9)
            last = netCDF4.default_fillvals["i4"] if name == "default" else 99
            values = [-1, least, 3, 4, 50, last] if dtype != "u1" else [1, least, 3, 4, 50, 0]
            variable[:] = np.array(values, dtype)
    return "packed.nc"


@pytest.mark.parametrize("name", ["fill", "default", "missing", "unsigned", "unfilled", "nan"])
def test_raw_values_in_netcdf_decode_to_the_same(name, get, packed, folder):
    with netCDF4.Dataset(get(packed, name, "out.nc", "--raw")) as dataset:
        values = dataset[name][:]
        dataset.set_auto_maskandscale(False)
        stored = dataset[name][:]
    with netCDF4.Dataset(folder / packed) as dataset:
        expected = dataset[name][:]
        dataset.set_auto_maskandscale(False)
        assert np.array_equal(stored, dataset[name][:], equal_nan=True)
    assert values.dtype == expected.dtype
    assert np.ma.count_masked(values) == np.ma.count_masked(expected)
    assert bool(np.ma.count_masked(values)) == (name != "unfilled")
    assert np.array_equal(np.ma.getmaskarray(values), np.ma.getmaskarray(expected))
    assert np.array_equal(np.ma.compressed(values), np.ma.compressed(expected))


@pytest.mark.parametrize(
    ("name", "fill"),
    [("fill", -9), ("nan", np.nan), ("unfilled", None), ("default", -2147483647), ("unsigned", -1)],
)
def test_raw_values_in_zarr_keep_what_is_missing(name, fill, get, packed, folder):
    array = zarr.open_group(get(packed, name, "out.zarr", "--raw"), mode="r")[name]
    assert array.metadata.fill_value == fill or np.isnan([array.metadata.fill_value, fill]).all()
    with netCDF4.Dataset(folder / packed) as dataset:
        variable = dataset[name]
        variable.set_auto_maskandscale(False)
        assert np.array_equal(array[...], variable[:], equal_nan=True)
        assert array.attrs.get("scale_factor") == getattr(variable, "scale_factor", None)


def test_zarr_keeps_fill_dims_and_attributes(get, folder):
    out = get("a.nc", "t[..., None]", "out.zarr")
    array = zarr.open_group(out, mode="r")["t"]
    expected = decoded(folder)[..., None]
    assert array.attrs["units"] == "degree_C"
    assert array.attrs["_ARRAY_DIMENSIONS"] == ["time", "y", "x", "dim_3"]
    assert array.attrs["scale_factor"] == 0.01
    values = array[...]
    assert values.dtype == np.int16
    assert np.array_equal(values == array.fill_value, np.ma.getmaskarray(expected))
    assert np.array_equal(biggus.open(out, "t").filled(0).ndarray(), expected.filled(0))


@pytest.mark.parametrize("suffix", [".npy", ".nc", ".zarr"])
def test_what_is_larger_than_a_block(suffix, tmp_path):
    numbers = np.arange(3 * 700 * 1000, dtype="i4").reshape(3, 700, 1000)
    with h5py.File(tmp_path / "large.h5", "w") as file:
        file["numbers"] = numbers
    out = tmp_path / f"out{suffix}"
    assert main(["get", str(tmp_path / "large.h5"), "numbers[::-1]", "-o", str(out)]) == 0
    if suffix == ".npy":
        values = np.load(out)
    elif suffix == ".zarr":
        values = zarr.open_group(out, mode="r")["numbers"][...]
    else:
        with netCDF4.Dataset(out) as dataset:
            values = dataset["numbers"][...]
    assert np.array_equal(values, numbers[::-1])


def pixels(path):
    with image_module.open(path) as image:
        return image.mode, np.asarray(image)


def test_a_picture_in_colours_is_written_as_it_is(get, folder):
    mode, values = pixels(get("a.h5", "picture[1:, ::-1]", "out.png"))
    with h5py.File(folder / "a.h5") as file:
        assert np.array_equal(values, file["picture"][1:][:, ::-1])
    assert mode == "RGB"


def test_a_grey_picture_is_written_as_it_is(get):
    mode, values = pixels(get("a.h5", "grey", "out.png", "--pixels"))
    assert mode == "L"
    assert np.array_equal(values, np.arange(30).reshape(6, 5))


def test_numbers_are_scaled_and_that_is_said(get):
    mode, values = pixels(get("a.h5", "floats", "out.png", "--pixels"))
    assert mode == "L"
    floats = NUMBERS[0] / 7
    assert np.array_equal(values, np.rint(floats / floats.max() * 255))
    assert "black is 0, white is 2.71429" in get.said


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
def test_what_makes_no_picture(selection, refused):
    refused("a.h5", selection, "out.png", "--pixels")


@pytest.mark.parametrize("name", ["out.png", "out.pdf", "out.svg"])
def test_a_variable_becomes_a_figure(get, name):
    pytest.importorskip("matplotlib")
    starts = {".png": b"\x89PNG", ".pdf": b"%PDF", ".svg": b"<?xml"}
    out = get("a.nc", "t[0]", name)
    assert out.read_bytes().startswith(starts[out.suffix])


@pytest.mark.parametrize("name", ["out.gif", "out.mp4"])
def test_maps_along_an_axis_become_a_film(get, name):
    pytest.importorskip("matplotlib")
    if name == "out.mp4":
        pytest.importorskip("imageio_ffmpeg")
    out = get("a.nc", "t", name)
    assert "3 maps" in get.said
    if name == "out.gif":
        with image_module.open(out) as film:
            assert film.n_frames == 3
    else:
        assert out.read_bytes()[4:8] == b"ftyp"


def test_raw_is_a_pixel_a_value(get):
    mode, values = pixels(get("a.nc", "t[0]", "out.png", "--raw"))
    assert (mode, values.shape) == ("L", (5, 7))


@pytest.mark.parametrize("name", ["out.png", "out.gif"])
@pytest.mark.parametrize("selection", ["words", "empty", "scalar", "complex"])
def test_what_makes_no_figure(selection, name, refused):
    pytest.importorskip("matplotlib")
    assert "cannot" in refused("a.h5", selection, name)


def test_nothing_is_replaced_unasked(folder, tmp_path, capsys):
    out = tmp_path / "out.npy"
    out.write_text("mine")
    arguments = ["get", str(folder / "a.h5"), "grey", "-o", str(out)]
    assert main(arguments) == 1
    assert "--force" in capsys.readouterr().err
    assert out.read_text() == "mine"
    assert main([*arguments, "--force"]) == 0
    assert np.load(out).shape == (6, 5)


def test_a_store_is_replaced_whole(folder, tmp_path):
    out = tmp_path / "out.zarr"
    assert main(["get", str(folder / "a.h5"), "grey", "-o", str(out)]) == 0
    assert main(["get", str(folder / "a.h5"), "numbers", "-o", str(out), "--force"]) == 0
    assert list(zarr.open_group(out, mode="r").array_keys()) == ["numbers"]
    assert list(tmp_path.iterdir()) == [out]


def test_a_folder_that_is_no_store_is_never_replaced(folder, tmp_path, capsys):
    out = tmp_path / "out.zarr"
    out.mkdir()
    (out / "precious").write_text("mine")
    assert main(["get", str(folder / "a.h5"), "grey", "-o", str(out), "--force"]) == 1
    assert (out / "precious").read_text() == "mine"


def test_what_was_there_stays_after_an_error(folder, tmp_path, capsys):
    out = tmp_path / "out.npy"
    out.write_text("mine")
    assert main(["get", str(folder / "a.nc"), "t", "-o", str(out), "--force"]) == 1
    assert out.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [out]


def test_the_input_is_never_the_output(tmp_path, capsys):
    path = tmp_path / "a.nc"
    with netCDF4.Dataset(path, "w") as dataset:
        dataset.createDimension("x", 3)
        dataset.createVariable("v", "i4", ("x",))[:] = 1
    before = path.read_bytes()
    assert main(["get", str(path), "v", "-o", str(path), "--force"]) == 1
    link = tmp_path / "link.nc"
    link.symlink_to(path)
    assert main(["get", str(link), "v", "-o", str(path), "--force"]) == 1
    assert path.read_bytes() == before


def test_a_write_that_fails_leaves_nothing(folder, tmp_path, capsys, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np.lib.format, "write_array_header_2_0", full)
    assert main(["get", str(folder / "a.h5"), "grey", "-o", str(tmp_path / "out.npy")]) == 1
    assert "No space left on device" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.machine
@pytest.mark.skipif(os.name != "posix", reason="limits of a process")
@pytest.mark.parametrize("name", ["out.npy", "out.png", "out.nc", "out.zarr"])
def test_a_full_disk_leaves_nothing(name, tmp_path):
    import resource

    store = tmp_path / "in.h5"
    with h5py.File(store, "w") as file:
        file["noise"] = np.random.default_rng(0).integers(0, 256, (1000, 1000), dtype="u1")
    work = tmp_path / "work"
    work.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "biggus", "get", store, "noise", "-o", name],
        check=False,
        cwd=work,
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000)),
    )
    assert done.returncode == 1
    # Old versions of other packages may warn of each other.
    (said,) = [line for line in done.stderr.splitlines() if line.startswith("biggus")]
    assert said.startswith("biggus: error: cannot write")
    assert "Traceback" not in done.stderr
    assert list(work.iterdir()) == []


def test_a_path_beginning_with_a_tilde(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(folder))
    assert main(["get", "~/a.h5", "grey", "-o", str(tmp_path / "out.npy")]) == 0
    assert (tmp_path / "out.npy").exists()


keys = st.lists(
    st.one_of(
        st.integers(0, 1),
        st.just(slice(None)),
        st.just(slice(None, None, -1)),
        st.none(),
        st.just([0, 1]),
    ),
    max_size=4,
).filter(lambda key: sum(k is not None for k in key) <= 3)


@settings(max_examples=2 * settings.default.max_examples)
@given(keys)
def test_dims_have_the_names_of_the_axes_they_come_from(key):
    shape = (2, 3, 4)
    named = names_through(numpy_selection(tuple(key), shape), ("a", "b", "c"))
    # Positions along the axis a dim is named after change along that dim alone.
    selected = [np.broadcast_to(i, shape)[tuple(key)] for i in np.ogrid[:2, :3, :4]]
    assert len(named) == selected[0].ndim
    for dim, name in enumerate(named):
        if name is not None:
            positions = np.moveaxis(selected["abc".index(name)], dim, 0)
            assert len(positions) < 2 or (positions[0] != positions[1]).all()
    lists = sum(isinstance(k, list) for k in key)
    if not lists:
        kept = [
            "abc"[i] for i, k in enumerate(k for k in key if k is not None) if isinstance(k, slice)
        ]
        rest = 3 - sum(k is not None for k in key)
        assert [n for n in named if n is not None] == kept + list("abc")[3 - rest :]


@pytest.mark.parametrize("name", ["out.nc", "out.zarr"])
def test_values_that_others_take_for_missing_are_saved_as_values(tmp_path, name):
    values = np.array([[0, 255, 17], [254, 255, 1]], "u1")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["bytes"] = values
        file["shorts"] = np.array([1, -32767, 5], "i2")
        file["flags"] = values > 17
    for variable in ("bytes", "shorts", "flags"):
        out = tmp_path / variable / name
        out.parent.mkdir()
        assert main(["get", str(tmp_path / "a.h5"), variable, "-o", str(out)]) == 0
        got, expected = biggus.open(out, variable), biggus.open(tmp_path / "a.h5", variable)
        assert got.dtype == expected.dtype
        assert not np.ma.is_masked(got.masked_array())
        assert np.array_equal(got.ndarray(), expected.ndarray())
