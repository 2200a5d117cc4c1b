"""Warnings of NumPy's that are hidden where a lazy operation is called are not shown later.

NumPy computes when it is called, so the warning filters and `numpy.errstate` of that time decide
which warnings are shown.  A lazy operation keeps what was hidden then.
"""

from __future__ import annotations

import warnings
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Any

import numpy as np

from biggus.support.within import within

MEAN_OF_NONE = "Mean of empty slice"
ALL_NAN = "All-NaN slice encountered"
TOO_FEW = "Degrees of freedom <= 0 for slice"

_hidden: ContextVar[frozenset[str]] = ContextVar("hidden", default=frozenset())
"""The messages that are not shown in the computation under way."""


def hidden_messages() -> frozenset[str]:
    """Return the messages of statistics that `hiding` or the warning filters in force hide."""
    return _hidden.get() | set(filter(_is_ignored, (MEAN_OF_NONE, ALL_NAN, TOO_FEW)))


def _is_ignored(message: str) -> bool:
    for action, pattern, category, module, line in warnings.filters:
        named = pattern is None or pattern.match(message)
        if named and issubclass(RuntimeWarning, category) and module is None and not line:
            return action == "ignore"
    return False


def hiding(messages: frozenset[str]) -> AbstractContextManager[None]:
    """Return a context in which `warn` and the operations called do not show some messages."""
    return within(_hidden, messages)


def warn(message: str) -> None:
    """Show a warning, unless it was hidden where the operation was called."""
    if message not in _hidden.get():
        warnings.warn(message, RuntimeWarning, stacklevel=3)


def ignored_errors() -> dict[str, Any]:
    """Return the floating-point errors that `numpy.errstate` ignores, if more than by default."""
    errors = np.geterr()
    if [*errors.values()].count("ignore") < 2:
        return {}
    return {kind: how for kind, how in errors.items() if how == "ignore"}
