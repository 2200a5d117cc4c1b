"""Caching: chunks of sources on disk, within a size, the least recently used going first.

`Cached` is a source around a source.  `Cache` is the folder, which puts
together `files` (where entries lie), `entry` (what an entry is) and `index`
(room for what is written, and what goes for it).  What the processes that share
a folder tell one another is in its `ledger`, which a `sweep` holds to what is there.
"""

from biggus.cache.cache import Cache
from biggus.cache.cached import Cached
from biggus.cache.default import default_cache
from biggus.cache.stats import CacheStats

__all__ = ["Cache", "CacheStats", "Cached", "default_cache"]
