"""The default cache of this process."""

from __future__ import annotations

import os
from functools import lru_cache

from biggus.cache.cache import DEFAULT_SIZE, Cache
from biggus.cache.files import cache_folder
from biggus.options import parse_size


@lru_cache(maxsize=1)
def default_cache() -> Cache:
    """Return the default cache of this process.

    Its folder is ``BIGGUS_CACHE_DIR``, else the user's cache folder; its size limit is
    ``BIGGUS_CACHE_SIZE``, else 20 GB.  Both variables are read on first use.  If the folder cannot
    be created, that is logged, and nothing is stored.

    Raises
    ------
    CacheError
        If ``BIGGUS_CACHE_DIR`` is not a path.
    """
    size = parse_size(os.environ.get("BIGGUS_CACHE_SIZE") or DEFAULT_SIZE)
    cache = Cache.__new__(Cache)
    cache.__setstate__({"path": cache_folder(None), "size_limit": size})
    return cache
