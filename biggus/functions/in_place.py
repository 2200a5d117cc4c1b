"""Functions that modify an array: they raise a TypeError that names an alternative."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from biggus.array import implements

_INSTEAD = {
    "putmask": "biggus.where(mask, values, a) is a new one",
    "place": "biggus.where(mask, value, a) is a new one",
    "put": "numpy.where, of a condition on numpy.arange, makes a new one",
    "fill_diagonal": "biggus.where(numpy.eye(n, dtype=bool), value, a) is a new one",
    "put_along_axis": "numpy.where, of a condition on numpy.arange, makes a new one",
}


def _refusing(name: str) -> Callable[..., NoReturn]:
    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise TypeError(
            f"{name}: a lazy array does not change; {_INSTEAD[name]}, "
            "or change what .ndarray() gives"
        )

    return refuse


for _name in _INSTEAD:
    implements(getattr(np, _name))(_refusing(_name))
