"""The objects of a Zarr store on a web server, and in stores that fsspec knows."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import functools
import os
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit, urlunsplit

from biggus import options
from biggus.backends.http.absence import is_absent
from biggus.backends.http.client import (
    OFFLINE,
    RETRIED,
    HttpClient,
    HttpError,
    OfflineHttpError,
    Response,
)
from biggus.backends.http.headers import http_date
from biggus.backends.http.redaction import redacted
from biggus.backends.location import public_url
from biggus.backends.zarr.objects import (
    METADATA_NAMES,
    WHOLE,
    Fetched,
    ForbiddenError,
    Objects,
    Span,
)
from biggus.errors import GoneError, OpenError
from biggus.extras import needing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from biggus.backends.http.settings import HttpSettings

_REQUESTS = 16
"""How many requests one read keeps under way."""

_LARGEST = 2**32
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")
_SETTLED_SECONDS = 2.0


class RemoteObjects(Objects):
    """Objects that come over a network."""

    remote = True

    async def aget(self, key: str, span: Span = WHOLE) -> Fetched | None:  # noqa: D102
        # The event loop's own threads are a few for each core; these wait.
        call = functools.partial(contextvars.copy_context().run, self.get, key, span)
        return await asyncio.get_running_loop().run_in_executor(_threads(), call)

    def signature(self, key: str) -> object:  # noqa: ARG002, D102 - asking is not cheap
        return None

    def unchanged(self, key: str, tag: str | None) -> bool:
        """Ask whether an object is still in the state `tag`; absent if `tag` is ``ABSENT``.

        Raises
        ------
        ConnectionError
            If nobody answers.
        """
        raise NotImplementedError


class OfflineConnectionError(ConnectionError):
    """Nothing was asked, as biggus is set to be offline."""

    def __init__(self) -> None:
        super().__init__(f"{OFFLINE}, and this is not in the cache")

    def __reduce__(self) -> tuple[type[OfflineConnectionError], tuple[()]]:
        # It may be the cause of an error that is sent elsewhere.
        return OfflineConnectionError, ()


ABSENT = "absent"
"""The tag of an object that is not there."""


class HttpObjects(RemoteObjects):
    """Objects below a URL.

    Parameters
    ----------
    url : str
        The ``http`` or ``https`` URL of the store; a query in it (a
        signature, say) is sent with each request.
    settings : HttpSettings
        How requests are made.
    absent : frozenset of int
        Further statuses than 404 and 410 by which the server says that it has no such
        object; 200 is one without a body.
    """

    def __init__(
        self, url: str, settings: HttpSettings, absent: frozenset[int] = frozenset()
    ) -> None:
        self._absent = absent
        parts = urlsplit(url)
        self._parts = parts._replace(path=parts.path.rstrip("/"), fragment="")
        self._client = HttpClient(settings)

    def get(self, key: str, span: Span = WHOLE) -> Fetched | None:  # noqa: D102 - inherited
        headers = {} if span == WHOLE else {"Range": _range_header(span)}
        response = self._ask(key, headers)
        if is_absent(response, self._absent):
            return None
        _check(response)
        return Fetched(_cut(response, span), _tag(response))

    def unchanged(self, key: str, tag: str | None) -> bool:  # noqa: D102 - inherited
        # One byte is enough to learn the state where the condition is not understood.
        headers = {"Range": "bytes=0-0"}
        if tag is not None and tag != ABSENT:
            kind, _, value = tag.partition(" ")
            if kind == "etag":
                headers["If-None-Match"] = value
            else:
                headers["If-Modified-Since"] = value.partition("; ")[0]
        response = self._ask(key, headers, retries=0)
        if is_absent(response, self._absent):
            return tag == ABSENT
        if response.status == 304:
            return True
        _check(response)
        return tag is not None and _tag(response) == tag

    def _ask(self, key: str, headers: Mapping[str, str], retries: int | None = None) -> Response:
        path = f"{self._parts.path}/{quote(key)}"
        url = urlunsplit(self._parts._replace(path=path))
        if self._client.down(url):
            if retries == 0:
                shown = public_url(url)
                raise ConnectionError(f"{shown}: the server was out of reach a moment ago")
            if key.rpartition("/")[2] in METADATA_NAMES:
                # Many stores of a server that is down are to open from a cache.
                retries = 0
        try:
            response = self._client.get(url, headers, retries=retries, largest=_LARGEST)
        except OfflineHttpError:
            raise OfflineConnectionError from None
        except HttpError as error:
            # Without its cause, which may quote the URL with credentials.
            raise ConnectionError(str(error)) from None
        if response.status in RETRIED:
            raise ConnectionError(f"{response.url}: the server answered {response.status}")
        return response


@functools.lru_cache(maxsize=1)
def _threads() -> concurrent.futures.ThreadPoolExecutor:
    return concurrent.futures.ThreadPoolExecutor(_REQUESTS, "biggus_zarr")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_threads.cache_clear)


def _check(response: Response) -> None:
    status = response.status
    if status in (401, 403):
        raise ForbiddenError(
            f"{response.url}: the server answered {status}; credentials may be missing, or, if "
            f"that is what it says of chunks that are not there, absent={status}"
        )
    if status not in (200, 206):
        raise OSError(f"{response.url}: the server answered {status}")
    if status == 200 and not response.body:
        raise OSError(
            f"{response.url}: it is cut short: the answer has no body; if that is what the server "
            "says of chunks that are not there, absent=200"
        )
    if response.headers.get("Content-Type", "").lower().startswith("text/html"):
        raise OSError(f"{response.url}: the server sent an HTML page instead of data")


def _range_header(span: Span) -> str:
    start, stop = span
    if start is not None and start < 0:
        return f"bytes={start}"
    return f"bytes={start or 0}-{'' if stop is None else stop - 1}"


def _cut(response: Response, span: Span) -> bytes:
    if response.status == 200:
        # The whole, asked for or not: some servers know no ranges.
        return response.body[slice(*span)]
    match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
    start = span[0] or 0
    if match is None or (start >= 0 and int(match[1]) != start):
        raise OSError(f"{response.url}: the server sent another part than was asked for")
    if int(match[2]) - int(match[1]) + 1 != len(response.body):
        raise OSError(f"{response.url}: the server sent less than it says")
    return response.body


def _tag(response: Response) -> str | None:
    headers = response.headers
    etag = headers.get("ETag")
    if etag:
        return f"etag {etag}"
    modified = headers.get("Last-Modified")
    when, now = http_date(modified), http_date(headers.get("Date"))
    # Whole seconds: an object that has just changed may change again unseen.
    if when is None or now is None or now - when < _SETTLED_SECONDS:
        return None
    size = headers.get("Content-Range", "").rpartition("/")[2] or headers.get("Content-Length", "")
    return f"modified {modified}; {size}"


class FsspecObjects(RemoteObjects):
    """Objects in a store that fsspec knows, such as S3 or Google Cloud Storage.

    Parameters
    ----------
    url : str
        The URL of the store.
    storage_options : mapping
        What fsspec's file system takes.
    absent : frozenset of int
        Whether 403, which it raises a PermissionError for, is what the store says of
        objects that it does not have.

    Raises
    ------
    GoneError
        If biggus is set to be offline.
    MissingDependencyError
        If fsspec is not installed.
    OpenError
        If what it needs for the scheme is not installed.
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
            # Some file systems ask for credentials as soon as they are made.
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
        # What is empty is no folder: below it, a slash would be the first of a key.
        self._prefix = root if root == "" or root.endswith("/") else f"{root}/"

    def get(self, key: str, span: Span = WHOLE) -> Fetched | None:  # noqa: D102 - inherited
        if options.current().offline:
            raise OfflineConnectionError
        try:
            data = self._fs.cat_file(self._prefix + key, start=span[0], end=span[1])
        except FileNotFoundError:
            return None
        except Exception as error:
            text = str(error)
            if isinstance(error, PermissionError):
                if 403 in self._absent:
                    return None
                hint = "if that is what the store says of chunks that are not there, absent=403"
                raise ForbiddenError(f"{redacted(text)}; {hint}") from None
            if redacted(text) == text:
                raise
            # Its file systems may quote the URL, with credentials.
            raise OSError(f"{type(error).__name__}: {redacted(text)}") from None
        return Fetched(bytes(data))

    def unchanged(self, key: str, tag: str | None) -> bool:  # noqa: D102 - inherited
        # Its file systems do not tell the state together with the bytes, so
        # only absence can be verified.
        return tag == ABSENT and self.get(key) is None
