"""Opening: the one place where backend, cache and array meet."""

from __future__ import annotations

import contextlib
import glob
import inspect
import logging
import os
from typing import TYPE_CHECKING, Any

from biggus import options as option_values
from biggus.adapt import leaf_of
from biggus.array import Array
from biggus.backends import Backend, Location, backend_for, backend_named
from biggus.backends.base import Resolution
from biggus.backends.location import place_and_variable
from biggus.caching import chosen_cache
from biggus.errors import BackendOptionError, BiggusError, GoneError, VariableError
from biggus.labels.attributes import REFERRING
from biggus.remembering import Memory
from biggus.sources import studying
from biggus.sources.memory_cached import kept_in_memory
from biggus.sources.wrappers import Annotated
from biggus.support.similar import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from biggus.cache import Cache
    from biggus.sources.base import Chunks, Source

_log = logging.getLogger("biggus.api")

_MOST_OPENED = 64
"""The most variables that are opened to find out which of them is the only data variable."""


def open(
    location: str | os.PathLike[str],
    variable: str | None = None,
    *,
    backend: str | None = None,
    chunks: Chunks | None = None,
    cache: Cache | bool | None = None,
    decode: bool = True,
    **options: Any,
) -> Array:
    """Open one variable of a store, or a tile server, as a lazy array.

    Only metadata is read; values are read when the array is.

    Parameters
    ----------
    location : str or os.PathLike
        A path or a URL.  The backend is chosen by scheme, suffix or content.
    variable : str, optional
        The name of the variable, with its groups: ``"group/name"``.  It may be appended to the
        location: ``"sst.nc::group/name"``.  It may be omitted if the store holds one variable,
        or only one that is no coordinate and that no other variable names in its attributes.
    backend : str, optional
        The backend to use: ``"hdf5"``, ``"netcdf"``, ``"npy"``, ``"tiles"``, ``"zarr"``,
        or the name of an installed one.
    chunks : tuple, optional
        The chunks to read and cache, along each axis, instead of the store's own.
    cache : Cache or bool, optional
        The cache for the chunks that are read.  True is the default cache, False is none.
        If not given, the ``cache`` option decides; by default only remote sources are cached.
    decode : bool, optional
        Whether to unpack packed values and to mask missing ones, as the attributes of the
        variable say (CF conventions).  This holds for netCDF, HDF5 and Zarr alike.  If False,
        values are returned as stored.
    **options
        Options of the backend, such as ``zoom=`` for tiles.

    Returns
    -------
    Array
        A lazy array of the variable.

    Raises
    ------
    OpenError
        If the location cannot be opened: `GoneError` if it does not exist and the cache does
        not remember it, `VariableError` if it has no such variable.
    BackendOptionError
        If the backend has no such option (also a TypeError).
    MissingDependencyError
        If the package that reads the format is not installed.

    Examples
    --------
    >>> import biggus
    >>> b = biggus.open("https://tiles.example.org/{z}/{x}/{y}.jpg", zoom=9, cache=False)
    >>> b
    <biggus.Array (y: 131072, x: 131072, band: 3) dtype=uint8 51.54 GB>
    """
    where, variable = located(location, variable)
    chosen = chosen_cache(cache, bool(where.scheme))
    arguments = [variable, backend, {**options, "decode": decode}]
    with patterns_explained(where):
        source = studying.call(
            studying.OPEN,
            where,
            arguments,
            lambda: _opened(where, variable, backend, chosen, decode, options),
        )
    if chunks is not None:
        source = Annotated(source, chunks=chunks)
    return array_of(
        source, chosen if cache is not None or source.token is not None else None, decode
    )


@contextlib.contextmanager
def patterns_explained(where: Location) -> Iterator[None]:
    """Name the functions that take patterns, if a location is gone and looks like one.

    Raises
    ------
    GoneError
        If the block raises one.
    """
    try:
        yield
    except GoneError as error:
        if where.scheme or not glob.has_magic(where.text):
            raise
        problem = (
            "there is no such file; `biggus.open_many` joins one variable of the files that match "
            "a pattern, and `biggus.xarray.open` all of them"
        )
        raise GoneError(where.public, problem) from error


