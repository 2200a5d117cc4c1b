"""Bad input: one line on stderr, exit code 1, and no files left."""

import os
import sys

import numpy as np
import pytest

from biggus.cli import main

h5py = pytest.importorskip("h5py")
netCDF4 = pytest.importorskip("netCDF4")
pytest.importorskip("zarr")
pytest.importorskip("PIL")
pytest.importorskip("urllib3")

TEMPLATE = "http://127.0.0.1:9/{z}/{x}/{y}.png"


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "in"
    made.mkdir()
    with netCDF4.Dataset(made / "whole.nc", "w") as dataset:
        dataset.createDimension("x", 40_000)
        dataset.createVariable("v", "f8", ("x",), zlib=True, chunksizes=(1000,))[:] = (
            np.random.default_rng(0).random(40_000)
        )
    with h5py.File(made / "whole.h5", "w") as file:
        file["v"] = np.arange(100_000)
    for name in ("whole.nc", "whole.h5"):
        content = (made / name).read_bytes()
        (made / f"cut{name[5:]}").write_bytes(content[: len(content) // 2])
    noise = np.random.default_rng(1).bytes(10_000)
    (made / "garbage.nc").write_bytes(noise)
    (made / "garbage.h5").write_bytes(noise)
    (made / "empty.nc").write_bytes(b"")
    (made / "text.txt").write_text("words")
    (made / "magic.nc").write_bytes(b"\x89HDF\r\n\x1a\n" + noise)
    (made / "classic.nc").write_bytes(b"CDF\x01" + noise)
    (made / "zip.zarr").write_bytes(b"PK\x03\x04" + noise)
    (made / "nothing.zarr").mkdir()
    (made / "broken.zarr").mkdir()
    (made / "broken.zarr" / "zarr.json").write_text("{")
    return made


@pytest.fixture
def fails(tmp_path, capsys, monkeypatch):
    """Return a function that runs the command; it must fail with one line and leave no files."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)

    def check(*arguments):
        assert main([*map(str, arguments)]) == 1
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith("biggus: error: ")
        assert captured.err.count("\n") == 1
        assert list(work.iterdir()) == []
        return captured.err

    return check


BROKEN = [
    "missing.nc",
    "cut.nc",
    "cut.h5",
    "garbage.nc",
    "garbage.h5",
    "empty.nc",
    "text.txt",
    "magic.nc",
    "classic.nc",
    "zip.zarr",
    "nothing.zarr",
    "broken.zarr",
]


@pytest.mark.parametrize("name", BROKEN)
def test_info_names_unopenable_file(name, folder, fails):
    assert name in fails("info", folder / name)


@pytest.mark.parametrize("name", BROKEN)
def test_get_names_unopenable_file(name, folder, fails):
    assert name in fails("get", folder / name, "v", "-o", "out.npy")


@pytest.mark.parametrize("command", ["stats", "plan"])
@pytest.mark.parametrize("name", BROKEN)
def test_stats_and_plan_name_unopenable_file(command, name, folder, fails):
    assert name in fails(command, folder / f"{name}::v")


def test_stats_name_the_truncated_file_among_several(folder, fails):
    assert "cut.nc" in fails("stats", f"{folder / 'whole.nc'}::v", f"{folder / 'cut.nc'}::v")


def test_directory_that_is_not_a_store(folder, fails):
    assert "no store" in fails("info", folder)


@pytest.mark.parametrize("backend", ["hdf5", "netcdf", "zarr"])
def test_wrong_backend(backend, folder, fails):
    fails("info", folder / "text.txt", "--backend", backend)


def test_missing_variable_lists_the_variables(folder, fails):
    assert "it has: v" in fails("get", folder / "whole.h5", "w[0]", "-o", "out.npy")


def test_unknown_backend_suggests_a_name(folder, fails):
    assert "did you mean 'zarr'" in fails("info", folder / "whole.h5", "--backend", "zar")


def test_unknown_option_is_named(folder, fails):
    assert "no option 'speed'" in fails("info", folder / "whole.nc", "-O", "speed=9")
    assert "no option 'speed'" in fails("info", folder / "whole.nc", "v", "-O", "speed=9")
    message = fails("info", TEMPLATE, "-O", "zom=9")
    assert "no option 'zom'; did you mean --zoom N? (its options: zoom, tile_size" in message


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="all may be read")
def test_unreadable_file(folder, fails):
    path = folder / "whole.h5"
    path.chmod(0)
    assert "ermission" in fails("info", path)


@pytest.mark.parametrize("zoom", ["-1", "31", "99999999999999999999"])
def test_zoom_out_of_range(zoom, fails):
    assert "zoom" in fails("get", TEMPLATE, "--zoom", zoom, "[0]", "-o", "out.png", "--no-cache")


def test_template_without_a_zoom(fails):
    assert "zoom" in fails("get", TEMPLATE, "[0]", "-o", "out.png", "--no-cache")


def test_template_without_placeholders(fails):
    address = "http://127.0.0.1:9/tile.png"
    assert "{x}" in fails("get", address, "--zoom", "3", "[0]", "-o", "out.png", "--no-cache")
    fails("get", address, "--backend", "tiles", "--zoom", "3", "-o", "out.png", "--no-cache")


def test_unsupported_scheme(fails):
    assert "gopher" in fails("info", "gopher://host/a.nc")


def test_null_character(fails):
    assert "null" in fails("info", "a\0b")


def test_empty_location(fails):
    fails("info", "")


def test_cache_folder_inside_a_file(folder, fails):
    inside_a_file = folder / "text.txt" / "cache"
    arguments = ["get", TEMPLATE, "--zoom", "3", "[0]", "-o", "out.png"]
    assert str(inside_a_file) in fails(*arguments, "--cache", inside_a_file)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="all may be written")
def test_unwritable_cache_folder(tmp_path, fails):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    fails("info", TEMPLATE, "--zoom", "3", "--cache", closed / "cache")


def test_offline_without_cached_tiles(tmp_path, fails):
    arguments = ["get", TEMPLATE, "--zoom", "3", "[:5]", "-o", "out.png", "--offline"]
    assert "offline" in fails(*arguments, "--cache", tmp_path / "cache")


@pytest.mark.parametrize("key", ["[100000]", "[0, 0]", "[..., ...]", "[::0]", "[[0, 100000]]"])
def test_keys_beyond_the_shape(key, folder, fails):
    assert "cannot select" in fails("get", folder / "whole.h5", f"v{key}", "-o", "out.npy")


@pytest.mark.parametrize(
    "output", ["out.txt", "out", "no/such/folder/out.npy", "out.gif", ".npy", "/proc/out.npy"]
)
def test_invalid_outputs(output, folder, fails):
    fails("get", folder / "whole.h5", "v", "-o", output)


def test_demo_into_an_invalid_folder(folder, fails):
    pytest.importorskip("matplotlib")
    fails("demo", "--output", folder / "text.txt" / "demo")


@pytest.mark.parametrize(
    "module",
    [
        *("matplotlib", "netCDF4", "PIL", "urllib3", "zarr"),
        *("mpl_toolkits.basemap_data", "iris_sample_data"),
    ],
)
def test_demo_names_the_missing_extra(module, fails, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    assert "biggus[demo]" in fails("demo")


@pytest.mark.parametrize(
    ("module", "suffix", "extra"),
    [
        *(("netCDF4", ".nc", "netcdf"), ("zarr", ".zarr", "zarr"), ("PIL", ".png", "tiles")),
        ("matplotlib", ".pdf", "viewer"),
    ],
)
def test_output_names_the_missing_extra(module, suffix, extra, folder, fails, monkeypatch):
    for loaded in [name for name in sys.modules if name.startswith(f"{module}.")]:
        monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.setitem(sys.modules, module, None)
    arguments = ["get", folder / "whole.h5", "v", "--backend", "hdf5", "-o", f"out{suffix}"]
    if module == "PIL":  # figures do not need Pillow
        arguments.append("--pixels")
    assert f"biggus[{extra}]" in fails(*arguments)
