"""Sources over the test tile server, boxes of them, and tiles decoded by Pillow."""

import io

import numpy as np
from PIL import Image

from biggus.backends.location import Location
from biggus.backends.tiles.backend import TilesBackend


def source_of(server, mode="RGB", suffix="png", size=256, zoom=3, **options):
    query = "" if size == 256 else f"?size={size}"
    template = f"{server.url}/{mode}/{{z}}/{{x}}/{{y}}.{suffix}{query}"
    return TilesBackend().open(Location(template), zoom=zoom, tile_size=size, **options)


def box_of(*ranges):
    return tuple(slice(*r) if len(r) == 3 else slice(*r, 1) for r in ranges)


def tile_box(source, i, j):
    return source._grid.chunk((i, j) + (0,) * (len(source.shape) - 2))


def pillow(server, path, mode):
    with Image.open(io.BytesIO(server.tile(path))) as image:
        return np.asarray(image.convert(mode))
