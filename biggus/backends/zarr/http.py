"""The objects of Zarr stores on web servers, and in stores read by fsspec."""

from __future__ import annotations

import itertools
import math
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit, urlunsplit

from biggus import options
from biggus.backends.http.absence import is_absent
from biggus.backends.http.client import (
    OFFLINE,
    RETRIED,
    HttpClient,
    HttpError,
    LargeBodyError,
    OfflineHttpError,
)
from biggus.backends.http.freshness import lifetime
from biggus.backends.http.redaction import redacted
from biggus.backends.location import public_url
from biggus.backends.zarr.bodies import (
    Body,
    bodies,
    conditions,
    part_of,
    range_header,
    tag_of,
    whole_body,
)
from biggus.backends.zarr.expected import LARGEST_DOCUMENT, refused_type
from biggus.backends.zarr.store import (
    METADATA_NAMES,
    WHOLE,
    Fetched,
    ForbiddenError,
    Span,
    ZarrStore,
)
from biggus.errors import GoneError, OpenError
from biggus.support.extras import needing
from biggus.support.single_flight import SingleFlight

if TYPE_CHECKING:
    from collections.abc import Mapping

    from biggus.backends.http.attempt import Response
    from biggus.backends.http.client import HttpSettings

_KEPT_OBJECT = 8
"""A whole object is kept if it takes at most this fraction (1/8) of the memory option."""

_numbers = itertools.count()
_flights: SingleFlight[bool] = SingleFlight()


class RemoteStore(ZarrStore):
    """The objects of a store that is read over a network."""

    remote = True

    def signature(self, key: str) -> object:
        return None

    def unchanged(self, key: str, tag: str | None) -> bool:
        """Ask whether an object is still in the state `tag`, which may be ``ABSENT``.

        Raises
        ------
        ConnectionError
            If the server does not respond.
        """
        raise NotImplementedError


class OfflineConnectionError(ConnectionError):
    """No request was sent, as biggus is set to be offline."""

    def __init__(self) -> None:
        super().__init__(f"{OFFLINE}, and this is not in the cache")

    def __reduce__(self) -> tuple[type[OfflineConnectionError], tuple[()]]:
        # It may be the cause of an error that is sent to another process.
        return OfflineConnectionError, ()


ABSENT = "absent"
"""The tag of an object that does not exist."""


