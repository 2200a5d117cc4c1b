#!/usr/bin/env bash
# h5py 3.16.0 (libhdf5 2.0.0), numpy 2.4.6 (Python 3.11)
#
# A datatype that is encoded and decoded again (H5Tencode, H5Tdecode; in h5py `TypeID.encode` and
# `h5t.decode`) is not always the same: of ragged rows of object references, `h5py.vlen_dtype(
# h5py.ref_dtype)`, what comes back has no dtype: TypeError, "Unknown reference type", for its references
# are not equal to H5T_STD_REF_OBJ any more.  References alone, those within a compound, and
# ragged rows of numbers come back as they were.
# Whoever keeps datatypes by what they encode to, in a memory or beside a file, is surprised.
#
# Output seen:
#   references: the same
#   compound: the same
#   ragged numbers: the same
#   ragged references: TypeError: Unknown reference type
#
# Exits non-zero if this is no longer so.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "h5py==3.16.0" "numpy==2.4.6"

cd "$folder"
"$folder/venv/bin/python" - <<'PY'
import h5py
import numpy as np

KINDS = {
    "references": h5py.ref_dtype,
    "compound": np.dtype([("to", h5py.ref_dtype), ("i", "i4")]),
    "ragged numbers": h5py.vlen_dtype("i4"),
    "ragged references": h5py.vlen_dtype(h5py.ref_dtype),
}


def again(stored):
    """Say what has become of a datatype that was encoded and decoded."""
    try:
        dtype = h5py.h5t.decode(stored.encode()).dtype
    except TypeError as error:
        return f"TypeError: {error}"
    kept = dtype == stored.dtype and all(
        check(dtype) == check(stored.dtype)
        for check in (h5py.check_vlen_dtype, h5py.check_ref_dtype)
    )
    return "the same" if kept else f"another, of {dtype}"


said = {}
with h5py.File("a.h5", "w") as file:
    for name, dtype in KINDS.items():
        said[name] = again(file.create_dataset(name, (2,), dtype).id.get_type())
for name, text in said.items():
    print(f"{name}: {text}")
expected = ["the same", "the same", "the same", "TypeError: Unknown reference type"]
raise SystemExit(list(said.values()) != expected)
PY
