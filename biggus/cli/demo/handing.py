"""The third part of the demo: recording all reads in one file, and replaying them."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import biggus
from biggus.cli.demo.models import ATLANTIC, read_climate, read_ocean, sample_folder
from biggus.cli.demo.planet import TENERIFE, ZOOM
from biggus.cli.demo.telling import Timed, expect, say, timed
from biggus.options import format_bytes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from biggus.cli.demo.telling import Reading

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
    _compare(first, again)
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


def _compare(first: Timed, again: Timed) -> None:
    digests: list[Any] = [each.value.digests() for each in (first, again)]
    expect(digests[0] == digests[1], "what is read from the study is what was recorded")
