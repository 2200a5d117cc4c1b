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
from biggus.cli.opening import (
    add_opening,
    at_key,
    open_variable,
    opened_once,
    selected,
    settings,
    variables,
)
from biggus.cli.tables import table
from biggus.datasets.facts import facts_of, outline_of
from biggus.errors import BiggusError, OpenError
from biggus.options import format_bytes

if TYPE_CHECKING:
    import argparse

    from biggus.backends import Location
    from biggus.cli.keys import Key

DESCRIPTION = (
    "List the variables of a file, a store or a tile server; or show one of them, with its "
    "attributes. No values are read."
)

EXAMPLES = """\
  biggus info ocean.nc
  biggus info ocean.nc tos
  biggus info store.zarr ocean/tos --json
"""

USAGE = "biggus info [OPTIONS] LOCATION [VARIABLE[KEY]]"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    add_opening(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> None:
    """Print the variables of a location, or the details of one."""
    where, variable, key, _ = selected(arguments)  # a `Location` reads its first bytes once
    with settings(arguments), opened_once(arguments, where):
        if variable is None and key is ...:
            described = _each_described(arguments, where)
        else:
            described = [_described(arguments, where, variable, key)]
    location = where.public
    if arguments.json:
        print(json.dumps({"location": location, "variables": described}, indent=2))
    elif len(described) == 1:
        _print_one(location, described[0])
    else:
        _print_all(location, described)


def _each_described(arguments: argparse.Namespace, where: Location) -> list[dict[str, Any]]:
    names = variables(arguments, where)
    described: list[dict[str, Any]] = []
    for name in names:
        try:
            described.append(_described(arguments, where, name, row=len(names) > 1))
        except BiggusError as error:
            # A variable that cannot be opened does not hide the others.
            if len(names) == 1:
                raise
            problem = error.problem if isinstance(error, OpenError) else str(error)
            described.append({"name": name, "problem": problem})
    return described


def _described(
    arguments: argparse.Namespace,
    where: Location,
    name: str | None,
    key: Key = ...,
    row: bool = False,
) -> dict[str, Any]:
    facts = outline_of if row and not arguments.json else facts_of
    opened = at_key(open_variable(arguments, where, name), key)
    return {"name": name or opened.array.name or "", **facts(opened)}


def _print_one(location: str, facts: dict[str, Any]) -> None:
    name = facts["name"]
    print(f"{location}  {name}".rstrip())
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


def _print_all(location: str, described: list[dict[str, Any]]) -> None:
    count = len(described)
    print(f"{location}  {count} variables" if count else f"{location}  holds no variable")
    rows = [(f["name"], f["problem"]) if "problem" in f else _row(f) for f in described]
    print(table(rows, indent="  "))


def _row(facts: dict[str, Any]) -> tuple[str, ...]:
    size, chunks = format_bytes(facts["nbytes"]), f"chunks {chunks_text(facts)}"
    return (facts["name"], shape_text(facts), dtype_text(facts), size, chunks)
