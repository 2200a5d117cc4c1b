"""Packing: expressions are pickled as flat lists of nodes, however deep they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from biggus.graph.walk import ordered

if TYPE_CHECKING:
    from collections.abc import Iterable

    from biggus.graph.base import Node


class Packed(NamedTuple):
    """Nodes and all that they are computed from, each once."""

    records: list[tuple[type[Node], tuple[str, ...], tuple[Any, ...], tuple[int, ...]]]
    """For each node its class, the names and values of its attributes other than `children`, and
    the numbers of its children, which come first."""

    roots: list[int]
    """The numbers of the nodes that were packed."""


def packed(nodes: Iterable[Node]) -> Packed:
    """Return nodes in a form that is pickled without recursion; shared nodes stay shared."""
    nodes = list(nodes)
    numbers: dict[int, int] = {}
    alike: dict[tuple[str, ...], tuple[str, ...]] = {}
    records: list[Any] = []
    for node in ordered(nodes):
        numbers[id(node)] = len(records)
        own, slots = state if isinstance(state := node.__getstate__(), tuple) else (state, None)
        has = {**(own or {}), **(slots or {})}
        has.pop("children", None)
        has.pop("known_grid", None)  # it may be long, and can be computed again
        names = tuple(has)
        names = alike.setdefault(names, names)  # pickled once
        children = tuple([numbers[id(child)] for child in node.children])
        records.append((type(node), names, tuple(has.values()), children))
    return Packed(records, [numbers[id(node)] for node in nodes])


def unpacked(stored: Packed) -> list[Node]:
    """Return the nodes that were packed."""
    nodes: list[Node] = []
    for kind, names, values, children in stored.records:
        node = object.__new__(kind)
        for name, value in zip(names, values, strict=True):
            object.__setattr__(node, name, value)
        if kind.children != ():  # a slot
            object.__setattr__(node, "known_grid", ...)
            object.__setattr__(node, "children", tuple([nodes[number] for number in children]))
        nodes.append(node)
    return [nodes[number] for number in stored.roots]


def unpacked_one(stored: Packed) -> Node:
    """Return the node that was packed alone."""
    [node] = unpacked(stored)
    return node
