"""Within: variables of a context that have a value of their own in a with block."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextvars import ContextVar

Value = TypeVar("Value")


@contextlib.contextmanager
def within(variable: ContextVar[Value], value: Value) -> Iterator[None]:
    """Give a variable a value in a with block."""
    mark = variable.set(value)
    try:
        yield
    finally:
        variable.reset(mark)
