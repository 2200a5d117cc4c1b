"""Lazy imports: a module is imported when one of its names is first used."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from biggus.support.forks import between_forks


def later(package: str, modules: Mapping[str, str]) -> Callable[[str], Any]:
    """Return a ``__getattr__`` for a package that imports its names lazily.

    Parameters
    ----------
    package : str
        The name of the package.
    modules : mapping of str to str
        For each name the module that defines it, or the module of that name itself; with a
        leading dot relative to the package.
    """

    def find(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        with between_forks():
            module = import_module(modules[name], package)
        value = module if module.__name__ == f"{package}.{name}" else getattr(module, name)
        setattr(sys.modules[package], name, value)
        return value

    return find
