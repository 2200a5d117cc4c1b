"""The arrays that the demo reads twice."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from biggus.cli.demo.models import Climate, Ocean
    from biggus.cli.demo.telling import Timed


@dataclasses.dataclass
class Reading:
    """The arrays that are read twice, with the time that took."""

    planet: Timed
    ocean: Timed
    climate: Timed

    def digests(self) -> dict[str, str]:
        """Return digests of the values."""
        ocean: Ocean = self.ocean.value
        climate: Climate = self.climate.value
        return {
            "planet": digest(self.planet.value),
            "ocean": digest(ocean.temperatures, ocean.latitude, ocean.longitude),
            "climate": digest(climate.first, climate.last, climate.series),
        }


def digest(*arrays: Any) -> str:
    """Return the SHA-256 of arrays: of their dtypes, shapes, values and masks.

    Examples
    --------
    >>> import numpy as np
    >>> digest(np.zeros(2)) == digest(np.zeros(2)), digest(np.zeros(2)) == digest(np.zeros(3))
    (True, False)
    """
    result = hashlib.sha256()
    for array in arrays:
        result.update(f"{array.dtype.str}{array.shape}".encode())
        if isinstance(array, np.ma.MaskedArray):
            result.update(np.ma.getmaskarray(array).tobytes())
            # Masked values have no meaning.
            array = array.filled(0)  # noqa: PLW2901
        result.update(array.tobytes())
    return result.hexdigest()
