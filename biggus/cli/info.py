"""``biggus info``: the variables of a location, or the details of one."""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING, Any

from biggus.cli.facts import (
    chunks_text,
    decoded_text,
    dtype_text,
    shape_text,
)
from biggus.cli.joining import LOCATIONS, add_locations, open_joined, selected
from biggus.cli.opening import open_variable, opened_once, settings, variables
from biggus.cli.tables import table
from biggus.datasets.facts import facts_of, outline_of
from biggus.errors import BiggusError, OpenError
from biggus.options import format_bytes

if TYPE_CHECKING:
    import argparse

    from biggus.backends import Location
    from biggus.cli.joining import Selected
    from biggus.datasets.facts import Opened

DESCRIPTION = (
    "List the variables of a file, a store or a tile server; or show one of them, with its "
    "attributes. Of several files, show a variable as it is when they are joined. No values are "
    "read."
)

EXAMPLES = """\
  biggus info ocean.nc
  biggus info ocean.nc tos
  biggus info store.zarr ocean/tos --json
  biggus info "era5_*.nc" t2m
"""

USAGE = f"biggus info [OPTIONS] {LOCATIONS}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    add_locations(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> None:
    """Print the variables of a location, or the details of one."""
    with settings(arguments):
        named = selected(arguments)
        with opened_once(arguments, named.where):
            listed = named.variable is None and named.key is ...
            described = _each_described(arguments, named.where) if listed else []
            if not listed or len(described) == 1 < len(named.named):
                one = open_joined(arguments, named)
                described = [_described(one.name, one.opened)]
    if arguments.json:
        several = {"locations": named.locations} if len(named.named) > 1 else {}
        report = {"location": named.where.public, **several, "variables": described}
        print(json.dumps(report, indent=2))
    elif len(described) == 1:
        _print_one(named, described[0])
    else:
        _print_all(named, described)


def _each_described(arguments: argparse.Namespace, where: Location) -> list[dict[str, Any]]:
    names = variables(arguments, where)
    described: list[dict[str, Any]] = []
    for name in names:
        try:
            opened = open_variable(arguments, where, name)
            row = len(names) > 1 and not arguments.json
            described.append(_described(name, opened, row))
        except BiggusError as error:
            # A variable that cannot be opened does not hide the others.
            if len(names) == 1:
                raise
            problem = error.problem if isinstance(error, OpenError) else str(error)
            described.append({"name": name, "problem": problem})
    return described


def _described(name: str, opened: Opened, row: bool = False) -> dict[str, Any]:
    return {"name": name, **(outline_of if row else facts_of)(opened)}


def _print_one(named: Selected, facts: dict[str, Any]) -> None:
    print("  ".join(filter(None, [named.where.public, facts["name"], named.and_more])))
    rows = [
        ("shape", shape_text(facts)),
        ("dtype", dtype_text(facts)),
        ("size", format_bytes(facts["nbytes"])),
        ("chunks", chunks_text(facts)),
    ]
    if "fill_value" in facts:
        rows.append(("fill value", str(facts["fill_value"])))
    if facts.get("decoded"):
        rows.append(("decoded by", decoded_text(facts)))
    print(table(rows, indent="  "))
    if facts["attributes"]:
        print("  attributes")
        rows = [
            (name, textwrap.shorten(str(value), 200, placeholder=" ..."))
            for name, value in facts["attributes"].items()
        ]
        print(table(rows, indent="    "))


def _print_all(named: Selected, described: list[dict[str, Any]]) -> None:
    count, location = len(described), named.where.public
    print(f"{location}  {count} variables" if count else f"{location}  holds no variable")
    rows = [(f["name"], f["problem"]) if "problem" in f else _row(f) for f in described]
    print(table(rows, indent="  "))
    if named.and_more:
        files = "file" if len(named.named) == 2 else "files"
        print(f"  {named.and_more} {files}: name a variable to see it joined")


def _row(facts: dict[str, Any]) -> tuple[str, ...]:
    size, chunks = format_bytes(facts["nbytes"]), f"chunks {chunks_text(facts)}"
    return (facts["name"], shape_text(facts), dtype_text(facts), size, chunks)
