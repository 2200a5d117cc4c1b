"""Zarr stores on a server that sends other content in place of metadata and chunks."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest
from odd_store import VALUES, Store, document
from raw_server import answer, sending

from biggus.backends.zarr import expected as zarr_expected
from biggus.backends.zarr import http as zarr_http
from biggus.backends.zarr.expected import expected, refused_type
from biggus.errors import OpenError, SourceError
from biggus.sources.base import read, whole

zarr = pytest.importorskip("zarr")
pytest.importorskip("urllib3")

FILTERED = {"id": "delta", "dtype": "<i4"}
TEXT = b"The server is busy: try again at 10 a.m."  # has the length of a chunk


@pytest.fixture
def store():
    store = Store()
    yield store
    store.stop()


ENDLESS = {
    "chunked": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"10000\r\n%s\r\n" % bytes(2**16),
    ),
    "without a length": (b"HTTP/1.1 200 OK\r\n\r\n", bytes(2**16)),
    "of a great length": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 1" + b"0" * 17 + b"\r\n\r\n",
        bytes(2**16),
    ),
}


@pytest.mark.parametrize("kind", ENDLESS)
def test_endless_document_raises(store, kind):
    store.document = store.endlessly(*ENDLESS[kind])
    with pytest.raises(OpenError, match="the body is larger than 33554432 bytes"):
        store.open()
    assert store.sent < 200e6


@pytest.mark.parametrize("kind", ENDLESS)
def test_endless_chunk_raises(store, kind):
    store.chunk = store.endlessly(*ENDLESS[kind])
    source = store.open()
    with pytest.raises(SourceError, match="the body is larger than 65581 bytes"):
        read(source, whole(source.shape))
    assert store.sent < 50e6


def test_gzip_bomb_raises(store):
    bomb = answer(gzip.compress(bytes(2**27)), Content_Encoding="gzip")
    store.chunk = sending(bomb)
    source = store.open()
    with pytest.raises(SourceError, match="the body is larger than 65581 bytes"):
        read(source, whole(source.shape))
    store.document = sending(bomb)
    with pytest.raises(OpenError, match="the body is larger than 33554432 bytes"):
        store.open()


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("text/html; charset=utf-8", "an HTML page"),
        ("application/json", "sent application/json instead of a chunk"),
        ("Application/Problem+JSON", "sent application/problem\\+json instead"),
        ("application/xml", "sent application/xml instead"),
        ("application/xhtml+xml", "sent application/xhtml\\+xml instead"),
        ("text/xml", "sent text/xml instead"),
        ("text/plain", "text_chunks=True"),
        ("text/plain;charset=UTF-8", "text_chunks=True"),
        ("text/markdown", "text_chunks=True"),
    ],
)
def test_text_response_of_the_right_length_raises(store, kind, words):
    store.chunk = sending(answer(TEXT, Content_Type=kind))
    source = store.open()
    with pytest.raises(SourceError, match=words):
        read(source, whole(source.shape))


@pytest.mark.parametrize("kind", ["text/plain", "", "binary/octet-stream", "image/png"])
def test_chunks_of_other_content_types_are_read(store, kind):
    store.chunk = sending(answer(VALUES.tobytes(), **({"Content_Type": kind} if kind else {})))
    source = store.open(text_chunks=True)
    assert np.array_equal(read(source, whole(source.shape)), np.tile(VALUES, 2))


@pytest.mark.parametrize("compressor", ["zlib", "gzip", "bz2", "lzma", "blosc", "zstd", "lz4"])
def test_compressed_chunks_may_have_a_text_type(store, compressor):
    import numcodecs

    codec = numcodecs.get_codec({"id": compressor})
    changed = document(compressor=codec.get_config())
    store.document = sending(answer(changed, Content_Type="text/plain"))
    store.chunk = sending(answer(bytes(codec.encode(VALUES)), Content_Type="text/plain"))
    source = store.open()
    assert np.array_equal(read(source, whole(source.shape)), np.tile(VALUES, 2))
    store.chunk = sending(answer(TEXT, Content_Type="text/plain"))
    with pytest.raises(SourceError):
        read(source, whole(source.shape))


def test_filtered_chunks_may_not_have_a_text_type(store):
    store.document = sending(answer(document(filters=[FILTERED])))
    store.chunk = sending(answer(TEXT, Content_Type="text/plain"))
    source = store.open()
    with pytest.raises(SourceError, match="text_chunks=True"):
        read(source, whole(source.shape))


CREATED = {
    "plain": {"compressors": None},
    "zstd": {},
    "crc32c": {"compressors": [zarr.codecs.Crc32cCodec()]},
    "shards": {"shards": (20,), "compressors": None},
    "shards, blosc": {"shards": (20,), "compressors": [zarr.codecs.BloscCodec()]},
}


@pytest.mark.parametrize("name", CREATED)
@pytest.mark.parametrize("dtype", ["i1", "f8", "c16"])
def test_expected_size_is_an_upper_bound(tmp_path, name, dtype):
    values = np.random.default_rng(0).integers(0, 100, 40).astype(dtype)
    for chunk in (1, 10):
        settings = CREATED[name] | ({"shards": (20,)} if "shards" in CREATED[name] else {})
        array = zarr.create_array(
            tmp_path / f"{chunk}.zarr", shape=(40,), chunks=(chunk,), dtype=dtype, **settings
        )
        array[:] = values
        fields = json.loads((tmp_path / f"{chunk}.zarr" / "zarr.json").read_bytes())
        found = expected(fields, array.dtype, array.shards or array.chunks)
        sizes = [path.stat().st_size for path in (tmp_path / f"{chunk}.zarr" / "c").iterdir()]
        assert max(sizes) <= found.largest - zarr_expected._MARGIN + 256
        assert found.vouched == (name not in {"plain", "shards"})


def test_expected_size_of_variable_length_dtypes():
    strings = np.dtypes.StringDType()
    assert expected({"codecs": [{"name": "vlen-utf8"}]}, strings, (10,)).largest == 2**32
    assert expected({"filters": [FILTERED]}, np.dtype("u1"), (2**20,)).largest > 8 * 2**20
    assert refused_type("", False, False) is None


def test_metadata_documents_are_recognized():
    assert all(map(zarr_http._is_document, [".zarray", "g/.zattrs", "a/zarr.json", ".zmetadata"]))
    assert not any(map(zarr_http._is_document, ["0.0", "c/0/0", "a/c/1"]))
