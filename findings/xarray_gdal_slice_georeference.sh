#!/usr/bin/env bash
# xarray 2026.9.0 with rioxarray 0.19.0 and rasterio 1.4.4 (GDAL 3.10.3), and with rioxarray 0.23.0 and rasterio 1.5.2:
# a part of a map that xarray writes to netCDF lies in the place of the upper left corner of the whole map for GDAL.
#
# rioxarray keeps the origin of a map twice: in the coordinates, and in the attribute GeoTransform of the grid mapping,
# as GDAL itself does in netCDF. A slice in xarray shortens the coordinates and keeps the attribute, as it does all
# attributes. GDAL then reads the attribute and not the coordinates; rioxarray reads the coordinates. So one file
# has two places, and it depends on the reader which. Nothing is raised, and there is no warning.
#
# Output seen (left, bottom, right, top; the part is the lower right quarter of the map):
#     whole, rasterio:  (0.0, 0.0, 40.0, 40.0)
#     part, rioxarray:  (20.0, 0.0, 40.0, 20.0)
#     part, rasterio:   (0.0, 20.0, 20.0, 40.0)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet xarray==2026.9.0 rioxarray==0.19.0 rasterio==1.4.4 netCDF4==1.7.4 numpy==2.4.6 \
    pandas==3.1.1
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import rasterio

with rasterio.open(
    "whole.tif", "w", driver="GTiff", width=4, height=4, count=1, dtype="float32",
    crs="EPSG:32633", transform=rasterio.Affine(10, 0, 0, 0, -10, 40),
) as file:
    file.write(np.arange(16, dtype="float32").reshape(4, 4), 1)
    print("whole, rasterio: ", tuple(file.bounds))
PYTHON
"$folder/venv/bin/python" - <<'PYTHON'
import rioxarray
import xarray as xr

with rioxarray.open_rasterio("whole.tif") as whole:
    whole[0].sel(x=slice(20, 40), y=slice(20, 0)).to_netcdf("part.nc")
with xr.open_dataset("part.nc", decode_coords="all") as part:
    print("part, rioxarray: ", part.rio.bounds())
    assert part.rio.bounds() == (20, 0, 40, 20)
PYTHON
"$folder/venv/bin/python" - <<'PYTHON'
import rasterio

with rasterio.open("part.nc") as file:
    print("part, rasterio:  ", tuple(file.bounds))
    assert tuple(file.bounds) == (0, 20, 20, 40), "the behaviour has changed"
PYTHON
