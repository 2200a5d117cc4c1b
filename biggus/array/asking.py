"""Who asks: libraries that look at an array to see of what kind it is, and take it for another."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType


def asked_by(module: str, through: str | None = None) -> bool:
    """Tell whether code of a module, or of one in it, asks for an attribute of an array.

    To be called by what computes the attribute.

    Parameters
    ----------
    module : str
    through : str, optional
        The module of the function that it calls to ask.
    """
    frame = sys._getframe(2)  # noqa: SLF001 - there is no other way to see who asks
    if through is None:
        return _is_of(frame, module)
    return _is_of(frame, through) and frame.f_back is not None and _is_of(frame.f_back, module)


def _is_of(frame: FrameType, module: str) -> bool:
    name = frame.f_globals.get("__name__")
    return type(name) is str and name.startswith(module) and name[len(module) :][:1] in ("", ".")
