#!/usr/bin/env bash
# astropy 8.0.2, numpy 2.4.6 (Python 3.11)
#
# A slice with a step along the last axis of a FITS image's `.section` has another dtype than the
# section, and than the same slice without a step: uint8 and int16 come as int64, float32 as
# float64, up to eight times the memory.  With a step along the first axis it is kept.
# Whoever allocates by `section.dtype`, or checks what is read against it, is surprised.
#
# Output seen:
#   uint8: section uint8, [:, 0:4] uint8, [::2, :] uint8, [:, ::2] int64
#   int16: section int16, [:, 0:4] int16, [::2, :] int16, [:, ::2] int64
#   float32: section float32, [:, 0:4] float32, [::2, :] float32, [:, ::2] float64
#
# Exits non-zero if this is no longer so.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "astropy==8.0.2" "numpy==2.4.6"

cd "$folder"
"$folder/venv/bin/python" - <<'PY'
import numpy as np
from astropy.io import fits

changed = False
for dtype in ("uint8", "int16", "float32"):
    values = np.arange(12, dtype=dtype).reshape(3, 4)
    fits.PrimaryHDU(values).writeto("image.fits", overwrite=True)
    with fits.open("image.fits") as file:
        section = file[0].section
        whole, rows, columns = section[:, 0:4], section[::2, :], section[:, ::2]
        print(
            f"{dtype}: section {section.dtype}, [:, 0:4] {whole.dtype.name}, "
            f"[::2, :] {rows.dtype.name}, [:, ::2] {columns.dtype.name}"
        )
        assert columns.tolist() == values[:, ::2].tolist()
        kept = whole.dtype.name == rows.dtype.name == dtype
        changed |= not (kept and columns.dtype.name in ("int64", "float64"))
raise SystemExit(changed)
PY
