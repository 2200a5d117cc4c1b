"""Siblings: other variables of a store, found by their names as CF finds them."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from biggus.errors import VariableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from biggus.sources.base import Source


def places_of(variable: str, name: str) -> Iterator[str]:
    """Yield the paths that `name` may mean to a variable: beside it, then in groups around it.

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
    """Return what `make` makes of the first path that there is; None if there is none.

    Of a path that there is not it makes None, or raises a `VariableError`.
    """
    for place in places_of(variable, name):
        with contextlib.suppress(VariableError):
            found = make(place)
            if found is not None:
                return found
    return None
