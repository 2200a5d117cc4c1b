"""Pipelines of codecs that the user configures in zarr-python."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import biggus
from biggus.backends.location import Location
from biggus.backends.zarr.backend import ZarrBackend
from biggus.sources.base import read, whole

zarr = pytest.importorskip("zarr")
numcodecs = pytest.importorskip("numcodecs")

from zarr.core.codec_pipeline import BatchedCodecPipeline

BACKEND = ZarrBackend()
SHAPE = (7, 10)
ARRAYS = {
    "chunks": {"chunks": (3, 4)},
    "shards": {"chunks": (2, 5), "shards": (4, 10)},
    "format 2": {"chunks": (3, 4), "zarr_format": 2},
    "format 2, order F": {"chunks": (3, 4), "zarr_format": 2, "order": "F"},
}
DTYPES = ["f8", "T"]
"""biggus decodes the first itself; zarr-python decodes the second."""


class Counting(BatchedCodecPipeline):
    """A pipeline for any store that counts how often it decodes."""

    decoded = 0

    async def decode(self, *args, **kwargs):
        type(self).decoded += 1
        return await super().decode(*args, **kwargs)


class FailingForStores(BatchedCodecPipeline):
    """A pipeline for certain stores only; creating it for others raises `error`."""

    error = None

    @classmethod
    def from_array_metadata_and_store(cls, array_metadata, store):
        if type(store).__module__.startswith("biggus"):
            raise cls.error
        raise NotImplementedError


class BoundToStore(Counting):
    """A pipeline that is created for one store, of any kind."""

    @classmethod
    def from_array_metadata_and_store(cls, array_metadata, store):
        made = cls.from_codecs(array_metadata.codecs)
        object.__setattr__(made, "store", store)
        return made


for pipeline in (Counting, FailingForStores, BoundToStore):
    zarr.registry.register_pipeline(pipeline)


def configured(pipeline):
    path = pipeline if isinstance(pipeline, str) else f"{__name__}.{pipeline.__name__}"
    return zarr.config.set({"codec_pipeline.path": path})


def data(dtype):
    return np.arange(70).reshape(SHAPE).astype(dtype)


def create(store, dtype, name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return zarr.create_array(store, data=data(dtype), **ARRAYS[name])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ARRAYS)
def test_configured_pipeline_is_used(tmp_path, name, dtype):
    create(tmp_path / "a.zarr", dtype, name)
    Counting.decoded = 0
    with configured(Counting):
        source = BACKEND.open(Location(tmp_path / "a.zarr"), "/")
        np.testing.assert_array_equal(read(source, whole(SHAPE)), data(dtype))
    # Chunks that biggus decodes itself do not pass the pipeline.
    assert (Counting.decoded > 0) == (dtype != "f8")


@pytest.mark.parametrize("error", [AttributeError("store"), TypeError(), ValueError(), OSError()])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ARRAYS)
def test_unsuitable_pipeline_is_replaced_by_the_default(tmp_path, monkeypatch, name, dtype, error):
    create(tmp_path / "a.zarr", dtype, name)
    monkeypatch.setattr(FailingForStores, "error", error)
    with configured(FailingForStores):
        source = BACKEND.open(Location(tmp_path / "a.zarr"), "/")
        np.testing.assert_array_equal(read(source, whole(SHAPE)), data(dtype))
        assert zarr.config.get("codec_pipeline.path").endswith("FailingForStores")
        # Arrays that the user opens keep the configured pipeline.
        assert (
            type(zarr.open_array(tmp_path / "a.zarr")._async_array.codec_pipeline)
            is FailingForStores
        )


@pytest.mark.parametrize("configured_order", ["C", "F"])
@pytest.mark.parametrize("filters", [[], [numcodecs.CRC32()]], ids=["known", "unknown"])
@pytest.mark.parametrize("dtype", [*DTYPES, "S2", [("a", "i4"), ("b", "f8")]], ids=str)
@pytest.mark.parametrize("order", ["C", "F"])
def test_order_is_that_of_the_metadata(tmp_path, order, dtype, filters, configured_order):
    array = zarr.create_array(
        tmp_path / "a.zarr",
        shape=SHAPE,
        chunks=(3, 4),
        dtype=str if dtype == "T" else np.dtype(dtype),
        zarr_format=2,
        order=order,
        filters=filters if filters and dtype != "T" else "auto",
    )
    array[...] = values = np.arange(70).reshape(SHAPE).astype(dtype)
    with zarr.config.set({"array.order": configured_order}):
        source = BACKEND.open(Location(tmp_path / "a.zarr"), "/")
        np.testing.assert_array_equal(read(source, whole(SHAPE)), values)


def test_unknown_codec_raises_with_a_configured_pipeline(tmp_path):
    zarr.create_array(tmp_path / "a.zarr", data=data("f8"))
    document = tmp_path / "a.zarr/zarr.json"
    document.write_text(document.read_text().replace('"zstd"', '"none-such"'))
    with configured(Counting), pytest.raises(biggus.errors.OpenError, match="none-such"):
        BACKEND.open(Location(tmp_path / "a.zarr"), "/")


@pytest.mark.parametrize(
    ("pipeline", "name"),
    [*((Counting, name) for name in ARRAYS), (BoundToStore, "chunks"), (BoundToStore, "shards")],
)
@pytest.mark.parametrize("dtype", DTYPES)
def test_adopted_array_keeps_its_pipeline(name, pipeline, dtype):
    with configured(pipeline):
        array = create(zarr.storage.MemoryStore(), dtype, name)
    assert type(array._async_array.codec_pipeline) is pipeline
    pipeline.decoded = 0
    found = biggus.ArrayAdapter(array)
    np.testing.assert_array_equal(found.ndarray(), data(dtype))
    assert (pipeline.decoded > 0) == (dtype != "f8")


def test_adopted_array_whose_pipeline_needs_its_store(monkeypatch):
    monkeypatch.setattr(FailingForStores, "error", AttributeError("store"))
    with configured(FailingForStores):
        array = create(zarr.storage.MemoryStore(), "f8", "chunks")
    np.testing.assert_array_equal(biggus.ArrayAdapter(array).ndarray(), data("f8"))
    array[:] = 1
    np.testing.assert_array_equal(biggus.ArrayAdapter(array).ndarray(), np.ones(SHAPE))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize("strict", [False, True])
def test_pipeline_of_the_zarrs_package(tmp_path, name, dtype, strict):
    pytest.importorskip("zarrs")
    create(tmp_path / "a.zarr", dtype, name)
    with zarr.config.set(
        {"codec_pipeline.path": "zarrs.ZarrsCodecPipeline", "codec_pipeline.strict": strict}
    ):
        np.testing.assert_array_equal(biggus.open(tmp_path / "a.zarr").ndarray(), data(dtype))
        if not strict:  # in strict mode, zarr-python itself refuses
            array = zarr.open_array(tmp_path / "a.zarr", mode="r")
            np.testing.assert_array_equal(biggus.ArrayAdapter(array).ndarray(), data(dtype))
