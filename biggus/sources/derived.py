"""Sources that are made of others, and say of what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from biggus.sources.base import Source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from biggus.sources.base import Box


class DerivedSource(Source):
    """A source whose values are made of those of others, so that it has the receipt of these."""

    derived = True

    def made_of(self, box: Box) -> Sequence[Any]:
        """Return the nodes of which all is read for a box."""
        raise NotImplementedError
