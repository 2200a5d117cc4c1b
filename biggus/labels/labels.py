"""`Labels`: names, attributes and coordinates of an array."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from biggus.labels.coordinate import Coordinate


@dataclass(frozen=True, eq=False)
class Labels:
    """Names, attributes and coordinates of an array.

    Attributes
    ----------
    dims : tuple of str or None
        The name of each axis, None for an axis without one.
    name : str
        The name of the variable; empty if there is none.
    place : str
        The store.
    attributes : mapping
        The attributes of the variable, as far as they hold for the values.
    coordinates : tuple of Coordinate
        The coordinates, if they were derived.
    statistics : tuple of str
        The statistics that were taken of the variable, the first one first.
    decoded : bool
        Whether the values are decoded, so that attributes of packing do not hold.
    default_fills : bool
        Whether default fill values of the netCDF library mean missing values in the store.
    packed_fill : bool
        Whether the fill value is a packed value, which means nothing among decoded ones.
    grid_mapping : Coordinate or None
        The grid mapping, if coordinates were derived.
    group_attributes : mapping
        The attributes of the group, if coordinates were derived.
    """

    dims: tuple[str | None, ...]
    name: str = ""
    place: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    coordinates: tuple[Coordinate, ...] = ()
    statistics: tuple[str, ...] = ()
    decoded: bool = False
    default_fills: bool = False
    packed_fill: bool = False
    grid_mapping: Coordinate | None = None
    group_attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def named(self) -> tuple[str, ...]:
        """The name of each axis; ``dim_0``, ``dim_1``, ... for axes without one."""
        return tuple([f"dim_{n}" if dim is None else dim for n, dim in enumerate(self.dims)])

    def along(self, axis: int) -> Coordinate | None:
        """Return the coordinate of one axis alone, preferably one of known kind."""
        along = [each for each in self.coordinates if each.axes == (axis,)]
        return next((each for each in along if each.kind), along[0] if along else None)

    def alone(self) -> list[Coordinate]:
        """Return the scalar coordinates, one of each kind; one of unknown kind only if alone."""
        by_kind: dict[str | None, Coordinate] = {}
        for each in self.coordinates:
            named = each.attributes.get("standard_name") == each.kind
            if not each.axes and each.spans is None and (each.kind not in by_kind or named):
                by_kind[each.kind] = each
        if len(by_kind) > 1:
            by_kind.pop(None, None)
        return list(by_kind.values())

    def curved(self, axes: tuple[int, int], kind: str) -> Coordinate | None:
        """Return the two-dimensional coordinate of a kind along both axes, if there is one."""
        wanted = tuple(sorted(axes))
        curved = (each for each in self.coordinates if each.axes == wanted and each.kind == kind)
        return next(curved, None)


def first_known(several: Sequence[Sequence[str | None]]) -> tuple[str | None, ...]:
    """Return the first known name of each axis.

    Examples
    --------
    >>> first_known([("time", None), (None, "x")])
    ('time', 'x')
    """
    return tuple(
        [
            next((name for name in names if name is not None), None)
            for names in zip(*several, strict=True)
        ]
    )
