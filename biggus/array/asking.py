"""Who asks: libraries that look at an array to see of what kind it is, and take it for another."""

from __future__ import annotations

import sys


def asked_by(module: str) -> bool:
    """Tell whether code of a module, or of one in it, asks for an attribute of an array.

    To be called by what computes the attribute.
    """
    # The library's own frame, as any other that wraps it would be none of its modules.
    frame = sys._getframe(2)  # noqa: SLF001 - there is no other way to see who asks
    name = str(frame.f_globals.get("__name__"))
    return name == module or name.startswith(f"{module}.")
