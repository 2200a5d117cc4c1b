"""What is known of an array before any of its values is read, as data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from biggus.api import located, options_of, server_for, variables_of
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
    """A variable: the array, the source that it stands on, and what unpacks its values, if any."""

    array: Array
    source: Source
    decoder: Decoder | None

    @classmethod
    def of(cls, array: Array) -> Opened:
        """Return what an array stands on that was opened, and not computed with."""
        node = array.node
        decoder = node.step if isinstance(node, Elementwise) else None
        while isinstance(node, Elementwise):
            node = node.children[0]
        assert isinstance(node, Leaf)
        assert decoder is None or isinstance(decoder, Decoder)
        return cls(array, node.source, decoder)


def facts_of(opened: Opened) -> dict[str, Any]:
    """Return what is known of a variable, ready to be written as JSON."""
    array, source = opened.array, opened.source
    facts = outline_of(opened)
    facts["attributes"] = {
        told(str(name)): told(value) for name, value in source.attributes.items()
    }
    if array.masked:
        facts["fill_value"] = told(np.asarray(array.fill_value)[()])
    if opened.decoder is not None:
        facts["decoded"] = {name: told(value) for name, value in opened.decoder.applied.items()}
    return facts


def outline_of(opened: Opened) -> dict[str, Any]:
    """Return what of that has a place in a row of a table."""
    array, source = opened.array, opened.source
    facts: dict[str, Any] = {
        "shape": list(array.shape),
        "dims": None if source.dims is None else list(source.dims),
        "dtype": str(array.dtype),
        "nbytes": array.nbytes,
        "chunks": None if array.grid is None else [_lengths(c) for c in array.grid],
        "masked": array.masked,
    }
    if opened.decoder is not None:
        facts["stored_dtype"] = str(source.dtype)
    return facts


def told(value: Any) -> Any:
    r"""Return an attribute's value as JSON says it; what that has no word for, as text.

    Structures become dicts, opaque bytes hexadecimal; bytes of a text that are no UTF-8 are
    escaped.

    Examples
    --------
    >>> told(np.complex64(1 + 2j)), told(np.array((1, b"x"), "i4,S1")[()]), told(b"\xb0C")
    ('(1+2j)', {'f0': 1, 'f1': 'x'}, '\\xb0C')
    """
    plain = plain_value(value)
    if isinstance(plain, str):
        return LONE_SURROGATE.sub(_escaped, plain)
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf" and plain is not None:
        return plain
    if isinstance(value, Mapping):
        return {str(name): told(item) for name, item in value.items()}
    if isinstance(value, np.void):
        names = value.dtype.names
        return value.tobytes().hex() if names is None else {n: told(value[n]) for n in names}
    if isinstance(value, (list, tuple)) or (isinstance(value, np.ndarray) and value.ndim):
        return [told(item) for item in value]
    if isinstance(value, np.ndarray):
        return told(value[()])
    return plain if plain is not None or value is None else str(value)


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"


def _lengths(chunks: int | tuple[int, ...]) -> int | list[int]:
    return chunks if isinstance(chunks, int) else list(chunks)


def variables(
    location: str | os.PathLike[str], *, backend: str | None = None, **options: Any
) -> tuple[str, ...]:
    """Return the names of the variables in a location, those of groups with their paths.

    Parameters
    ----------
    location : str or os.PathLike
        A path, or a URL.
    backend : str, optional
        The backend to use, as of :func:`open`.
    **options
        What the backend takes.

    Returns
    -------
    tuple of str
        In the order of the store.

    Raises
    ------
    OpenError
        If it cannot be opened; `GoneError` if it is not there.

    Examples
    --------
    >>> import biggus, tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "a.zarr"
    >>> biggus.save(biggus.zeros((2, 3)), f"{path}::v")
    >>> biggus.variables(path)
    ('v',)
    """
    where, _ = located(location, None)
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
    """Return what is in a location: what JSON has words for, and no values.

    Parameters
    ----------
    location : str or os.PathLike
        A path, or a URL.
    backend, cache, decode, **options
        As of :func:`open`.

    Returns
    -------
    dict
        ``location``; ``groups``, each by its path (the root is ``""``): its ``attributes``, its
        ``dimensions``, the names of its ``coordinates``, and its ``variables``, each with
        shape, dims, dtype, chunks, attributes and how it is unpacked.

    Raises
    ------
    OpenError
        If it cannot be opened; `GoneError` if it is not there.

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

    found = {}
    place = ""
    for path, group in groups_at(
        location, Opening(backend, cache, decode, options), group=None
    ).items():
        place = group.location.public
        ds = Dataset(group)
        found[path] = {
            "attributes": {told(str(name)): told(value) for name, value in ds.attrs.items()},
            "dimensions": ds.sizes,
            "coordinates": list(ds.coords),
            "variables": {name: facts_of(Opened.of(array)) for name, array in ds.items()},
        }
    return {"location": place, "groups": found}
