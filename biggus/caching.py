"""Choosing the cache of a source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from biggus import options
from biggus.sources import studying
from biggus.sources.memory_cached import kept_in_memory
from biggus.support.forks import between_forks

if TYPE_CHECKING:
    from biggus.cache.cache import Cache
    from biggus.sources.base import Source


def chosen_cache(cache: Cache | bool | None, remote: bool) -> Cache | None:
    """Return the cache to use, or None.

    Parameters
    ----------
    cache : Cache, bool or None
        The caller's choice; True is the default cache.  None stands for the option ``cache``;
        if that is None too, remote sources use the default cache and others none.
    remote : bool
        Whether values come over a network.
    """
    choice = options.current().cache if cache is None else cache
    if choice is None:
        choice = remote
    if choice is False:
        return None
    study = studying.current()
    if study is not None and study.cache is not None:
        return study.cache  # type: ignore[no-any-return] # has the interface of Cache
    if choice is True:
        with between_forks():
            from biggus.cache.default import default_cache

        return default_cache()
    if not hasattr(choice, "wrap"):
        raise TypeError(f"cache is a Cache, True, False or None, not {choice!r}")
    return choice


def caching(source: Source, cache: Cache | bool | None) -> Source:
    """Wrap a source in its disk cache, see `chosen_cache`, and in the chunk memory.

    Raises
    ------
    CacheError
        If `cache` asks for a cache and the source has no token.
    """
    if cache is None and source.token is None:
        return source
    chosen = chosen_cache(cache, source.remote)
    return kept_in_memory(source if chosen is None else chosen.wrap(source))
