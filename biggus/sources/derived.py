"""Sources whose values are computed from other sources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from biggus.sources.base import Source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from biggus.sources.base import Box


class DerivedSource(Source):
    """A source computed from other sources; its receipt lists the chunks that these read."""

    derived = True

    def made_of(self, box: Box) -> Sequence[Any]:
        """Return the nodes whose values are all read for a box."""
        raise NotImplementedError
