"""CF decoding: from values as they are packed in a store to what they mean.

A variable's attributes say which packed values are missing (``_FillValue``,
``missing_value``, ``valid_min``, ``valid_max``, ``valid_range``), whether
signed integers are unsigned ones (``_Unsigned``), how numbers are scaled
(``scale_factor``, ``add_offset``), and of which dtype values were that the format
does not have (``dtype``, `KEPT_DTYPE`).  :func:`decoder` turns dtype and attributes
into a :class:`Decoder`, which is applied to any block of packed values, so that
what is kept in a cache is packed, and packed and decoded views share it.

The results are those of netCDF4-python's automatic masking and scaling, with
what depends on the values there made static here: dtype, maskedness and fill
value follow from the metadata alone.

Pure: knows no source and reads nothing.
"""

from biggus.cf.attributes import decoder
from biggus.cf.decoder import Decoder
from biggus.cf.marks import KEPT_DTYPE, PACKING, follows, kept_dtype

__all__ = ["KEPT_DTYPE", "PACKING", "Decoder", "decoder", "follows", "kept_dtype"]
