"""Pictures of arrays of any size: only what is on the screen is read.

What draws in a figure is imported when it is first used: `maps` alone needs no window.
"""

from typing import TYPE_CHECKING

from biggus.support.later import later

if TYPE_CHECKING:
    from biggus.viewer.plotting import hist, imshow, plot

__all__ = ["hist", "imshow", "plot"]

__getattr__ = later(__name__, dict.fromkeys(("hist", "imshow", "plot"), ".plotting"))
