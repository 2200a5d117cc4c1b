"""Repeated values: values that many blocks need, such as a climatology taken from each year."""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING, Any

from biggus.graph import Node, key_of
from biggus.support import deadlines
from biggus.support.threads import WAKING_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from biggus.indexing.selection import Selection
    from biggus.planning.schedule import Schedule
    from biggus.sources.base import Values


class Repeated:
    """A store of broadcast values, which are read once in a pass.

    Parameters
    ----------
    nodes : iterable of (Node, Selection)
        The nodes whose values are kept, and the selections that are broadcast.
    """

    def __init__(self, nodes: Iterable[tuple[Node, Selection]]) -> None:
        self._parts: dict[int, int] = {}
        for node, selection in nodes:
            self._parts[id(node)] = max(self._parts.get(id(node), 0), math.prod(selection.shape))
        self._known: dict[Any, Values] = {}
        self._under_way: dict[Any, threading.Event] = {}
        self._lock = threading.Lock()

    def holds(self, node: Node, spread: bool) -> bool:
        """Return whether values of a node are kept: if they are broadcast, or all of them are."""
        size = self._parts.get(id(node))
        return size is not None and (spread or size >= math.prod(node.shape))

    def knows(self, node: Node, selection: Selection) -> bool:
        """Return whether the values of a selection have been computed."""
        return (id(node), key_of(selection)) in self._known

    def values(self, node: Node, selection: Selection) -> Values:
        """Return the values of a selection that has been computed."""
        return self._known[id(node), key_of(selection)]

    def fill(
        self,
        schedule: Callable[[], Schedule | None],
        carried_out: Callable[[Schedule], Iterator[Values]],
    ) -> None:
        """Compute the values that are needed and not known; wait for those of other threads.

        A thread that has begun to compute never waits for another.

        Parameters
        ----------
        schedule : callable
            Returns the schedule of the values that are needed and not known; None if there are
            none.
        carried_out : callable
            Executes a schedule, and yields the values that it asks for.
        """
        while (wanted := schedule()) is not None:
            keys = [(id(node), key_of(selection)) for node, selection in wanted.asks]
            done = threading.Event()
            with self._lock:
                others = [self._under_way[key] for key in keys if key in self._under_way]
                known = any(key in self._known for key in keys)  # by now
                if not others and not known:
                    self._under_way.update(dict.fromkeys(keys, done))
            if others:
                while not others[0].wait(WAKING_SECONDS):
                    deadlines.check()
            elif not known:
                try:
                    for key, values in zip(keys, carried_out(wanted), strict=True):
                        self._known[key] = values
                finally:
                    with self._lock:
                        for key in keys:
                            self._under_way.pop(key, None)
                    done.set()
