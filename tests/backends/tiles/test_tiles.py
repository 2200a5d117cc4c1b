"""The conformance suite over served tiles, plain and wrapped."""

import pytest

pytest.importorskip("PIL")
pytest.importorskip("urllib3")

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
from PIL import Image
from tile_server import TileServer, encoded

from biggus.backends.http import client
from biggus.backends.location import Location
from biggus.backends.tiles.backend import TilesBackend
from biggus.cache import Cache
from biggus.sources.wrappers import Annotated
from biggus.testing import RecordingSource, SourceTests

pytestmark = pytest.mark.machine

SIZE = 4


class ArrayTileServer(TileServer):
    """Serves arrays in folders as tiles of SIZE by SIZE pixels."""

    def __init__(self):
        super().__init__()
        self.conditional = True
        self.headers = {"Cache-Control": "no-cache"}

    def tile(self, path):
        match = re.fullmatch(r"(.*)/\d+/(\d+)/(\d+)\.png", unquote(urlsplit(path).path))
        file = Path(match[1]) / "values.npy"
        if not file.exists():
            return None
        x, y = int(match[2]) * SIZE, int(match[3]) * SIZE
        return encoded(Image.fromarray(np.load(file)[y : y + SIZE, x : x + SIZE]), "png")


@pytest.fixture(autouse=True)
def short_backoff(monkeypatch):
    monkeypatch.setattr(client, "BACKOFF_SECONDS", 0.001)


@pytest.fixture(autouse=True)
def server(request):
    request.instance.server = ArrayTileServer().start()
    yield
    request.instance.server.stop()


class TestTiles(SourceTests):
    shapes = ((4, 4), (8, 8, 3), (8, 8, 4), (16, 16))
    dtypes = ("u1",)
    most_boxes = 12  # each box takes several requests
    secret = "s3cret-of-theirs"

    def store(self, values, folder):
        np.save(folder / "new.npy", values)
        (folder / "new.npy").replace(folder / "values.npy")  # atomically: requests may be pending
        shape = values.shape
        self.bands = shape[2] if len(shape) == 3 else 1
        self.zoom = (shape[0] // SIZE).bit_length() - 1
        self.kind = values.dtype

    def open(self, folder):
        # The paths name the folder, because tests put several arrays into one server.
        template = f"{self.server.url}{folder.as_posix()}/{{z}}/{{x}}/{{y}}.png?key={self.secret}"
        return TilesBackend().open(
            Location(template.replace("//", f"//me:{self.secret}@", 1)),
            zoom=self.zoom,
            bands=self.bands,
            tile_size=SIZE,
            dtype=self.kind,
            headers={"X-Key": self.secret},
        )


class TestDeepTiles(TestTiles):
    shapes = ((4, 4), (8, 8))
    dtypes = ("u2",)
    most_boxes = 8


class TestRecordedTiles(TestTiles):
    shapes = ((8, 8, 3),)
    most_boxes = 8

    def open(self, folder):
        return RecordingSource(super().open(folder))


class TestCachedTiles(TestTiles):
    shapes = ((8, 8, 3),)
    most_boxes = 8
    survives = True

    @pytest.fixture(autouse=True)
    def cache(self, tmp_path_factory):
        self.kept = Cache(tmp_path_factory.mktemp("cache"))
        yield
        self.kept.close()

    def open(self, folder):
        return self.kept.wrap(super().open(folder))


class TestCachedTilesInLargerChunks(TestCachedTiles):
    """A cached chunk of several tiles has the validators of all of them."""

    def open(self, folder):
        return self.kept.wrap(TestTiles.open(self, folder), chunks=(8, 8, 3))


class TestWrappersAroundCachedTiles(TestCachedTiles):
    """Wrappers around a cached source read boxes that are not its chunks."""

    def open(self, folder):
        return RecordingSource(Annotated(super().open(folder), chunks=(5, 3, 2)))


class TestCachedTwice(TestCachedTiles):
    """Two caches with chunks that do not nest."""

    near_chunks = (6, 8, 3)
    far_chunks = None

    @pytest.fixture(autouse=True)
    def near(self, tmp_path_factory):
        self.kept_near = Cache(tmp_path_factory.mktemp("near"))
        yield
        self.kept_near.close()

    def open(self, folder):
        far = self.kept.wrap(TestTiles.open(self, folder), chunks=self.far_chunks)
        return self.kept_near.wrap(far, chunks=self.near_chunks)


class TestCachedTwiceWithSwappedChunks(TestCachedTwice):
    near_chunks = (5, 8, 3)
    far_chunks = (8, 5, 3)
