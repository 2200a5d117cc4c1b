"""Finding out which library accesses an attribute of an array.

Libraries test for attributes to see what kind of array they have, and may draw wrong conclusions.
"""

from __future__ import annotations

import sys
from types import FrameType


def asked_by(module: str, through: str | None = None) -> bool:
    """Tell whether code of a module, or of a submodule, accesses an attribute of an array.

    It is called by the method that computes the attribute.

    Parameters
    ----------
    module : str
        The name of the module.
    through : str, optional
        The name of the module whose function `module` calls to access the attribute.
    """
    if module not in sys.modules:
        return False
    frame = sys._getframe(2)  # noqa: SLF001 - the only way to find the caller
    if through is None:
        return _is_of(frame, module)
    return _is_of(frame, through) and frame.f_back is not None and _is_of(frame.f_back, module)


def _is_of(frame: FrameType, module: str) -> bool:
    name = frame.f_globals.get("__name__")
    return type(name) is str and name.startswith(module) and name[len(module) :][:1] in ("", ".")
