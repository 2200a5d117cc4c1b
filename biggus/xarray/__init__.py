"""biggus in xarray: an engine that opens datasets of lazy arrays, without dask.

Importing this module adds the accessor ``biggus`` to datasets and data arrays.
"""

from biggus.support.extras import needing

with needing("xarray", "xarray", "biggus.xarray"):
    import xarray as _xarray  # noqa: F401 - the modules below need it

import biggus.xarray.extending  # noqa: F401 - it extends functions of xarray
from biggus.xarray.accessor import Accessor
from biggus.xarray.engine import Engine
from biggus.xarray.opening import open

__all__ = ["Accessor", "Engine", "open"]
