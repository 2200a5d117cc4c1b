#!/usr/bin/env bash
# h5netcdf 1.8.2 with xarray 2026.9.0, h5py 3.16.0 and netCDF4-python 1.7.5.1.post1 (Python 3.11):
# one variable with a scale along one of its axes alone makes the whole file unreadable.
#
# HDF5 lets a dataset have dimension scales along some of its axes. netCDF-C names the other axes
# phony_dim_0 and so on, beside those that have names. h5netcdf makes such names for variables without
# any scale, if it is told so by phony_dims; a variable with some raises an error while the file is
# opened, whatever phony_dims is. In xarray it does not help to drop the variable: the other ones cannot
# be opened either.
#
# Output seen:
#     netcdf4                 ['full', 'half', 'x']
#     h5netcdf                ValueError: malformed variable half has mixing of labeled and unlabeled dimensions.
#     h5netcdf, half dropped  ValueError: malformed variable half has mixing of labeled and unlabeled dimensions.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet h5netcdf==1.8.2 xarray==2026.9.0 h5py==3.16.0 netCDF4==1.7.5.1.post1 numpy==2.4.6 pandas==3.1.1
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import h5py
import numpy as np
import xarray as xr

with h5py.File("a.h5", "w") as file:
    file["x"] = np.arange(4.0)
    file["x"].make_scale("x")
    file["full"] = np.ones(4)
    file["full"].dims[0].attach_scale(file["x"])
    file["half"] = np.zeros((3, 4))
    file["half"].dims[1].attach_scale(file["x"])


def opened(engine, **keywords):
    try:
        with xr.open_dataset("a.h5", engine=engine, **keywords) as dataset:
            return str(sorted(dataset.variables))
    except ValueError as error:
        return f"ValueError: {error}"


found = {
    "netcdf4": opened("netcdf4"),
    "h5netcdf": opened("h5netcdf", phony_dims="sort"),
    "h5netcdf, half dropped": opened("h5netcdf", phony_dims="sort", drop_variables="half"),
}
for name, each in found.items():
    print(f"{name:23}", each)
refused = ["malformed variable half" in each for each in found.values()]
assert refused == [False, True, True], "the behaviour has changed"
PYTHON
