"""The HTML representation of an array for notebooks: a table, and a drawing of its chunks."""

from __future__ import annotations

import html
import math
from typing import Any

from biggus.graph import Leaf, ordered
from biggus.indexing.grid import Chunks, Grid, whole
from biggus.labels import labels_of
from biggus.options import format_bytes

_WIDTH = 160
"""The longest side of the drawing, in pixels."""

_MOST_LINES = 40
"""The most lines that are drawn along an axis, however many chunks there are."""

_LEFT = 'style="text-align: left"'
"""Notebooks align cells at the right."""

_LABELS = 60
"""The width of the margins with the lengths of the axes, in pixels."""

_MOST_SOURCES = 16
"""The most sources of an array whose number of cached bytes is shown."""


def html_of(array: Any) -> str:
    """Return a table of the properties of an array, and a drawing of its last two axes."""
    labels, grid = labels_of(array.node), array.grid
    named = any(labels.dims)
    shape = [f"{n:,}" for n in array.shape]
    if named:
        shape = [f"{dim}: {n}" for dim, n in zip(labels.named, shape, strict=True)]
    rows = {
        "name": array.name,
        "shape": (", " if named else " × ").join(shape) or "()",
        "dtype": f"{array.dtype}{' (masked)' if array.masked else ''}",
        "units": array.units,
        "size": format_bytes(array.nbytes),
        "chunks": _chunks_text(array.shape, grid),
        **_of_sources(array),
    }
    cells = "".join(
        f"<tr><th {_LEFT}>{name}</th><td {_LEFT}>{html.escape(text)}</td></tr>"
        for name, text in rows.items()
        if text
    )
    table = f"<table><caption {_LEFT}>biggus.Array</caption>{cells}</table>"
    drawing = _drawing(array.shape, grid)
    if not drawing:
        return table
    manner = "display: flex; gap: 2em; align-items: flex-start; padding: 1ex"
    return f'<div style="{manner}">{table}{drawing}</div>'


def _chunks_text(shape: tuple[int, ...], grid: Chunks | None) -> str:
    if grid is None or not shape:
        return ""
    lengths = [n if isinstance(n, int) else max(n, default=1) for n in grid]
    count = math.prod(edges.count for edges in Grid(shape, grid).axes)
    return f"{count:,} of {' × '.join(f'{n:,}' for n in lengths)}"


def _of_sources(array: Any) -> dict[str, str]:
    """Return the names of the sources, and how many bytes are cached."""
    nodes = ordered([array.node], lambda node: node.children[: _MOST_SOURCES + 1])
    leaves = [node for node in nodes if isinstance(node, Leaf)]
    sources = [leaf.source for leaf in leaves if not leaf.source.in_memory]
    if not sources:
        return {}
    names = list(dict.fromkeys(source.name for source in sources))
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    row = {"source": f"{names[0]}{more}"}
    if len(sources) <= _MOST_SOURCES:
        remote = [source for source in sources if source.remote]
        if cached := sum(source.cached_bytes(whole(source.shape)) for source in remote):
            row["cached"] = format_bytes(cached)
    return row


def _drawing(shape: tuple[int, ...], grid: Chunks | None) -> str:
    """Return a drawing of the last two axes and their chunks."""
    if grid is None or not shape or 0 in shape:
        return ""
    lengths = (1, *shape)[-2:]
    cuts = list(Grid(shape, grid).axes)[-2:]
    scale = _WIDTH / max(lengths)
    height, width = (max(4.0, n * scale) for n in lengths)
    lines = []
    for place, (edges, size) in enumerate(zip(reversed(cuts), (width, height), strict=False)):
        step = max(1, edges.count // _MOST_LINES)
        starts = [edges.bounds(number)[0] for number in range(0, edges.count, step)]
        length = shape[len(shape) - 1 - place]
        for start in [*starts, length]:
            at = f"{size * start / length:.1f}"
            ends = (at, 0, at, f"{height:.1f}") if place == 0 else (0, at, f"{width:.1f}", at)
            x1, y1, x2, y2 = ends
            lines.append(f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>')
    box = f'width="{width + _LABELS:.0f}" height="{height + _LABELS / 3:.0f}"'
    filled = f'<rect width="{width:.1f}" height="{height:.1f}" fill="#9ab" fill-opacity="0.3"/>'
    drawn = f'<g stroke="#567" stroke-width="0.7">{filled}{"".join(lines)}</g>'
    below = f'<text x="{width / 2:.0f}" y="{height + 14:.0f}" text-anchor="middle">'
    texts = f"{below}{lengths[1]:,}</text>"
    if len(shape) > 1:
        y = max(10, height / 2 + 4)
        texts += f'<text x="{width + 5:.0f}" y="{y:.0f}">{lengths[0]:,}</text>'
    manner = 'style="overflow: visible" fill="currentColor" font-size="11"'
    return f"<svg {box} {manner}>{drawn}{texts}</svg>"
