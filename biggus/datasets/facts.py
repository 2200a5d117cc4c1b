"""`info` and `variables`: the metadata of a location, as values that JSON can hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from biggus.api import located, options_of, patterns_explained, server_for, variables_of
from biggus.cf import Decoder
from biggus.datasets.group import Opening, groups_at
from biggus.graph import Elementwise, Leaf
from biggus.sinks.metadata import LONE_SURROGATE, plain_value
from biggus.support.forks import between_forks

if TYPE_CHECKING:
    import os
    import re

    from biggus.array import Array
    from biggus.cache import Cache
    from biggus.sources.base import Source


class Opened(NamedTuple):
    """An opened variable: its array, its source, and its decoder if values are packed."""

    array: Array
    source: Source
    decoder: Decoder | None

    @classmethod
    def of(cls, array: Array) -> Opened:
        """Return the source and decoder of an array that was opened, and not computed with."""
        node = array.node
        decoder = node.step if isinstance(node, Elementwise) else None
        while isinstance(node, Elementwise):
            node = node.children[0]
        assert isinstance(node, Leaf)
        assert decoder is None or isinstance(decoder, Decoder)
        return cls(array, node.source, decoder)


def facts_of(opened: Opened) -> dict[str, Any]:
    """Return the metadata of a variable, as values that JSON can hold."""
    array, source = opened.array, opened.source
    facts = outline_of(opened)
    facts["attributes"] = json_value(source.attributes)
    if array.masked:
        facts["fill_value"] = json_value(np.asarray(array.fill_value)[()])
    if opened.decoder is not None:
        facts["decoded"] = json_value(opened.decoder.applied)
    return facts


def outline_of(opened: Opened) -> dict[str, Any]:
    """Return the metadata without attributes and fill value, as for a row in a table."""
    array, source = opened.array, opened.source
    facts: dict[str, Any] = {
        "shape": list(array.shape),
        "dims": None if source.dims is None else list(array.dims),
        "dtype": str(array.dtype),
        "nbytes": array.nbytes,
        "chunks": None,
        "masked": array.masked,
    }
    if array.grid is not None:
        facts["chunks"] = [n if isinstance(n, int) else list(n) for n in array.grid]
    if opened.decoder is not None:
        facts["stored_dtype"] = str(source.dtype)
    return facts


def json_value(value: Any) -> Any:
    r"""Return the value of an attribute as a value that JSON can hold; by default its text.

    Structures become dicts, opaque bytes hexadecimal digits.  Bytes of a text that are not valid
    UTF-8 are escaped.

    Examples
    --------
    >>> json_value([np.complex64(1 + 2j), np.array((1, b"x"), "i4,S1")[()], b"\xb0C"])
    ['(1+2j)', {'f0': 1, 'f1': 'x'}, '\\xb0C']
    """
    plain = plain_value(value)
    if isinstance(plain, str):
        return LONE_SURROGATE.sub(_escaped, plain)
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf" and plain is not None:
        return plain
    if isinstance(value, Mapping):
        return {json_value(str(name)): json_value(item) for name, item in value.items()}
    if isinstance(value, np.void):
        names = value.dtype.names
        return value.tobytes().hex() if names is None else {n: json_value(value[n]) for n in names}
    if isinstance(value, (list, tuple)) or (isinstance(value, np.ndarray) and value.ndim):
        return [json_value(item) for item in value]
    if isinstance(value, np.ndarray):
        return json_value(value[()])
    return plain if plain is not None or value is None else str(value)


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"


def variables(
    location: str | os.PathLike[str], *, backend: str | None = None, **options: Any
) -> tuple[str, ...]:
    """List the variables of a location.

    Parameters
    ----------
    location : str or os.PathLike
        A path or a URL.
    backend : str, optional
        The backend to use, as for :func:`open`.
    **options
        Options of the backend.

    Returns
    -------
    tuple of str
        The names in the order of the store, with the paths of their groups.

    Raises
    ------
    OpenError
        If the location cannot be opened; `GoneError` if it does not exist.

    Examples
    --------
    >>> import biggus, tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "a.zarr"
    >>> biggus.save(biggus.zeros((2, 3)), f"{path}::v")
    >>> biggus.variables(path)
    ('v',)
    """
    where, _ = located(location, None)
    with patterns_explained(where):
        server = server_for(where, backend)
        with options_of(server, options):
            return variables_of(server, where, options)


def info(
    location: str | os.PathLike[str],
    *,
    backend: str | None = None,
    cache: Cache | bool | None = None,
    decode: bool = True,
    **options: Any,
) -> dict[str, Any]:
    """Return the metadata of a location, as values that JSON can hold.

    Parameters
    ----------
    location : str or os.PathLike
        A path or a URL.
    backend, cache, decode, **options
        As for :func:`open`.

    Returns
    -------
    dict
        The ``location``, and its ``groups`` by path (the root is ``""``).  Each group has
        ``attributes``, ``dimensions``, the names of ``coordinates``, and ``variables``: by name,
        their shape, dims, dtype, chunks, attributes and packing.

    Raises
    ------
    OpenError
        If the location cannot be opened; `GoneError` if it does not exist.

    Examples
    --------
    >>> import biggus, tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "a.zarr"
    >>> biggus.save(biggus.zeros((2, 3)), f"{path}::v")
    >>> biggus.info(path)["groups"][""]["variables"]["v"]["shape"]
    [2, 3]
    """
    with between_forks():
        from biggus.datasets.dataset import Dataset

    groups = {}
    place = ""
    for path, group in groups_at(
        location, Opening(backend, cache, decode, options), group=None
    ).items():
        place = group.location.public
        ds = Dataset(group)
        groups[path] = {
            "attributes": json_value(ds.attrs),
            "dimensions": ds.sizes,
            "coordinates": list(ds.coords),
            "variables": {name: facts_of(Opened.of(array)) for name, array in ds.variables.items()},
        }
    return {"location": place, "groups": groups}
