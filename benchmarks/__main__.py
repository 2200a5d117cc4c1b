"""Run the benchmarks and print a table in Markdown."""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import sys
from pathlib import Path

import numpy as np

import biggus
from benchmarks.datasets import STORES
from benchmarks.setup import SIZES, Setup

NAMES = (
    *("mosaic", "grid", "adapter", "imports", "tiles", "stores", "pieces", "scattered", "axes"),
    *(
        "compute",
        "memory",
        "partials",
        "overhead",
        "viewer",
        "pyramids",
        "web",
        "cache",
        "entries",
        "xarrays",
    ),
)


def main() -> None:
    """Run the named benchmarks, or all."""
    names, setup = parsed_arguments()
    rows = []
    for name in names:
        print(f"{name} ...", file=sys.stderr, flush=True)
        rows += importlib.import_module(f"benchmarks.{name}").run(setup)
    print(
        f"biggus {biggus.__version__}, Python {platform.python_version()}, "
        f"NumPy {np.__version__}, {os.cpu_count()} cores\n"
    )
    print("| work | biggus | compared with | ratio | must be | met |")
    print("|---|---|---|---|---|---|")
    for row in rows:
        most = "" if row.most is None else f"≤ {row.most:.3g}"
        print(
            f"| {row.work} | {row.measured} | {row.limit} | {row.ratio:.2g} | {most} | {row.met} |"
        )


def parsed_arguments() -> tuple[tuple[str, ...], Setup]:
    """Return the names of the benchmarks, and the setup, from the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}")
    parser.add_argument(
        "--size",
        choices=SIZES,
        default="small",
        help="size of the data of statistics: full is 2 GB, and 8 GB for `memory`; medium is a "
        "quarter of that; small, the default, is 50 MB",
    )
    parser.add_argument(
        "--data",
        type=Path,
        metavar="FOLDER",
        help="folder that keeps the data for further runs; by default they are temporary",
    )
    parser.add_argument(
        "--only",
        action="append",
        choices=STORES,
        help="store that `compute` and `memory` measure; may be repeated",
    )
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.names) - set(NAMES))
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(NAMES)}")
    setup = Setup(SIZES[arguments.size], arguments.data, tuple(arguments.only or ()))
    return tuple(arguments.names) or NAMES, setup


if __name__ == "__main__":
    main()
