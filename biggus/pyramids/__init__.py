"""Pyramids: an image at several resolutions, so that a picture of the whole image reads little."""

from biggus.pyramids.of_array import kept_overviews, overviews
from biggus.pyramids.pyramid import Level, Pyramid
from biggus.pyramids.stores import open_pyramid
from biggus.pyramids.tiles import TilePyramid

__all__ = ["Level", "Pyramid", "TilePyramid", "kept_overviews", "open_pyramid", "overviews"]
