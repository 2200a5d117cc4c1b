"""What is known of an array before any of its values is read, and how it is worded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.sinks.metadata import plain_value

if TYPE_CHECKING:
    from biggus.cli.opening import Opened


def facts_of(opened: Opened) -> dict[str, Any]:
    """Return what is known of a variable, ready to be written as JSON."""
    array, source = opened.array, opened.source
    facts: dict[str, Any] = {
        "shape": list(array.shape),
        "dims": None if source.dims is None else list(source.dims),
        "dtype": str(array.dtype),
        "nbytes": array.nbytes,
        "chunks": None if array.grid is None else [_lengths(c) for c in array.grid],
        "masked": array.masked,
        "attributes": {str(name): plain_value(value) for name, value in source.attributes.items()},
    }
    if array.masked:
        facts["fill_value"] = plain_value(np.asarray(array.fill_value)[()])
    if opened.decoded:
        facts["stored_dtype"] = str(source.dtype)
    return facts


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
