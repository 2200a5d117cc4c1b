#!/usr/bin/env bash
# xarray 2025.10.1 (and 2026.9.0) with netCDF4-python 1.7.2: what open_mfdataset joined is written with
# the packing of the first file, and values that do not fit into it wrap around.
#
# Files of one variable are often packed into 16 bits with a scale and an offset of their
# own each, fitted to their values. open_mfdataset decodes each by its own, rightly; the
# joined variable has the encoding of the first, and to_netcdf packs all by that. What lies
# beyond its range is another number afterwards. Nothing is raised, and there is no warning.
#
# Output seen:
#     joined        [[300.0, 301.0, 302.0], [280.0, 281.0, 282.0]]
#     written       [[300.0, 301.0, 302.0], [299.66, 300.66, 301.66]]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet xarray==2025.10.1 dask==2025.9.1 netCDF4==1.7.2 numpy==2.3.4
cd "$folder"
"$folder/venv/bin/python" -W error::RuntimeWarning - <<'PYTHON'
import netCDF4
import numpy as np
import xarray

PARTS = {"a.nc": (0, 1e-4, [300.0, 301.0, 302.0]), "b.nc": (1, 1e-2, [280.0, 281.0, 282.0])}
for name, (time, scale, values) in PARTS.items():
    with netCDF4.Dataset(name, "w") as dataset:
        dataset.createDimension("time", None)
        dataset.createDimension("x", 3)
        times = dataset.createVariable("time", "f8", ("time",))
        times.units = "days since 2000-01-01"
        times[:] = time
        variable = dataset.createVariable("t", "i2", ("time", "x"), fill_value=-32767)
        variable.scale_factor, variable.add_offset = scale, values[0]
        variable[0] = values
with xarray.open_mfdataset(list(PARTS)) as dataset:
    joined = dataset["t"].values
    dataset.to_netcdf("both.nc")
with netCDF4.Dataset("both.nc") as dataset:
    written = dataset["t"][:]
print("joined       ", joined.round(2).tolist())
print("written      ", written.round(2).tolist())
assert np.allclose(joined, [values for _, _, values in PARTS.values()])
assert np.allclose(written[0], joined[0])
assert np.allclose(written[1], joined[1] + 2**16 * 1e-4 * 3), "the behaviour has changed"
PYTHON
