#!/usr/bin/env bash
# h5py 3.16.0 (libhdf5 2.0.0), numpy 2.4.6, netCDF4 1.7.5.1.post1 (Python 3.11)
#
# Strings of variable length cannot be read from a file that is open for reading alone, if the dataset has
# a fill value and one of the chunks that are read was never written: OSError, "no write intent on
# file", for libhdf5 puts the fill value into the file before it gives it out. In a file that is open for
# writing they are read, and so are they if no chunk at all was written, or all were.
# netCDF-C gives a fill value to every string variable. So a row of names that was left out makes
# the variable unreadable for h5py and h5netcdf; netCDF4-python reads it.
#
# Output seen:
#     mode r  OSError: Can't synchronously read data (no write intent on file)
#     mode r+ [['Kiel', 'Ulm'], ['', ''], ['Bonn', 'Jena']]
#     netCDF4 [['Kiel', 'Ulm'], ['', ''], ['Bonn', 'Jena']]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet h5py==3.16.0 netCDF4==1.7.5.1.post1 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import h5py
import netCDF4
import numpy as np

with netCDF4.Dataset("names.nc", "w") as file:
    file.createDimension("time", None)
    file.createDimension("station", 2)
    names = file.createVariable("name", str, ("time", "station"))
    names[0] = np.array(["Kiel", "Ulm"], object)
    names[2] = np.array(["Bonn", "Jena"], object)


def read(mode):
    with h5py.File("names.nc", mode) as file:
        try:
            return file["name"].asstr()[:].tolist()
        except OSError as error:
            return f"OSError: {error}"


found = [read("r"), read("r+")]
with netCDF4.Dataset("names.nc") as file:
    found.append(file["name"][:].tolist())
for label, each in zip(("mode r ", "mode r+", "netCDF4"), found):
    print(label, each)
right = [["Kiel", "Ulm"], ["", ""], ["Bonn", "Jena"]]
assert "no write intent" in found[0] and found[1:] == [right, right], "the behaviour has changed"
PYTHON
