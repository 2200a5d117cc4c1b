"""Labels: what the axes and the values of an array stand for, followed through its expression.

A store's variable names its axes, says in attributes what its values are, and has coordinates
beside it.  Nothing of that is kept with an array: it follows from the sources that its node reads.
Followed is only what is asked for: so the modules that do it are imported then.
"""

from typing import TYPE_CHECKING

from biggus.labels.axes import numbered, numbered_call
from biggus.later import later

if TYPE_CHECKING:
    from biggus.labels.attributes import kept_attributes
    from biggus.labels.coordinate import Coordinate
    from biggus.labels.encoding import encoding_of
    from biggus.labels.following import labels_of, labels_of_all
    from biggus.labels.labels import Labels

__all__ = [
    "Coordinate",
    "Labels",
    "encoding_of",
    "kept_attributes",
    "labels_of",
    "labels_of_all",
    "numbered",
    "numbered_call",
]

__getattr__ = later(
    __name__,
    {
        "Coordinate": ".coordinate",
        "Labels": ".labels",
        "encoding_of": ".encoding",
        "kept_attributes": ".attributes",
        **dict.fromkeys(("labels_of", "labels_of_all"), ".following"),
    },
)
