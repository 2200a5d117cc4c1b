"""Fourier transforms, along one axis after another; whole lines are in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from biggus.array import Array, implements
from biggus.functions.along import lined
from biggus.functions.elementwise import as_array
from biggus.functions.rearranging import roll
from biggus.sources.normal import normal_axis
from biggus.statistics.signatures import refuse

_HALVED = {"rfft", "ihfft"}
"""Transforms whose results are half a line, with the middle."""

_DOUBLED = {"irfft", "hfft"}
"""Transforms that take half a line."""


def _along_one(name: str) -> Callable[..., Array]:
    function = getattr(np.fft, name)

    def transform(
        a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: Any = None
    ) -> Array:
        refuse(name, out=out)
        array = as_array(a)
        current = array.shape[normal_axis(axis, array.ndim)]
        if n is None:
            n = 2 * (current - 1) if name in _DOUBLED else current
        if n < 1:
            raise ValueError(f"Invalid number of FFT data points ({n}) specified.")
        function(np.ones(1, array.dtype), 1, norm=norm)  # may refuse
        length = n // 2 + 1 if name in _HALVED else n
        return lined(array, axis, function, {"n": n, "norm": norm}, length=length)

    return transform


_ONE = {name: _along_one(name) for name in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")}
for _name, _transform in _ONE.items():
    implements(getattr(np.fft, _name))(_transform)


def _along_several(name: str, last: str, others: str, axes: Sequence[int] | None) -> None:
    """Register a transform along several axes: `last` along the last axis, then `others`."""
    usual = axes

    def transform(
        a: Any, s: Any = None, axes: Any = usual, norm: str | None = None, out: Any = None
    ) -> Array:
        refuse(name, out=out)
        array = as_array(a)
        places = _places(array, s, axes)
        lengths = list(s) if s is not None else [None] * len(places)
        if len(lengths) != len(places):
            raise ValueError("Shape and axes have different lengths.")
        if not places:
            if last != others:
                raise IndexError("a transform of real values is along one axis at least")
            return array
        steps = [*zip(places, lengths, strict=True)]
        before = [(others, *step) for step in steps[:-1]]
        if last == "irfft":
            order = [*before, (last, *steps[-1])]
        else:
            order = [(last, *steps[-1]), *(before if last == "rfft" else before[::-1])]
        for one, place, n in order:
            array = _ONE[one](array, None if n == -1 else n, place, norm)
        return array

    implements(getattr(np.fft, name))(transform)


def _places(array: Array, s: Any, axes: Any) -> list[int]:
    if axes is None:
        axes = range(array.ndim) if s is None else range(-len(s), 0)
    return [normal_axis(axis, array.ndim) for axis in axes]


for _ndim, _axes in (("2", (-2, -1)), ("n", None)):
    _along_several(f"fft{_ndim}", "fft", "fft", _axes)
    _along_several(f"ifft{_ndim}", "ifft", "ifft", _axes)
    _along_several(f"rfft{_ndim}", "rfft", "fft", _axes)
    _along_several(f"irfft{_ndim}", "irfft", "ifft", _axes)


def _shifted(back: bool) -> Callable[..., Array]:
    def shift(x: Any, axes: Any = None) -> Array:
        array = as_array(x)
        numbers = range(array.ndim) if axes is None else axes if np.iterable(axes) else (axes,)
        places = [normal_axis(axis, array.ndim) for axis in numbers]
        by = [-(array.shape[axis] // 2) if back else array.shape[axis] // 2 for axis in places]
        return roll(array, by, places) if places else array

    return shift


implements(np.fft.fftshift)(_shifted(back=False))
implements(np.fft.ifftshift)(_shifted(back=True))
