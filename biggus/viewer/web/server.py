"""The server of the page, on the loopback interface; a token in its address grants access.

No path of a request reaches the disk: a table lists all that the server sends.  The header ``Host``
of a request must name this host and port, so that pages of other sites cannot reach the server
under a name of their own (DNS rebinding).
"""

from __future__ import annotations

import contextlib
import contextvars
import http.server
import importlib.resources
import json
import logging
import secrets
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from biggus.errors import BiggusError
from biggus.viewer.picture import Picture
from biggus.viewer.web.facts import FLAGS, MAPS, Facts, grows_upward
from biggus.viewer.web.rendering import Colouring, Flagging, Renderer, TileOutside, ramp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from biggus.pyramids import Pyramid

_log = logging.getLogger("biggus.viewer")

_FILES = {
    "": ("index.html", "text/html; charset=utf-8"),
    "view.js": ("view.js", "text/javascript; charset=utf-8"),
    "view.css": ("view.css", "text/css; charset=utf-8"),
    "leaflet.js": ("leaflet/leaflet.js", "text/javascript; charset=utf-8"),
    "leaflet.css": ("leaflet/leaflet.css", "text/css; charset=utf-8"),
}
"""The files of the page, by path."""

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}

_MOST_CHARACTERS = 2000
"""The most characters of a request line."""


class _BadRequest(Exception):  # noqa: N818 - it becomes a response
    """A request is invalid."""


class PageServer:
    """A threaded server of the page of an array; it runs while its context is entered.

    Parameters
    ----------
    facts : Facts
        The facts of the picture.
    port : int, optional
        The port; 0 for a free one.

    Attributes
    ----------
    url : str
        The address with the token, which grants access to the array.
    """

    def __init__(self, facts: Facts, port: int = 0) -> None:
        token = secrets.token_urlsafe(16)
        self._server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", port), _handler(facts, token, contextvars.copy_context())
        )
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}/{token}/"

    def serve(self) -> None:
        """Serve until interrupted."""
        try:
            self._server.serve_forever(poll_interval=0.2)
        finally:
            self._server.server_close()

    @contextlib.contextmanager
    def running(self) -> Iterator[str]:
        """Serve during the ``with`` block; yields the address."""
        thread = threading.Thread(target=self.serve, name="biggus-page", daemon=True)
        thread.start()
        try:
            yield self.url
        finally:
            self._server.shutdown()
            thread.join()


