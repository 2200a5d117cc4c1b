"""Who asks: libraries that look at an array to see of what kind it is, and take it for another."""

from __future__ import annotations

import sys


def asked_by(module: str) -> bool:
    """Tell whether code of a module, or of one in it, asks for an attribute of an array.

    To be called by what computes the attribute.
    """
    frame = sys._getframe(2)  # noqa: SLF001 - there is no other way to see who asks
    name = frame.f_globals.get("__name__")
    return type(name) is str and name.startswith(module) and name[len(module) :][:1] in ("", ".")
