"""Pictures of arrays of any size, which read only the part on the screen.

`imshow`, `plot` and `hist` are imported on first use; `maps` does without them.
"""

from typing import TYPE_CHECKING

from biggus.support.lazy_imports import later

if TYPE_CHECKING:
    from biggus.viewer.plotting import hist, imshow, plot

__all__ = ["hist", "imshow", "plot"]

__getattr__ = later(__name__, dict.fromkeys(("hist", "imshow", "plot"), ".plotting"))
