"""``biggus info``: what is inside."""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from biggus.backends import Location
from biggus.cli.opening import Opened, add_opening, open_variable, settings, variables
from biggus.cli.tables import table
from biggus.errors import BiggusError, OpenError
from biggus.options import format_bytes
from biggus.sinks.metadata import plain_value

if TYPE_CHECKING:
    import argparse


def add_command(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add this command to the command line."""
    parser = commands.add_parser(
        "info",
        parents=[common],
        help="tell what is inside of a file, a store or a tile server",
        description="Tell what is inside of a file, a store or a tile server.",
    )
    add_opening(parser)
    parser.add_argument(
        "variable", nargs="?", metavar="VARIABLE", help="tell of this one, with its attributes"
    )
    parser.add_argument("--json", action="store_true", help="tell it in JSON")
    parser.set_defaults(run=run, last="variable")


def run(arguments: argparse.Namespace) -> None:
    """Print what is inside of a location."""
    with settings(arguments):
        if arguments.variable is not None:
            described = [_described(arguments, arguments.variable)]
        else:
            described = _each_described(arguments, variables(arguments))
    location = Location(arguments.location).public
    if arguments.json:
        print(json.dumps({"location": location, "variables": described}, indent=2))
    elif len(described) == 1:
        _print_one(location, described[0])
    else:
        _print_all(location, described)


def _each_described(arguments: argparse.Namespace, names: tuple[str, ...]) -> list[dict[str, Any]]:
    described: list[dict[str, Any]] = []
    for name in names:
        try:
            described.append(_described(arguments, name))
        except BiggusError as error:
            # One variable that biggus cannot read does not hide the others.
            if len(names) == 1:
                raise
            problem = error.problem if isinstance(error, OpenError) else str(error)
            described.append({"name": name, "problem": problem})
    return described


def _described(arguments: argparse.Namespace, name: str) -> dict[str, Any]:
    return {"name": name, **_facts(open_variable(arguments, name))}


def _facts(opened: Opened) -> dict[str, Any]:
    array, source = opened.array, opened.source
    facts: dict[str, Any] = {
        "shape": list(array.shape),
        "dims": None if source.dims is None else list(source.dims),
        "dtype": str(array.dtype),
        "nbytes": array.nbytes,
        "chunks": None if array.grid is None else [_lengths(c) for c in array.grid],
        "masked": array.masked,
        "attributes": {str(name): plain_value(value) for name, value in source.attributes.items()},
    }
    if array.masked:
        facts["fill_value"] = plain_value(np.asarray(array.fill_value)[()])
    if opened.decoded:
        facts["stored_dtype"] = str(source.dtype)
    return facts


def _lengths(chunks: int | tuple[int, ...]) -> int | list[int]:
    return chunks if isinstance(chunks, int) else list(chunks)


def _print_one(location: str, facts: dict[str, Any]) -> None:
    name = facts["name"]
    print(f"{location}  {name}".rstrip())
    rows = [
        ("shape", _shape(facts)),
        ("dtype", _dtype(facts)),
        ("size", format_bytes(facts["nbytes"])),
        ("chunks", _chunks(facts)),
    ]
    if "fill_value" in facts:
        rows.append(("fill value", str(facts["fill_value"])))
    print(table(rows, indent="  "))
    if facts["attributes"]:
        print("  attributes")
        rows = [
            (name, textwrap.shorten(str(value), 200, placeholder=" ..."))
            for name, value in facts["attributes"].items()
        ]
        print(table(rows, indent="    "))


def _print_all(location: str, described: list[dict[str, Any]]) -> None:
    count = len(described)
    print(f"{location}  {count} variables" if count else f"{location}  holds no variable")
    rows = [
        (f["name"], f["problem"])
        if "problem" in f
        else (f["name"], _shape(f), _dtype(f), format_bytes(f["nbytes"]), f"chunks {_chunks(f)}")
        for f in described
    ]
    print(table(rows, indent="  "))


def _shape(facts: dict[str, Any]) -> str:
    shape, dims = facts["shape"], facts["dims"]
    if not shape:
        return "one value"
    if dims is None:
        return " x ".join(map(str, shape))
    return ", ".join(f"{dim}: {n}" for dim, n in zip(dims, shape, strict=True))


def _dtype(facts: dict[str, Any]) -> str:
    masked = " masked" if facts["masked"] else ""
    stored = facts.get("stored_dtype", facts["dtype"])
    packed = f" (stored as {stored})" if stored != facts["dtype"] else ""
    return f"{facts['dtype']}{masked}{packed}"


def _chunks(facts: dict[str, Any]) -> str:
    if facts["chunks"] is None:
        return "none"
    if not facts["chunks"]:
        return "one"
    return " x ".join(
        str(c) if isinstance(c, int) else f"{len(c)} of {min(c)} to {max(c)}"
        for c in facts["chunks"]
    )
