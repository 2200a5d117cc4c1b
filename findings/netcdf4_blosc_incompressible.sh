#!/usr/bin/env bash
# netCDF4-python 1.7.4: data that Blosc cannot make shorter cannot be written with it, and the file
# cannot be closed.
#
# With zlib, zstd or bzip2 a chunk that would not become shorter is written all the same.  With
# compression="blosc_lz4" and its like the write fails with "NetCDF: HDF error": for random bits, and
# for any variable of a few values, such as a coordinate of six.  Whoever compresses all variables of a
# dataset in one way, as is common, meets that at the first small coordinate.
#
# Output seen (and lines of the filter on stderr):
#     6 values: zlib written, zstd written, blosc_lz4 RuntimeError, blosc_zstd RuntimeError
#     100000 random values: zlib written, zstd written, blosc_lz4 RuntimeError, blosc_zstd RuntimeError
#     100000 whole numbers: zlib written, zstd written, blosc_lz4 written, blosc_zstd written
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet netCDF4==1.7.4 numpy==2.3.5
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import subprocess
import sys

WRITING = """
import sys
import netCDF4
import numpy as np
kind, compression = sys.argv[1:]
rng = np.random.default_rng(0)
values = {
    "6 values": np.linspace(-90, 90, 6),
    "100000 random values": rng.integers(0, 2**63, 100_000).view("f8"),
    "100000 whole numbers": np.arange(100_000.0),
}[kind]
dataset = netCDF4.Dataset(f"{kind} {compression}.nc", "w")
dataset.createDimension("x", values.size)
variable = dataset.createVariable("v", "f8", ("x",), compression=compression)
try:
    variable[:] = values
    dataset.close()
except RuntimeError:
    print("RuntimeError", flush=True)
else:
    print("written", flush=True)
"""
COMPRESSIONS = "zlib", "zstd", "blosc_lz4", "blosc_zstd"
found = {}
for kind in ("6 values", "100000 random values", "100000 whole numbers"):
    for compression in COMPRESSIONS:
        command = [sys.executable, "-c", WRITING, kind, compression]
        told = subprocess.run(command, capture_output=True, text=True).stdout
        found[kind, compression] = told.split()[0]
    print(f"{kind}:", ", ".join(f"{c} {found[kind, c]}" for c in COMPRESSIONS))
failed = {key for key, told in found.items() if told != "written"}
assert failed == {
    (kind, compression)
    for kind in ("6 values", "100000 random values")
    for compression in ("blosc_lz4", "blosc_zstd")
}, "the behaviour has changed"
PYTHON
