"""``biggus plan``: the plan of ``biggus stats``."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import biggus
from biggus.cli.facts import dtype_text, shape_text
from biggus.cli.joining import LOCATIONS, add_locations, open_joined
from biggus.cli.opening import settings
from biggus.cli.resources import add_resources, resources
from biggus.cli.statistics import add_statistics, axes_of, wanted_statistics
from biggus.cli.tables import table
from biggus.options import format_bytes

if TYPE_CHECKING:
    import argparse

    from biggus.planning.report import Plan

DESCRIPTION = (
    "Show what biggus stats would read and how much memory it would take, without reading it. "
    "The arguments are those of biggus stats."
)

USAGE = f"biggus plan [OPTIONS] {LOCATIONS}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    add_locations(parser)
    add_statistics(parser)
    add_resources(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> None:
    """Print the plan of computing statistics."""
    with settings(arguments), resources(arguments):
        joined = open_joined(arguments)
        wanted = wanted_statistics(arguments, joined.opened)
        plan = biggus.plan(list(wanted.values()))
        axis = axes_of(arguments, joined.opened)
    report = joined.facts | {"axis": axis, "statistics": list(wanted)}
    if arguments.json:
        print(json.dumps({**report, "plan": _numbers(plan)}, indent=2))
        return
    print(joined.label)
    rows = [
        ("shape", shape_text(report)),
        ("dtype", dtype_text(report)),
        ("statistics", ", ".join(wanted)),
        *((f"pass {number}", str(each)) for number, each in enumerate(plan.passes, 1)),
        ("results", format_bytes(plan.result_bytes)),
    ]
    print(table(rows, indent="  "))


def _numbers(plan: Plan) -> dict[str, Any]:
    together = ("tasks", "requests", "read_bytes", "cached_bytes", "peak_bytes")
    return {**{name: getattr(plan, name) for name in together}, **dataclasses.asdict(plan)}
