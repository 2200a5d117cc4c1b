"""Texts of the metadata of an array."""

from __future__ import annotations

import ast
from typing import Any

import numpy as np


def shape_text(facts: dict[str, Any]) -> str:
    """Return the text of a shape, with the names of axes.

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
    """Return the text of a dtype, with masks and the stored dtype."""
    masked = " masked" if facts["masked"] else ""
    stored = facts.get("stored_dtype", facts["dtype"])
    packed = f" (stored as {stored})" if stored != facts["dtype"] else ""
    return f"{_short(facts['dtype'])}{masked}{packed}"


def _short(dtype: str) -> str:
    """Return the text of a dtype; fields are listed without offsets.

    Examples
    --------
    >>> _short("int16"), _short("[('a', '<i4'), ('b', '<f8', (2,))]")
    ('int16', "{a: int32, b: ('<f8', (2,))}")
    """
    if dtype[:1] not in ("[", "{"):
        return dtype
    fields = np.dtype(ast.literal_eval(dtype))
    return f"{{{', '.join(f'{name}: {fields[name]}' for name in fields.names or ())}}}"


def decoded_text(facts: dict[str, Any]) -> str:
    """Return the text of how stored values are decoded.

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
    """Return the text of the lengths of chunks."""
    if facts["chunks"] is None:
        return "none"
    if not facts["chunks"]:
        return "one"
    return " x ".join(
        str(c) if isinstance(c, int) else f"{len(c)} of {min(c)} to {max(c)}"
        for c in facts["chunks"]
    )
