#!/usr/bin/env bash
# zarr-python 3.1.6: strings of any length that are stored with the transpose codec come back in
# another order than they were written in, without an error; numbers and strings of a fixed length
# come back as they were.
#
# The codec vlen-utf8 writes the values of the transposed chunk in the order in which they lie in
# memory, which is that from before it was transposed. So what is in the store is in the wrong order
# too, for other libraries as well. In zarr-python 3.4.2 it is written in the right order.
#
# Output seen:
#     int64 [[0, 1], [2, 3], [4, 5]]
#     <U1 [['0', '1'], ['2', '3'], ['4', '5']]
#     StringDType() [['0', '3'], ['1', '4'], ['2', '5']]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet zarr==3.1.6 numcodecs==0.16.5 numpy==2.3.5
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import warnings

import numpy as np
import zarr

warnings.simplefilter("ignore")  # fixed-length strings have no specification in format 3
written = np.arange(6).reshape(3, 2)
same = []
for dtype in ("i8", "U1", "T"):
    values = written.astype(dtype)
    array = zarr.create_array(
        zarr.storage.MemoryStore(),
        shape=values.shape,
        chunks=values.shape,
        dtype=str if dtype == "T" else values.dtype,
        filters=zarr.codecs.TransposeCodec(order=(1, 0)),
    )
    array[:] = values
    print(array.dtype, array[:].tolist())
    same.append(bool((array[:] == values).all()))
assert same == [True, True, False], "the behaviour has changed"
PYTHON
