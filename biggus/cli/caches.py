"""``biggus cache``: the contents of the cache on disk."""

from __future__ import annotations

import argparse
import contextlib
import math
from pathlib import Path
from typing import Any

import numpy as np

import biggus
from biggus.cli.tables import table
from biggus.cli.usage import common_options
from biggus.errors import CacheError
from biggus.options import format_bytes

DESCRIPTION = "Show what the cache on disk holds, or clear it."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    for name, run, text in (
        ("info", _info, "show where the cache is and how full"),
        ("list", _list, "list the variables that it can open offline"),
        ("clear", _clear, "remove everything from the cache"),
    ):
        action = actions.add_parser(name, parents=[common_options()], help=text, description=text)
        action.add_argument(
            "--path",
            metavar="FOLDER",
            help="the cache (default: BIGGUS_CACHE_DIR, or the user's cache folder)",
        )
        action.set_defaults(run=run)


def _cache(arguments: argparse.Namespace) -> biggus.Cache:
    if arguments.path is not None and not (Path(arguments.path) / "entries").is_dir():
        raise CacheError(f"there is no cache at {arguments.path}")
    return biggus.Cache(arguments.path)


def _info(arguments: argparse.Namespace) -> None:
    with _cache(arguments) as cache:
        stats = cache.stats()
        remembered = len(_described(cache))
    print(stats.path)
    limit = format_bytes(stats.size_limit)
    share = f"{100 * stats.bytes / stats.size_limit:.3g} %"
    rows = [
        ("chunks", f"{stats.entries:,}"),
        (
            "size",
            f"{format_bytes(stats.bytes)} of {limit} ({share})",
        ),
        ("pinned", format_bytes(stats.pinned)),
        ("variables", f"{remembered:,}"),
    ]
    print(table(rows, indent="  "))


def _list(arguments: argparse.Namespace) -> None:
    with _cache(arguments) as cache:
        described = _described(cache)
    rows = sorted({_row(description) for description in described})
    print(table(rows) if rows else "no variables")


def _described(cache: biggus.Cache) -> list[dict[str, Any]]:
    """Return the descriptions of variables in a cache, without other notes."""
    return [each for _, each in cache.descriptions() if "location" in each]


def _row(description: dict[str, Any]) -> tuple[str, ...]:
    shape = tuple(description.get("shape", ()))
    dtype = str(description.get("dtype", "?"))
    size = ""
    # Another version may have written a dtype that is unknown here.
    with contextlib.suppress(TypeError):
        known = np.dtype(dtype)
        dtype, size = str(known), format_bytes(math.prod(shape) * known.itemsize)
    return (
        str(description.get("location", "?")),
        str(description.get("variable", "")),
        " x ".join(map(str, shape)),
        dtype,
        size,
    )


def _clear(arguments: argparse.Namespace) -> None:
    with _cache(arguments) as cache:
        before = cache.stats()
        cache.clear()
    print(f"{cache.path}: {before.entries:,} chunks removed, {format_bytes(before.bytes)}")
