"""Responses that mean that something does not exist.

404 and 410 always do.  Some servers respond otherwise: a bucket that may be read but not listed
with 403, others with 200 and an empty body.  As those may be failures too, they count only if
the user says so.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

from biggus.backends.http.client import RETRIED
from biggus.errors import OpenError

if TYPE_CHECKING:
    from biggus.backends.http.attempt import Response

GONE = frozenset({404, 410})
"""The statuses that always mean that something does not exist."""


def absent_statuses(location: str, value: Any) -> frozenset[int]:
    """Return the statuses of an option ``absent=``.

    Parameters
    ----------
    location : str
        The location that is opened, without credentials, for errors.
    value : int or sequence of int
        204, 400 to 499, or 200, which stands for a response without a body.

    Raises
    ------
    OpenError
        If there are others: a failing server does not tell whether something exists.
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
            "`absent=` is one or several statuses of things that do not exist, as in "
            "`absent=(403, 410)`: 400 to 499 (except 408, 425 and 429), 204, or 200 for a response "
            f"without a body; not {value!r}",
        )
    return frozenset(statuses)


def is_absent(response: Response, absent: frozenset[int]) -> bool:
    """Return whether a response means that something does not exist, by `absent` too."""
    status = response.status
    return status in GONE or (status in absent and not (status == 200 and response.body))
