"""Arrays bigger than your machine, over stores that already exist.

Wrap anything that has ``shape``, ``dtype`` and ``__getitem__``, join pieces
into one array, slice it as NumPy does: nothing is read until ``.ndarray()``,
and then the chunks that are needed and no others.
"""

import os
from typing import TYPE_CHECKING

from biggus import array_api, errors, options
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
from biggus.functions.elementwise import clip, isfinite, isinf, isnan, round, where
from biggus.functions.joining import concatenate, stack
from biggus.functions.reshaping import ravel, reshape
from biggus.functions.statistics import (
    all,
    any,
    argmax,
    argmin,
    count,
    count_nonzero,
    histogram,
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
    std,
    sum,
    var,
)
from biggus.later import later
from biggus.options import offline, set_options
from biggus.sources.chunk_memory import chunk_memory_stats
from biggus.together import masked_arrays, ndarrays, plan

if TYPE_CHECKING:
    from biggus.api import open
    from biggus.cache import Cache
    from biggus.datasets import Dataset, info, open_dataset, variables
    from biggus.functions.blocks import map_blocks, map_overlap
    from biggus.many import open_many
    from biggus.prefetching import prefetch
    from biggus.pyramids import Pyramid, TilePyramid, open_pyramid, overviews
    from biggus.sinks import plan_save, save
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
    "Dataset",
    "GridMosaic",
    "LinearMosaic",
    "Pyramid",
    "SourceError",
    "TilePyramid",
    "all",
    "any",
    "argmax",
    "argmin",
    "array_api",
    "broadcast_to",
    "chunk_memory_stats",
    "clip",
    "concatenate",
    "count",
    "count_nonzero",
    "errors",
    "full",
    "hist",
    "histogram",
    "imshow",
    "info",
    "isfinite",
    "isinf",
    "isnan",
    "map_blocks",
    "map_overlap",
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
    "open_dataset",
    "open_many",
    "open_pyramid",
    "options",
    "overviews",
    "percentile",
    "plan",
    "plan_save",
    "plot",
    "prefetch",
    "prod",
    "ptp",
    "quantile",
    "quicklook",
    "ravel",
    "receipt",
    "record",
    "replay",
    "reshape",
    "round",
    "save",
    "set_options",
    "stack",
    "std",
    "sum",
    "transpose",
    "var",
    "variables",
    "where",
    "zeros",
]

# What reaches for files and caches is loaded when it is first used.
_later = {
    "Cache": "biggus.cache",
    "Dataset": "biggus.datasets",
    "Pyramid": "biggus.pyramids",
    "TilePyramid": "biggus.pyramids",
    "hist": "biggus.viewer",
    "imshow": "biggus.viewer",
    "info": "biggus.datasets",
    "map_blocks": "biggus.functions.blocks",
    "map_overlap": "biggus.functions.blocks",
    "open": "biggus.api",
    "open_dataset": "biggus.datasets",
    "open_many": "biggus.many",
    "open_pyramid": "biggus.pyramids",
    "overviews": "biggus.pyramids",
    "plan_save": "biggus.sinks",
    "plot": "biggus.viewer",
    "prefetch": "biggus.prefetching",
    "quicklook": "biggus.viewer.maps",
    "receipt": "biggus.study",
    "record": "biggus.study",
    "replay": "biggus.study",
    "save": "biggus.sinks",
    "variables": "biggus.datasets",
}


__getattr__ = later(__name__, _later)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])


if os.environ.get("BIGGUS_RECORD") or os.environ.get("BIGGUS_REPLAY"):
    from biggus.study.environment import take_part

    take_part()
