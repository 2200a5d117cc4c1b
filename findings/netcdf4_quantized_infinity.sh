#!/usr/bin/env bash
# netCDF4-python 1.7.5.1.post1 (netCDF-C 4.10.1, on x86-64): infinite values become NaN if a variable is quantized with
# BitGroom, which is the default, and zero if it is with GranularBitRound.
#
# Decibels of nothing are minus infinity, as in radar fields without an echo. BitGroom sets the last bits of every second
# value, which makes NaN of an infinite one. GranularBitRound takes the number of bits to keep from the logarithm of the
# value, and keeps none of an infinite one: "no echo" becomes 0 dBZ, which is an echo. NaN and the fill value stay, and
# BitRound keeps all. Nothing is raised, and there is no warning.
#
# Output seen (three significant digits; ten bits for BitRound):
#     BitGroom          [12.5, nan, -inf, nan, nan]
#     BitRound          [12.5, -inf, -inf, -inf, nan]
#     GranularBitRound  [12.5, 0.0, 0.0, 0.0, nan]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet netCDF4==1.7.5.1.post1 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" -W error - <<'PYTHON'
import netCDF4
import numpy as np

values = np.array([12.5, -np.inf, -np.inf, -np.inf, np.nan], "f4")
found = {}
for mode, digits in {"BitGroom": 3, "BitRound": 10, "GranularBitRound": 3}.items():
    with netCDF4.Dataset("a.nc", "w") as file:
        file.createDimension("x", values.size)
        v = file.createVariable("dbz", "f4", ("x",), zlib=True, significant_digits=digits, quantize_mode=mode)
        v[:] = values
    with netCDF4.Dataset("a.nc") as file:
        file.set_auto_mask(False)
        found[mode] = file["dbz"][:]
    print(f"{mode:17}", found[mode].tolist())
np.testing.assert_array_equal(found["BitRound"], values)
assert np.isnan(found["BitGroom"]).sum() == 3, "the behaviour has changed"
assert not np.isinf(found["GranularBitRound"]).any(), "the behaviour has changed"
PYTHON
