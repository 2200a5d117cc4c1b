"""Finding the backend of a location or of a library's object."""

from __future__ import annotations

import logging
import os
import threading
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from biggus.backends.base import Backend
from biggus.errors import BiggusError, GoneError, OpenError, OptionError
from biggus.support.forks import between_forks
from biggus.support.similar import did_you_mean

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from biggus.backends.location import Location
    from biggus.sources.base import Source

GROUP = "biggus.backends"

_OTHER_CONTENT = {
    b"<!doctype html": "it is a web page (HTML), such as a server sends instead of a file",
    b"<html": "it is a web page (HTML), such as a server sends instead of a file",
    b"version https://git-lfs": "it is a pointer of Git LFS: fetch the file itself by git lfs pull",
}
"""What files are that begin like this, in lower case."""

_FORMATS = {b"GRIB": "GRIB"} | dict.fromkeys((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), "TIFF")
"""Formats of files that begin like this.  No backend of biggus reads them; that of others may."""

_one_at_a_time = threading.RLock()  # so that a process has one instance of each backend

_instances: dict[str, Backend] = {}

_log = logging.getLogger("biggus.backends")


@lru_cache(maxsize=1)
def _entries() -> dict[str, EntryPoint]:
    with between_forks():
        from importlib.metadata import entry_points

        entries = sorted(entry_points(group=GROUP), key=lambda entry: entry.name)
    return {entry.name: entry for entry in entries}


def backend_names() -> tuple[str, ...]:
    """Return the names of the backends that are installed."""
    return tuple(_entries())


def backend_named(name: str) -> Backend:
    """Return the backend called `name`.

    Raises
    ------
    OptionError
        If none has that name, or its module cannot be loaded.
    """
    if name not in _instances:
        with between_forks(), _one_at_a_time:
            if name not in _instances:
                _instances[name] = _made(name)
    return _instances[name]


def _made(name: str) -> Backend:
    try:
        entry = _entries()[name]
    except KeyError:
        hint = did_you_mean(name, backend_names())
        raise OptionError(
            f"there is no backend {name!r}{hint} (installed: {', '.join(backend_names())})"
        ) from None
    try:
        backend = entry.load()()
    except Exception as error:
        raise OptionError(f"the backend {name!r} ({entry.value}) does not load: {error}") from error
    if not isinstance(backend, Backend):
        raise OptionError(f"the backend {name!r} ({entry.value}) is not a biggus Backend")
    return backend


@lru_cache(maxsize=1)
def _loadable() -> tuple[Backend, ...]:
    """Return the backends that can be loaded; a broken one is logged and skipped."""
    loaded = []
    for name in backend_names():
        try:
            loaded.append(backend_named(name))
        except OptionError as error:
            _log.warning("%s", error)
    return tuple(loaded)


def _claim(backend: Backend, location: Location) -> int:
    """Return the claim of a backend on a location; none if it fails, though it should not."""
    try:
        return backend.claims(location)
    except BiggusError:
        raise  # the location itself is gone or unreadable
    except Exception as error:  # noqa: BLE001 - a backend may be anybody's code
        _log.warning(
            "the backend %r failed to examine %s: %r", backend.name, location.public, error
        )
        return Backend.UNCLAIMED


def backend_for(location: Location) -> Backend:
    """Return the backend with the surest claim on `location`.

    Raises
    ------
    GoneError
        If the location does not exist.
    OpenError
        If no backend recognises it.
    """
    _check_content(location)
    best: Backend | None = None
    surest = Backend.UNCLAIMED
    for backend in _loadable():
        claim = _claim(backend, location)
        if claim > surest:
            best, surest = backend, claim
            if surest >= Backend.BY_MARK:
                break  # no other claim can be surer
    if best is not None:
        return best
    raise _unclaimed(location)


def _unclaimed(location: Location) -> OpenError:
    """Return the error that no backend recognises a location."""
    if location.scheme in ("http", "https"):
        return OpenError(
            location.public,
            "over HTTP biggus reads tile templates (https://host/{z}/{x}/{y}.png with `zoom=`) and "
            "Zarr stores (a URL that ends in .zarr); download other files first",
        )
    if location.scheme:
        return OpenError(
            location.public,
            f"no backend knows this {location.scheme} location; a tile server is given as a "
            "template such as https://host/{z}/{x}/{y}.png with `zoom=`",
        )
    if location.is_directory and not os.access(location.path, os.R_OK | os.X_OK):
        return OpenError(location.public, "permission denied: the folder cannot be looked into")
    if location.is_directory:
        return OpenError(
            location.public,
            "the folder holds no store that biggus knows; to join the files in it, give "
            f"`biggus.open_many` a pattern such as {location.path / '*.nc'}",
        )
    if not location.head and not location.path.exists():
        return GoneError(location.public, "there is no such file or folder")
    known = next((name for mark, name in _FORMATS.items() if location.head.startswith(mark)), None)
    if known is not None:
        return OpenError(
            location.public,
            f"no backend reads {known}; convert it to NetCDF or Zarr, or open it with another "
            "package and give its arrays to `biggus.ArrayAdapter`",
        )
    return OpenError(
        location.public,
        "no backend knows its format; name its backend by `backend=` "
        f"({', '.join(backend_names())})",
    )


def _check_content(location: Location) -> None:
    """Raise an OpenError that says what a file is, if it is none that holds arrays."""
    head = location.known_head
    if head:
        start = head[:64].lstrip().lower()
        for mark, what in _OTHER_CONTENT.items():
            if start.startswith(mark):
                raise OpenError(location.public, what)
    elif not location.scheme and location.path.is_file() and not location.path.stat().st_size:
        raise OpenError(location.public, "the file is empty")


def option_names() -> frozenset[str]:
    """Return the names of the options of all backends."""
    return frozenset(name for backend in _loadable() for name in backend.option_names())


@cache
def _adopter(module: str) -> Backend | None:
    for backend in _loadable():
        if module in backend.modules:
            return backend
    return None


def adopt(obj: Any) -> Source | None:
    """Return the source of an object of a backend's library; None for other objects."""
    for cls in type(obj).__mro__:
        backend = _adopter(cls.__module__.partition(".")[0])
        if backend is not None:
            source = backend.adopt(obj)
            if source is not None:
                return source
    return None
