"""Missing chunks: an offline error lists all chunks that nodes need and the cache lacks."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from biggus import options
from biggus.engine.dry_run import estimate
from biggus.errors import BiggusError, OfflineError, format_box
from biggus.indexing.grid import Grid
from biggus.sources import studying
from biggus.sources.base import Box, Source, box_shape
from biggus.sources.description import DescribedSource
from biggus.sources.studying import Study
from biggus.sources.wrappers import Wrapper

if TYPE_CHECKING:
    from collections.abc import Sequence

    from biggus.graph import Node

_MOST_SHOWN = 20


def with_all_missing(error: OfflineError, nodes: Sequence[Node]) -> OfflineError:
    """Return an error that lists all chunks that are missing for nodes, if there are several."""
    looking = _Looking()
    try:
        with studying.instead(looking), options.set_options(keep_partials=False, executor=None):
            estimate(nodes)
    except (BiggusError, ValueError):  # such as that of a source whose chunks are unknown
        return error
    lacking = [
        f"{each.name} {format_box(box)}"
        for each in looking.sources.values()
        for box in each.lacking.values()
    ]
    if len(lacking) < 2:
        return error
    shown = ", ".join(lacking[:_MOST_SHOWN])
    if len(lacking) > _MOST_SHOWN:
        shown += ", ..."
    message = f"{error.cause}; in all {len(lacking):,} chunks are missing: {shown}"
    return OfflineError(error.source, error.box, message)


class _LookedAt(Wrapper):
    """A source that notes which chunks would have to be fetched."""

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self.grid = Grid(source.shape, source.chunks or source.shape)
        self.lacking: dict[tuple[int, ...], Box] = {}

    def cached_bytes(self, box: Box) -> int:
        """Note the missing chunks of a box that would be read."""
        for part in self.grid.parts(box):
            if part.number not in self.lacking:
                size = math.prod(box_shape(part.chunk)) * self.dtype.itemsize
                if self.source.cached_bytes(part.chunk) < size:
                    self.lacking[part.number] = part.chunk
        return 0


class _Looking(Study):
    """A study that puts a `_LookedAt` around each source that may not be read offline."""

    def __init__(self) -> None:
        self.sources: dict[int, _LookedAt] = {}

    def source(self, source: Source) -> Source:
        """Return the source that is read in the place of another."""
        base = source
        while isinstance(base, Wrapper):
            base = base.source
        if isinstance(source, _LookedAt) or not (
            source.remote or isinstance(base, DescribedSource)
        ):
            return source
        return self.sources.setdefault(id(source), _LookedAt(source))
