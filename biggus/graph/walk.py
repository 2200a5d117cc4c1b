"""Walks over expressions, which visit each node once.

An expression is a graph: several nodes may share a child, and a loop can make chains of any
length.  So walks are iterative, with a stack of their own, and remember answers by the identity
of the node.  A walk takes time in proportion to the number of distinct nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from operator import attrgetter, is_
from types import GeneratorType
from typing import Any, Generic, TypeVar

from biggus.indexing.selection import AxisMap, ConstantMap, DimensionMap, Selection

_Item = TypeVar("_Item")
_Answer = TypeVar("_Answer")

_SMALL_INDEX = 4096
"""The most elements of an index array that is compared by its values, and not by identity."""

_children_of = attrgetter("children")


def ordered(
    roots: Iterable[_Item], children: Callable[[_Item], Sequence[_Item]] = _children_of
) -> list[_Item]:
    """Return all nodes reachable from `roots`, each once, after its children."""
    result: list[_Item] = []
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
            result.append(item)
    return result


class Walk(Generic[_Answer]):
    """A recursive function of nodes, without recursion; its answers are remembered.

    The function is given by a rule, which is called with a node, or with a node and a selection
    of it.  A rule returns its answer; or it is a generator that yields the arguments of recursive
    calls, is sent their answers, and returns its own.

    Parameters
    ----------
    rule : str or callable
        A callable, or the name of a method of nodes.  Subclasses may override `answer` instead: a
        reference to a bound method of their own would be a cycle, and would keep all answers
        alive until the cyclic collector runs.
    """

    def __init__(self, rule: str | Callable[..., Any] = "") -> None:
        self._rule = rule
        # With the arguments, so that no id is used again.
        self._known: dict[Any, tuple[Any, _Answer]] = {}

    def answer(self, *ask: Any) -> Any:
        """Return the answer of the rule, or a generator that returns it."""
        rule = self._rule
        return getattr(ask[0], rule)(*ask[1:]) if isinstance(rule, str) else rule(*ask)

    def __call__(self, *ask: Any) -> _Answer:
        """Return the answer for a node, or for a node and a selection of it."""
        known = self._known
        suspended: list[tuple[Any, Any, Any]] = []
        answer: Any = None
        while True:
            key = id(ask[0]) if len(ask) == 1 else (id(ask[0]), key_of(ask[1]))
            entry = known.get(key)
            if entry is not None:
                answer = entry[1]
            else:
                answer = self.answer(*ask)
                if type(answer) is GeneratorType:
                    suspended.append((key, ask, answer))
                    answer = None
                else:
                    known[key] = (ask, answer)
            while suspended:
                key, ask, asking = suspended[-1]
                try:
                    request = asking.send(answer)
                except StopIteration as done:
                    answer = done.value
                    known[key] = (ask, answer)
                    suspended.pop()
                else:
                    ask = request if type(request) is tuple else (request,)
                    break
            else:
                return answer  # type: ignore[no-any-return]


def answers(asks: Iterable[Any]) -> Generator[Any, Any, list[Any]]:
    """Return the answers to several asks; to be used by a rule with ``yield from``."""
    results = []
    for ask in asks:
        results.append((yield ask))  # noqa: PERF401 - a comprehension cannot yield
    return results


def any_answer(asks: Iterable[Any]) -> Generator[Any, bool, bool]:
    """Return whether an answer is true; asks no further then."""
    for ask in asks:
        if (yield ask):
            return True
    return False


def rebuilt(node: Any, inner: Sequence[Any]) -> Generator[Any, Any, Any]:
    """Return a node rebuilt from the answers for its children; the same node if none changed."""
    changed = yield from answers(inner)
    if all(map(is_, changed, inner)):
        return node
    return node.rebuild(tuple(changed))


def key_of(selection: Selection) -> Any:
    """Return a hashable that equal selections share; long index arrays are compared by identity."""
    return (selection.shape, *[_map_key(m) for m in selection.maps])


def _map_key(m: AxisMap) -> Any:
    if type(m) is DimensionMap:
        return (m.dim, m.start, m.step)
    if type(m) is ConstantMap:
        return m.index
    index = m.index.tobytes() if m.index.size <= _SMALL_INDEX else id(m.index)
    return (m.dims, m.index.shape, index)
