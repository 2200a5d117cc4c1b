"""Handlers: the functions that NumPy's functions and ufunc methods dispatch to."""

from __future__ import annotations

import threading
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from biggus.support.forks import between_forks

if TYPE_CHECKING:
    from collections.abc import Callable

    Handler = Callable[..., Any]

    Function = TypeVar("Function", bound=Handler)

_handlers: dict[Any, Handler] = {}
"""Handlers of NumPy's functions, and of methods of ufuncs by name."""

further_modules = ["biggus.functions"]
"""Modules with more handlers, which import this package; imported when a handler is missing."""

_loading = threading.Lock()


def implements(*names: Any) -> Callable[[Function], Function]:
    """Register the decorated function as a handler.

    Parameters
    ----------
    *names : callable or str
        Functions of NumPy's; the handler takes the same arguments.  Or the name of a method of
        ufuncs, such as "reduce"; the handler takes the ufunc, and the arguments of the method.
    """

    def register(function: Function) -> Function:
        _handlers.update(dict.fromkeys(names, function))
        return function

    return register


def handler(name: Any) -> Handler | None:
    """Return the handler of a function, or of a method of ufuncs; None if there is none."""
    while name not in _handlers and further_modules:
        with between_forks(), _loading:
            if further_modules:
                # It is removed after the import: other threads may wait for its handlers.
                import_module(further_modules[0])
                del further_modules[0]
    return _handlers.get(name)
