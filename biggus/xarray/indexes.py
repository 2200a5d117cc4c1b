"""The default indexes of coordinates, which are created together with a dataset.

xarray creates the default indexes of a dataset that an engine has opened: it aligns and merges the
dataset with its own coordinates, which takes a third of the time to open many small files.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from xarray import Coordinates
from xarray.indexes import PandasIndex

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xarray import Variable


def wants_indexes() -> bool:
    """Tell whether the caller was called by `xarray.open_dataset`, which creates default indexes.

    xarray passes its argument `create_default_indexes` to no engine.  False if the argument cannot
    be found: then xarray creates the indexes, if any.
    """
    frame = sys._getframe(2)  # noqa: SLF001 - the only way to find the argument
    if frame.f_globals.get("__name__") != "xarray.backends.api":
        return False
    return frame.f_locals.get("create_default_indexes") is True


def with_indexes(variables: Mapping[Any, Variable]) -> Coordinates:
    """Return coordinates, with default indexes of those along an axis of their own name."""
    indexes: dict[Any, PandasIndex] = {}
    coordinates: dict[Any, Any] = dict(variables)
    for name, variable in variables.items():
        if variable.dims == (name,):
            indexes[name] = PandasIndex.from_variables({name: variable}, options={})
            coordinates.update(indexes[name].create_variables({name: variable}))
    return Coordinates(coordinates, indexes=indexes)
