"""Writing pictures with one pixel for each value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from biggus.cli.saving import all_values
from biggus.errors import OutputError
from biggus.support.extras import needing

if TYPE_CHECKING:
    from pathlib import Path

    from biggus.array import Array


def write_png(path: Path, array: Array) -> str | None:
    """Write values as a picture, with the first row at the top.

    Pixels of uint8, of shape (rows, columns) or (rows, columns, 1 to 4), are
    written as they are.  Other numbers of shape (rows, columns) become shades
    of grey, scaled so that the least finite one is black and the greatest
    white.  Missing values and NaN are transparent.

    Returns
    -------
    str or None
        The scaling that was applied.

    Raises
    ------
    OutputError
        If the values cannot be a picture.
    MissingDependencyError
        If Pillow is not installed.
    """
    with needing("PIL", "tiles", "writing a picture"):
        import PIL.Image
    shape, kind = array.shape, array.dtype.kind
    coloured = len(shape) == 3 and 1 <= shape[2] <= 4 and array.dtype == np.uint8
    if not (coloured or (len(shape) == 2 and kind in "biuf")) or 0 in shape:
        raise OutputError(
            f"values of shape {shape} and dtype {array.dtype} make no picture; select numbers "
            "of shape (rows, columns), or uint8 of shape (rows, columns, 3 or 4), with a key"
        )
    values = all_values(array)
    data, missing = np.ma.getdata(values), np.ma.getmaskarray(values)
    if kind == "f":
        missing = missing | np.isnan(data)
    pixels, description = _shades(data, missing)
    if missing.any():
        pixels = _with_alpha(pixels, missing)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    PIL.Image.fromarray(np.ascontiguousarray(pixels)).save(path, format="PNG")
    return description


def _shades(
    data: npt.NDArray[Any], missing: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.uint8], str | None]:
    """Return values scaled to uint8, and a description of the scaling."""
    if data.dtype == np.uint8:
        return data, None
    if data.dtype == np.bool_:
        return data.astype(np.uint8) * np.uint8(255), "False is black, True is white"
    numbers = data.astype(np.float64)
    shown = np.isfinite(numbers) & ~missing
    if not shown.any():
        raise OutputError("there is no finite value to make a picture of")
    low, high = float(numbers[shown].min()), float(numbers[shown].max())
    # Halved, so that the difference of the largest doubles does not overflow.
    span = high / 2 - low / 2
    with np.errstate(all="ignore"):
        share = (numbers / 2 - low / 2) / span if span > 0 else np.zeros_like(numbers)
    share = np.nan_to_num(share, nan=0.0, posinf=1.0, neginf=0.0).clip(0, 1)
    description = f"scaled to shades of grey: black is {low:g}, white is {high:g}"
    return np.rint(share * 255).astype(np.uint8), description


def _with_alpha(
    pixels: npt.NDArray[np.uint8], missing: npt.NDArray[np.bool_]
) -> npt.NDArray[np.uint8]:
    """Return the pixels with an alpha channel: 0 where a value is missing."""
    if pixels.ndim == 3:
        missing = np.logical_or.reduce(missing, axis=2)
        if pixels.shape[2] in (2, 4):
            pixels = pixels.copy()
            pixels[missing, -1] = 0
            return pixels
    return np.dstack([pixels, np.where(missing, np.uint8(0), np.uint8(255))])
