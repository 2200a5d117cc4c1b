"""Handlers: what is called where one of NumPy's functions meets a lazy array."""

from __future__ import annotations

import threading
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from biggus.support.forks import between_forks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Handler = Callable[..., Any]

    Function = TypeVar("Function", bound=Handler)

functions: dict[Any, Handler] = {}
"""By the functions of NumPy's that they are for."""

methods: dict[str, Handler] = {}
"""For the methods of its ufuncs, by their names."""

# By its name, for it stands on arrays; which need it only now.
_offers: list[Callable[[], object]] = [partial(import_module, "biggus.functions")]
_taking = threading.Lock()


def implements(*names: Any) -> Callable[[Function], Function]:
    """Have a function called where one of NumPy's meets a lazy array.

    Parameters
    ----------
    *names : callable
        Functions of NumPy's, whose arguments it takes.
    """

    def register(function: Function) -> Function:
        functions.update(dict.fromkeys(names, function))
        return function

    return register


def implements_method(name: str) -> Callable[[Function], Function]:
    """Have a function called where a method of a ufunc meets a lazy array, such as "reduce".

    It is given the ufunc, and what the method was given.
    """

    def register(function: Function) -> Function:
        methods[name] = function
        return function

    return register


def offer(load: Callable[[], object]) -> None:
    """Have something called, once, when one of NumPy's functions is met that nothing is for.

    It imports what is for more of them.
    """
    _offers.append(load)


def handler(of: Mapping[Any, Handler], name: Any) -> Handler | None:
    """Return what is called, of `functions` or of `methods`; None if nothing is."""
    while name not in of and _offers:
        with between_forks(), _taking:
            if _offers:
                # It is taken only when it is there: others may wait for it.
                _offers[0]()
                del _offers[0]
    return of.get(name)
