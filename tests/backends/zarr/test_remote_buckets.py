"""Servers that respond with 403 Forbidden for missing objects, as object stores do."""

from __future__ import annotations

import json
import pickle
import shutil
import sys
import warnings

import numpy as np
import pytest
from zarr_samples import BACKEND, open_zarr
from zarr_server import status

import biggus
from biggus.backends.location import Location
from biggus.backends.zarr import metadata
from biggus.backends.zarr.store import WHOLE, Fetched, ForbiddenError, ZarrStore
from biggus.errors import GoneError, OpenError, SourceError
from biggus.sources.base import read, whole

zarr = pytest.importorskip("zarr")
pytest.importorskip("urllib3")

DATA = np.random.default_rng(3).normal(size=(20, 30))


@pytest.fixture(params=[2, 3])
def bucket(server, request):
    """Return a server of a sparse array that responds with 403 for missing files."""
    root = zarr.create_group(server.folder / "b.zarr", zarr_format=request.param)
    sparse = root.create_array("a", shape=(8,), chunks=(2,), dtype="i4", fill_value=-9)
    sparse[2:4] = 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        zarr.consolidate_metadata(server.folder / "b.zarr", zarr_format=request.param)
    server.missing = 403, b"<Error/>"
    server.format = request.param
    return server


SPARSE = [-9, -9, 1, 1, -9, -9, -9, -9]


@pytest.mark.parametrize("format_option", [None, "its own"])
def test_unlistable_bucket(bucket, format_option):
    url, zarr_format = f"{bucket.url}/b.zarr", bucket.format if format_option else None
    # Existing chunks are read in either format.
    plain = open_zarr(url, "a", zarr_format=zarr_format)
    assert read(plain, (slice(2, 4, 1),)).tolist() == [1, 1]
    assert BACKEND.variables(Location(url), zarr_format=zarr_format) == ("a",)
    with pytest.raises(
        SourceError, match=r"responded with 403; credentials may be missing.* `absent=403`"
    ):
        read(plain, whole((8,)))
    with_absent = open_zarr(url, "a", zarr_format=zarr_format, absent=(403, 410), fresh_for=0)
    values, validator = with_absent.fetch(whole((8,)))
    assert values.tolist() == SPARSE
    assert with_absent.revalidate(whole((8,)), validator) is not None
    assert pickle.loads(pickle.dumps(with_absent))[whole((8,))].tolist() == SPARSE
    zarr.open_array(bucket.folder / "b.zarr/a")[0:2] = 5
    assert with_absent.revalidate(whole((8,)), validator) is None


def test_forbidden_stores_raise(bucket):
    with pytest.raises(OpenError, match=r"403.*`absent=403`"):
        open_zarr(f"{bucket.url}/b.zarr", "a", zarr_format=5 - bucket.format)
    with pytest.raises(OpenError, match=r"403.*`absent=403`"):
        open_zarr(f"{bucket.url}/none.zarr", "a")
    with pytest.raises(OpenError, match=r"403.*`absent=403`"):
        BACKEND.variables(Location(f"{bucket.url}/none.zarr"))
    with pytest.raises(GoneError):
        open_zarr(f"{bucket.url}/none.zarr", "a", absent=403)


@pytest.mark.parametrize("missing", [404, 403])
def test_siblings_in_an_unlistable_store(bucket, missing):
    bucket.missing = missing, b""
    folder = bucket.folder / "b.zarr"
    zarr.open_group(folder, mode="a").create_array("g/v", data=DATA)
    for name in ("zarr.json", ".zgroup", ".zmetadata", ".zattrs"):
        (folder / name).unlink(missing_ok=True)
    source = open_zarr(f"{bucket.url}/b.zarr", "g/v")
    assert source.sibling("v").name == source.name
    assert read(source.sibling("a"), (slice(2, 4, 1),)).tolist() == [1, 1]
    for name in ("nothing", "/g/nothing", "/a/v", "../a", "a/../../b.zarr/a"):
        assert source.sibling(name) is None
    # Other failures raise.
    path = "g/broken/zarr.json" if bucket.format == 3 else "g/broken/.zarray"
    bucket.failures[f"/b.zarr/{path}"] = [10**6, status(200, b"{")]
    with pytest.raises(OpenError, match="not valid JSON"):
        source.sibling("broken")


