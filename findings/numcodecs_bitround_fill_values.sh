#!/usr/bin/env bash
# numcodecs 0.16.5 with xarray 2026.9.0 and zarr 3.1.6: values that are missing come back as numbers
# near 1e20 from a store whose bits are rounded, with the fill value that climate models use.
#
# xarray stores what is missing as the _FillValue, and the filter BitRound rounds that like any other
# value.  1e20 has all of its mantissa in use, so that what is stored is another number; on reading it is
# compared with _FillValue, and is not equal.  NetCDF's own quantization leaves fill values alone.
# Nothing is raised, there is no warning, and a mean over the field is 1e20 of something.
#
# Output seen:
#     Zarr format 2, 10 bits kept: [280.0, 1.0001594052464398e+20, 290.0]
#     Zarr format 3, 10 bits kept: [280.0, 1.0001594052464398e+20, 290.0]
#     netCDF, 10 bits kept: [280.0, nan, 290.0]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet xarray==2026.9.0 zarr==3.1.6 numcodecs==0.16.5 numpy==2.3.5 pandas==2.3.3 netCDF4==1.7.2
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import warnings

import numcodecs
import numpy as np
import xarray
from zarr.codecs.numcodecs import BitRound

warnings.simplefilter("ignore")  # the codec has no specification in format 3
values = np.array([280, np.nan, 290], "f4")
ds = xarray.Dataset({"tas": ("x", values)})
fill = {"_FillValue": np.float32(1e20)}
rounding = {2: numcodecs.BitRound(keepbits=10), 3: BitRound(keepbits=10)}
for version, codec in rounding.items():
    path = f"rounded{version}.zarr"
    ds.to_zarr(path, zarr_format=version, encoding={"tas": {**fill, "filters": [codec]}})
    found = xarray.open_zarr(path, chunks=None)["tas"].values
    print(f"Zarr format {version}, 10 bits kept:", found.tolist())
    assert found[0] == 280
    assert found[1] > 1e20, "the behaviour has changed"
how = {"quantize_mode": "BitRound", "significant_digits": 10}
ds.to_netcdf("rounded.nc", engine="netcdf4", encoding={"tas": {**fill, "zlib": True, **how}})
found = xarray.open_dataset("rounded.nc")["tas"].values
print("netCDF, 10 bits kept:", found.tolist())
assert np.isnan(found[1])
PYTHON
