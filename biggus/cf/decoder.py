"""Decoders, which unpack and mask packed values element by element."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from biggus.sources.base import Values


@dataclass(frozen=True, eq=False)
class Decoder:
    """Unpacks and masks packed values, element by element.

    Made by :func:`biggus.cf.decoder`.  Decoders that do the same are equal; they can be hashed
    and pickled.

    Attributes
    ----------
    packed : dtype
        The dtype of packed values.
    dtype : dtype
        The dtype of decoded values.
    masked : bool
        Whether the result is a MaskedArray, as values can be missing.
    fill_value : scalar or None
        The fill value of the result, of `dtype`; None if not `masked`.
    viewed : dtype
        The dtype that packed values are viewed as: `packed`, or its unsigned counterpart.
    missing : tuple of scalar
        The packed values, of dtype `viewed`, that are missing.
    nan : bool
        Whether NaN is missing.
    minimum, maximum : scalar or None
        The bounds, of dtype `viewed`, beyond which packed values are missing.
    scale, offset : scalar or None
        Packed values are multiplied by `scale`, then `offset` is added.
    """

    packed: np.dtype[Any]
    dtype: np.dtype[Any]
    viewed: np.dtype[Any]
    fill_value: Any = None
    missing: tuple[Any, ...] = ()
    nan: bool = False
    minimum: Any = None
    maximum: Any = None
    scale: Any = None
    offset: Any = None

    @property
    def masked(self) -> bool:
        """Whether the result is a MaskedArray, as values can be missing."""
        bounded = self.minimum is not None or self.maximum is not None
        return bool(self.missing) or self.nan or bounded

    def __call__(self, values: npt.NDArray[Any]) -> Values:
        """Return the decoded `values`.

        Parameters
        ----------
        values : ndarray
            Packed values of dtype `packed`, of any shape; not changed.  Values that are masked
            already stay masked.

        Returns
        -------
        ndarray or MaskedArray
            Of `dtype` and the same shape; a MaskedArray if and only if `masked` or `values` is
            one.  It may share memory with `values`.  Values under the mask have no meaning.
        """
        known = np.ma.getmask(values) if isinstance(values, np.ma.MaskedArray) else None
        values = np.asarray(values)
        if self.viewed != self.packed:
            values = values.view(self.viewed)
        with np.errstate(all="ignore"):
            mask = self._mask(values)
            result = self._unpack(values)
        if known is not None:
            mask = np.ma.mask_or(mask, known, copy=True)
        elif not self.masked:
            return result
        return np.ma.MaskedArray(result, mask=mask, fill_value=self.fill_value)

    def _mask(self, values: npt.NDArray[Any]) -> Any:
        mask: Any = None
        for test in (
            *(np.equal(values, missing) for missing in self.missing),
            *([np.isnan(values)] if self.nan else ()),
            *([np.less(values, self.minimum)] if self.minimum is not None else ()),
            *([np.greater(values, self.maximum)] if self.maximum is not None else ()),
        ):
            mask = test if mask is None else np.logical_or(mask, test)
        return mask if mask is not None and mask.any() else np.ma.nomask

    def _unpack(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        result: npt.NDArray[Any] = values
        if self.scale is not None:
            result = np.asarray(np.multiply(result, self.scale))
        if self.offset is not None:
            # The product is a new array, which the sum may overwrite if it has its dtype.
            ours = self.scale is not None and result.dtype == self.dtype
            added = np.add(result, self.offset, out=result) if ours else result + self.offset
            result = np.asarray(added)
        return result if result.dtype == self.dtype else result.astype(self.dtype)

    @property
    def applied(self) -> dict[str, Any]:
        """The CF attributes that it applies; ``missing`` lists all missing values.

        Examples
        --------
        >>> from biggus import cf
        >>> cf.decoder("i2", {"_FillValue": np.int16(-9), "scale_factor": 0.5}).applied
        {'missing': [-9], 'scale_factor': 0.5}
        """
        missing = [*np.asarray(self.missing).tolist(), *([float("nan")] if self.nan else [])]
        unsigned = "true" if self.viewed != self.packed else None
        named = {
            "missing": missing or None,
            "_Unsigned": unsigned,
            "valid_min": self.minimum,
            "valid_max": self.maximum,
            "scale_factor": self.scale,
            "add_offset": self.offset,
        }
        return {
            name: value.item() if isinstance(value, np.generic) else value
            for name, value in named.items()
            if value is not None
        }

    @property
    def key(self) -> str:
        """A text that is equal for equal decoders, in any process."""
        return f"decode{self._key()!r}"

    def _key(self) -> tuple[Any, ...]:
        def exact(value: Any) -> Any:
            # Bytes, as NaN is not equal to itself, and 0.0 equals -0.0.
            if value is None:
                return None
            array = np.asarray(value)
            return array.dtype.str, array.tobytes()

        return (
            self.packed,
            self.dtype,
            self.viewed,
            self.nan,
            tuple(map(exact, self.missing)),
            *map(exact, (self.fill_value, self.minimum, self.maximum, self.scale, self.offset)),
        )

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, Decoder) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key())
