"""Reads of every backend are recorded, and replay without its files."""

import shutil
from pathlib import Path

import numpy as np
import pytest

import biggus
from biggus.errors import StudyError
from biggus.study.bundle import Bundle

DATA = np.arange(600, dtype="f4").reshape(20, 30)
KEYS = [np.s_[:], np.s_[3, ::7], np.s_[::-4, 5:6], np.s_[[0, 19, 7], :3], np.s_[...]]


def same(one, other):
    np.testing.assert_array_equal(np.ma.getdata(one), np.ma.getdata(other), strict=True)
    np.testing.assert_array_equal(np.ma.getmaskarray(one), np.ma.getmaskarray(other))


def results(array):
    """Return selections and reductions of an array."""
    read = [array[key].masked_array() for key in KEYS]
    return [*read, array.mean(axis=0).masked_array(), (array * 2).sum().masked_array()]


def check(make, program):
    """Record a program, delete the files of `make`, and replay the program."""
    make()
    before = {path.name for path in Path().iterdir()}
    plain = program()
    for cache in (False, biggus.Cache("cache")):
        # The first recording fills the cache; reads from the cache are recorded too.
        for name in ("one", "two"):
            with biggus.set_options(cache=cache), biggus.record(f"{name}.biggus", overwrite=True):
                values = program()
            for one, other in zip(plain, values, strict=True):
                same(one, other)
        assert Path("one.biggus").read_bytes() == Path("two.biggus").read_bytes()
        Path("one.biggus").rename(f"{cache is not False}.biggus")
    assert Bundle("True.biggus").receipt == Bundle("False.biggus").receipt
    Bundle("True.biggus").check()
    for name in before:
        shutil.rmtree(name) if Path(name).is_dir() else Path(name).unlink()
    for cached in (True, False):
        cache = biggus.Cache("other") if cached else False
        with biggus.set_options(cache=cache), biggus.replay(f"{cached}.biggus"):
            values = program()
        for one, other in zip(plain, values, strict=True):
            same(one, other)
    assert biggus.Cache("other").stats().entries == 0
    assert not list(biggus.Cache("other").descriptions())


@pytest.mark.parametrize("dtype", ["f4", ">f8", "i2", "?", "M8[s]", "c8", "S3", "<U4"])
def test_npy(folder, dtype):
    values = DATA.astype(dtype) if np.dtype(dtype).kind != "?" else DATA % 3 == 0

    def program():
        array = biggus.open("a.npy")
        read = [array[key].ndarray() for key in KEYS]
        return [*read, array.max().ndarray()] if np.dtype(dtype).kind not in "cSU" else read

    check(lambda: np.save("a.npy", values), program)


def test_npy_of_structured_dtype(folder):
    dtype = np.dtype([("a", ">i2"), ("b", "S3", (2,))], align=True)
    values = np.zeros((4, 5), dtype)
    values["a"] = np.arange(20).reshape(4, 5)
    values["b"][1] = b"xy"

    def program():
        array = biggus.open("a.npy")
        return [array[1:].ndarray(), array["a"].ndarray()]

    check(lambda: np.save("a.npy", values), program)


@pytest.mark.parametrize(
    "storage", [{}, {"chunks": (7, 8)}, {"chunks": (7, 8), "compression": "gzip", "shuffle": True}]
)
def test_hdf5(folder, storage):
    h5py = pytest.importorskip("h5py")

    def make():
        with h5py.File("a.h5", "w") as file:
            file.create_dataset("g/x", data=DATA, **storage).attrs["units"] = "K"

    def program():
        array = biggus.open("a.h5", "g/x")
        return results(array)

    check(make, program)


def test_hdf5_text(folder):
    h5py = pytest.importorskip("h5py")

    def make():
        with h5py.File("a.h5", "w") as file:
            texts = np.array([["a", "", "üß"], ["longer", "xy", "z"]], object)
            file.create_dataset("x", data=texts, dtype=h5py.string_dtype())

    check(make, lambda: [biggus.open("a.h5", "x")[:, 1:].ndarray()])


@pytest.mark.parametrize("format", ["NETCDF4", "NETCDF3_CLASSIC"])
@pytest.mark.parametrize("decode", [True, False])
def test_packed_and_masked_netcdf(folder, format, decode):
    netCDF4 = pytest.importorskip("netCDF4")

    def make():
        with netCDF4.Dataset("a.nc", "w", format=format) as file:
            file.createDimension("y", 20)
            file.createDimension("x", 30)
            variable = file.createVariable("t", "i2", ("y", "x"), fill_value=-1)
            variable.setncatts({"scale_factor": np.float32(0.5), "add_offset": 10.0})
            variable.valid_range = np.array([0, 500], "i2")
            variable.set_auto_maskandscale(False)
            variable[:] = DATA.astype("i2") - 1
            file.createVariable("y", "f8", ("y",))[:] = np.arange(20.0)

    check(make, lambda: results(biggus.open("a.nc", "t", decode=decode)))


@pytest.mark.parametrize("format", [2, 3])
@pytest.mark.parametrize("layout", [{"chunks": (7, 8)}, {"chunks": (5, 5), "shards": (10, 15)}])
def test_zarr(folder, format, layout):
    zarr = pytest.importorskip("zarr")
    if format == 2 and "shards" in layout:
        pytest.skip("version 2 has no shards")

    def make():
        root = zarr.create_group("a.zarr", zarr_format=format)
        array = root.create_array("x", shape=DATA.shape, dtype="f4", fill_value=-5, **layout)
        array[:15] = DATA[:15]  # the rest is absent, and has the fill value

    def program():
        return results(biggus.open("a.zarr"))

    check(make, program)


