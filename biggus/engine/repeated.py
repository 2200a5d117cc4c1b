"""What is repeated: values that many blocks need, such as a climatology taken from each year."""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING

from biggus.planning import signature_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from biggus.nodes import Node
    from biggus.region import Selection
    from biggus.source import Values


class Repeated:
    """Values of what is broadcast, kept for a pass, so that they are read but once.

    Parameters
    ----------
    nodes : iterable of (Node, Selection)
        Those for which there is room, and what is repeated of them.
    """

    def __init__(self, nodes: Iterable[tuple[Node, Selection]] = ()) -> None:
        self._parts: dict[int, int] = {}
        for node, get in nodes:
            self._parts[id(node)] = max(self._parts.get(id(node), 0), math.prod(get.shape))
        self._known: dict[object, _Entry] = {}
        self._lock = threading.Lock()

    def holds(self, node: Node, spread: bool) -> bool:
        """Tell whether values of a node are kept: where they are spread, or if all are repeated."""
        size = self._parts.get(id(node))
        return size is not None and (spread or size >= math.prod(node.shape))

    def values(
        self, node: Node, get: Selection, compute: Callable[[Node, Selection], Values]
    ) -> Values:
        """Return the values of a selection of a node, computed by whoever asks first."""
        with self._lock:
            entry = self._known.setdefault((id(node), signature_of(get)), _Entry())
        with entry.lock:
            if entry.values is None:
                entry.values = compute(node, get)
            return entry.values


class _Entry:
    __slots__ = ("lock", "values")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.values: Values | None = None
