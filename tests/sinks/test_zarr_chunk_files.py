"""Chunk files of new Zarr arrays are identical to those of zarr-python."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import biggus

if TYPE_CHECKING:
    from pathlib import Path

zarr = pytest.importorskip("zarr")

DTYPES = ("?", "i1", ">i2", "u4", "f2", "f4", ">f8", "c8", "M8[ns]", "m8[s]", "S3", "U2")
CODECS = (False, "zstd", ("blosc:lz4", 5))


def _values(dtype: str, shape: tuple[int, ...]) -> Any:
    plain = np.random.default_rng(0).integers(0, 2, shape)
    values = plain.astype("S3" if dtype[0] == "S" else dtype)
    values[:2, :3] = np.zeros((), values.dtype)  # a chunk of zeros
    return values


def _files(folder: Path) -> dict[str, bytes]:
    found = {each.relative_to(folder): each.read_bytes() for each in folder.rglob("*")}
    return {str(path): data for path, data in found.items() if not path.name.startswith(".")}


@pytest.mark.parametrize(("dtype", "compression"), [*zip(DTYPES, 4 * CODECS, strict=True)])
def test_chunk_files_match_zarr_python(tmp_path: Path, dtype: str, compression: Any) -> None:
    values = _values(dtype, (5, 7))
    biggus.save(
        biggus.ArrayAdapter(values),
        tmp_path / "own.zarr",
        chunks=(2, 3),
        compression=compression,
    )
    own = zarr.open_array(tmp_path / "own.zarr", mode="r")
    other = zarr.create_array(
        tmp_path / "other.zarr",
        shape=own.shape,
        chunks=own.chunks,
        dtype=own.dtype,
        filters=own.filters or None,
        compressors=own.compressors or None,
        fill_value=own.fill_value,
        zarr_format=2,
    )
    other[...] = values
    np.testing.assert_array_equal(own[...], values)
    own_files, other_files = _files(tmp_path / "own.zarr"), _files(tmp_path / "other.zarr")
    assert own_files == other_files
    assert ("0.0" in own_files) == (dtype[0] in "mM")


def test_scalar_and_empty_array(tmp_path: Path) -> None:
    for shape in ((), (0, 3)):
        values = np.full(shape, 7, "i2")
        biggus.save(biggus.ArrayAdapter(values), tmp_path / "out.zarr", overwrite=True)
        np.testing.assert_array_equal(zarr.open_array(tmp_path / "out.zarr")[...], values)


@pytest.mark.parametrize("value", [-0.0, complex(0.0, -0.0), np.nan])
def test_negative_zero_and_nan_are_stored_to_the_bit(tmp_path: Path, value: Any) -> None:
    values = np.full((4, 4), value)
    biggus.save(biggus.ArrayAdapter(values), tmp_path / "out.zarr", chunks=(2, 2))
    assert zarr.open_array(tmp_path / "out.zarr")[...].tobytes() == values.tobytes()


def test_missing_chunks_are_not_stored(tmp_path: Path) -> None:
    """Even if the fill value is replaced, because the default one is a value."""
    usual = np.ma.default_fill_value(np.dtype("f8"))
    values = np.ma.masked_array(np.arange(16.0).reshape(4, 4), mask=np.zeros((4, 4), bool))
    values[:2, :2] = np.ma.masked
    for value in (5.5, usual):
        values[3, 3] = value
        biggus.save(
            biggus.ArrayAdapter(values), tmp_path / "out.zarr", chunks=(2, 2), overwrite=True
        )
        found = biggus.open(tmp_path / "out.zarr").masked_array()
        np.testing.assert_array_equal(found.filled(-1), values.filled(-1))
        assert set(_files(tmp_path / "out.zarr")) == {"0.1", "1.0", "1.1"}
