"""Arrays bigger than your machine, over stores that already exist.

Wrap anything that has ``shape``, ``dtype`` and ``__getitem__``, join pieces
into one array, slice it as NumPy does: nothing is read until ``.ndarray()``,
and then the chunks that are needed and no others.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from biggus.support.forks import between_forks
from biggus.support.later import later

if TYPE_CHECKING:
    from biggus import array_api, errors, options
    from biggus.api import open
    from biggus.array import Array
    from biggus.cache import Cache
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
    from biggus.datasets import Dataset, info, open_dataset, variables
    from biggus.errors import BiggusError, SourceError
    from biggus.functions.blocks import map_blocks, map_overlap
    from biggus.functions.coarsening import coarsen
    from biggus.functions.elementwise import clip, isfinite, isinf, isnan, round, where
    from biggus.functions.groups import groupby_reduce
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
    from biggus.many import open_many
    from biggus.options import offline, set_options
    from biggus.pinning import pin, unpin
    from biggus.prefetching import prefetch
    from biggus.pyramids import Pyramid, TilePyramid, open_pyramid, overviews
    from biggus.sinks import plan_save, save
    from biggus.sources.chunk_memory import chunk_memory_stats
    from biggus.study import receipt, record, replay
    from biggus.together import masked_arrays, ndarrays, plan
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
    "coarsen",
    "concatenate",
    "count",
    "count_nonzero",
    "errors",
    "full",
    "groupby_reduce",
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
    "pin",
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
    "unpin",
    "var",
    "variables",
    "where",
    "zeros",
]

# Nothing is loaded before it is used: `import biggus` takes no longer than `import numpy`.
_later = {
    name: module
    for module, names in {
        "biggus.api": ("open",),
        "biggus.array": ("Array",),
        "biggus.array_api": ("array_api",),
        "biggus.cache": ("Cache",),
        "biggus.construct": (
            *("ArrayAdapter", "ArrayStack", "ConstantArray", "GridMosaic", "LinearMosaic"),
            *("broadcast_to", "full", "ones", "transpose", "zeros"),
        ),
        "biggus.datasets": ("Dataset", "info", "open_dataset", "variables"),
        "biggus.errors": ("BiggusError", "SourceError", "errors"),
        "biggus.functions.blocks": ("map_blocks", "map_overlap"),
        "biggus.functions.coarsening": ("coarsen",),
        "biggus.functions.elementwise": ("clip", "isfinite", "isinf", "isnan", "round", "where"),
        "biggus.functions.groups": ("groupby_reduce",),
        "biggus.functions.joining": ("concatenate", "stack"),
        "biggus.functions.reshaping": ("ravel", "reshape"),
        "biggus.functions.statistics": (
            *("all", "any", "argmax", "argmin", "count", "count_nonzero", "histogram", "max"),
            *("mean", "median", "min", "nanargmax", "nanargmin", "nanmax", "nanmean"),
            *("nanmedian", "nanmin", "nanpercentile", "nanprod", "nanquantile", "nanstd"),
            *("nansum", "nanvar", "percentile", "prod", "ptp", "quantile", "std", "sum", "var"),
        ),
        "biggus.many": ("open_many",),
        "biggus.options": ("offline", "options", "set_options"),
        "biggus.pinning": ("pin", "unpin"),
        "biggus.prefetching": ("prefetch",),
        "biggus.pyramids": ("Pyramid", "TilePyramid", "open_pyramid", "overviews"),
        "biggus.sinks": ("plan_save", "save"),
        "biggus.sources.chunk_memory": ("chunk_memory_stats",),
        "biggus.study": ("receipt", "record", "replay"),
        "biggus.together": ("masked_arrays", "ndarrays", "plan"),
        "biggus.viewer": ("hist", "imshow", "plot"),
        "biggus.viewer.maps": ("quicklook",),
    }.items()
    for name in names
}


_find = later(__name__, _later)
_ALONE = ("biggus.errors", "biggus.options")  # what the core itself stands on


def __getattr__(name: str) -> Any:
    if _later.get(name, _ALONE[0]) not in _ALONE:
        with between_forks():
            import_module("biggus.core")
    return _find(name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])


if os.environ.get("BIGGUS_RECORD") or os.environ.get("BIGGUS_REPLAY"):
    from biggus.study.environment import take_part

    take_part()
