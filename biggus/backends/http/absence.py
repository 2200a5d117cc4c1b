"""Which answers say that something is not there.

404 and 410 always do.  Some servers answer otherwise: a bucket that may be read and not
listed 403, others 200 with a body of no bytes.  As those can be failures too, they count
only where the user says so.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

from biggus.backends.http.client import RETRIED
from biggus.errors import OpenError

if TYPE_CHECKING:
    from biggus.backends.http.attempt import Response

GONE = frozenset({404, 410})
"""The statuses by which any server says that something is not there."""


def absent_statuses(location: str, value: Any) -> frozenset[int]:
    """Return the statuses that an option ``absent=`` names.

    Parameters
    ----------
    location : str
        What is being opened, without credentials: the error names it.
    value : int or sequence of int
        204, 400 to 499, or 200, which stands for one without a body.

    Raises
    ------
    OpenError
        If it names others: a server in trouble tells nothing of what it has.
    """
    try:
        parts = [value] if hasattr(value, "__index__") else list(value)
        statuses = {operator.index(part) for part in parts}
    except TypeError:
        statuses = {0}
    allowed = {200, 204, *range(400, 500)} - RETRIED
    if not statuses <= allowed:
        raise OpenError(
            location,
            "absent= is the status of what is not there, or several, such as (403, 410): 400 to "
            "499 (408, 425 and 429 excepted), 204, or 200 for an answer without a body; "
            f"not {value!r}",
        )
    return frozenset(statuses)


def is_absent(response: Response, absent: frozenset[int]) -> bool:
    """Tell whether an answer says that there is no such thing, where `absent` says so too."""
    status = response.status
    return status in GONE or (status in absent and not (status == 200 and response.body))
