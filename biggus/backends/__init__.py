"""Backends: one package a format, found through entry points, loaded on first use.

A backend turns a location into sources and adopts the objects of the library
that it stands on.  The five built-in ones are found in the same way as
anybody else's: by the entry point group ``biggus.backends``.
"""

from biggus.backends.base import Backend
from biggus.backends.location import Location
from biggus.backends.registry import adopt, backend_for, backend_named, backend_names

__all__ = ["Backend", "Location", "adopt", "backend_for", "backend_named", "backend_names"]
