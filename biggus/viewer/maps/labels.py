"""Texts of axes, colour bars and titles."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from biggus.labels import Coordinate, Labels

_MOST = 60

_LETTERS = 13
"""The number of letters in an inch of a label."""

_TITLE_LETTERS = 10
"""The number of letters in an inch of a title."""

GAP = "   "
"""The space between the parts of a title."""

_NO_DATE = np.datetime64("NaT", "us")


def label_of(meaning: Labels) -> str:
    """Return the label of the values: the long name and the units.

    Examples
    --------
    >>> from biggus.labels import Labels
    >>> label_of(Labels((), "tos", "", {"long_name": "sea surface temperature", "units": "K"}))
    'sea surface temperature (K)'
    """
    return _with_units(meaning.name, meaning.attributes)


def _with_units(name: str, attributes: Any) -> str:
    attributes = dict(attributes)
    long_name = attributes.get("long_name") or str(attributes.get("standard_name", "")).replace(
        "_", " "
    )
    units = shortened(str(attributes.get("units", "")))
    text = shortened(str(long_name or name))
    return f"{text} ({units})" if units not in ("", "1") and text else text or units


def axis_label(each: Coordinate | None, axis: int) -> str:
    """Return the label of an axis."""
    if each is None:
        return f"axis {axis}"
    if each.kind == "time":
        return ""  # dates need no label
    if each.kind in ("longitude", "latitude"):
        return ""  # nor do degrees
    return _with_units(each.name, each.attributes)


def dates_of(each: Coordinate, values: npt.NDArray[Any]) -> npt.NDArray[Any] | None:
    """Return the dates of a time coordinate; None for other coordinates.

    Returns
    -------
    ndarray of datetime64, or of cftime's dates in other calendars; None
        NaT if a value is missing.  Counts of time are decoded if cftime is installed.
    """
    if values.dtype.kind == "M":
        return values
    units = str(each.attributes.get("units", ""))
    if " since " not in units or values.dtype.kind not in "iuf":
        return None
    calendar = str(each.attributes.get("calendar", "standard"))
    try:
        import cftime
    except ImportError:
        return None
    known = np.isfinite(values)
    dates = np.full(values.shape, _NO_DATE, object)
    try:
        dates[known] = cftime.num2date(values[known], units, calendar)
    except (ValueError, OverflowError, TypeError):
        return None
    if calendar.lower() in ("standard", "gregorian", "proleptic_gregorian"):
        try:
            plain = [
                np.datetime64(date.isoformat()) if there else _NO_DATE
                for date, there in zip(dates.ravel(), known.ravel(), strict=True)
            ]
        except ValueError:
            return dates
        return np.array(plain, "M8[us]").reshape(dates.shape)
    return dates


def value_text(each: Coordinate) -> str:
    """Return the text of a scalar coordinate, such as ``2004-06-11``."""
    values = np.asarray(each.values())
    dates = dates_of(each, values)
    if dates is not None:
        return date_text(dates.reshape(-1)[0])
    text = place_text(each, values.reshape(-1)[0])
    if each.kind in ("latitude", "longitude"):
        return text
    units = str(each.attributes.get("units", ""))
    return f"{each.name} {text}{f' {units}' if units not in ('', '1') else ''}"


def place_text(each: Coordinate, value: Any) -> str:
    """Return the text of a value of a coordinate, or of a date."""
    if is_date(value):
        return date_text(value)
    if each.kind == "latitude":
        return degrees_text(float(value), "N", "S")
    if each.kind == "longitude":
        return degrees_text((float(value) + 180) % 360 - 180, "E", "W")
    return f"{value:.6g}" if isinstance(value, np.number) else str(value)


def is_date(value: Any) -> bool:
    """Tell whether a value is a date of NumPy or cftime."""
    return isinstance(value, np.datetime64) or not isinstance(value, np.generic | str | int | float)


def grows_upward(each: Coordinate | None) -> bool:
    """Tell whether the first row is at the bottom, as when latitude increases with the rows."""
    if each is None or not (each.downward or each.kind in ("latitude", "y")):
        return False
    values = np.asarray(each.values())
    first, last = values[0], values[-1]
    return bool(last < first if each.downward else last > first)


def date_text(date: Any) -> str:
    """Return the text of a date, without the time if that is zero.

    Examples
    --------
    >>> date_text(np.datetime64("2004-06-11T00:00")), date_text(np.datetime64("2004-06-11T06:30"))
    ('2004-06-11', '2004-06-11 06:30')
    """
    text = str(np.datetime_as_string(date, "m") if isinstance(date, np.datetime64) else date)
    day, _, hours = text.replace("T", " ").partition(" ")
    return day if not hours.strip("0:.") else f"{day} {hours[:5]}"


def degrees_text(degrees: float, positive: str, negative: str) -> str:
    """Return the text of degrees with the direction.

    Examples
    --------
    >>> degrees_text(-120.0, "E", "W"), degrees_text(0.0, "E", "W")
    ('120° W', '0°')
    """
    side = positive if degrees > 0 else negative
    return f"{abs(degrees):.4g}° {side}" if degrees else "0°"


def shortened(text: str, most: int = _MOST) -> str:
    """Return a text, shortened to at most `most` characters."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 3]}..."


def heading(title: str, inches: float) -> str:
    r"""Break a title into lines of a length in inches, between its parts if it has several.

    Examples
    --------
    >>> heading("ocean.nc   tos   2001-01-16   42° E", 2.9)
    'ocean.nc   tos   2001-01-16\n42° E'
    """
    lines: list[str] = []
    for part in title.split(GAP):
        longer = f"{lines[-1]}{GAP}{part}" if lines else part
        if lines and len(longer) <= _TITLE_LETTERS * inches:
            lines[-1] = longer
        else:
            lines += textwrap.wrap(part, max(12, int(_TITLE_LETTERS * inches)))
    return "\n".join(lines)


def wrapped(text: str, inches: float) -> str:
    r"""Wrap a text to lines of a length in inches, for the default font size of matplotlib.

    Examples
    --------
    >>> wrapped("sea surface temperature (K)", 1.3)
    'sea surface\ntemperature (K)'
    """
    return textwrap.fill(text, max(12, int(_LETTERS * inches)), break_on_hyphens=False)