@pytest.mark.parametrize("format_option", [None, "its own"])
def test_resolutions_in_an_unlistable_bucket(bucket, format_option):
    url, zarr_format = f"{bucket.url}/b.zarr", bucket.format if format_option else None
    group = zarr.open_group(bucket.folder / "b.zarr", mode="a", zarr_format=bucket.format)
    image = {"multiscales": [{"datasets": [{"path": "a"}]}]}
    group.attrs.update(image if bucket.format == 2 else {"ome": image})
    assert [
        found.path for found in BACKEND.resolutions(Location(url), "", zarr_format=zarr_format)
    ] == ["a"]
    for options in ({"zarr_format": 5 - bucket.format}, {}):
        path = "" if options else "none"
        with pytest.raises(OpenError, match=r"403.*`absent=403`"):
            BACKEND.resolutions(Location(url), path, **options)
    assert BACKEND.resolutions(Location(url), "none", absent=403) == ()


@pytest.mark.parametrize(
    ("missing", "absent"), [((200, b""), 200), ((204, b""), [204]), ((400, b"?"), (400, 403))]
)
def test_absent_option_for_other_responses(bucket, missing, absent):
    bucket.missing = missing
    url = f"{bucket.url}/b.zarr"
    with_absent = open_zarr(url, "a", zarr_format=bucket.format, absent=absent)
    assert read(with_absent, whole((8,))).tolist() == SPARSE
    with pytest.raises(SourceError):
        read(open_zarr(url, "a", zarr_format=bucket.format), whole((8,)))


def test_removed_store_raises_with_absent(bucket):
    with_absent = open_zarr(f"{bucket.url}/b.zarr", "a", absent=403)
    shutil.rmtree(bucket.folder / "b.zarr")
    with pytest.raises(SourceError, match="gone"):
        read(with_absent, whole((8,)))


def test_absent_option_is_part_of_the_cache_key(bucket, tmp_path):
    url = f"{bucket.url}/b.zarr"
    with biggus.Cache(tmp_path / "cache") as cache:
        with_absent = biggus.open(url, "a", cache=cache, absent=403)
        assert with_absent.ndarray().tolist() == SPARSE
        with pytest.raises(SourceError):
            biggus.open(url, "a", cache=cache).ndarray()
        with biggus.set_options(offline=True):
            again = biggus.open(url, "a", cache=cache, absent=[410, 403, 403])
            assert again.ndarray().tolist() == SPARSE


@pytest.mark.parametrize("absent", [500, 206, "403", None])
def test_server_errors_are_invalid_as_absent(bucket, absent):
    with pytest.raises(OpenError, match="`absent=` is one or several statuses"):
        open_zarr(f"{bucket.url}/b.zarr", "a", absent=absent)


def test_fsspec_bucket_that_forbids_missing_chunks(tmp_path):
    fsspec = pytest.importorskip("fsspec")
    memory = pytest.importorskip("fsspec.implementations.memory")
    sparse = zarr.create_array(tmp_path / "a", shape=(8,), chunks=(2,), dtype="i4", fill_value=-9)
    sparse[2:4] = 1

    class Bucket(memory.MemoryFileSystem):
        protocol = "bucket"
        cachable = False

        def cat_file(self, path, **options):
            file = tmp_path / path.partition("://")[2].strip("/")
            if not file.is_file():
                raise PermissionError("Forbidden")
            return file.read_bytes()[options.get("start") : options.get("end")]

    fsspec.register_implementation("bucket", Bucket, clobber=True)
    try:
        with pytest.raises(SourceError, match=r"Forbidden; .*`absent=403`"):
            biggus.open("bucket://a", "/", backend="zarr", cache=False).ndarray()
        with_absent = biggus.open("bucket://a", "/", backend="zarr", cache=False, absent=403)
        assert with_absent.ndarray().tolist() == SPARSE
    finally:
        sys.modules["fsspec.registry"]._registry.pop("bucket")


def test_listing_leaves_out_folders_that_are_forbidden():
    documents = {"zarr.json": "group", "a/zarr.json": "array", "b/zarr.json": "group"}

    class Listed(ZarrStore):
        def get(self, key, span=WHOLE):
            if key not in documents:
                raise ForbiddenError(f"{key} is forbidden")
            return Fetched(json.dumps({"zarr_format": 3, "node_type": documents[key]}).encode())

        def folders(self, key):
            return {"": ["a", "b", "secret"], "b": ["b/secret"]}[key]

    assert metadata.list_arrays(Listed(), "here", None) == ("a",)
