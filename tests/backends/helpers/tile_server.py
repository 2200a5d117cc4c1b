"""A tile server on the loopback interface, which can also misbehave.

``/{mode}/{z}/{x}/{y}.{png,jpg,webp}`` returns an image made from mode and position;
``?size=`` sets its size in pixels.  Other replies can be set for one path or for all.  Run as
a program, it prints its port and serves until it is killed.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import re
import socket
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import numpy as np
from PIL import Image

PATH = re.compile(r"/([A-Z0-9;]+)/(\d+)/(\d+)/(\d+)\.(png|jpg|webp)")
FORMATS = {"png": "PNG", "jpg": "JPEG", "webp": "WEBP"}
TYPES = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp"}


@dataclass
class Reply:
    """A reply; fields that are None have the values of a normal tile."""

    status: int = 200
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    type: str | None = None
    claims: int | None = None
    """The Content-Length to announce, if not that of the body."""
    delay: float = 0.0
    trickle: float = 0.0
    """Seconds between the bytes of the body."""
    hang_up: bool = False
    """Close the connection without an answer."""


def image_of(mode: str, z: int, x: int, y: int, size: int = 256) -> Image.Image:
    """Return the image of a tile: smooth enough for JPEG, and different for each tile."""
    i, j = np.mgrid[:size, :size]
    planes = [(i * (1 + k) + j + 31 * x + 57 * y + 11 * z) % 256 for k in range(4)]
    rgba = np.stack(planes, axis=-1).astype("u1")
    if mode == "I;16":
        return Image.fromarray((i * 257 + j + x + 300 * y).astype("u2"))
    if mode == "P":
        image = Image.fromarray(rgba[..., 0]).convert("P")
        image.putpalette([v for k in range(256) for v in (k, 255 - k, (k * 7) % 256)])
        return image
    if mode == "1":
        return Image.fromarray(((i + j + x) % 2 * 255).astype("u1")).convert("1")
    if mode == "L":
        return Image.fromarray(rgba[..., 0])
    if mode == "RGB":
        return Image.fromarray(rgba[..., :3].copy())
    if mode in {"OPAQUE", "LAO"}:
        rgba[..., 3] = 255
        image = Image.fromarray(rgba)
        return image.convert("LA") if mode == "LAO" else image
    if mode == "LA":
        return Image.fromarray(rgba).convert("LA")
    return Image.fromarray(rgba)


def encoded(image: Image.Image, suffix: str) -> bytes:
    buffer = io.BytesIO()
    extra = {"lossless": True} if suffix == "webp" else {}
    image.save(buffer, FORMATS[suffix], **extra)
    return buffer.getvalue()


class TileServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.lock = threading.Lock()
        self.replies: dict[str, list[Reply]] = {}
        self.always: Reply | None = None
        self.headers: dict[str, str] = {}
        self.conditional = False
        self.delay = 0.0
        self.requests: Counter[str] = Counter()
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.connections = 0
        self.in_flight = 0
        self.peak = 0
        self.salt = 0
        self._sockets: set[socket.socket] = set()
        self._made: dict[str, bytes] = {}

    def start(self) -> TileServer:
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def stop(self) -> None:
        """Stop at once, and close all connections."""
        self.shutdown()
        self.server_close()
        for sock in list(self._sockets):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def get_request(self):
        sock, address = super().get_request()
        with self.lock:
            self.connections += 1
            self._sockets.add(sock)
        return sock, address

    def shutdown_request(self, request):
        with self.lock:
            self._sockets.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request, client_address):
        error = sys.exception()
        if not isinstance(error, OSError):  # clients may go away
            super().handle_error(request, client_address)

    def tile(self, path: str) -> bytes | None:
        parts = urlsplit(path)
        match = PATH.fullmatch(parts.path)
        if match is None:
            return None
        key = f"{path}#{self.salt}"
        if key not in self._made:
            mode, z, x, y, suffix = match.groups()
            size = int(parse_qs(parts.query).get("size", ["256"])[0])
            image = image_of(mode, int(z), int(x) + self.salt, int(y), size)
            self._made[key] = encoded(image, suffix)
        return self._made[key]

    def next_reply(self, path: str) -> Reply:
        with self.lock:
            for key in (path, "*"):
                if self.replies.get(key):
                    return self.replies[key].pop(0)
        return self.always or Reply()


class FolderServer(TileServer):
    """Serves tiles, and the files of a folder."""

    def __init__(self, folder):
        super().__init__()
        self.folder = folder
        self.always = Reply(type="application/octet-stream")
        self.conditional = True

    def tile(self, path):
        file = self.folder / urlsplit(path).path.lstrip("/")
        return file.read_bytes() if file.is_file() else super().tile(path)


class Handler(BaseHTTPRequestHandler):
    server: TileServer
    protocol_version = "HTTP/1.1"
    wbufsize = 2**16
    disable_nagle_algorithm = True
    timeout = 60

    def log_message(self, *args):
        pass

    def do_GET(self):
        server = self.server
        path = self.path if self.path.startswith("/") else "/" + self.path.split("/", 3)[3]
        with server.lock:
            server.requests[path] += 1
            server.seen.append((path, dict(self.headers)))
            server.in_flight += 1
            server.peak = max(server.peak, server.in_flight)
        try:
            reply = server.next_reply(path)
            time.sleep(reply.delay or server.delay)
        finally:
            # Count down before the reply: the client may send its next request right after it.
            with server.lock:
                server.in_flight -= 1
        self._answer(path, reply)

    def _answer(self, path, reply):
        if reply.hang_up:
            self.close_connection = True
            return
        body, status = reply.body, reply.status
        suffix = urlsplit(path).path.rpartition(".")[2]
        kind = reply.type or TYPES.get(suffix, "text/html")
        if body is None and status == 200:
            body = self.server.tile(path)
            if body is None:
                status = 404
        headers = {**self.server.headers, **reply.headers}
        if status == 200 and self._unchanged(headers, body):
            status = 304
        body = b"" if status in {204, 304} else body or b""
        self.send_response(status)
        if kind != "none":
            self.send_header("Content-Type", kind)
        if status not in {204, 304}:
            self.send_header("Content-Length", str(reply.claims or len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        step = 1 if reply.trickle else max(1, len(body))
        for n in range(0, len(body), step):
            self.wfile.write(body[n : n + step])
            self.wfile.flush()
            time.sleep(reply.trickle)
        if reply.claims:
            self.close_connection = True

    def _unchanged(self, headers, body):
        if self.server.conditional:
            headers["ETag"] = '"' + hashlib.sha256(body).hexdigest()[:16] + '"'
            if self.headers.get("If-None-Match") == headers["ETag"]:
                return True
        return headers.get("Last-Modified", "-") == self.headers.get("If-Modified-Since")


if __name__ == "__main__":
    server = TileServer()
    server.delay = float(sys.argv[1]) if len(sys.argv) > 1 else 0.0
    print(server.server_port, flush=True)  # noqa: T201 - read by the parent
    server.serve_forever()
