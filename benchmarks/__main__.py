"""Run the benchmarks and print a table in Markdown."""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import sys

import numpy as np

import biggus

NAMES = ("mosaic", "grid", "adapter", "imports", "tiles", "stores")


def main() -> None:
    """Run those that are named, or all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}")
    names = parser.parse_args().names or NAMES
    unknown = sorted(set(names) - set(NAMES))
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(NAMES)}")
    rows = []
    for name in names:
        print(f"{name} ...", file=sys.stderr, flush=True)
        rows += importlib.import_module(f"benchmarks.{name}").run()
    print(
        f"biggus {biggus.__version__}, Python {platform.python_version()}, "
        f"NumPy {np.__version__}, {os.cpu_count()} cores\n"
    )
    print("| work | biggus | compared with | ratio | must be | met |")
    print("|---|---|---|---|---|---|")
    for row in rows:
        most = "" if row.most is None else f"≤ {row.most:g}"
        print(
            f"| {row.work} | {row.measured} | {row.limit} | {row.ratio:.2g} | {most} | {row.met} |"
        )


main()
