"""The walk: whatever goes over an expression does so from here, each part of it once.

An expression is a graph: a node may be used by several others, and chains of them are as
long as whoever writes a loop makes them.  So nothing here calls itself: what has been begun
lies on a stack of its own, and what has been found is remembered by the identity of the
node.  Each walk takes time in the number of distinct nodes.
"""

from __future__ import annotations

from operator import attrgetter, is_
from types import GeneratorType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from biggus.indexing.selection import ConstantMap, DimensionMap, Selection

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence

    from biggus.indexing.selection import AxisMap

_Item = TypeVar("_Item")
_Answer = TypeVar("_Answer")

_SMALL_INDEX = 4096

_children_of = attrgetter("children")


def ordered(
    roots: Iterable[_Item], children: Callable[[_Item], Sequence[_Item]] = _children_of
) -> list[_Item]:
    """Return all that is reached from some nodes, each once, after its children."""
    found: list[_Item] = []
    seen: dict[int, bool] = {}  # by identity: whether it has been returned
    waiting = list(roots)[::-1]
    while waiting:
        item = waiting[-1]
        done = seen.get(id(item))
        if done is None:
            seen[id(item)] = False
            waiting.extend([child for child in children(item)[::-1] if id(child) not in seen])
            continue
        waiting.pop()
        if not done:
            seen[id(item)] = True
            found.append(item)
    return found


class Walk(Generic[_Answer]):
    """The answers of a rule, each found once, and kept for as long as this is.

    A rule is asked of a node, and perhaps of a selection of it.  It returns its answer; or
    it is a generator, which yields what it asks of others, and is sent the answers.

    Parameters
    ----------
    rule : str or callable
        The name of a method of nodes; or what is called with a node, and with a selection if
        that is a part of what is asked.  Those who derive from this may have it in `answer`
        instead: a method of theirs, kept here, would keep all that is known until the cyclic
        collector runs.
    """

    def __init__(self, rule: str | Callable[..., Any] = "") -> None:
        self._rule = rule
        # With what was asked, so that an id stays that of one node.
        self._known: dict[Any, tuple[Any, _Answer]] = {}

    def answer(self, *ask: Any) -> Any:
        """Return what the rule says of a node, or the generator that finds it."""
        rule = self._rule
        return getattr(ask[0], rule)(*ask[1:]) if isinstance(rule, str) else rule(*ask)

    def __call__(self, *ask: Any) -> _Answer:
        """Return the answer for a node, and perhaps a selection of it."""
        known = self._known
        begun: list[tuple[Any, Any, Any]] = []
        answer: Any = None
        while True:
            key = id(ask[0]) if len(ask) == 1 else (id(ask[0]), key_of(ask[1]))
            found = known.get(key)
            if found is not None:
                answer = found[1]
            else:
                answer = self.answer(*ask)
                if type(answer) is GeneratorType:
                    begun.append((key, ask, answer))
                    answer = None
                else:
                    known[key] = (ask, answer)
            while begun:
                key, ask, asking = begun[-1]
                try:
                    asked = asking.send(answer)
                except StopIteration as done:
                    answer = done.value
                    known[key] = (ask, answer)
                    begun.pop()
                else:
                    ask = asked if type(asked) is tuple else (asked,)
                    break
            else:
                return answer  # type: ignore[no-any-return]


def answers(asks: Iterable[Any]) -> Generator[Any, Any, list[Any]]:
    """Ask one after the other; return the answers."""
    found = []
    for ask in asks:
        found.append((yield ask))  # noqa: PERF401 - a comprehension cannot yield
    return found


def any_answer(asks: Iterable[Any]) -> Generator[Any, bool, bool]:
    """Ask one after the other until one says yes; tell whether one did."""
    for ask in asks:
        if (yield ask):
            return True
    return False


def rebuilt(node: Any, inner: Sequence[Any]) -> Generator[Any, Any, Any]:
    """Ask for the children of a node that are to be looked at; return it with the answers.

    Itself if nothing has changed.
    """
    changed = yield from answers(inner)
    if all(map(is_, changed, inner)):
        return node
    return node.rebuild(tuple(changed))


def key_of(selection: Selection) -> Any:
    """Return what is equal for equal selections; of long index arrays, of the same alone."""
    return (selection.shape, *[_map_key(m) for m in selection.maps])


def _map_key(m: AxisMap) -> Any:
    if type(m) is DimensionMap:
        return (m.dim, m.start, m.step)
    if type(m) is ConstantMap:
        return m.index
    index = m.index.tobytes() if m.index.size <= _SMALL_INDEX else id(m.index)
    return (m.dims, m.index.shape, index)
