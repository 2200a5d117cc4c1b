"""Zarr stores in fsspec file systems."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

import biggus
from biggus.backends.location import Location
from biggus.backends.zarr.backend import ZarrBackend
from biggus.backends.zarr.expected import Expected
from biggus.backends.zarr.http import FsspecStore
from biggus.backends.zarr.store import WHOLE
from biggus.errors import OpenError, SourceError
from biggus.sources.base import read, whole

zarr = pytest.importorskip("zarr")
fsspec = pytest.importorskip("fsspec")

BACKEND = ZarrBackend()
DATA = np.random.default_rng(5).normal(size=(6, 8))


@pytest.fixture
def folder(tmp_path):
    """Return a folder of two stores, ``v2`` and ``v3``, with an array ``g/a`` each."""
    for name, zarr_format in (("v2", 2), ("v3", 3)):
        root = zarr.create_group(tmp_path / name, zarr_format=zarr_format)
        root.create_array("g/a", data=DATA, chunks=(3, 5))
    return tmp_path


def objects_in(folder):
    return {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def zip_at(folder, name):
    path = folder / f"{name}.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for key, file in objects_in(folder / name).items():
            archive.write(file, key)
    return path


def references_at(folder, name):
    path = folder / f"{name}.json"
    chunks = objects_in(folder / name)
    # Groups come before their members, as kerchunk writes them: fsspec of 2023 lists no others.
    references = {
        key: file.read_text() if "z" in file.name else [str(file), 0, file.stat().st_size]
        for key, file in sorted(chunks.items(), key=lambda item: item[0].count("/"))
    }
    path.write_text(json.dumps(references))
    return path


def in_zip(folder, name):
    return "zip://", {"fo": str(zip_at(folder, name))}


def in_chained_zip(folder, name):
    return f"zip://::{zip_at(folder, name)}", {}


def in_references(folder, name):
    return "reference://", {"fo": str(references_at(folder, name))}


def in_chained_references(folder, name):
    return f"reference://::{references_at(folder, name)}", {}


def in_folder(folder, name):
    return "dir://", {"path": str(folder / name), "target_protocol": "file"}


def in_named_folder(folder, name):
    return f"dir://{name}", {"path": str(folder), "target_protocol": "file"}


def in_local(folder, name):
    return f"local://{folder / name}", {}


def in_root_of_memory(folder, name):
    pipe(objects_in(folder / name), "")
    return "memory://", {}


def in_memory(folder, name):
    pipe(objects_in(folder / name), "/s.zarr")
    return "memory://s.zarr/", {}


def pipe(files, root):
    fs = fsspec.filesystem("memory")
    for key, file in files.items():
        fs.pipe_file(f"{root}/{key}", file.read_bytes())


PLACES = [
    in_zip,
    in_chained_zip,
    in_references,
    in_chained_references,
    in_folder,
    in_named_folder,
    in_local,
    in_root_of_memory,
    in_memory,
]


@pytest.fixture(autouse=True)
def memory():
    """Empty the memory file system of fsspec during the test."""
    fs = fsspec.filesystem("memory")
    before = dict(fs.store), list(fs.pseudo_dirs)
    fs.store.clear()
    yield fs
    fs.store.clear()
    fs.store.update(before[0])
    fs.pseudo_dirs[:] = before[1]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", ["v2", "v3"])
@pytest.mark.parametrize("variable", ["g/a", "/g/a/"])
def test_roots_of_stores(folder, place, name, variable):
    url, storage_options = place(folder, name)
    array = biggus.open(url, variable, backend="zarr", cache=False, storage_options=storage_options)
    np.testing.assert_array_equal(array.ndarray(), DATA)
    np.testing.assert_array_equal(array[4:, ::3].ndarray(), DATA[4:, ::3])


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", ["v2", "v3"])
def test_arrays_are_found_without_consolidated_metadata(folder, place, name):
    inner = zarr.open_group(folder / name, mode="a").create_group("g/inner")
    inner.create_array("b", shape=(3,), chunks=(1,), dtype="i4")
    inner.create_group("empty")
    url, storage_options = place(folder, name)
    options = {"backend": "zarr", "storage_options": storage_options}
    assert biggus.variables(url, **options) == ("g/a", "g/inner/b")
    assert list(biggus.info(url, **options)["groups"]) == ["", "g", "g/inner"]


def test_listing_does_not_list_chunks(folder, monkeypatch):
    url, storage_options = in_memory(folder, "v3")
    listed = []
    plain = fsspec.implementations.memory.MemoryFileSystem.ls
    monkeypatch.setattr(
        fsspec.implementations.memory.MemoryFileSystem,
        "ls",
        lambda self, path, **options: listed.append(path) or plain(self, path, **options),
    )
    assert biggus.variables(url, backend="zarr", storage_options=storage_options) == ("g/a",)
    assert listed == ["/s.zarr", "/s.zarr/g"]


@pytest.mark.parametrize("error", [NotImplementedError, PermissionError])
def test_unlistable_store_needs_a_variable(folder, monkeypatch, error):
    def refuse(*_, **__):
        raise error

    url, storage_options = in_memory(folder, "v3")
    monkeypatch.setattr(fsspec.implementations.memory.MemoryFileSystem, "ls", refuse)
    with pytest.raises(OpenError, match="name the variable"):
        biggus.variables(url, backend="zarr", storage_options=storage_options)
    np.testing.assert_array_equal(biggus.open(url, "g/a", cache=False).ndarray(), DATA)


@pytest.mark.parametrize("place", PLACES)
def test_missing_variable_raises(folder, place):
    url, storage_options = place(folder, "v2")
    with pytest.raises(OpenError):
        BACKEND.open(Location(url), "none", storage_options=storage_options)


def test_array_at_the_root_of_a_zip(tmp_path):
    zarr.create_array(tmp_path / "a", data=DATA, chunks=(4, 4))
    url, storage_options = in_zip(tmp_path, "a")
    source = BACKEND.open(Location(url), "/", storage_options=storage_options)
    np.testing.assert_array_equal(read(source, whole(source.shape)), DATA)
    assert BACKEND.variables(Location(url), storage_options=storage_options) == ("/",)


@pytest.mark.parametrize("change", [Path.unlink, lambda path: path.write_bytes(b"")])
def test_reference_to_a_removed_file_raises(folder, change):
    url, storage_options = in_references(folder, "v2")
    source = BACKEND.open(Location(url), "g/a", storage_options=storage_options)
    change(folder / "v2/g/a/1.1")
    with pytest.raises(SourceError):
        read(source, whole(source.shape))


def test_references_to_a_netcdf_file(tmp_path):
    netcdf = pytest.importorskip("netCDF4")
    kerchunk = pytest.importorskip("kerchunk.netCDF3")
    values = np.ma.masked_array(np.arange(6.0).reshape(2, 3), [[0, 1, 0], [0, 0, 0]])
    with netcdf.Dataset(tmp_path / "a.nc", "w", format="NETCDF3_64BIT_OFFSET") as dataset:
        dataset.createDimension("t", None)
        dataset.createDimension("x", 3)
        dataset.createVariable("v", "f4", ("t", "x"), fill_value=np.float32(1e37))[:] = values
    references = kerchunk.NetCDF3ToZarr(str(tmp_path / "a.nc"), inline_threshold=0).translate()
    text = json.dumps(references, default=lambda data: data.decode())
    (tmp_path / "a.json").write_text(text)
    array = biggus.open(
        "reference://",
        "v",
        cache=False,
        storage_options={"fo": str(tmp_path / "a.json")},
    )
    found = array.masked_array()
    np.testing.assert_array_equal(found.mask, values.mask)
    np.testing.assert_array_equal(found.compressed(), values.compressed())


class Endless:
    """A file system of endless files."""

    requested = 0

    def cat_file(self, path, start=None, end=None):
        assert end is not None, "the request has no end"
        self.requested = end - start
        return bytes(end - start)


@pytest.mark.parametrize("key", ["a/.zarray", "zarr.json", "a/c/0/0"])
def test_endless_file_raises_after_a_bounded_read(key, monkeypatch):
    monkeypatch.setattr("biggus.backends.zarr.http.LARGEST_DOCUMENT", 10_000)
    store = FsspecStore("memory://endless", {})
    store._fs, store.expected = Endless(), Expected(20_000)
    for span, most in ((WHOLE, 20_000), ((50, None), 20_000), ((5, 15), 10)):
        if span == (5, 15):
            assert len(store.get(key, span).data) == 10
            continue
        with pytest.raises(OSError, match=r"larger than \d+ bytes"):
            store.get(key, span)
        assert store._fs.requested <= most + 1


@pytest.mark.parametrize("span", [(5, 15), (-10, None), (0, 0)])
def test_response_longer_than_the_requested_range_raises(span):
    store = FsspecStore("memory://long.zarr", {})
    store._fs = type("All", (), {"cat_file": lambda *_, **__: bytes(100)})()
    with pytest.raises(OSError, match=r"larger than 1?0 bytes"):
        store.get("a/c/0/0", span)


def test_too_long_chunk_raises(folder):
    system = fsspec.filesystem("memory")
    for key, file in objects_in(folder / "v3").items():
        system.pipe_file(f"/long.zarr/{key}", file.read_bytes())
    array = biggus.open("memory://long.zarr", "g/a", cache=False)
    assert (array.ndarray() == DATA).all()
    system.pipe_file("/long.zarr/g/a/c/0/0", bytes(10**6))
    with pytest.raises(SourceError, match=r"larger than \d+ bytes"):
        array[0].ndarray()
