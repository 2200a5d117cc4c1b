"""Hypothesis strategies of shapes and boxes.

Hypothesis is imported when a strategy is made: the rest of `biggus.testing` does not need it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from biggus.support.extras import needing

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis.strategies import SearchStrategy

    from biggus.sources.base import Box


def _strategies() -> Any:
    with needing("hypothesis", "testing", "making test cases"):
        from hypothesis import strategies
    return strategies


def shapes(
    min_dims: int = 0, max_dims: int = 4, min_side: int = 0, max_side: int = 6
) -> SearchStrategy[tuple[int, ...]]:
    """Make shapes; by default also those without axes, and with empty axes."""
    st = _strategies()
    strategy: SearchStrategy[tuple[int, ...]] = st.lists(
        st.integers(min_side, max_side), min_size=min_dims, max_size=max_dims
    ).map(tuple)
    return strategy


def boxes(shape: tuple[int, ...]) -> SearchStrategy[Box]:
    """Make boxes of an array: a non-empty slice of positive step for each axis, within bounds.

    Parameters
    ----------
    shape : tuple of int
        The shape of the array; no axis may be empty.

    Raises
    ------
    ValueError
        If an axis is empty: such an array has no boxes.

    Examples
    --------
    >>> import numpy as np
    >>> from hypothesis import given
    >>> @given(boxes((4, 9)))
    ... def check(box):
    ...     assert np.zeros((4, 9))[box].size >= 1
    >>> check()
    """
    if not all(shape):
        raise ValueError(f"an array of shape {shape} has no boxes")
    st = _strategies()

    @st.composite  # type: ignore[untyped-decorator]
    def made(draw: Callable[..., Any]) -> Box:
        box = []
        for n in shape:
            start = draw(st.one_of(st.just(0), st.integers(0, n - 1)))
            # The simplest box is the whole array; most boxes are long enough for a step.
            stop = n - draw(st.integers(0, n - 1 - start))
            within = st.integers(1, max(1, stop - start - 1))
            # A step may also be longer than the box.
            step = draw(st.one_of(st.just(1), within, within, st.integers(1, n + 1)))
            box.append(slice(start, stop, step))
        return tuple(box)

    strategy: SearchStrategy[Box] = made()
    return strategy