class HttpStore(RemoteStore):
    """The objects below a URL.

    Parameters
    ----------
    url : str
        The ``http`` or ``https`` URL of the store; a query in it, such as a signature, is sent
        with each request.
    settings : HttpSettings
        The settings of requests.
    absent : frozenset of int
        Further statuses than 404 and 410 that mean that an object does not exist; 200 stands for
        a response without a body.
    text_chunks : bool
        Whether chunks may be served as text.
    """

    def __init__(
        self,
        url: str,
        settings: HttpSettings,
        absent: frozenset[int],
        text_chunks: bool,
    ) -> None:
        self._absent = absent
        self._text_chunks = text_chunks
        parts = urlsplit(url)
        self._parts = parts._replace(path=parts.path.rstrip("/"), fragment="")
        self._client = HttpClient(settings)
        self._number = next(_numbers)
        # Whether the last response to a range request was the whole object.
        self._sends_all = False

    def get(self, key: str, span: Span = WHOLE) -> Fetched | None:
        if span == WHOLE:
            return self._requested(key, span, None)
        if not self._sends_all:
            return self._part(key, span)
        # Each range request gets the whole object, so one thread asks for all.
        own: list[Fetched | None] = []

        def ask() -> bool:
            own.append(self._part(key, span))
            return own[0] is not None

        there, _ = _flights.do((self._number, key), ask)
        if own or not there:
            return own[0] if own else None
        return self._part(key, span)

    def _part(self, key: str, span: Span) -> Fetched | None:
        """Return a part of an object, from a kept copy if that is valid."""
        place = self._number, key
        body = bodies.find(place)
        if body is not None and body.young:
            return body.part(span)
        fetched = self._requested(key, span, body)
        if fetched is None:
            bodies.forget(place)
        return fetched

    def _requested(self, key: str, span: Span, body: Body | None) -> Fetched | None:
        headers = {} if span == WHOLE else {"Range": range_header(span)}
        if body is not None:
            headers.update(conditions(body.tag))
        response = self._ask(key, headers)
        if is_absent(response, self._absent):
            return None
        if response.status == 304 and body is not None:
            return self._keeping(key, body._replace(checked=time.monotonic())).part(span)
        self._check(key, response)
        if span != WHOLE:
            self._sends_all = response.status == 200
            if self._sends_all:
                return self._keeping(key, whole_body(response)).part(span)
        good_for = lifetime(response.headers, math.inf)
        return Fetched(part_of(response, span), tag_of(response), good_for)

    def _keeping(self, key: str, body: Body) -> Body:
        if len(body.data) <= options.current().memory // _KEPT_OBJECT:
            bodies.keep((self._number, key), body, len(body.data))
        return body

    def unchanged(self, key: str, tag: str | None) -> bool:
        # One byte is enough to learn the state from a server that ignores the condition.
        headers = {"Range": "bytes=0-0"}
        if tag is not None and tag != ABSENT:
            headers.update(conditions(tag))
        response = self._ask(key, headers, retries=0)
        if is_absent(response, self._absent):
            return tag == ABSENT
        if response.status == 304:
            return True
        self._check(key, response)
        if response.status == 200:
            # The whole object was sent: keep it for the next read.
            body = whole_body(response)
            return body.tag == tag or self._keeping(key, body).tag == tag
        return tag is not None and tag_of(response) == tag

    def _ask(self, key: str, headers: Mapping[str, str], retries: int | None = None) -> Response:
        path = f"{self._parts.path}/{quote(key)}"
        url = urlunsplit(self._parts._replace(path=path))
        document = _is_document(key)
        if self._client.down(url):
            if retries == 0:
                shown = public_url(url)
                raise ConnectionError(f"{shown}: the server could not be reached a moment ago")
            if document:
                # Stores of a server that is down should open from a cache without delay.
                retries = 0
        largest = _largest(key, WHOLE, self.expected.largest)
        try:
            response = self._client.get(url, headers, retries=retries, largest=largest)
        except OfflineHttpError:
            raise OfflineConnectionError from None
        except LargeBodyError as error:
            raise OSError(str(error)) from None
        except HttpError as error:
            # Without the cause, which may quote the URL with credentials.
            raise ConnectionError(str(error)) from None
        if response.status in RETRIED:
            raise ConnectionError(f"{response.url}: the server responded with {response.status}")
        return response

    def _check(self, key: str, response: Response) -> None:
        """Raise an OSError for a response that is not an object."""
        status, url = response.status, response.url
        if status in (401, 403):
            raise ForbiddenError(
                f"{url}: the server responded with {status}; credentials may be missing, or, if "
                f"it does so for chunks that do not exist, `absent={status}`"
            )
        if status not in (200, 206):
            raise OSError(f"{url}: the server responded with {status}")
        if status == 200 and not response.body:
            raise OSError(
                f"{url}: it is cut short: the response has no body; if the server does so for "
                "chunks that do not exist, `absent=200`"
            )
        kind = response.headers.get("Content-Type", "")
        if kind.lower().startswith("text/html"):
            raise OSError(f"{url}: the server sent an HTML page instead of data")
        if not _is_document(key):
            problem = refused_type(kind, self.expected.vouched, self._text_chunks)
            if problem:
                raise OSError(f"{url}: {problem}")


def _is_document(key: str) -> bool:
    return key.rpartition("/")[2] in METADATA_NAMES


def _largest(key: str, span: Span, chunk: int) -> int:
    """Return the largest size of a span of a document, or of a chunk of at most `chunk` bytes."""
    start, stop = span
    if stop is not None:
        return max(0, stop - (start or 0))
    if start is not None and start < 0:
        return -start
    return LARGEST_DOCUMENT if _is_document(key) else chunk


