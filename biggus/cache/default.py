"""The cache of this process: what it uses where none is named."""

from __future__ import annotations

import os
from functools import lru_cache

from biggus.cache.cache import DEFAULT_SIZE, Cache
from biggus.cache.files import cache_folder
from biggus.options import parse_size


@lru_cache(maxsize=1)
def default_cache() -> Cache:
    """Return the cache that this process uses where none is named.

    Its folder is ``BIGGUS_CACHE_DIR``, else the user's cache folder; its size
    ``BIGGUS_CACHE_SIZE``, else 20 GB.  Both are looked at on first use.  If there can
    be no such folder, that is logged, and nothing is kept.

    Raises
    ------
    CacheError
        If what is named is no path.
    """
    size = parse_size(os.environ.get("BIGGUS_CACHE_SIZE") or DEFAULT_SIZE)
    cache = Cache.__new__(Cache)
    cache.__setstate__({"path": cache_folder(None), "size_limit": size})
    return cache
