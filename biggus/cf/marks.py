"""Which attributes say how values are packed, which are missing, and of what dtype they were."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

PACKING = frozenset(
    [
        "_FillValue",
        "missing_value",
        "valid_min",
        "valid_max",
        "valid_range",
        "scale_factor",
        "add_offset",
        "_Unsigned",
    ]
)
"""Attributes that say how values are packed, or which are missing."""

KEPT_DTYPE = "biggus_dtype"
"""The attribute that names the dtype of values which are stored in another."""


def follows(stored: np.dtype[Any], attributes: Mapping[str, Any]) -> bool:
    """Tell whether attributes say how values are packed, or which are missing.

    Asked of formats that do not stand for the conventions by themselves.

    Examples
    --------
    >>> follows(np.dtype("i2"), {"_FillValue": -9}), follows(np.dtype("i2"), {"units": "K"})
    (True, False)
    """
    return not PACKING.isdisjoint(attributes) or kept_dtype(stored, attributes) is not None


def kept_dtype(stored: np.dtype[Any], attributes: Mapping[str, Any]) -> np.dtype[Any] | None:
    """Return the dtype that values had before they were stored, or None if it is `stored`.

    Examples
    --------
    >>> kept_dtype(np.dtype("i1"), {"dtype": "bool"}), kept_dtype(np.dtype("f2"), {})
    (dtype('bool'), None)
    """
    whole = stored.kind in "iu"
    if whole and text_of(attributes, "dtype") == "bool":
        return np.dtype(bool)
    try:
        kept: np.dtype[Any] = np.dtype(text_of(attributes, KEPT_DTYPE) or stored)
    except (TypeError, ValueError, SyntaxError):  # whatever is there, NumPy may try to parse
        return None
    if kept == stored:
        return None
    half = stored.kind == "f" and kept.kind == "f" and kept.itemsize == 2
    text = stored.kind == "O" and kept.kind in "UT"
    return kept if (whole and kept.kind == "b") or half or text else None


def kept_width(attributes: Mapping[str, Any]) -> np.dtype[Any] | None:
    """Return the dtype that scaled values are of where attributes have no widths, if it is told.

    Examples
    --------
    >>> print(kept_width({"scale_factor": 0.5, KEPT_DTYPE: "<f4"}), kept_width({}))
    float32 None
    """
    return np.dtype("f4") if text_of(attributes, KEPT_DTYPE) == "<f4" else None


def text_of(attributes: Mapping[str, Any], name: str) -> str | None:
    """Return an attribute that is one string, alone or in an array; None for any other."""
    value = attributes.get(name)
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.item()
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return value if isinstance(value, str) else None
