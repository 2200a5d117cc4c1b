"""Tile servers: `template` makes URLs, `source` fetches, `image` decodes and checks."""

from biggus.backends.tiles.backend import TilesBackend

__all__ = ["TilesBackend"]
