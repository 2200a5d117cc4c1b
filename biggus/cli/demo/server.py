"""A tile server on the loopback interface, in another process.

``python -m biggus.cli.demo.server`` prints its port when it is ready, and
serves ``/{z}/{x}/{y}.jpg`` and ``.png`` until its standard input is closed; so
it never outlives the process that started it, however that one ends.
``/requests`` tells which tiles were asked for.
"""

from __future__ import annotations

import hashlib
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

from biggus.cli.demo.imagery import Earth, encode
from biggus.errors import SourceError

_TILE = re.compile(r"/(\d{1,2})/(\d{1,6})/(\d{1,6})\.(jpg|png)")
_MEDIA = {"jpg": "image/jpeg", "png": "image/png"}
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
        zoom, x, y = map(int, match.groups()[:3])
        suffix = match[4]
        try:
            body = encode(self.server.earth.tile(zoom, x, y), suffix)
        except LookupError:
            self._send(HTTPStatus.NOT_FOUND, b"", {})
            return
        headers = {
            "Content-Type": _MEDIA[suffix],
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
