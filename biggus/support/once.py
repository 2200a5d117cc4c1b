"""A cached property without a lock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar, overload

T = TypeVar("T")


class once(Generic[T]):  # noqa: N801 - used as a decorator, as property is
    """An attribute that is computed when it is first read, as by `functools.cached_property`.

    In Python 3.11 `functools.cached_property` takes one lock for all instances of a class:
    threads wait for one another, and a child that is forked meanwhile waits for ever.  This
    one has no lock; threads that read it at the same time may each compute it.

    Examples
    --------
    >>> class Circle:
    ...     @once
    ...     def area(self):
    ...         print("computing")
    ...         return 3
    >>> circle = Circle()
    >>> circle.area + circle.area
    computing
    6
    """

    def __init__(self, function: Callable[[Any], T]) -> None:
        self._function = function
        self._name = function.__name__
        self.__doc__ = function.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object | None, owner: type) -> Self | T:
        """Return the value; on the class, the descriptor itself."""
        if instance is None:
            return self
        value = instance.__dict__[self._name] = self._function(instance)
        return value
