"""Whether a source is cached, and where."""

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
        What the caller says; None leaves it to the ``cache`` option, and that
        to where values come from: remote ones go to the default cache.
    remote : bool
        Whether values come over a network.
    """
    said = options.current().cache if cache is None else cache
    if said is None:
        said = remote
    if said is False:
        return None
    study = studying.current()
    if study is not None and study.cache is not None:
        return study.cache  # type: ignore[no-any-return] # it has what is asked of a cache
    if said is True:
        with between_forks():
            from biggus.cache.default import default_cache

        return default_cache()
    if not hasattr(said, "wrap"):
        raise TypeError(f"cache is a Cache, True, False or None, not {said!r}")
    return said


def caching(source: Source, cache: Cache | bool | None) -> Source:
    """Return `source`, cached if `cache` or the options say so, and in memory.

    Raises
    ------
    CacheError
        If `cache` asks for it and the source has no token.
    """
    if cache is None and source.token is None:
        return source
    chosen = chosen_cache(cache, source.remote)
    return kept_in_memory(source if chosen is None else chosen.wrap(source))
