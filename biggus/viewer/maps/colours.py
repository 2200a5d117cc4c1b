"""Choosing colour maps and colour limits.

Colour maps are perceptually uniform.  They are chosen by the name of the variable if it is known,
else by its values: they diverge about zero if values lie on both sides of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

SEQUENTIAL = "viridis"
DIVERGING = "RdBu_r"

_NAMED = (
    ("anomaly", DIVERGING),
    ("tendency", DIVERGING),
    ("direction", "twilight"),
    ("temperature", "inferno"),
    ("precipitation", "YlGnBu"),
    ("rainfall", "YlGnBu"),
    ("snow", "Blues_r"),
    ("ice_area", "Blues_r"),
    ("vegetation", "YlGn"),
    ("ndvi", "YlGn"),
)
"""Parts of names, and the usual colour maps; the first that matches is chosen."""

_TAIL = 0.2
"""The percentage of values at each end that may lie beyond the limits."""

_BOTH_SIDES = 0.1
"""Values lie on both sides of zero if those of one side extend this fraction of the other."""

_MOST_FLAGS = 40

_FAR = 1000
"""Values farther beyond the limits, in multiples of their difference, are clipped."""

_TRUTH = ((0.0, "false"), (1.0, "true"))


class Colours(NamedTuple):
    """The colours of values.

    Attributes
    ----------
    cmap : str or list of colours
        The name of a colour map of matplotlib; for flags, a list of colours.
    vmin, vmax : float
        The values of the first and the last colour.
    extend : str
        Whether values lie beyond the limits: ``"neither"``, ``"min"``, ``"max"`` or ``"both"``.
    flags : tuple of (value, text)
        For flags: their values in ascending order, and their meanings.
    """

    cmap: Any
    vmin: float
    vmax: float
    extend: str = "neither"
    flags: tuple[tuple[float, str], ...] = ()


def colours_for(
    values: npt.NDArray[Any],
    attributes: Mapping[str, Any],
    name: str = "",
    *,
    cmap: Any = None,
    vmin: float | None = None,
    vmax: float | None = None,
) -> Colours:
    """Return the colours for values.

    Parameters
    ----------
    values : ndarray
        All values, or a sample.  NaN and infinities do not affect the limits.
    attributes : mapping
        The attributes of the variable.
    name : str, optional
        The name of the variable, if it has no standard name.
    cmap, vmin, vmax : optional
        The choice of the user.

    Raises
    ------
    ValueError
        If `vmin` is greater than `vmax`.

    Examples
    --------
    >>> round(colours_for(np.linspace(-1, 3, 9), {}).vmin, 1)
    -3.0
    >>> colours_for(np.linspace(270, 300, 9), {"standard_name": "air_temperature"}).cmap
    'inferno'
    """
    if vmin is not None and vmax is not None and vmin > vmax:
        raise ValueError(f"`vmin={vmin}` is greater than `vmax={vmax}`")
    numbers = np.ma.compressed(values)
    finite = bounded(numbers[np.isfinite(numbers)]).astype(np.float64)
    flags = _TRUTH if numbers.dtype.kind == "b" else flags_of(attributes)
    if flags and cmap is None and _are_flags(finite, flags):
        return Colours(distinct(len(flags)), -0.5, len(flags) - 0.5, flags=flags)
    if not finite.size:
        return Colours(cmap or SEQUENTIAL, *_span(0.0, 1.0, vmin, vmax))
    least, greatest = float(np.nanmin(numbers)), float(np.nanmax(numbers))
    low, high = (float(v) for v in np.percentile(finite, (_TAIL, 100 - _TAIL)))
    wanted = cmap or _named(attributes, name)
    both = low < 0 < high and min(-low, high) >= _BOTH_SIDES * max(-low, high)
    difference = both and cmap is None and attributes.get("units") in ("K", "kelvin")
    if wanted is None or difference:
        wanted = DIVERGING if both else SEQUENTIAL
    if wanted == DIVERGING and cmap is None:
        low, high = -max(-low, high), max(-low, high)
    low, high = _span(low, high, vmin, vmax)
    beyond = ("min" if least < low else "") + ("max" if greatest > high else "")
    extend = {"": "neither", "minmax": "both"}.get(beyond, beyond)
    return Colours(wanted, low, high, extend)


def bounded(
    values: npt.NDArray[Any], low: float = -np.inf, high: float = np.inf
) -> npt.NDArray[Any]:
    """Clip values far from some limits, so that differences do not overflow.

    Examples
    --------
    >>> bounded(np.array([2.0, np.inf, np.nan]), 0, 5).tolist()
    [2.0, 5005.0, nan]
    """
    if values.dtype.kind != "f":
        return values
    kind: type[np.floating[Any]] = np.float32 if values.dtype.itemsize <= 4 else np.float64
    with np.errstate(over="ignore"):
        numbers = values.astype(kind, copy=False)
    # matplotlib computes differences, and before 3.10 multiplied those of float64 by 10^7.
    farthest = float(np.finfo(kind).max) / (4 if kind is np.float32 else 2**26)
    far = _FAR * (high - low)
    clipped: npt.NDArray[Any] = numbers.clip(max(low - far, -farthest), min(high + far, farthest))
    return clipped


def _span(low: float, high: float, vmin: float | None, vmax: float | None) -> tuple[float, float]:
    low, high = (low if vmin is None else vmin), (high if vmax is None else vmax)
    if low < high:
        return low, high
    # All values are equal, or all lie beyond the limit of the user.
    if vmin is None and vmax is not None:
        return vmax - (abs(vmax) / 2 or 0.5), vmax
    half = abs(low) / 2 or 0.5
    return (low - half if vmin is None else low), low + half


def _named(attributes: Mapping[str, Any], name: str) -> str | None:
    words = " ".join(
        str(text).lower()
        for text in (attributes.get("standard_name", ""), attributes.get("long_name", ""), name)
    ).replace(" ", "_")
    return next((colours for part, colours in _NAMED if part in words), None)


def _are_flags(finite: npt.NDArray[np.float64], flags: tuple[tuple[float, str], ...]) -> bool:
    """Tell whether most values are flags: some variables list only a few special values."""
    known = np.isin(finite, [value for value, _ in flags])
    return 2 * int(known.sum()) >= len(known)


def flags_of(attributes: Mapping[str, Any]) -> tuple[tuple[float, str], ...]:
    """Return the values and meanings of flags, if the attributes list them."""
    values, meanings = attributes.get("flag_values"), attributes.get("flag_meanings")
    if values is None or not isinstance(meanings, str):
        return ()
    if isinstance(values, str):  # some files have a list in a text
        values = values.replace(",", " ").split()
    try:
        numbers = [float(value) for value in np.atleast_1d(np.asarray(values)).ravel()]
    except (TypeError, ValueError):
        return ()
    texts = meanings.split()
    if len(texts) != len(numbers) or not 0 < len(numbers) <= _MOST_FLAGS:
        return ()
    if not np.isfinite(numbers).all():
        return ()
    return tuple(sorted(zip(numbers, texts, strict=True)))


def distinct(count: int) -> list[Any]:
    """Return `count` distinct colours, 40 at most, without greys, which are for missing values."""
    from matplotlib import colormaps

    numbers = {"tab20": (*range(14), *range(16, 20)), "tab20b": range(20), "tab20c": (8, 12)}
    forty = [colormaps[name](number) for name, some in numbers.items() for number in some]
    return forty[:count]


def places_of_flags(
    values: npt.NDArray[Any], flags: tuple[tuple[float, str], ...]
) -> npt.NDArray[Any]:
    """Return the number of the flag of each value; masked if a value is not a flag.

    Examples
    --------
    >>> places_of_flags(np.array([7, 2, 5]), ((2.0, "a"), (7.0, "b")))
    masked_array(data=[1.0, 0.0, --],
                 mask=[False, False,  True],
           fill_value=1e+20)
    """
    known = np.array([value for value, _ in flags])
    data = np.ma.getdata(values).astype(np.float64)
    places = np.searchsorted(known, data).clip(0, len(known) - 1)
    mask = np.ma.getmaskarray(values) | (known[places] != data)
    return np.ma.MaskedArray(places.astype(np.float64), mask=mask)


def with_opacity(values: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Return colours with an alpha channel; missing ones are transparent.

    As in matplotlib, integers range from 0 to 255, and floats from 0 to 1; others are clipped.
    """
    data = np.ma.getdata(values)
    pixels = np.full((*data.shape[:2], 4), 255, np.uint8)
    if data.dtype.kind == "f":
        data = np.rint(np.nan_to_num(data).clip(0, 1) * 255)
    elif data.dtype.kind in "iu":
        data = data.clip(0, min(255, np.iinfo(data.dtype).max))
    pixels[..., : data.shape[2]] = data
    pixels[np.ma.getmaskarray(values).any(axis=2), 3] = 0
    return pixels