def array_of(source: Source, cache: Cache | None, decode: bool = True) -> Array:
    """Return the lazy array of a source, whose chunks go to a cache if one is given."""
    cached = source if cache is None else cache.wrap(source)
    return Array.from_node(leaf_of(kept_in_memory(cached), decode))


def server_for(
    where: Location, backend: str | None = None, cache: Cache | bool | None = None
) -> Backend:
    """Return the backend of this name; without a name, the best match for the location.

    If the location is gone, it is the backend that the cache remembers.

    Raises
    ------
    OpenError
        If no backend reads the location.
    """
    if backend:
        return backend_named(backend)

    def found() -> str:
        try:
            return backend_for(where).name
        except GoneError:
            known = _memory_of(where, cache).backend()
            if known is None:
                raise
            return known

    return backend_named(studying.call("backend", where, [], found))


def _memory_of(where: Location, cache: Cache | bool | None) -> Memory:
    return Memory(chosen_cache(cache, bool(where.scheme)), where)


def variables_of(
    server: Backend, where: Location, options: dict[str, Any], cache: Cache | bool | None = None
) -> tuple[str, ...]:
    """Return the names of the variables in a location; if it is gone, those the cache remembers.

    Raises
    ------
    OpenError
        If it cannot be opened.
    """
    return tuple(_answer("variables", server, where, options, cache))


def resolutions_of(
    server: Backend, where: Location, group: str, options: dict[str, Any]
) -> list[Resolution]:
    """Return the resolutions of the multiscale image in a group of a location.

    Raises
    ------
    OpenError
        If it cannot be opened.
    """
    fields = _answer("resolutions", server, where, options, False, group)
    return [Resolution(*each) for each in fields]


def attributes_of(
    server: Backend,
    where: Location,
    group: str,
    options: dict[str, Any],
    cache: Cache | bool | None = None,
) -> dict[str, Any]:
    """Return the attributes of a group; if the location is gone, those the cache remembers.

    Raises
    ------
    OpenError
        If it cannot be opened.
    """
    return dict(_answer("attributes", server, where, options, cache, group))


def _answer(
    method: str,
    server: Backend,
    where: Location,
    options: dict[str, Any],
    cache: Cache | bool | None,
    *group: str,
) -> Any:
    """Call a method of a backend; if the location is gone, return what the cache remembers."""

    def ask() -> Any:
        return getattr(server, method)(where, *group, **options)

    return studying.call(
        method,
        where,
        [server.name, *group, options],
        lambda: _memory_of(where, cache).answer(server, options, [method, *group], ask),
    )


def located(location: object, variable: str | None) -> tuple[Location, str | None]:
    """Split ``location::variable`` into a location and the name of the variable, if any.

    Raises
    ------
    VariableError
        If `variable` is given, too.
    """
    if variable is not None and not isinstance(variable, str):
        raise TypeError(f"the name of a variable is a string, not {variable!r}")
    if isinstance(location, (str, os.PathLike)):
        where = location if isinstance(location, Location) else Location(location)
        path, named = place_and_variable(where.text)
        where = where if path == where.text else Location(path)
        if named and variable is not None:
            problem = f"the variable is named twice: {named!r} with the location, and {variable!r}"
            raise VariableError(where.public, problem)
        return where, named or variable
    problem = f"a location is a string or a path, not {type(location).__name__}"
    if hasattr(location, "__iter__") and not isinstance(location, (bytes, bytearray)):
        problem += "; `biggus.open_many` opens several"
    raise TypeError(problem)


