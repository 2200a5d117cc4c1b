"""Checking the options of backends that read over HTTP."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from biggus.errors import OpenError


class OptionChecker:
    """Checks the values of options, and returns them in normal form.

    Parameters
    ----------
    location : str
        The location that is opened, without credentials, for errors.
    """

    def __init__(self, location: str) -> None:
        self.location = location

    def integer(self, name: str, value: Any, low: int, high: int) -> int:
        """Return `value` as an int from `low` to `high`."""
        try:
            number = operator.index(value)
        except TypeError:
            number = None
        if number is None or isinstance(value, bool) or not low <= number <= high:
            raise OpenError(
                self.location, f"`{name}=` is a whole number, {low} to {high}, not {value!r}"
            )
        return number

    def seconds(self, name: str, value: Any) -> float:
        """Return a number of seconds, or a timedelta, as a float."""
        if isinstance(value, timedelta):
            value = value.total_seconds()
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or not 0 <= value < float("inf"):
            raise OpenError(self.location, f"`{name}=` is a number of seconds, not {value!r}")
        return float(value)

    def headers(self, value: Any) -> tuple[tuple[str, str], ...]:
        """Return headers as pairs; errors do not show them."""
        if value is None:
            return ()
        # The values may be secrets, and are not in the message.
        problem = "`headers=` maps names to values, both strings of one line"
        if not isinstance(value, Mapping):
            raise OpenError(self.location, problem)
        for part in (*value.keys(), *value.values()):
            if not isinstance(part, str) or "\n" in part or "\r" in part:
                raise OpenError(self.location, problem)
        return tuple(value.items())
