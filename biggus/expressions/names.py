"""Names: texts that identify functions and constants in any process."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache, partial
from typing import Any

import numpy as np

_TRUSTED = frozenset({"numpy", "scipy", "_operator", "operator", "biggus"})
"""Packages whose functions are identified by their names."""

_DECODING = "xarray.coding."
"""Modules whose functions are identified by their names and the version of xarray."""

_UFUNCS = ("numpy", "numpy.strings", "scipy.special")
"""Modules that are searched for ufuncs that have no ``__module__``."""


@lru_cache(1024)
def name_of(function: Callable[..., Any]) -> str | None:
    """Return the full name of a function; None if that does not identify it."""
    name = getattr(function, "__name__", "")
    own = getattr(function, "__module__", None)
    for module in _UFUNCS if own is None else (own,):
        decodes = module.startswith(_DECODING)
        if decodes or module.partition(".")[0] in _TRUSTED:
            named = getattr(sys.modules.get(module), name, None)
            if named is function:
                version = f" of xarray {sys.modules['xarray'].__version__}" if decodes else ""
                return f"{module}.{name}{version}"
    return None


def call_of(
    function: Callable[..., Any], arguments: Iterable[str | None], keywords: Mapping[str, Any]
) -> str | None:
    """Return the text of a call: its function, the texts of its arguments, and its keywords.

    None if one of them has no text.
    """
    if isinstance(function, partial):
        arguments = [*map(text_of, function.args), *arguments]
        keywords = {**function.keywords, **keywords}
        function = function.func
    name, parts = name_of(function), list(arguments)
    for word, value in sorted(keywords.items()):
        text = text_of(value)
        parts.append(None if text is None else f"{word}={text}")
    if name is None or None in parts:
        return None
    return f"{name}({', '.join(map(str, parts))})"


def text_of(constant: Any) -> str | None:
    """Return a text that only equal constants share; None if there is none."""
    if constant is None or type(constant) in {bool, int, str, bytes, complex, float}:
        return repr(constant)
    if isinstance(constant, np.dtype):
        return repr(constant)
    if isinstance(constant, (np.generic, np.ndarray)):
        if constant.dtype.hasobject or constant.dtype.kind == "T":
            return None
        return f"{constant.dtype!r}{constant.shape}{constant.tobytes()!r}"
    if isinstance(constant, type) and constant.__module__ in ("builtins", "numpy"):
        return repr(constant)
    if isinstance(constant, (tuple, set, frozenset)):
        texts = [text for text in map(text_of, constant) if text is not None]
        if len(texts) < len(constant):
            return None
        is_tuple = isinstance(constant, tuple)
        return f"({','.join(texts)})" if is_tuple else f"{{{','.join(sorted(texts))}}}"
    return None
