"""Chunks and compression of new arrays: as given, or as those of the source."""

from __future__ import annotations

import numpy as np
import pytest

import biggus
from biggus.errors import OutputError
from biggus.testing import UnreadableSource

VALUES = np.arange(40 * 30 * 20, dtype="f4").reshape(40, 30, 20)
A = biggus.ArrayAdapter(VALUES, chunks=(1, 30, 20))

h5py = pytest.importorskip("h5py")
zarr = pytest.importorskip("zarr")
netCDF4 = pytest.importorskip("netCDF4")


def hdf5_filters(path, name="a"):
    with h5py.File(path) as file:
        dataset = file[name]
        assert (dataset[:] == VALUES).all()
        return dataset.chunks, dataset.compression, dataset.compression_opts, dataset.shuffle


def zarr_codec(path):
    array = zarr.open_array(path, mode="r")
    assert (array[:] == VALUES).all()
    return array.chunks, [codec.get_config() for codec in (*array.filters, *array.compressors)]


@pytest.mark.parametrize("chunks", [(10, -1, 5), (10, 30, 5)])
def test_chunks_argument(tmp_path, chunks):
    targets = [f"{tmp_path}/a.h5::a", f"{tmp_path}/a.nc::a", f"{tmp_path}/a.zarr"]
    biggus.save([A, A, A], targets, chunks=chunks)
    assert {biggus.open(target).grid for target in targets} == {(10, 30, 5)}
    for target in targets:
        np.testing.assert_array_equal(biggus.open(target).ndarray(), VALUES)


def test_rechunked_array_is_saved_in_its_chunks(tmp_path):
    a = A.rechunk((40, 3, -1))
    assert a.grid == (40, 3, 20)
    assert (a.shape, a.dtype) == (A.shape, A.dtype)
    np.testing.assert_array_equal(a[3:5].ndarray(), VALUES[3:5])
    np.testing.assert_array_equal((a.T * 2 + 1).ndarray(), VALUES.T * 2 + 1)
    assert a.mean(axis=0).ndarray().tobytes() == A.mean(axis=0).ndarray().tobytes()
    assert biggus.ArrayAdapter(VALUES).rechunk(7).grid == (7, 7, 7)
    biggus.save(a, tmp_path / "a.zarr")
    assert biggus.open(tmp_path / "a.zarr").grid == (40, 3, 20)


def test_chunks_and_compression_per_array(tmp_path):
    out = np.empty(VALUES.shape, "f4")
    targets = [f"{tmp_path}/a.h5::a", f"{tmp_path}/b.h5::a", out]
    keywords = {"chunks": [(2, 30, 20), None, None], "compression": [None, ("gzip", 2), None]}
    biggus.save([A, A, A], targets, **keywords)
    assert hdf5_filters(tmp_path / "a.h5")[:2] == ((2, 30, 20), None)
    assert hdf5_filters(tmp_path / "b.h5") == ((40, 30, 20), "gzip", 2, True)


COMPRESSIONS = {
    "zstd": {"id": "zstd"},
    ("zstd", 5): {"id": "zstd", "level": 5},
    ("gzip", 2): {"id": "gzip", "level": 2},
    "lz4": {"id": "lz4"},
    ("blosc:lz4", 3): {"id": "blosc", "cname": "lz4", "clevel": 3, "shuffle": 1},
}


@pytest.mark.parametrize("given", COMPRESSIONS)
def test_compressions_of_zarr(tmp_path, given):
    biggus.save(A, tmp_path / "a.zarr", compression=given)
    _, codecs = zarr_codec(tmp_path / "a.zarr")
    assert COMPRESSIONS[given].items() <= codecs[-1].items()
    biggus.save(biggus.open(tmp_path / "a.zarr"), tmp_path / "b.zarr")
    assert zarr_codec(tmp_path / "b.zarr")[1] == codecs


def test_compression_is_kept_between_formats(tmp_path):
    biggus.save(A, f"{tmp_path}/a.h5::a", compression=("gzip", 3), chunks=(5, 30, 20))
    a = biggus.open(f"{tmp_path}/a.h5::a")
    biggus.save([a, a * 1, a], [f"{tmp_path}/{b}" for b in ("b.nc::a", "b.h5::a", "b.zarr::/")])
    assert hdf5_filters(tmp_path / "b.nc")[1:] == ("gzip", 3, True)
    assert hdf5_filters(tmp_path / "b.h5")[1:] == ("gzip", 3, True)
    codecs = zarr_codec(tmp_path / "b.zarr")[1]
    assert [codec["id"] for codec in codecs] == ["zstd"]
    b = biggus.open(f"{tmp_path}/b.nc::a")
    biggus.save([b, b], [f"{tmp_path}/c.h5::a", f"{tmp_path}/d.h5::a"], compression=[None, False])
    assert hdf5_filters(tmp_path / "c.h5")[1:] == ("gzip", 3, True)
    assert hdf5_filters(tmp_path / "d.h5")[1] is None


def test_unsupported_compression_or_chunks_raise(tmp_path):
    biggus.save(A, tmp_path / "a.zarr", compression="lz4")
    biggus.save(biggus.open(tmp_path / "a.zarr"), f"{tmp_path}/a.h5::a")
    assert hdf5_filters(tmp_path / "a.h5")[1] is None
    with pytest.raises(OutputError, match="no lz4 compression; it has: gzip, zlib, lzf"):
        biggus.save(A, f"{tmp_path}/b.h5::a", compression="lz4")
    with pytest.raises(OutputError, match=r"a \.npy file has no chunks"):
        biggus.save(A, tmp_path / "b.npy", chunks=(1, 30, 20))
    with pytest.raises(OutputError, match=r"a \.npy file has no zstd compression"):
        biggus.save(A, tmp_path / "b.npy", compression="zstd")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.h5", "a.zarr"]


@pytest.mark.parametrize(
    ("keywords", "error"),
    [
        ({"chunks": (1, 2)}, ValueError),
        ({"chunks": (0, 30, 20)}, ValueError),
        ({"chunks": "auto"}, TypeError),
        ({"chunks": [(1, 2, 3), None]}, ValueError),
        ({"compression": "zip"}, ValueError),
        ({"compression": "blosc"}, ValueError),
        ({"compression": ("gzip", 77)}, ValueError),
        ({"compression": 4}, TypeError),
    ],
)
def test_invalid_arguments_raise(tmp_path, keywords, error):
    with pytest.raises(error):
        biggus.save(A, tmp_path / "a.zarr", **keywords)
    with pytest.raises(ValueError, match="for new arrays"):
        biggus.save(A, np.empty(VALUES.shape, "f4"), chunks=(1, 30, 20))
    assert not list(tmp_path.iterdir())


def test_plan_save(tmp_path):
    source = UnreadableSource((500, 200, 200), "f4", chunks=(1, 200, 200), io_bound=False)
    a = biggus.ArrayAdapter(source)
    with biggus.set_options(memory="20 MB"):
        plan = biggus.plan_save(a, tmp_path / "a.zarr", chunks=(500, 20, 20))
        assert [each.read_bytes for each in plan.passes] == [a.nbytes, 0]
        assert [each.scratch_bytes for each in plan.passes] == [a.nbytes, a.nbytes]
        assert plan.passes[0].times_read == 1
        assert plan.peak_bytes < 20 * 10**6
        assert len(biggus.plan_save(a, tmp_path / "a.zarr").passes) == 1
        assert (
            len(biggus.plan_save([a, a], [tmp_path / "a.npy", f"{tmp_path}/a.h5::a"]).passes) == 1
        )
    assert not list(tmp_path.iterdir())