def test_tiles(folder):
    pytest.importorskip("PIL")
    pytest.importorskip("urllib3")
    from tile_server import Reply, TileServer

    server = TileServer().start()
    server.replies["/RGB/3/1/1.png"] = [Reply(404)] * 99
    url = server.url + "/RGB/{z}/{x}/{y}.png?size=8&api_key=s3cret"

    def program():
        planet = biggus.open(url, zoom=3, tile_size=8, retries=0, missing=7, headers={"Auth": "s"})
        return [planet[5:20, ::3].masked_array(), planet[:9, :9].max(axis=(0, 1)).masked_array()]

    try:
        with biggus.set_options(cache=biggus.Cache("cache")):
            plain = program()
            for name in ("one", "two"):
                with biggus.record(f"{name}.biggus"):
                    program()
    finally:
        server.stop()
    content = Path("one.biggus").read_bytes()
    assert content == Path("two.biggus").read_bytes()
    import zipfile

    with zipfile.ZipFile("one.biggus") as file:
        assert not any(b"s3cret" in file.read(name) for name in file.namelist())
    with biggus.set_options(cache=None), biggus.replay("one.biggus"):
        for one, other in zip(plain, program(), strict=True):
            same(one, other)


def test_objects_of_h5py_zarr_and_netcdf4(folder):
    h5py = pytest.importorskip("h5py")
    zarr = pytest.importorskip("zarr")
    netCDF4 = pytest.importorskip("netCDF4")
    with h5py.File("a.h5", "w") as file:
        file.create_dataset("x", data=DATA, chunks=(7, 8))
    zarr.create_array("a.zarr", data=DATA, chunks=(7, 8))
    with netCDF4.Dataset("a.nc", "w") as file:
        file.createDimension("x", 30)
        file.createVariable("t", "i2", ("x",), fill_value=3)[:] = np.arange(30)

    def program():
        with h5py.File("a.h5") as file, netCDF4.Dataset("a.nc") as other:
            arrays = [
                biggus.ArrayAdapter(file["x"]),
                biggus.ArrayAdapter(zarr.open_array("a.zarr", mode="r")),
                biggus.ArrayAdapter(other["t"], token="t of a.nc"),
            ]
            return [each[1:].masked_array() for each in arrays]

    plain = program()
    with biggus.record("study.biggus"):
        program()
    with h5py.File("a.h5", "a") as file:
        file["x"][...] = -1  # not read on replay
    with biggus.replay("study.biggus"):
        for one, other in zip(plain, program(), strict=True):
            same(one, other)


def test_zarr_on_a_server(folder):
    zarr = pytest.importorskip("zarr")
    pytest.importorskip("urllib3")
    from tile_server import Reply, TileServer

    root = zarr.create_group("served/s.zarr")
    root.create_array("plain", data=DATA, chunks=(7, 8), attributes={"units": "K"})
    root.create_array("sharded", data=DATA, chunks=(5, 5), shards=(10, 15))

    class Server(TileServer):
        def tile(self, path):
            file = Path(folder, "served", path.partition("?")[0].lstrip("/"))
            return file.read_bytes() if file.is_file() else super().tile(path)

    server = Server()
    server.always = Reply(type="application/octet-stream")
    server.start()
    url = f"{server.url}/s.zarr"

    def program():
        found = [results(biggus.open(url, name)) for name in ("plain", "sharded")]
        assert biggus.open(url, "plain").node.source.attributes["units"] == "K"
        return [*found[0], *found[1]]

    try:
        with biggus.set_options(cache=biggus.Cache("cache")):
            plain = program()
            with biggus.record("study.biggus") as study:
                program()
            assert (
                biggus.receipt([biggus.open(url, n) for n in ("plain", "sharded")]) == study.receipt
            )
    finally:
        server.stop()
    with biggus.replay("study.biggus"):
        for one, other in zip(plain, program(), strict=True):
            same(one, other)
    local = [biggus.open("served/s.zarr", name) for name in ("sharded", "plain")]
    assert biggus.receipt(local) == study.receipt


def test_pattern_of_datasets_under_another_working_folder(folder, tmp_path_factory, monkeypatch):
    pytest.importorskip("h5py")
    xr = pytest.importorskip("xarray")
    import biggus.xarray

    for year in (1, 2):
        biggus.save(np.array([year, year]), f"y{year}.h5::v")
    with biggus.record("study.biggus"):
        right = biggus.xarray.open("y*.h5", concat_dim="dim_0").load()
    assert right["v"].values.tolist() == [1, 1, 2, 2]
    other = tmp_path_factory.mktemp("other")
    Path("study.biggus").rename(other / "study.biggus")
    monkeypatch.chdir(other)
    with biggus.replay("study.biggus"):
        found = biggus.xarray.open("y*.h5", concat_dim="dim_0").load()
        xr.testing.assert_identical(found, right)
        with pytest.raises(StudyError, match=r"is not in .*study\.biggus"):
            biggus.xarray.open("z*.h5")
