"""The source of the tiles of a map server; each tile is one request, made when it is read."""

from __future__ import annotations

import logging
import math
import threading
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from biggus import options
from biggus.backends.http import freshness
from biggus.backends.http.absence import GONE, is_absent
from biggus.backends.http.client import (
    RETRIED,
    HttpClient,
    HttpError,
    OfflineHttpError,
)
from biggus.backends.http.freshness import Freshness
from biggus.backends.tiles.encoding import TileEncoding
from biggus.backends.tiles.image import BrokenImageError, ImageError, decode_image, is_image
from biggus.errors import OfflineError, SourceError
from biggus.indexing.grid import ChunkPart, Grid
from biggus.sources.base import Box, Source, Values, box_shape
from biggus.support.threads import WaitingThreads

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from biggus.backends.http.attempt import Response
    from biggus.backends.http.client import HttpSettings
    from biggus.backends.tiles.template import Template

log = logging.getLogger("biggus.backends.tiles")

_OPAQUE_TYPES = frozenset({"application/octet-stream", "binary/octet-stream"})

_ABSENT = GONE | {204}
"""The statuses that mean that a server does not have a tile."""

Fill = int | tuple[int, ...] | None

_BROUGHT_SECONDS = 5.0


class _Brought(threading.local):
    """The responses of conditional requests other than "not modified".

    The fetch that follows in the same thread uses them, so that a changed tile is not sent
    twice.  They are forgotten soon.
    """

    def __init__(self) -> None:
        self.responses: dict[str, tuple[float, Response]] = {}

    def put(self, url: str, response: Response) -> None:
        self.responses[url] = time.monotonic(), response

    def has(self, url: str) -> bool:
        oldest = time.monotonic() - _BROUGHT_SECONDS
        for name in [name for name, (when, _) in self.responses.items() if when < oldest]:
            del self.responses[name]
        return url in self.responses

    def take(self, url: str) -> Response | None:
        return self.responses.pop(url)[1] if self.has(url) else None


_brought = _Brought()


class _Tile(NamedTuple):
    """A fetched tile: its values, their freshness, and its file if it has one."""

    values: npt.NDArray[Any]
    entry: Freshness | None
    file: bytes | None


# A separate pool: threads of the engine may wait for these, which wait for no others.
_threads = WaitingThreads(32)


