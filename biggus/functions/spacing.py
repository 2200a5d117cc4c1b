"""`linspace`, `logspace` and `geomspace` between ends that may be lazy."""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from biggus.array import implements
from biggus.functions.axes import moveaxis
from biggus.functions.elementwise import as_array
from biggus.functions.steps import of_cores


def _spaced(name: str) -> Callable[..., Any]:
    """Return the lazy counterpart of one of NumPy's functions, with its signature."""
    function = getattr(np, name)
    signature = inspect.signature(function)

    def spaced(*arguments: Any, **keywords: Any) -> Any:
        call = signature.bind(*arguments, **keywords)
        call.apply_defaults()
        options = call.arguments
        ends = [as_array(options.pop(end)) for end in ("start", "stop")]
        axis, with_step = options.pop("axis"), options.pop("retstep", False)
        if np.ndim(options.get("base", 0)):
            raise TypeError(f"{name} of lazy ends has one base: call .ndarray() first")
        options["num"] = operator.index(options["num"])
        options["endpoint"] = bool(options["endpoint"])
        if options["dtype"] is not None:
            options["dtype"] = np.dtype(options["dtype"])
        dtype = function(*[np.ones(1, end.dtype) for end in ends], **options).dtype
        core = (options["num"],)
        values = of_cores(name, function, ends, [0, 0], core, dtype, {**options, "axis": -1})
        values = moveaxis(values, -1, axis)
        if not with_step:
            return values
        start, stop = ends
        return values, (stop * 1.0 - start * 1.0) / (core[0] - options["endpoint"] or np.nan)

    return spaced


for _name in ("linspace", "logspace", "geomspace"):
    implements(getattr(np, _name))(_spaced(_name))
