"""What an array is called, and its axes: derived from its sources each time that it is asked."""

from __future__ import annotations

from typing import Any

from biggus.adapt import Lazy
from biggus.array.asking import asked_by
from biggus.labels import Labels, encoding_of, labels_of
from biggus.labels.attributes import kept_attributes


class Labelled(Lazy):
    """The labels of an array, by the names that xarray has for them."""

    __slots__ = ()

    @property
    def _labels(self) -> Labels:
        return labels_of(self.node)

    @property
    def dims(self) -> tuple[str, ...]:
        """The name of each axis; of one that has none, ``"dim_"`` and its number."""
        if asked_by("xarray.computation"):
            # It would take an array with dims for a variable, and align it by their names.
            raise AttributeError("dims")
        return self._labels.named

    @property
    def attrs(self) -> dict[str, Any]:
        """What the store says of the values, as far as it is true of them.

        A statistic of a variable has its attributes, and a ``cell_methods``; what is rounded
        or selected has them all; a sum or difference the units, if all that is added has the
        same.  Of anything else that was computed nothing is known.
        """
        labels = self._labels
        return kept_attributes(labels.attributes, labels.decoded)

    @property
    def encoding(self) -> dict[str, Any]:
        """How the values are stored: empty for those that were computed.

        ``dtype``, ``chunks`` and ``compression`` (None for one piece, and for none),
        ``unlimited`` (the names of the axes along which the store may grow), and the
        attributes by which values are packed or missing.  Those of a slice are stored as all
        are; of what was joined, it is told of the first.
        """
        return dict(encoding_of(self.node))

    @property
    def units(self) -> str | None:
        """The units of the values, if they are known."""
        units = self._labels.attributes.get("units")
        return units if isinstance(units, str) else None

    @property
    def name(self) -> str | None:
        """The name of the variable that the values are of, without its groups; None if of none."""
        return self._labels.name.rpartition("/")[2] or None
