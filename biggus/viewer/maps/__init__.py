"""Labelled pictures of arrays: maps, lines and films."""

from biggus.viewer.maps.film import film
from biggus.viewer.maps.look import quicklook

__all__ = ["film", "quicklook"]