def _opened(
    where: Location,
    variable: str | None,
    backend: str | None,
    cache: Cache | None,
    decode: bool,
    options: dict[str, Any],
) -> Source:
    """Open a source; if it is gone but the cache remembers it, return a stand-in."""
    memory = Memory(cache, where)
    error_if_gone = None
    try:
        server = backend_named(backend) if backend else backend_for(where)
    except GoneError as error:
        known = memory.backend()
        if known is None:
            raise
        server, error_if_gone = backend_named(known), error
    source_options = {**options, "decode": decode} if server.decodes else options
    with options_of(server, options):
        if where.scheme and option_values.current().offline:
            remembered = memory.recall(server, variable, source_options)
            if remembered is not None:
                return remembered
        try:
            if error_if_gone is not None:
                raise error_if_gone
            name = _only_variable(server, where, options) if variable is None else variable
            source = server.open(where, name, **source_options)
        except VariableError as error:
            if variable is None or error.wanted is not None:
                raise
            raise error.suggesting(variable) from error.__cause__
        except GoneError as error:
            remembered = memory.recall(server, variable, source_options)
            if remembered is None:
                raise
            _log.warning("%s: standing in with what the cache holds", error)
            return remembered
    memory.keep(
        source, server, name, source_options, only=variable is None, detected=backend is None
    )
    return source


@contextlib.contextmanager
def options_of(backend: Backend, options: dict[str, Any]) -> Iterator[None]:
    """Refuse options that `backend` does not take, and suggest a similar one.

    A backend whose signature does not list its options checks them itself, within the block;
    the suggestion is added to its error.

    Raises
    ------
    BackendOptionError
        If there is no such option.
    """
    if not options:
        yield
        return
    parameters = inspect.signature(backend.open).parameters.values()
    open_ended = any(p.kind is p.VAR_KEYWORD for p in parameters)
    known = backend.option_names()
    own = [name for name in inspect.signature(open).parameters if name != "options"]
    takes = ", ".join(name for name in known if name not in own)
    for name in options:
        if name not in known and not open_ended:
            listing = f" (its options: {takes})" if takes else " (it has no options of its own)"
            hint = f"{did_you_mean(name, [*known, *own], '`{}=`')}{listing}"
            raise BackendOptionError(
                f"the {backend.name} backend has no option {name!r}", name, hint
            )
    try:
        yield
    except BackendOptionError as error:
        if error.option not in options or error.hint:
            raise
        others = [name for name in (*known, *own) if name != error.option]
        hint = did_you_mean(error.option, others, "`{}=`")
        raise BackendOptionError(str(error), error.option, hint) from error


def _only_variable(backend: Backend, where: Location, options: dict[str, Any]) -> str:
    """Return the name of the only variable, or of the only one that is no coordinate or the like.

    Raises
    ------
    VariableError
        If there is none, or there are several.
    """
    names = backend.variables(where, **options)
    if len(names) == 1:
        return names[0]
    data = _data_variables(backend, where, names, options) or names
    if len(data) == 1:
        return data[0]
    problem = "it holds no variable"
    if names:
        last = where.public.rstrip("/").rpartition("/")[2]
        problem = f"name one of its variables, as in {last}::{data[0]}"
    raise VariableError(where.public, problem, names)


def _data_variables(
    backend: Backend, where: Location, names: Sequence[str], options: dict[str, Any]
) -> list[str]:
    """Return the variables that are not named like their only axis, nor by another variable."""
    if len(names) > _MOST_OPENED:
        return []
    data, beside = [], set()
    with backend.visit(where, **options):
        for name in names:
            try:
                source = backend.open(where, name, **options)
            except BiggusError:
                continue
            if [_last(dim or "") for dim in source.dims or ()] != [_last(name)]:
                data.append(name)
            for word in REFERRING.intersection(source.attributes):
                beside.update(str(source.attributes[word]).replace(":", " ").split())
    return [name for name in data if _last(name) not in beside]


def _last(name: str) -> str:
    """Return a name without its groups."""
    return name.rpartition("/")[2]
