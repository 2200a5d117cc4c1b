"""Applying a NumPy function: the function and its constant arguments become a step."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from biggus.adapt import leaf_of
from biggus.expressions import masks
from biggus.expressions.names import call_of, text_of
from biggus.graph import BaseStep, Elementwise, Node
from biggus.sources.base import Values
from biggus.sources.memory import MemorySource
from biggus.support.hidden_warnings import ignored_errors

_IN_PLACE: Mapping[Any, Callable[..., Any]] = {operator.pow: operator.ipow}
"""Functions that are no ufuncs, and functions that do the same in place."""

NO_KEYWORDS: Mapping[str, Any] = {}
"""The default of arguments for the keyword arguments of a function."""


_is_masked = operator.attrgetter("masked")

_empties: dict[np.dtype[Any], np.ndarray[Any, Any]] = {}


class Slot(int):
    """A placeholder, among the arguments of a function, for the block of this number."""

    __slots__ = ()


@dataclass(slots=True, eq=False)
class Apply(BaseStep):
    """A function that is applied to blocks, value by value.

    Parameters
    ----------
    function : callable
        A ufunc, or another function of ndarrays that works value by value.
    arguments : tuple
        Its arguments: scalars, and a `Slot` for each block.
    keywords : mapping
        Its keyword arguments.
    dtype : dtype
        The dtype of the results.
    output : int or None
        The number of the result, if the function has several.
    within_domain : bool
        Whether results outside of the function's domain are missing even in blocks without
        missing values, so that they do not depend on the block.
    ignored : mapping
        The floating-point errors that `numpy.errstate` ignored when the function was called, if
        these are more than by default.
    """

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    keywords: Mapping[str, Any]
    dtype: np.dtype[Any]
    output: int | None
    within_domain: bool
    ignored: Mapping[str, Any]

    @property
    def key(self) -> str | None:
        """A text that equal steps share; None if there is none."""
        texts = [f"#{int(a)}" if type(a) is Slot else text_of(a) for a in self.arguments]
        call = call_of(self.function, texts, self.keywords)
        which = "" if self.output is None else f"[{self.output}]"
        domain = " within its domain" if self.within_domain else ""
        return None if call is None else f"{call}{which}{domain}"

    @property
    def owns_data(self) -> bool:
        """Whether nothing else refers to the results."""
        return isinstance(self.function, np.ufunc) or self.function in _IN_PLACE

    def __call__(self, *blocks: Values) -> Values:
        """Return the results of blocks, which broadcast."""
        return self._lifted(blocks, None)

    def over(self, block: Values) -> Values:
        """Return the results of one block, which may be overwritten."""
        return self._lifted((block,), block)

    def _lifted(self, blocks: tuple[Values, ...], scratch: Values | None) -> Values:
        if not self.ignored:
            return self._with_axes(blocks, scratch)
        with np.errstate(**self.ignored):
            return self._with_axes(blocks, scratch)

    def _with_axes(self, blocks: tuple[Values, ...], scratch: Values | None) -> Values:
        for block in blocks:
            if block.ndim:
                return self._masked_or_not(blocks, scratch)
        # Functions of 0-d arrays would return scalars.
        lifted = tuple([block.reshape(1) for block in blocks])
        return self._masked_or_not(lifted, None).reshape(())

    def _masked_or_not(self, blocks: tuple[Values, ...], scratch: Values | None) -> Values:
        if self.within_domain:
            return self._masked(blocks, scratch)
        for block in blocks:
            if type(block) is not np.ndarray and isinstance(block, np.ma.MaskedArray):
                return self._masked(blocks, scratch)
        return self._plain(blocks, scratch)  # type: ignore[no-any-return]

    def _masked(self, blocks: tuple[Values, ...], scratch: Values | None) -> Values:
        if self.function is np.where:
            return masks.where(*self._given(blocks))
        datas = tuple([np.ma.getdata(block, subok=False) for block in blocks])
        everywhere = masks.defined_everywhere(self.function)
        # Values under a mask do not matter.
        with np.errstate(divide="ignore", invalid="ignore"):
            values = self._plain(datas, datas[0] if scratch is not None and everywhere else None)
            mask = masks.union(blocks, values.shape)
            if not everywhere:
                undefined = masks.undefined(self.function, self._given(datas), values)
                if undefined is not None:
                    mask = mask | undefined
        return np.ma.MaskedArray(values, mask=mask)

    def _plain(self, blocks: tuple[Any, ...], scratch: Any) -> Any:
        arguments = self._given(blocks)
        if scratch is not None and scratch.dtype == self.dtype and scratch.flags.writeable:
            if isinstance(self.function, np.ufunc) and self.output is None:
                return self.function(*arguments, out=scratch, **self.keywords)
            in_place = _IN_PLACE.get(self.function)
            if in_place is not None and arguments[0] is scratch:
                return in_place(*arguments)
        results = self.function(*arguments, **self.keywords)
        return results if self.output is None else results[self.output]

    def _given(self, blocks: tuple[Any, ...]) -> list[Any]:
        return [blocks[a] if type(a) is Slot else a for a in self.arguments]


def applied(
    function: Callable[..., Any],
    arguments: Sequence[Any],
    keywords: Mapping[str, Any] = NO_KEYWORDS,
) -> Node:
    """Return the node of a function applied to nodes and constants.

    Parameters
    ----------
    function : callable
        As of :class:`Apply`.
    arguments : sequence
        Nodes, and scalars that become part of the step.
    keywords : mapping, optional
        The function's keyword arguments; they contain no nodes.

    Raises
    ------
    Exception
        What the function raises of such dtypes and constants.
    ValueError
        If the shapes do not broadcast.
    """
    [node] = _applied(function, arguments, keywords, False)
    return node


def applied_each(
    function: Callable[..., Any],
    arguments: Sequence[Any],
    keywords: Mapping[str, Any] = NO_KEYWORDS,
) -> list[Node]:
    """Return a node for each result of a function that returns a tuple; see :func:`applied`."""
    return _applied(function, arguments, keywords, True)


def _applied(
    function: Callable[..., Any], arguments: Sequence[Any], keywords: Mapping[str, Any], each: bool
) -> list[Node]:
    nodes: list[Node] = []
    places: list[Any] = []
    probes: list[Any] = []
    for argument in arguments:
        if not isinstance(argument, Node):
            places.append(argument)
            probes.append(argument)
            continue
        places.append(Slot(_number_of(argument, nodes)))
        dtype = argument.dtype
        empty = _empties.get(dtype)
        if empty is None:
            empty = _empties[dtype] = np.empty(0, dtype)
        probes.append(empty)
    if not nodes:
        results = function(*arguments, **keywords)
        return [leaf_of(MemorySource(np.asarray(one))) for one in (results if each else [results])]
    with np.errstate(all="ignore"):
        results = function(*probes, **keywords)
    slotted, ignored = tuple(places), ignored_errors()
    within = any(map(_is_masked, nodes)) and not masks.defined_everywhere(function)
    outputs = enumerate(results) if each else [(None, results)]
    return [
        Elementwise(Apply(function, slotted, keywords, one.dtype, number, within, ignored), *nodes)
        for number, one in outputs
    ]


def _number_of(node: Node, nodes: list[Node]) -> int:
    """Return the index of a node in a list, to which it is appended if it is not there."""
    for number, known in enumerate(nodes):
        if known is node:
            return number
    nodes.append(node)
    return len(nodes) - 1