def _handler(
    facts: Facts, token: str, context: contextvars.Context
) -> type[http.server.BaseHTTPRequestHandler]:
    answers = Answers(facts)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        server_version = "biggus"
        sys_version = ""
        timeout = 60
        # A response in two packets would wait 40 ms for an acknowledgement of the first.
        wbufsize = -1
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            # Reads use the options that were in force when the server was made.
            context.copy().run(self._answer)

        def _answer(self) -> None:
            hosts = {f"{name}:{self.server.server_port}" for name in ("127.0.0.1", "localhost")}  # type: ignore[attr-defined] # of every HTTPServer
            path, _, page = self.path.lstrip("/").partition("/")
            known = secrets.compare_digest(path.encode(), token.encode())
            if self.headers.get("Host") not in hosts or not known:
                self._send(403, "text/plain; charset=utf-8", b"not for you")
                return
            status, kind, body = answers.answer(page)
            with contextlib.suppress(ConnectionError, TimeoutError):
                self._send(status, kind, body)

        def _send(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            for name, value in _HEADERS.items():
                self.send_header(name, value)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            _log.debug("%s %s", self.command, format % args)

    return Handler


class Answers:
    """Answers requests, independently of HTTP.

    Parameters
    ----------
    facts : Facts
        The facts of the picture.
    """

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._answers: dict[str, Callable[[dict[str, str]], Any]] = {
            "about.json": lambda _: facts.whole(),
            "value.json": self._value,
            "series.json": self._series,
        }

    def answer(self, request: str) -> tuple[int, str, bytes]:
        """Return status, content type and body of the response to a path after the token."""
        if len(request) > _MOST_CHARACTERS:
            return _failed(414, "the request is too long")
        name, _, query = request.partition("?")
        try:
            parameters = {key: values[-1] for key, values in parse_qs(query).items()}
            if name in _FILES:
                file, kind = _FILES[name]
                page = importlib.resources.files("biggus.viewer.web").joinpath("page")
                return 200, kind, page.joinpath(file).read_bytes()
            if name in self._answers:
                body = json.dumps(self._answers[name](parameters)).encode()
                return 200, "application/json", body
            if name == "ramp.png":
                return 200, "image/png", ramp(_colour_map(parameters))
            if name.startswith("tile/"):
                return 200, "image/png", self._tile(name, parameters)
        except (_BadRequest, IndexError) as error:
            return _failed(400, str(error))
        except TileOutside:
            return _failed(404, "there is no such tile")
        except BiggusError as error:
            return _failed(502, str(error))
        except Exception as error:  # noqa: BLE001 - whatever it is, the page says so
            _log.exception("a request for %r failed", request)
            return _failed(500, f"{type(error).__name__}: {error}")
        return _failed(404, "there is nothing of that name")

    def _tile(self, name: str, parameters: dict[str, str]) -> bytes:
        place = name.removesuffix(".png").split("/")[1:]
        if len(place) != 3:
            raise _BadRequest("a tile is asked for as tile/ZOOM/X/Y.png")
        zoom, x, y = map(_integer, place)
        renderer = self._facts.renderer
        return renderer.tile(zoom, x, y, self._index(parameters), self._colouring(parameters))

    def _colouring(self, parameters: dict[str, str]) -> Colouring | Flagging | None:
        if self._facts.picture.coloured:
            return None
        if parameters.get("cmap") == FLAGS and self._facts.flagging.flags:
            return self._facts.flagging
        return Colouring(
            _colour_map(parameters), _number(parameters, "vmin"), _number(parameters, "vmax")
        )

    def _index(self, parameters: dict[str, str]) -> tuple[int, ...]:
        numbers = [_integer(text) for text in parameters.get("index", "").split(",") if text]
        return self._facts.picture.normal_index(tuple(numbers))

    def _place(self, parameters: dict[str, str]) -> tuple[int, int]:
        return _integer(parameters.get("row", "")), _integer(parameters.get("column", ""))

    def _value(self, parameters: dict[str, str]) -> Any:
        return self._facts.value(*self._place(parameters), self._index(parameters))

    def _series(self, parameters: dict[str, str]) -> Any:
        axis = _integer(parameters.get("axis", ""))
        return self._facts.series(*self._place(parameters), self._index(parameters), axis)


def _failed(status: int, problem: str) -> tuple[int, str, bytes]:
    return status, "application/json", json.dumps({"problem": problem}).encode()


def _colour_map(parameters: dict[str, str]) -> str:
    cmap = parameters.get("cmap", MAPS[0])
    if cmap not in MAPS:
        raise _BadRequest("there is no such colour map")
    return cmap


def _integer(text: str) -> int:
    if not text.isascii() or not text.removeprefix("-").isdigit() or len(text) > 18:
        raise _BadRequest("a whole number is missing or invalid")
    return int(text)


def _number(parameters: dict[str, str], name: str) -> float:
    try:
        number = float(parameters[name])
    except (KeyError, ValueError):
        raise _BadRequest(f"{name} is a number") from None
    if not abs(number) < float("inf"):
        raise _BadRequest(f"{name} is a finite number")
    return number


SAMPLE_BYTES = 16_000_000
"""The most bytes to read for a tile that shows a sample; a screen has about twelve tiles."""


def page_of(shown: Pyramid, title: str, port: int = 0) -> PageServer:
    """Return the server of a page that shows a pyramid, on the loopback interface.

    Parameters
    ----------
    shown : Pyramid
        The pyramid.
    title : str
        The title of the page.
    port : int, optional
        The port; 0 for a free one.

    Raises
    ------
    OSError
        If the port cannot be used.
    """
    picture = Picture(shown)
    renderer = Renderer(picture, SAMPLE_BYTES, upward=grows_upward(picture))
    return PageServer(Facts(renderer, title), port)