class TileSource(Source):
    """The source of all tiles of one zoom.

    Axis 0 runs southwards from the north edge, axis 1 eastwards from the west edge, in pixels;
    axis 2, if there is one, holds the bands.

    Parameters
    ----------
    template : Template
        The template of the URLs.
    zoom : int
        The zoom, with ``2**zoom`` by ``2**zoom`` tiles.
    tile_size : int
        The pixels along each axis of a tile.
    bands : int
        1 (grey; the array has two axes), 3 or 4.
    dtype : dtype
        ``uint8``, or ``uint16`` with one band.
    missing : int, tuple of int or None
        The fill value, or one for each band, of tiles that the server does not have (404, 410
        or 204); None raises an error.
    absent : frozenset of int
        Further statuses that mean that; 200 stands for a response without a body.
    settings : HttpSettings
        The settings of requests.
    fresh_for : float
        The seconds for which a tile is fresh if the server does not say.
    stale_if_error : float or None
        The seconds for which an expired tile is used if the server cannot be reached or fails;
        None: for ever.
    counted : str or None
        The name under which requests are counted, if several hosts are one server; None for the
        template's host.
    """

    io_bound = True
    remote = True

    def __init__(
        self,
        template: Template,
        zoom: int,
        *,
        tile_size: int,
        bands: int,
        dtype: np.dtype[Any],
        missing: Fill,
        absent: frozenset[int],
        settings: HttpSettings,
        fresh_for: float,
        stale_if_error: float | None,
        counted: str | None,
    ) -> None:
        self.template = template
        self.zoom = zoom
        self.tile_size = tile_size
        self.bands = bands
        self.missing = missing
        self.absent = absent | _ABSENT
        self.fresh_for = fresh_for
        self.stale_if_error = stale_if_error
        self.client = HttpClient(settings)
        self.counted = counted or template.host
        self.dtype = dtype
        length = tile_size << zoom
        last = () if bands == 1 else (bands,)
        self.shape = (length, length, *last)
        self.chunks: tuple[int, ...] = (tile_size, tile_size, *last)
        self.dims = ("y", "x") if bands == 1 else ("y", "x", "band")
        self.name = template.at_zoom(zoom)
        self.token = (
            f"tiles:{template.public}|zoom={zoom}|tile_size={tile_size}|bands={bands}"
            f"|dtype={self.dtype.str}|missing={missing}"
        )
        further = sorted(self.absent - _ABSENT)
        if further and missing is not None:
            self.token += f"|absent={further}"
        self.encoding = TileEncoding(tile_size, bands, dtype.str)
        self._grid = Grid(self.shape, self.chunks)

    def __repr__(self) -> str:
        return f"TileSource({self.name!r})"

    def __getitem__(self, box: Box) -> Values:
        return self.fetch(box)[0]

    def fetch(self, box: Box) -> tuple[Values, bytes | None]:
        """Read `box`, fetching several tiles in parallel.

        Returns
        -------
        values : ndarray
            The values in `box`.
        validator : bytes or None
            The freshness of all its tiles; None if the server forbids keeping one.

        Raises
        ------
        SourceError
            If a tile cannot be fetched, or is not as expected; `OfflineError` if biggus is
            offline.
        """
        return self._fetched(box)[:2]

    def fetch_encoded(
        self, boxes: Sequence[Box]
    ) -> list[tuple[Values, bytes | None, bytes | None]]:
        """Read boxes; return for each that is a tile also its file."""
        return list(map(self._fetched, boxes))

    def _fetched(self, box: Box) -> tuple[Values, bytes | None, bytes | None]:
        parts = list(self._grid.parts(box))
        if len(parts) == 1:
            tile, entry, file = self._tile(parts[0], box)
            validator = None if entry is None else freshness.pack([entry])
            return tile[parts[0].inner], validator, file if parts[0].chunk == box else None
        values = np.empty(box_shape(box), self.dtype)

        def place(part: ChunkPart) -> Freshness | None:
            tile, entry, _ = self._tile(part, box)
            values[part.outer] = tile[part.inner]
            return entry

        entries = _threads.each(place, parts)
        known = [entry for entry in entries if entry is not None]
        return values, freshness.pack(known) if len(known) == len(entries) else None, None

    def peak_bytes(self, box: Box) -> int:
        """Return the most memory that a read of `box` takes, with whole tiles."""
        axes = list(zip(self._grid.axes, box, strict=True))
        tiles = math.prod(axis.find(s.stop - 1) - axis.find(s.start) + 1 for axis, s in axes)
        # For each tile its file, the image, a converted image and the values.
        tile = self.tile_size**2 * max(4, self.bands * self.dtype.itemsize)
        return super().peak_bytes(box) + 4 * tile * min(tiles, _threads.most)

    def revalidate(self, box: Box, validator: bytes) -> bytes | None:
        """Check whether a copy read under `validator` is valid; ask the server if it has expired.

        A copy that has not expired is valid without a request.  An expired one is valid if the
        server says that it has not changed, or if the server cannot be reached or fails, or if
        biggus is offline.
        """
        entries = freshness.unpack(validator)
        parts = list(self._grid.parts(box))
        if entries is None or len(entries) != len(parts):
            return None
        if options.current().offline or all(entry.fresh for entry in entries):
            return validator
        pairs = list(zip(parts, entries, strict=True))
        revalidated = _threads.each(lambda pair: self._revalidated(*pair), pairs)
        good = [entry for entry in revalidated if entry is not None]
        if len(good) < len(revalidated):
            return None
        return validator if good == entries else freshness.pack(good)

    def revalidation_waits(self, box: Box, validator: bytes) -> bool:
        """Return whether a tile of the copy has expired, so that the server is asked."""
        entries = freshness.unpack(validator) or []
        return not options.current().offline and not all(entry.fresh for entry in entries)

    def _revalidated(self, part: ChunkPart, entry: Freshness) -> Freshness | None:
        if entry.fresh:
            return entry
        url, shown = self._urls(part)
        host = self.counted
        if _brought.has(url):
            return None
        stands_in = entry.stands_in(self.stale_if_error)
        if stands_in and self.client.down(url, host):
            log.warning("%s: the server cannot be reached; a stale copy is used", shown)
            return entry
        try:
            # One attempt, as there is a copy to fall back on.
            response = self._get(url, entry.conditions(), retries=0)
        except HttpError as error:
            if not stands_in:
                return None
            log.warning("%s; a stale copy is used", error)
            return entry
        if response.status in RETRIED and stands_in:
            log.warning("%s: status %d; a stale copy is used", shown, response.status)
            return entry
        now = Freshness.of(response.headers, self.fresh_for)
        if now is not None and self._still(entry, response, now):
            log.debug("%s: not modified", shown)
            return now.of_missing() if entry.missing else entry.revalidated(now)
        if response.status == 200 or self._fills(response):
            _brought.put(url, response)
        return None

    def _fills(self, response: Response) -> bool:
        """Return whether a response says that a tile is missing, and missing tiles are filled."""
        return self.missing is not None and is_absent(response, self.absent)

    def _still(self, entry: Freshness, response: Response, now: Freshness) -> bool:
        """Return whether a response says that a copy has not changed."""
        if entry.missing:
            return self._fills(response)
        return response.status == 304 or (response.status == 200 and entry.same(now))

    def _tile(self, part: ChunkPart, box: Box) -> _Tile:
        """Return one tile."""
        url, shown = self._urls(part)
        response = _brought.take(url)
        try:
            if response is None:
                response = self._get(url, {})
            if self._fills(response):
                log.debug("%s: status %d, filled", shown, response.status)
                shape = tuple(s.stop - s.start for s in part.chunk)
                entry = Freshness.of(response.headers, self.fresh_for)
                filled = np.full(shape, self.missing, self.dtype)
                return _Tile(filled, None if entry is None else entry.of_missing(), None)
            try:
                tile = self._pixels(response)
            except BrokenImageError as error:
                if not self.client.settings.retries:
                    raise
                log.info("%s: %s; requested once more", shown, error)
                # A cache on the way may hold a broken copy.
                response = self._get(url, {"Cache-Control": "no-cache"})
                tile = self._pixels(response)
        except OfflineHttpError as error:
            raise OfflineError(self.name, box, error) from None
        except HttpError as error:
            raise SourceError(self.name, box, error) from error
        except (ImageError, _RefusedError) as error:
            raise SourceError(self.name, box, f"{shown}: {error}") from error
        return _Tile(tile, Freshness.of(response.headers, self.fresh_for), response.body)

    def _get(self, url: str, headers: Mapping[str, str], retries: int | None = None) -> Response:
        return self.client.get(
            url, headers, host=self.counted, retries=retries, largest=self._largest
        )

    def _pixels(self, response: Response) -> npt.NDArray[Any]:
        _check_status(response)
        _check_type(response)
        return decode_image(response.body, self.tile_size, self.bands, self.dtype)

    @property
    def _largest(self) -> int:
        # A file is hardly larger than its pixels, but may have a colour profile.
        return 2 * self.tile_size**2 * 4 + 2**20

    def _urls(self, part: ChunkPart) -> tuple[str, str]:
        y, x = part.number[:2]
        return self.template.url(self.zoom, x, y), self.template.public_url(self.zoom, x, y)


