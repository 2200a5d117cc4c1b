"""The time of `import biggus` and of its first array, compared with `import numpy`."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING

from benchmarks.timing import Row, quickest, show

if TYPE_CHECKING:
    from benchmarks.setup import Setup


def run(_: Setup) -> list[Row]:
    """Compare interpreters that import one module; byte code is compiled beforehand."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": folder}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)

        def importing(module: str) -> None:
            subprocess.run([sys.executable, "-c", f"import {module}"], env=environment, check=True)

        works = {
            "numpy": lambda: importing("numpy"),
            "biggus": lambda: importing("biggus"),
            "array": lambda: importing("biggus; biggus.ArrayAdapter"),
        }
        if importlib.util.find_spec("dask"):
            works["dask.array"] = lambda: importing("dask.array")
        times = quickest(works, rounds=15)
    base = times["numpy"]
    rows = [
        Row(
            "`import biggus`",
            show(times["biggus"]),
            f"`import numpy`, {show(base)}",
            times["biggus"] / base,
            1.1,
        ),
        Row(
            "the same, and `biggus.ArrayAdapter`, which loads NumPy",
            show(times["array"]),
            f"`import numpy`, {show(base)}",
            times["array"] / base,
            1.6,
        ),
    ]
    if "dask.array" in times:
        rows.append(
            Row(
                "the same",
                show(times["array"]),
                f"`import dask.array`, {show(times['dask.array'])}",
                times["array"] / times["dask.array"],
                None,
            )
        )
    return rows
