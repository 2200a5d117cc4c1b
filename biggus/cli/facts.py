"""What is known of an array before any of its values is read, and how it is worded."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.sinks.metadata import plain_value

if TYPE_CHECKING:
    from biggus.cli.opening import Opened

_LONE = re.compile("[\ud800-\udfff]")
"""Surrogates, which no output takes; bytes that are no UTF-8 become such."""


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
        return _LONE.sub(_escaped, plain)
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


def shape_text(facts: dict[str, Any]) -> str:
    """Return the shape in words, with the names of the axes where they have any.

    Examples
    --------
    >>> shape_text({"shape": [4, 3], "dims": ["y", "x"]})
    'y: 4, x: 3'
    """
    shape, dims = facts["shape"], facts["dims"]
    if not shape:
        return "one value"
    if dims is None:
        return " x ".join(map(str, shape))
    return ", ".join(f"{dim}: {n}" for dim, n in zip(dims, shape, strict=True))


def dtype_text(facts: dict[str, Any]) -> str:
    """Return the dtype in words: whether values can be missing, and how they are stored."""
    masked = " masked" if facts["masked"] else ""
    stored = facts.get("stored_dtype", facts["dtype"])
    packed = f" (stored as {stored})" if stored != facts["dtype"] else ""
    return f"{facts['dtype']}{masked}{packed}"


def decoded_text(facts: dict[str, Any]) -> str:
    """Return in words what is done to the stored values.

    Examples
    --------
    >>> decoded_text({"decoded": {"missing": [-9, -1], "scale_factor": 0.5}})
    'missing -9, -1; scale_factor 0.5'
    """
    return "; ".join(
        f"{name} {', '.join(map(str, value)) if isinstance(value, list) else value}"
        for name, value in facts["decoded"].items()
    )


def chunks_text(facts: dict[str, Any]) -> str:
    """Return the lengths of the chunks in words."""
    if facts["chunks"] is None:
        return "none"
    if not facts["chunks"]:
        return "one"
    return " x ".join(
        str(c) if isinstance(c, int) else f"{len(c)} of {min(c)} to {max(c)}"
        for c in facts["chunks"]
    )
