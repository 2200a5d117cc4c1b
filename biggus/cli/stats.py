"""``biggus stats``: statistics of a variable, in one pass over the data."""

from __future__ import annotations

import json
import math
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import biggus
from biggus.cli.facts import dtype_text, shape_text
from biggus.cli.joining import LOCATIONS, add_locations, open_joined
from biggus.cli.opening import settings
from biggus.cli.resources import add_resources, resources
from biggus.cli.saving import add_overwrite, save_to
from biggus.cli.statistics import add_statistics, axes_of, wanted_statistics
from biggus.cli.tables import table
from biggus.cli.usage import UsageError
from biggus.functions import statistics as functions
from biggus.options import format_bytes

if TYPE_CHECKING:
    import argparse

    from biggus.datasets.facts import Opened

EXAMPLES = """\
Masked values and NaN are left out of the statistics, and counted. Quote patterns: the files
that a pattern matches are joined in sorted order.

  biggus stats ocean.nc tos
  biggus stats "era5_*.nc" t2m --memory "500 MB"
  biggus stats ocean.nc tos --axis time --statistics mean,std -o climate.nc
"""

DESCRIPTION = "Compute statistics of a variable of any size in one pass. Several files are joined."

USAGE = f"biggus stats [OPTIONS] {LOCATIONS}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    add_locations(parser)
    add_statistics(parser)
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="write the results to a new .nc, .zarr, .h5 or .npy",
    )
    add_overwrite(parser, "FILE")
    add_resources(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> None:
    """Print statistics of the array that the arguments name."""
    started = time.perf_counter()
    with settings(arguments), resources(arguments), warnings.catch_warnings():
        # The mean of no values, or of NaN alone, is NaN, and is printed.
        warnings.simplefilter("ignore", RuntimeWarning)
        joined = open_joined(arguments)
        wanted = wanted_statistics(arguments, joined.opened)
        axis = axes_of(arguments, joined.opened)
        computed = _computed(arguments, joined.opened, wanted)
    report = joined.facts | {"axis": axis, "statistics": computed}
    report["seconds"] = time.perf_counter() - started
    if arguments.json:
        print(json.dumps(report, indent=2, allow_nan=False))
        return
    print(joined.label)
    _print(report)
    if arguments.output:
        print(f"  written to {arguments.output}")


def _computed(
    arguments: argparse.Namespace, opened: Opened, wanted: dict[str, biggus.Array]
) -> dict[str, Any]:
    """Compute the statistics; return numbers, or summaries of arrays, by name."""
    if arguments.output is not None:
        return _summaries(_saved(arguments, wanted))
    values = dict(zip(wanted, biggus.masked_arrays(list(wanted.values())), strict=True))
    shape, axes = opened.array.shape, axes_of(arguments, opened)
    length = math.prod(shape if axes is None else [shape[axis] for axis in axes])
    present, nan = values.pop("count"), values.pop("nan", 0)
    counts = {"count": present - nan, "masked": length - present, "nan": nan + 0 * present}
    if axes is None:
        return {name: plain_number(value) for name, value in (counts | values).items()}
    return _summaries({n: biggus.ArrayAdapter(v) for n, v in (counts | values).items()})


def _saved(
    arguments: argparse.Namespace, wanted: dict[str, biggus.Array]
) -> dict[str, biggus.Array]:
    """Save statistics to a file, and return them as lazy arrays of the file."""
    path, results = arguments.output.absolute(), dict(wanted)
    nan = results.pop("nan", 0)
    results["count"] -= nan
    if path.suffix.lower() == ".npy":
        del results["count"]
        if arguments.statistics is None or len(results) != 1:
            raise UsageError("a .npy file holds one array: choose it, as in --statistics mean")
        save_to(list(results.values()), [str(path)], arguments.overwrite)
        return {name: biggus.ArrayAdapter(np.load(path, mmap_mode="r")) for name in results}
    save_to(list(results.values()), [f"{path}::{name}" for name in results], arguments.overwrite)
    return {name: biggus.open(path, name, cache=False) for name in results}


def _summaries(results: dict[str, biggus.Array]) -> dict[str, Any]:
    """Return shape, dtype, least, mean and greatest value of each statistic."""
    lazy: list[biggus.Array] = []
    for array in results.values():
        if array.size:
            lazy += [functions.nanmin(array), functions.nanmean(array), functions.nanmax(array)]
    numbers = iter(map(plain_number, biggus.masked_arrays(lazy)))
    summaries = {}
    for name, array in results.items():
        of_values = [next(numbers) if array.size else None for _ in range(3)]
        summary = dict(zip(("min", "mean", "max"), of_values, strict=True))
        summaries[name] = {"shape": list(array.shape), "dtype": str(array.dtype), **summary}
    return summaries


def plain_number(value: Any) -> Any:
    """Return a number as a value for JSON; NaN, NaT and masked values are None.

    Infinities and dates become texts, and complex numbers pairs.

    Examples
    --------
    >>> import numpy as np
    >>> [plain_number(x) for x in (np.float64("nan"), np.int8(3), np.inf, 2j)]
    [None, 3, 'inf', [0.0, 2.0]]
    """
    value = np.ma.asanyarray(value)
    if np.ma.getmaskarray(value).any() or (value.dtype.kind in "fcmM" and np.isnan(value.data)):
        return None
    if value.dtype.kind in "mM":
        return str(value.data)
    number = value.data.item()
    if isinstance(number, complex):
        return [plain_number(number.real), plain_number(number.imag)]
    return str(number) if isinstance(number, float) and math.isinf(number) else number


def _print(report: dict[str, Any]) -> None:
    rows = [("shape", shape_text(report)), ("dtype", dtype_text(report))]
    rows += [(name, _text(value)) for name, value in report["statistics"].items()]
    rows += [("size", format_bytes(report["nbytes"])), ("time", f"{report['seconds']:.3g} s")]
    print(table(rows, indent="  "))


def _text(value: Any) -> str:
    if isinstance(value, dict):
        shape = " x ".join(map(str, value["shape"])) or "one value"
        low, mean, high = (_text(value[word]) for word in ("min", "mean", "max"))
        return f"{shape}, from {low} to {high}, on average {mean}"
    if isinstance(value, list):
        return f"{_text(value[0])} + {_text(value[1])}j"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return "none" if value is None else str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:.10g}"
