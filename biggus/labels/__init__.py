"""Labels: the meaning of the axes and values of an array, followed through its expression.

A store's variable names its axes, says in attributes what its values are, and has coordinates
beside it.  Nothing of that is kept with an array: it follows from the sources that its node reads.
"""

from biggus.labels.axes import numbered, numbered_call, numbered_one
from biggus.labels.coordinate import Coordinate
from biggus.labels.encoding import encoding_of
from biggus.labels.following import labels_of, labels_of_all
from biggus.labels.labels import Labels

__all__ = [
    "Coordinate",
    "Labels",
    "encoding_of",
    "labels_of",
    "labels_of_all",
    "numbered",
    "numbered_call",
    "numbered_one",
]
