"""Decoding values that are packed and masked by the CF conventions.

A variable's attributes say which packed values are missing (``_FillValue``, ``missing_value``,
``valid_min``, ``valid_max``, ``valid_range``), whether signed integers stand for unsigned ones
(``_Unsigned``), how numbers are scaled (``scale_factor``, ``add_offset``), and the original dtype
of values if the format does not have it (``dtype``, `KEPT_DTYPE`).  :func:`decoder` makes a
:class:`Decoder` from dtype and attributes, which is applied to blocks of packed values.  A cache
holds packed values, so that packed and decoded arrays share it.

The results are those of netCDF4-python's automatic masking and scaling, except that dtype,
maskedness and fill value follow from the metadata alone, and never depend on the values.
"""

from biggus.cf.attributes import decoder
from biggus.cf.decoder import Decoder
from biggus.cf.marks import KEPT_DTYPE, PACKING, follows, kept_dtype

__all__ = ["KEPT_DTYPE", "PACKING", "Decoder", "decoder", "follows", "kept_dtype"]
