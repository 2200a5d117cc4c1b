"""Handlers: the functions that NumPy's functions and ufunc methods dispatch to."""

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
"""Handlers of NumPy's functions."""

methods: dict[str, Handler] = {}
"""Handlers of methods of ufuncs, by name."""

_loaders: list[Callable[[], object]] = [partial(import_module, "biggus.functions")]
"""Functions that import further handlers.  `biggus.functions` imports this package: so by name."""

_loading = threading.Lock()


def implements(*names: Any) -> Callable[[Function], Function]:
    """Register the decorated function as the handler of some of NumPy's functions.

    Parameters
    ----------
    *names : callable
        The functions of NumPy's.  The handler takes the same arguments.
    """

    def register(function: Function) -> Function:
        functions.update(dict.fromkeys(names, function))
        return function

    return register


def implements_method(name: str) -> Callable[[Function], Function]:
    """Register the decorated function as the handler of a method of ufuncs, such as "reduce".

    The handler takes the ufunc, and the arguments of the method.
    """

    def register(function: Function) -> Function:
        methods[name] = function
        return function

    return register


def add_loader(load: Callable[[], object]) -> None:
    """Add a function that imports more handlers; it is called once, when one is missing."""
    _loaders.append(load)


def handler(of: Mapping[Any, Handler], name: Any) -> Handler | None:
    """Return the handler of a function or of a method, from `functions` or `methods`."""
    while name not in of and _loaders:
        with between_forks(), _loading:
            if _loaders:
                # It is removed after the import: other threads may wait for its handlers.
                _loaders[0]()
                del _loaders[0]
    return of.get(name)
