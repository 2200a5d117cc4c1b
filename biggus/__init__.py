"""Arrays bigger than your machine, over stores that already exist.

Wrap anything that has ``shape``, ``dtype`` and ``__getitem__``, join pieces
into one array, slice it as NumPy does: nothing is read until ``.ndarray()``,
and then the chunks that are needed and no others.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from biggus import errors, options
from biggus.array import Array
from biggus.construct import (
    ArrayAdapter,
    ArrayStack,
    ConstantArray,
    GridMosaic,
    LinearMosaic,
    broadcast_to,
    full,
    ones,
    transpose,
    zeros,
)
from biggus.errors import BiggusError, SourceError
from biggus.forks import between_forks
from biggus.functions import (
    all,
    any,
    argmax,
    argmin,
    clip,
    concatenate,
    count,
    count_nonzero,
    histogram,
    isfinite,
    isinf,
    isnan,
    max,
    mean,
    median,
    min,
    nanargmax,
    nanargmin,
    nanmax,
    nanmean,
    nanmedian,
    nanmin,
    nanpercentile,
    nanprod,
    nanquantile,
    nanstd,
    nansum,
    nanvar,
    percentile,
    prod,
    ptp,
    quantile,
    round,
    stack,
    std,
    sum,
    var,
    where,
)
from biggus.options import offline, set_options
from biggus.together import masked_arrays, ndarrays, plan

if TYPE_CHECKING:
    from biggus.api import open
    from biggus.cache import Cache
    from biggus.many import open_many
    from biggus.prefetching import prefetch
    from biggus.pyramids import Pyramid, TilePyramid, open_pyramid, overviews
    from biggus.sinks import save
    from biggus.study import receipt, record, replay
    from biggus.viewer import hist, imshow, plot
    from biggus.viewer.maps import quicklook

__version__ = "1.0.0a1"

__all__ = [
    "Array",
    "ArrayAdapter",
    "ArrayStack",
    "BiggusError",
    "Cache",
    "ConstantArray",
    "GridMosaic",
    "LinearMosaic",
    "Pyramid",
    "SourceError",
    "TilePyramid",
    "all",
    "any",
    "argmax",
    "argmin",
    "broadcast_to",
    "clip",
    "concatenate",
    "count",
    "count_nonzero",
    "errors",
    "full",
    "hist",
    "histogram",
    "imshow",
    "isfinite",
    "isinf",
    "isnan",
    "masked_arrays",
    "max",
    "mean",
    "median",
    "min",
    "nanargmax",
    "nanargmin",
    "nanmax",
    "nanmean",
    "nanmedian",
    "nanmin",
    "nanpercentile",
    "nanprod",
    "nanquantile",
    "nanstd",
    "nansum",
    "nanvar",
    "ndarrays",
    "offline",
    "ones",
    "open",
    "open_many",
    "open_pyramid",
    "options",
    "overviews",
    "percentile",
    "plan",
    "plot",
    "prefetch",
    "prod",
    "ptp",
    "quantile",
    "quicklook",
    "receipt",
    "record",
    "replay",
    "round",
    "save",
    "set_options",
    "stack",
    "std",
    "sum",
    "transpose",
    "var",
    "where",
    "zeros",
]

# What reaches for files and caches is loaded when it is first used.
_later = {
    "Cache": "biggus.cache",
    "Pyramid": "biggus.pyramids",
    "TilePyramid": "biggus.pyramids",
    "hist": "biggus.viewer",
    "imshow": "biggus.viewer",
    "open": "biggus.api",
    "open_many": "biggus.many",
    "open_pyramid": "biggus.pyramids",
    "overviews": "biggus.pyramids",
    "plot": "biggus.viewer",
    "prefetch": "biggus.prefetching",
    "quicklook": "biggus.viewer.maps",
    "receipt": "biggus.study",
    "record": "biggus.study",
    "replay": "biggus.study",
    "save": "biggus.sinks",
}


def __getattr__(name: str) -> Any:
    if name in _later:
        with between_forks():
            value = getattr(import_module(_later[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'biggus' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])


if os.environ.get("BIGGUS_RECORD") or os.environ.get("BIGGUS_REPLAY"):
    from biggus.study.environment import take_part

    take_part()
