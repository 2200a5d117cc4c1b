"""The attributes that describe packed and missing values, and the original dtype."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

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
"""Attributes that describe packed and missing values."""

KEPT_DTYPE = "biggus_dtype"
"""The attribute that names the original dtype of values that are stored as another."""


def follows(stored: np.dtype[Any], attributes: Mapping[str, Any]) -> bool:
    """Return whether attributes describe packed or missing values.

    For formats that do not imply the CF conventions.

    Examples
    --------
    >>> follows(np.dtype("i2"), {"_FillValue": -9}), follows(np.dtype("i2"), {"units": "K"})
    (True, False)
    """
    return not PACKING.isdisjoint(attributes) or kept_dtype(stored, attributes) is not None


def kept_dtype(stored: np.dtype[Any], attributes: Mapping[str, Any]) -> np.dtype[Any] | None:
    """Return the original dtype of values, or None if it is the stored one.

    Examples
    --------
    >>> kept_dtype(np.dtype("i1"), {"dtype": "bool"}), kept_dtype(np.dtype("f2"), {})
    (dtype('bool'), None)
    """
    whole = stored.kind in "iu"
    if whole and text_of(attributes, "dtype") == "bool":
        return np.dtype(bool)
    try:
        original: np.dtype[Any] = np.dtype(text_of(attributes, KEPT_DTYPE) or stored)
    except (TypeError, ValueError, SyntaxError):  # NumPy tries to parse any text
        return None
    if original == stored:
        return None
    half = stored.kind == "f" and original.kind == "f" and original.itemsize == 2
    text = stored.kind == "O" and original.kind in "UT"
    return original if (whole and original.kind == "b") or half or text else None


def kept_width(attributes: Mapping[str, Any]) -> np.dtype[Any] | None:
    """Return the dtype of scaled values in formats whose attributes have no width, if named.

    Examples
    --------
    >>> print(kept_width({"scale_factor": 0.5, KEPT_DTYPE: "<f4"}), kept_width({}))
    float32 None
    """
    return np.dtype("f4") if text_of(attributes, KEPT_DTYPE) == "<f4" else None


def text_of(attributes: Mapping[str, Any], name: str) -> str | None:
    """Return an attribute that is a single string, alone or in an array; else None."""
    value = attributes.get(name)
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.item()
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return value if isinstance(value, str) else None
