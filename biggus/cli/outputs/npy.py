"""NumPy's own file format."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from biggus.cli.atomic import OutputError

if TYPE_CHECKING:
    from pathlib import Path

    from biggus.cli.outputs.picked import Picked
    from biggus.source import Values


def write_npy(path: Path, picked: Picked) -> str | None:
    """Write a ``.npy`` file, one block after the other.

    Missing values need a fill: the format has no place for a mask.  Strings of
    any length become strings of the longest one's.

    Raises
    ------
    OutputError
        If a value is missing and there is no fill, or values are Python objects.
    """
    if picked.dtype.kind in "OT":
        with path.open("wb") as file:
            np.lib.format.write_array(file, _strings(picked), allow_pickle=False)
        return None
    header = {
        "descr": np.lib.format.dtype_to_descr(picked.dtype),
        "fortran_order": False,
        "shape": picked.shape,
    }
    with path.open("wb") as file:
        np.lib.format.write_array_header_2_0(file, header)
        # Blocks are runs of the C-ordered whole, and come in its order.
        for _, values in picked.blocks():
            file.write(np.ascontiguousarray(_plain(values, picked)).data.cast("B"))
    return None


def _plain(values: Values, picked: Picked) -> npt.NDArray[np.generic]:
    if not isinstance(values, np.ma.MaskedArray):
        return values
    if picked.fill is not None:
        return np.asarray(values.filled(picked.fill_scalar()))
    if np.ma.is_masked(values):
        raise OutputError(
            "values are missing and a .npy file has no place for a mask; "
            "say what stands for them with --fill, or write .nc or .zarr"
        )
    return values.data


def _strings(picked: Picked) -> npt.NDArray[np.str_]:
    values = picked.all()
    if not all(isinstance(value, str) for value in values.flat):
        raise OutputError("a .npy file has no place for Python objects that are not strings")
    return np.array(values, dtype=np.str_)
