#!/usr/bin/env bash
# kerchunk 0.2.10 with zarr 3.1.3 and xarray 2025.10.1: files that are packed each with a
# scale and an offset of their own are combined as if all had those of the first.
#
# MultiZarrToZarr keeps one set of attributes for the joined variable and looks at no
# other, so the stored integers of every further file are decoded by the first one's
# scale_factor and add_offset. Nothing is raised, and there is no warning; the values are of
# the right magnitude where the packing of the files is alike.
#
# Output seen:
#     each file     [[280.0, 281.0, 282.0], [300.0, 301.0, 302.0]]
#     combined      [[280.0, 281.0, 282.0], [280.0, 290.0, 300.0]]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet kerchunk==0.2.10 zarr==3.1.3 xarray==2025.10.1 netCDF4==1.7.2 h5py==3.15.1 numpy==2.3.4
cd "$folder"
"$folder/venv/bin/python" -W error::RuntimeWarning - <<'PYTHON'
import json

import netCDF4
import numpy as np
import xarray
from kerchunk.combine import MultiZarrToZarr
from kerchunk.hdf import SingleHdf5ToZarr

PARTS = {"a.nc": (0, 1e-2, [280.0, 281.0, 282.0]), "b.nc": (1, 1e-3, [300.0, 301.0, 302.0])}
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
each = []
for name in PARTS:
    with xarray.open_dataset(name) as dataset:
        each.append(dataset["t"].values[0])
references = [SingleHdf5ToZarr(name).translate() for name in PARTS]
joined = MultiZarrToZarr(references, concat_dims=["time"], coo_map={"time": "cf:time"})
with open("joined.json", "w") as file:
    json.dump(joined.translate(), file)
with xarray.open_dataset("joined.json", engine="kerchunk") as dataset:
    combined = dataset["t"].values
print("each file    ", np.round(each, 2).tolist())
print("combined     ", combined.round(2).tolist())
assert np.allclose(each, [values for _, _, values in PARTS.values()])
assert np.allclose(combined, [each[0], [280.0, 290.0, 300.0]]), "the behaviour has changed"
PYTHON