class _RefusedError(Exception):
    """A response that is not a tile."""


def _check_status(response: Response) -> None:
    if response.status == 200:
        if not response.body:
            raise _RefusedError(f"the response has no body; {_hint(200)}")
        return
    try:
        phrase = f"{response.status} {HTTPStatus(response.status).phrase}"
    except ValueError:
        phrase = f"status {response.status}"
    if response.attempts > 1:
        phrase += f" (after {response.attempts} attempts)"
    if response.status in _ABSENT:
        phrase += "; `missing=` gives a fill value for such tiles"
    elif response.status in {401, 403, 407}:
        phrase += f"; credentials can be given with `headers=`; {_hint(response.status)}"
    elif 400 <= response.status < 500 and response.status not in RETRIED:
        phrase += f"; {_hint(response.status)}"
    raise _RefusedError(phrase)


def _hint(status: int) -> str:
    return f"if this means that there is no such tile, pass `absent={status}` and `missing=`"


def _check_type(response: Response) -> None:
    if is_image(response.body):
        return  # whatever its Content-Type
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if not kind or kind.startswith("image/") or kind in _OPAQUE_TYPES:
        return
    sent = "a page" if kind in {"text/html", "application/xhtml+xml"} else "something"
    raise _RefusedError(f"the server sent {sent} of type {kind}, not an image")
