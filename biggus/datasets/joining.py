"""Joining the groups of many files from their records, without opening the files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from biggus.construct import ArrayAdapter, LinearMosaic
from biggus.datasets.group import Group
from biggus.datasets.records import GroupRecord, VariableRecord, variable_record
from biggus.labels.times import TimeUnits, comparable, time_units

_FINEST = 2**10
"""Times are converted if all are multiples of this fraction of a unit: the sums are exact."""

_MOST = 2**40
"""The largest times that are converted exactly."""


def joined_groups(records: Sequence[GroupRecord], dim: str | None) -> Group | None:
    """Join the groups of several files; None if they differ, or the records do not tell.

    Variables without the dimension are those of the first file.  Times are converted to the
    units of the first file.

    Parameters
    ----------
    records : sequence of GroupRecord
        The records, in the order of the files.
    dim : str or None
        The dimension to join along, in the order given.  By default it is the one whose
        coordinates differ, and files are sorted by them.
    """
    first = records[0]
    indexes = [name for name, known in first.variables().items() if known.dims == (name,)]
    if any(name not in each.encoded_values for each in records for name in indexes):
        return None
    differing = {name for name in indexes if any(_differ(first, each, name) for each in records)}
    if dim is None:
        if len(differing) != 1:
            return None
        [dim] = differing
        in_order = True
    else:
        in_order = False
    if differing - {dim} or not _alike(records, dim):
        return None
    values = None
    if dim in indexes:
        values = _in_units_of_first(records, dim)
        if values is None:
            return None
        if in_order:
            order = _order(values)
            if order is None:
                return None
            records = [records[n] for n in order]
            values = _in_units_of_first(records, dim)
    return _joined(records, dim, None if values is None else np.concatenate(values))


def _differ(first: GroupRecord, other: GroupRecord, name: str) -> bool:
    """Tell whether the values or the meaning of a coordinate differ."""
    if first.encoded_values[name] != other.encoded_values[name]:
        return True
    if name not in other.layouts:
        return True
    return first.variable(name).meaning != other.variable(name).meaning


def _alike(records: Sequence[GroupRecord], dim: str) -> bool:
    """Tell whether all groups have the same variables, apart from units of the dimension."""
    first = records[0].layouts
    if any(each.layouts.keys() != first.keys() for each in records):
        return False
    for name in first:
        texts = {(each.layouts[name], each.attribute_texts[name]) for each in records}
        known, *others = [_comparable(variable_record(*each), dim, name) for each in texts]
        if any(other != known for other in others):
            return False
    return True


def _comparable(known: VariableRecord, dim: str, name: str) -> list[Any]:
    lengths = [n for n, own in zip(known.shape, known.dims, strict=True) if own != dim]
    dtype, masked, attributes = known.meaning
    # Bounds have the units of their coordinate, which must not change then.
    if name == dim and not attributes.keys() & {"bounds", "climatology"}:
        attributes = {key: value for key, value in attributes.items() if key != "units"}
    return [known.dims, lengths, dtype, masked, attributes]


def _in_units_of_first(records: Sequence[GroupRecord], dim: str) -> list[npt.NDArray[Any]] | None:
    """Return the values of a coordinate in the units of the first; None if that is not exact."""
    first = records[0].variable(dim).meaning
    lines = []
    for each in records:
        meaning = each.variable(dim).meaning
        values = each.values(dim)
        lines.append(values if meaning == first else _moved(values, _units(meaning), _units(first)))
    return None if any(each is None for each in lines) else [v for v in lines if v is not None]


def _units(meaning: list[Any]) -> TimeUnits | None:
    _, masked, attributes = meaning
    units, calendar = attributes.get("units"), attributes.get("calendar", "standard")
    if masked or not isinstance(units, str) or not isinstance(calendar, str):
        return None
    return time_units(units, calendar)


def _moved(
    values: npt.NDArray[Any], old: TimeUnits | None, new: TimeUnits | None
) -> npt.NDArray[Any] | None:
    """Convert times to units of another start; None if that is not exact.

    Examples
    --------
    >>> units = [time_units(f"days since 2000-01-0{day}") for day in (3, 1)]
    >>> _moved(np.array([0, 1]), *units)
    array([2, 3])
    """
    if old is None or new is None or not comparable(old, new) or old.length != new.length:
        return None
    later, remainder = divmod((old.start - new.start) * _FINEST, old.length)
    if remainder or values.dtype.kind not in "iuf" or values.dtype.itemsize < 4:
        return None
    if values.dtype.kind == "f":
        fine = values.astype(np.float64) * _FINEST
        exact = bool(np.all(np.isfinite(fine)) and np.all(fine == np.rint(fine)))
        most = _MOST if values.dtype.itemsize > 4 else 2**13
    else:
        exact = later % _FINEST == 0
        most = _MOST if values.dtype.itemsize > 4 else 2**30
    if not exact or abs(later) > most * _FINEST or np.any(np.abs(values) > most):
        return None
    moved = values + values.dtype.type(
        later / _FINEST if values.dtype.kind == "f" else later // _FINEST
    )
    return np.asarray(moved)


def _order(values: Sequence[npt.NDArray[Any]]) -> list[int] | None:
    """Return the order in which values increase or decrease throughout; None if there is none."""
    if any(not len(each) or each.dtype != values[0].dtype for each in values):
        return None
    falls = any(len(each) > 1 and each[0] > each[-1] for each in values)
    order = sorted(range(len(values)), key=lambda number: values[number][0], reverse=falls)
    together = np.concatenate([values[number] for number in order])
    steps = together[1:] < together[:-1] if falls else together[1:] > together[:-1]
    return order if bool(np.all(steps)) else None


def _joined(
    records: Sequence[GroupRecord], dim: str, axis_values: npt.NDArray[Any] | None
) -> Group | None:
    first = records[0]
    if not any(dim in known.dims for known in first.variables().values()):
        return None
    variables, dims, values, attributes = {}, {}, {}, {}
    for name, known in first.variables().items():
        dims[name] = known.dims
        if dim in known.dims:
            attributes[name] = known.attributes
        if name == dim and axis_values is not None:
            values[name], variables[name] = axis_values, ArrayAdapter(axis_values)
        elif dim in known.dims:
            arrays = [each.array(name) for each in records]
            variables[name] = LinearMosaic(arrays, known.dims.index(dim))
        else:
            variables[name] = first.array(name)
        if name in first.encoded_values and dim not in known.dims:
            values[name] = first.values(name)
    return Group(
        first.location, first.path, variables, dims, first.attributes(), values, attributes
    )
