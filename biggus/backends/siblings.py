"""Finding other variables of a store by name, as in the CF conventions."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from biggus.errors import VariableError
from biggus.sources.base import Source


def places_of(variable: str, name: str) -> Iterator[str]:
    """Yield the paths that `name` may mean for a variable: in its group, then in the parents.

    Examples
    --------
    >>> list(places_of("a/b/sst", "lat")), list(places_of("a/sst", "/grid/lat"))
    (['a/b/lat', 'a/lat', 'lat'], ['grid/lat'])
    """
    if name.startswith("/"):
        yield name.strip("/")
        return
    groups = variable.strip("/").split("/")[:-1]
    for count in range(len(groups), -1, -1):
        yield "/".join([*groups[:count], name])


def sibling_of(variable: str, name: str, make: Callable[[str], Source | None]) -> Source | None:
    """Return the source of the first path that exists; None if there is none.

    For a path that does not exist, `make` returns None or raises a `VariableError`.
    """
    for place in places_of(variable, name):
        with contextlib.suppress(VariableError):
            source = make(place)
            if source is not None:
                return source
    return None
