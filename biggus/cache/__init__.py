"""A disk cache of chunks: bounded in size, shared by processes, evicting the least recently used.

`Cached` wraps a source.  `Cache` stands for the folder; it consists of `files` (the files of
entries), `entry` (the format of an entry) and `index` (admission, room and eviction).
The processes that share a folder coordinate in its `ledger`, an SQLite database, which a
`sweep` reconciles with the files in the folder.
"""

from biggus.cache.cache import Cache
from biggus.cache.cached import Cached
from biggus.cache.default import default_cache
from biggus.cache.stats import CacheStats

__all__ = ["Cache", "CacheStats", "Cached", "default_cache"]
