#!/usr/bin/env bash
# netCDF4 1.7.5.1.post1 with netCDF-C 4.10.1 (Python 3.11, Linux)
#
# To open a file reads up to its first 4 MiB, though netCDF-C looks at the first eight bytes only
# to tell the format: `readmagic` calls `NC_readfileF`, which reads in steps of 4 MiB.  For a file
# in memory that takes 1 to 5 ms; for thousands of files on a network it is gigabytes.
#
# Output seen:
#   400 kB: opening reads 412 kB
#   4000 kB: opening reads 4012 kB
#   40000 kB: opening reads 4200 kB
#
# Exits non-zero if this is no longer so.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "netCDF4==1.7.5.1.post1" "numpy==2.4.6"

cd "$folder"
"$folder/venv/bin/python" - <<'PY'
from pathlib import Path

import netCDF4


def bytes_read():
    """Return how many bytes this process has asked the system for."""
    return int(Path("/proc/self/io").read_text().split()[1])


changed = False
for length in (10**5, 10**6, 10**7):
    with netCDF4.Dataset("values.nc", "w") as file:
        file.createDimension("x", length)
        file.createVariable("v", "f4", ("x",))[:] = 0
    before = bytes_read()
    netCDF4.Dataset("values.nc").close()
    read = bytes_read() - before
    print(f"{4 * length // 1000} kB: opening reads {read // 1000} kB")
    changed |= read < min(4 * length, 4 * 2**20)
raise SystemExit(changed)
PY
