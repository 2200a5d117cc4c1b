#!/usr/bin/env bash
# numpy 2.4.6 (Python 3.11)
#
# The length of `np.arange` is counted in float64, of integers too: of large ones it may be one
# too small, where `range` of the same three numbers is right.  NumPy's
# documentation says so of steps that are no integers.  Here the last of four is missing.
#
# Output seen:
#     range  4, the last is 4611686018427387903
#     arange 3, the last is 3458764513820540927
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np

ends = 2**60 - 1, 2**62, 2**60
right, got = range(*ends), np.arange(*ends)
print(f"range  {len(right)}, the last is {right[-1]}")
print(f"arange {len(got)}, the last is {got[-1]}")
assert got.dtype == np.int64
assert list(right) == [2**60 - 1, 2**61 - 1, 3 * 2**60 - 1, 2**62 - 1]
assert got.tolist() == list(right)[:3], "the behaviour has changed"
PYTHON
