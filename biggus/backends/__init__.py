"""Backends: one package for each format, found through entry points and loaded on first use.

A backend opens locations as sources, and adopts the objects of its library.  The five built-in
backends are found like those of other packages, by the entry point group ``biggus.backends``.
"""

from biggus.backends.base import Backend
from biggus.backends.location import Location
from biggus.backends.registry import adopt, backend_for, backend_named, backend_names

__all__ = ["Backend", "Location", "adopt", "backend_for", "backend_named", "backend_names"]
