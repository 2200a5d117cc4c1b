"""Labels of an array: name, dims, units and attributes, derived from its sources on access."""

from __future__ import annotations

from typing import Any

from biggus.adapt import Lazy
from biggus.array.callers import asked_by
from biggus.labels import Labels, encoding_of, labels_of
from biggus.labels.attributes import kept_attributes


class Labelled(Lazy):
    """Mixin of the labels of an array, named as in xarray."""

    __slots__ = ()

    @property
    def _labels(self) -> Labels:
        return labels_of(self.node)

    @property
    def dims(self) -> tuple[str, ...]:
        """The name of each axis; an axis without a name is called ``"dim_0"``, ``"dim_1"``, ..."""
        if asked_by("xarray.computation"):
            # xarray would treat an array with dims as a variable, and align it by name.
            raise AttributeError("dims")
        return self._labels.named

    def _sizes_text(self) -> str:
        """Return the name and the length of each axis, such as ``"time: 12, lat: 18"``."""
        named = zip(self._labels.named, self.node.shape, strict=True)
        return ", ".join([f"{dim}: {n}" for dim, n in named])

    @property
    def attrs(self) -> dict[str, Any]:
        """The attributes of the variable, as far as they hold for the values.

        Selected and rounded arrays have all attributes of their source.  A statistic has them
        too, and ``cell_methods``.  A sum or difference has the units, if all operands have
        the same.  Other computed arrays have none.
        """
        labels = self._labels
        return kept_attributes(labels.attributes, labels.decoded)

    @property
    def encoding(self) -> dict[str, Any]:
        """How the values are stored; empty for computed values.

        It has ``dtype``, ``chunks`` (None if contiguous), ``compression`` (None if there is
        none), ``unlimited`` (the names of the unlimited dimensions), and the attributes that
        describe packing and missing values.  A slice has the encoding of its source; joined
        arrays have that of the first.
        """
        return dict(encoding_of(self.node))

    @property
    def units(self) -> str | None:
        """The units of the values, if they are known."""
        units = self._labels.attributes.get("units")
        return units if isinstance(units, str) else None

    @property
    def name(self) -> str | None:
        """The name of the variable, without its groups; None if the array is of no variable."""
        return self._labels.name.rpartition("/")[2] or None
