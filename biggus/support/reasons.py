"""The reason for which an operation failed, as one line of an error message."""

from __future__ import annotations

import os


def reason_of(error: BaseException) -> str:
    r"""Return the reason of an exception in one line.

    The reason of an error of the operating system is its text alone.  Libraries add temporary
    paths, addresses in memory and flags to it, which tell the user nothing.

    Examples
    --------
    >>> reason_of(PermissionError(13, "Unable to create file (flags = 13)", "/data/.x.partial"))
    'Permission denied'
    >>> reason_of(ValueError("two\nlines"))
    'two lines'
    """
    number = getattr(error, "errno", None)
    # The numbers of netCDF's errors are negative.
    if isinstance(error, OSError) and isinstance(number, int) and number > 0:
        return os.strerror(number)
    return " ".join(str(error).split()) or type(error).__name__
