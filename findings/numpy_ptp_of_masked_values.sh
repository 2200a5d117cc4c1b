#!/usr/bin/env bash
# numpy 2.3.5: numpy.ptp of a masked array takes the values under the mask; the maximum and the minimum
# of the same array do not, nor does the method of the same name, nor numpy.ptp of numpy 1.26.4.
#
# NumPy's functions hand a masked array over to its methods, and max, min, mean and std leave out what is
# missing.  numpy.ptp no longer does: it subtracts what lies in memory, which for a file that netCDF4 read
# is the fill value.  So the daily range of a field is 1e20 where a value is missing, and not masked; nothing
# is raised, and there is no warning.  (The comparison needs Python 3.12 or older, as numpy 1.26 does.)
#
# Output seen:
#     max - min      [10.0, 0.0]
#     method ptp     [10.0, 0.0]
#     numpy.ptp      [10.0, 1e+20]
#     numpy 1.26.4   [10.0, 0.0]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet numpy==2.3.5
python3 -m venv "$folder/before"
"$folder/before/bin/pip" install --quiet numpy==1.26.4
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import subprocess

import numpy as np

SCRIPT = """
import numpy as np
values = np.ma.masked_equal([[280.0, 1e20], [290.0, 285.0]], 1e20)
print(np.ptp(values, axis=0).tolist())
"""
values = np.ma.masked_equal([[280.0, 1e20], [290.0, 285.0]], 1e20)
found = np.ptp(values, axis=0)
python = "before/bin/python"
before = subprocess.run([python, "-c", SCRIPT], capture_output=True, text=True, check=True)
print("max - min     ", (np.max(values, axis=0) - np.min(values, axis=0)).tolist())
print("method ptp    ", values.ptp(axis=0).tolist())
print("numpy.ptp     ", found.tolist())
print("numpy 1.26.4  ", before.stdout.strip())
assert values.ptp(axis=0).tolist() == [10, 0]
assert before.stdout.strip() == "[10.0, 0.0]"
assert found[1] > 1e19, "the behaviour has changed"
PYTHON
