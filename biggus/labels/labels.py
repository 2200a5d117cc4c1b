"""What an array stands for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from biggus.labels.coordinate import Coordinate


@dataclass(frozen=True, eq=False)
class Labels:
    """What an array stands for.

    Attributes
    ----------
    dims : tuple of str or None
        The name of each axis; None where there is none.
    name : str
        Of its variable; empty if there is none.
    place : str
        Where its values come from.
    attributes : mapping
        What the store says of the variable, as far as it is true of the values.
    coordinates : tuple of Coordinate
        If they were asked for.
    done : tuple of str
        The statistics that were taken of it.
    decoded : bool
        Whether the values were unpacked since: what tells of packing is not true any more.
    default_fills : bool
        Whether the netCDF library's default fill values mean missing ones in the store.
    packed_fill : bool
        Whether the fill value is one of packed values, and of no meaning among these.
    grid_mapping : Coordinate or None
        What says how the grid lies on the Earth, if coordinates were asked for.
    group_attributes : mapping
        What the store says of all that is in the group, if coordinates were asked for.
    """

    dims: tuple[str | None, ...]
    name: str = ""
    place: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    coordinates: tuple[Coordinate, ...] = ()
    done: tuple[str, ...] = ()
    decoded: bool = False
    default_fills: bool = False
    packed_fill: bool = False
    grid_mapping: Coordinate | None = None
    group_attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def named(self) -> tuple[str, ...]:
        """The name of each axis, or one made of its number."""
        return tuple([f"dim_{n}" if dim is None else dim for n, dim in enumerate(self.dims)])

    def along(self, axis: int) -> Coordinate | None:
        """Return the coordinate of one axis alone; rather one that says what it is."""
        found = [each for each in self.coordinates if each.axes == (axis,)]
        return next((each for each in found if each.kind), found[0] if found else None)

    def alone(self) -> list[Coordinate]:
        """Return the coordinates of one value, one of each kind; of unknown kind one at most."""
        found: dict[str | None, Coordinate] = {}
        for each in self.coordinates:
            named = each.attributes.get("standard_name") == each.kind
            if not each.axes and each.spans is None and (each.kind not in found or named):
                found[each.kind] = each
        if len(found) > 1:
            found.pop(None, None)
        return list(found.values())

    def curved(self, axes: tuple[int, int], kind: str) -> Coordinate | None:
        """Return the coordinate of that kind that runs along both axes, if there is one."""
        wanted = tuple(sorted(axes))
        found = (each for each in self.coordinates if each.axes == wanted and each.kind == kind)
        return next(found, None)
