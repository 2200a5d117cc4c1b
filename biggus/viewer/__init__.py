"""Pictures of arrays of any size: only what is on the screen is read.

What draws in a figure is imported when it is first used: `maps` alone needs no window.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from biggus.forks import between_forks

if TYPE_CHECKING:
    from biggus.viewer.plotting import hist, imshow, plot

__all__ = ["hist", "imshow", "plot"]

_MODULES = {"hist": "plotting", "imshow": "plotting", "plot": "plotting"}
"""Where each name is defined."""


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with between_forks():
        found = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = found
    return found