def _has_references(system: Any) -> bool:
    """Return whether a file system of fsspec, or one inside it, has references to parts of files.

    Until 2026 it read beyond the end of such a part.
    """
    while system is not None:
        if "reference" in getattr(system, "protocol", ()):
            return True
        system = getattr(system, "fs", None)
    return False


class FsspecStore(RemoteStore):
    """The objects of a store that fsspec reads, such as S3 or Google Cloud Storage.

    Parameters
    ----------
    url : str
        The URL of the store.
    storage_options : mapping
        The options of fsspec's file system.
    absent : frozenset of int
        With 403, a PermissionError means that an object does not exist.

    Raises
    ------
    GoneError
        If biggus is set to be offline.
    MissingDependencyError
        If fsspec is not installed.
    OpenError
        If the package for the scheme is not installed.
    """

    def __init__(
        self,
        url: str,
        storage_options: Mapping[str, Any],
        absent: frozenset[int] = frozenset(),
    ) -> None:
        self._absent = absent
        shown = public_url(url)
        if options.current().offline:
            # Some file systems request credentials as soon as they are created.
            raise GoneError(shown, str(OfflineConnectionError()))
        scheme = url.partition("://")[0]
        with needing("fsspec", "cloud", f"reading {scheme} URLs"):
            import fsspec.core
        try:
            self._fs, root = fsspec.core.url_to_fs(url, **storage_options)
        except ImportError as error:
            text = str(error).splitlines()[0]
            raise OpenError(shown, f"a package is missing: {text}") from error
        except ValueError as error:
            text = redacted(str(error).partition("\n")[0])
            raise OpenError(shown, f"fsspec cannot use this: {text}") from None
        self._ends = not _has_references(self._fs)
        # An empty root is not a folder: a slash would become the start of a key.
        self._prefix = root if root == "" or root.endswith("/") else f"{root}/"

    def get(self, key: str, span: Span = WHOLE) -> Fetched | None:
        if options.current().offline:
            raise OfflineConnectionError
        largest = _largest(key, span, self.expected.largest)
        start, end = span
        if end is None and (start or 0) >= 0 and self._ends:
            # One byte more, to notice an object that is too long or endless.
            start, end = start or 0, (start or 0) + largest + 1
        data = self._read(self._prefix + key, start, end)
        if data is not None and len(data) > largest:
            raise OSError(f"{key}: it is larger than {largest} bytes")
        return None if data is None else Fetched(data)

    def _read(self, path: str, start: int | None, end: int | None) -> bytes | None:
        try:
            return bytes(self._fs.cat_file(path, start=start, end=end))
        except FileNotFoundError:
            return None
        except KeyError as error:  # raised by fsspec of 2023 for a missing member of a zip file
            if self._fs.exists(path):
                raise OSError(f"KeyError: {redacted(str(error))}") from None
            return None
        except Exception as error:
            text = str(error)
            if isinstance(error, PermissionError):
                if 403 in self._absent:
                    return None
                hint = "if the store does so for chunks that do not exist, `absent=403`"
                raise ForbiddenError(f"{redacted(text)}; {hint}") from None
            if redacted(text) == text:
                raise
            # The file system may quote the URL with credentials.
            raise OSError(f"{type(error).__name__}: {redacted(text)}") from None

    def folders(self, key: str) -> list[str] | None:
        if options.current().offline:
            raise OfflineConnectionError
        place = (self._prefix + key).rstrip("/")
        try:
            self._fs.invalidate_cache(place)
            entries = self._fs.ls(place, detail=True)
        except FileNotFoundError:
            return []
        except (NotImplementedError, PermissionError):
            return None
        names = [each["name"].rstrip("/") for each in entries if each["type"] == "directory"]
        inner = f"{key}/" if key else ""
        return [inner + name.rpartition("/")[2] for name in names if name != place]

    def unchanged(self, key: str, tag: str | None) -> bool:
        # File systems do not return the state together with the bytes, so only absence can be
        # verified.
        return tag == ABSENT and self.get(key) is None
