"""Context variables that are set for a with block."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextvars import ContextVar

Value = TypeVar("Value")


@contextlib.contextmanager
def within(variable: ContextVar[Value], value: Value) -> Iterator[None]:
    """Set a context variable for the length of a with block."""
    mark = variable.set(value)
    try:
        yield
    finally:
        variable.reset(mark)
