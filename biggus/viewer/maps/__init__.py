"""Pictures of arrays that say what they show: maps, lines, films."""

from biggus.viewer.maps.film import film
from biggus.viewer.maps.look import quicklook

__all__ = ["film", "quicklook"]
