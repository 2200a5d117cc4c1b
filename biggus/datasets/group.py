"""Groups of a store: their variables, opened together, and their attributes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from biggus.api import (
    attributes_of,
    located,
    open,
    options_of,
    patterns_explained,
    server_for,
    variables_of,
)
from biggus.errors import OpenError, VariableError
from biggus.labels import encoding_of, labels_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import numpy.typing as npt

    from biggus.array import Array
    from biggus.backends import Backend, Location
    from biggus.cache import Cache


class Group(NamedTuple):
    """A group of a store.

    Attributes
    ----------
    location : Location
        Where the store is.
    path : str
        The path of the group, without slashes at its ends; empty for the root.
    variables : dict of str to Array
        The variables, by their names in the group.
    dims : dict of str to tuple of str
        The names of the axes of each variable.  Axes without a name are called
        ``"phony_dim_0"``, ``"phony_dim_1"``, ..., by their length, as in netCDF.
    attributes : dict
        The attributes of the group.
    values : dict of str to ndarray
        The values of coordinates that have been read.
    variable_attributes : dict of str to dict
        The attributes of variables, if they are known without asking their sources.
    dropped : dict of str to Array
        The variables that were left out, as far as they can be opened: others may refer to them.
    """

    location: Location
    path: str
    variables: dict[str, Array]
    dims: dict[str, tuple[str, ...]]
    attributes: dict[str, Any]
    values: Mapping[str, npt.NDArray[Any]] = {}
    variable_attributes: Mapping[str, Mapping[str, Any]] = {}
    dropped: Mapping[str, Array] = {}

    def encoding(self) -> dict[str, Any]:
        """Return where the group is, and the dimensions along which its variables may grow."""
        unlimited = {
            dim
            for array in self.variables.values()
            for dim in encoding_of(array.node).get("unlimited", ())
        }
        return {"source": self.location.public, "unlimited_dims": unlimited}


class Opening(NamedTuple):
    """The arguments of :func:`biggus.open` for the variables of a store."""

    backend: str | None = None
    cache: Cache | bool | None = None
    decode: bool = True
    options: Mapping[str, Any] = {}


def names_of(variables: str | Iterable[str] | None) -> tuple[str, ...]:
    """Return a tuple of names from one name, several or None."""
    return (variables,) if isinstance(variables, str) else tuple(variables or ())


def groups_at(
    location: Any,
    opening: Opening,
    group: str | None = "",
    without: Iterable[str] = (),
) -> dict[str, Group]:
    """Open one group of a store, or all groups.

    Parameters
    ----------
    location : str or os.PathLike
        A path or a URL.
    opening : Opening
        How to open the variables.
    group : str or None, optional
        The path of the group; None for all groups.
    without : iterable of str, optional
        The names of variables to leave out.

    Returns
    -------
    dict of str to Group
        The groups, by path.

    Raises
    ------
    OpenError
        If the location cannot be opened: `GoneError` if it does not exist, `VariableError` if
        it has no such group.
    """
    where, _ = located(location, None)
    options = dict(opening.options)
    with patterns_explained(where):
        server = server_for(where, opening.backend, opening.cache)
        with server.visit(where, **options), options_of(server, options):
            names = variables_of(server, where, options, opening.cache)
            there = _paths(names)
            wanted = there if group is None else [group.strip("/")]
            groups = {
                path: _group(server, where, path, names, opening, frozenset(without))
                for path in wanted
            }
    for path, each in groups.items():
        if path not in there and not each.attributes:
            problem = f"there is no group {path!r}, or nothing is in it"
            raise VariableError(where.public, problem, tuple(there[1:]), path)
    return groups


def _paths(names: Iterable[str]) -> list[str]:
    """Return the paths of all groups that are not empty, the root first."""
    paths = {"": None}
    for name in names:
        parts = name.strip("/").split("/")[:-1]
        for count in range(1, len(parts) + 1):
            paths["/".join(parts[:count])] = None
    return list(paths)


def _group(
    server: Backend,
    where: Location,
    path: str,
    names: Iterable[str],
    opening: Opening,
    without: frozenset[str],
) -> Group:
    variables: dict[str, Array] = {}
    dropped: dict[str, Array] = {}
    dims = {}
    phony: dict[tuple[int, int], str] = {}
    for full in names:
        group, _, name = full.strip("/").rpartition("/")
        if group != path:
            continue
        try:
            array = open(
                where,
                full,
                backend=server.name,
                cache=opening.cache,
                decode=opening.decode,
                **opening.options,
            )
        except OpenError as error:
            if name in without:
                continue
            error.add_note(f"`drop_variables={name!r}` leaves it out")
            raise
        (dropped if name in without else variables)[name] = array
        dims[name] = _named(labels_of(array.node).dims, array.shape, phony)
    attributes = attributes_of(server, where, path, dict(opening.options), opening.cache)
    return Group(where, path, variables, dims, attributes, dropped=dropped)


def _named(
    dims: tuple[str | None, ...], shape: tuple[int, ...], phony: dict[tuple[int, int], str]
) -> tuple[str, ...]:
    """Name axes without a name, by their length, and their order among axes of that length."""
    count: dict[int, int] = {}
    names = []
    for dim, n in zip(dims, shape, strict=True):
        if dim is None:
            which = count[n] = count.get(n, -1) + 1
            number = len(phony)
            names.append(phony.setdefault((n, which), f"phony_dim_{number}"))
        else:
            names.append(dim.rpartition("/")[2])
    return tuple(names)
