"""Arrays bigger than your machine, over stores that already exist.

Wrap anything that has ``shape``, ``dtype`` and ``__getitem__``, join pieces
into one array, slice it as NumPy does: nothing is read until ``.ndarray()``,
and then the chunks that are needed and no others.
"""

# ruff: noqa: I001 - names that are exported alike are imported alike

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from biggus.support.forks import between_forks
from biggus.support.lazy_imports import later

if TYPE_CHECKING:
    from biggus import array_api as array_api, errors as errors, options as options
    from biggus.api import open as open
    from biggus.array import Array as Array
    from biggus.cache import Cache as Cache
    from biggus.construct import ArrayAdapter as ArrayAdapter, ArrayStack as ArrayStack
    from biggus.construct import ConstantArray as ConstantArray, GridMosaic as GridMosaic
    from biggus.construct import LinearMosaic as LinearMosaic, broadcast_to as broadcast_to
    from biggus.construct import full as full, ones as ones, transpose as transpose, zeros as zeros
    from biggus.datasets import Dataset as Dataset, info as info, open_dataset as open_dataset
    from biggus.datasets import variables as variables
    from biggus.errors import BiggusError as BiggusError, SourceError as SourceError
    from biggus.functions.blocks import map_blocks as map_blocks, map_overlap as map_overlap
    from biggus.functions.coarsening import coarsen as coarsen
    from biggus.functions.elementwise import clip as clip, isfinite as isfinite, isinf as isinf
    from biggus.functions.elementwise import isnan as isnan, round as round, where as where
    from biggus.functions.groups import groupby_reduce as groupby_reduce
    from biggus.functions.joining import concatenate as concatenate, stack as stack
    from biggus.functions.largest import topk as topk
    from biggus.functions.reshaping import ravel as ravel, reshape as reshape
    from biggus.functions.statistics import all as all, any as any, argmax as argmax
    from biggus.functions.statistics import argmin as argmin, count as count
    from biggus.functions.statistics import count_nonzero as count_nonzero, histogram as histogram
    from biggus.functions.statistics import max as max, mean as mean, median as median, min as min
    from biggus.functions.statistics import nanargmax as nanargmax, nanargmin as nanargmin
    from biggus.functions.statistics import nanmax as nanmax, nanmean as nanmean
    from biggus.functions.statistics import nanmedian as nanmedian, nanmin as nanmin
    from biggus.functions.statistics import nanpercentile as nanpercentile, nanprod as nanprod
    from biggus.functions.statistics import nanquantile as nanquantile, nanstd as nanstd
    from biggus.functions.statistics import nansum as nansum, nanvar as nanvar
    from biggus.functions.statistics import percentile as percentile, prod as prod, ptp as ptp
    from biggus.functions.statistics import quantile as quantile, std as std, sum as sum, var as var
    from biggus.many import open_many as open_many
    from biggus.options import offline as offline, set_options as set_options
    from biggus.pinning import pin as pin, unpin as unpin
    from biggus.prefetching import prefetch as prefetch
    from biggus.pyramids import Pyramid as Pyramid, TilePyramid as TilePyramid
    from biggus.pyramids import open_pyramid as open_pyramid, overviews as overviews
    from biggus.sinks import plan_save as plan_save, save as save
    from biggus.sources.chunk_memory import chunk_memory_stats as chunk_memory_stats
    from biggus.study import receipt as receipt, record as record, replay as replay
    from biggus.together import masked_arrays as masked_arrays, ndarrays as ndarrays, plan as plan
    from biggus.viewer import hist as hist, imshow as imshow, plot as plot
    from biggus.viewer.maps import quicklook as quicklook

__version__ = "1.0.0a1"

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
        "biggus.functions.largest": ("topk",),
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

__all__ = sorted(_later)  # noqa: PLE0605 - of strings

_INSTEAD = {
    "testing": "import biggus.testing first",
    "xarray": "import biggus.xarray first",
    **dict.fromkeys(("asarray", "from_array"), "biggus.ArrayAdapter makes lazy arrays"),
    **dict.fromkeys(
        ("open_mfdataset", "open_zarr"), "biggus.open and biggus.open_many open arrays"
    ),
    "compute": "biggus.ndarrays computes several arrays",
    "concat": "biggus.concatenate joins arrays",
}
"""Names that users of dask and xarray look for, or that are modules, and their alternatives."""

_find = later(__name__, _later)
_ALONE = ("biggus.errors", "biggus.options")  # what the core itself stands on


def __getattr__(name: str) -> Any:
    if name in _INSTEAD:
        raise AttributeError(f"module 'biggus' has no attribute {name!r}: {_INSTEAD[name]}")
    if _later.get(name, _ALONE[0]) not in _ALONE:
        with between_forks():
            import_module("biggus.core")
    return _find(name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])


if os.environ.get("BIGGUS_RECORD") or os.environ.get("BIGGUS_REPLAY"):
    from biggus.study.environment import take_part

    take_part()
