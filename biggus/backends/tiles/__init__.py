"""Tile servers: `template` makes URLs, `source` fetches tiles, `image` decodes and checks them."""

from biggus.backends.tiles.backend import TilesBackend

__all__ = ["TilesBackend"]
