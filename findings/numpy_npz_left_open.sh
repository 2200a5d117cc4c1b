#!/usr/bin/env bash
# numpy 2.4.6 (Python 3.11)
#
# `np.load` of an .npz file that is cut short raises, as it should, and leaves the file that it
# opened itself open, until the exception is let go: then it is closed with a ResourceWarning.
# A .npy file that is cut short is closed at once.
# A file that the caller opens, in a `with`, is not
# left open: `with open(path, "rb") as file, np.load(file) as members`.
#
# Output seen:
#   npy: ValueError, files left open: 0
#   npz: BadZipFile, files left open: 1
#
# Exits non-zero if this is no longer so.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "numpy==2.4.6"

cd "$folder"
"$folder/venv/bin/python" - <<'PY'
import gc
import io
import warnings

import numpy as np

warnings.simplefilter("ignore", ResourceWarning)
left = {}
for kind, save in (("npy", np.save), ("npz", np.savez)):
    name = f"a.{kind}"
    save(name, np.arange(1000.0))
    with open(name, "r+b") as file:
        file.truncate(2000)
    try:
        np.load(name)
    except Exception as error:
        found = [o for o in gc.get_objects() if isinstance(o, io.IOBase) and not o.closed]
        left[kind] = sum(getattr(o, "name", None) == name for o in found if hasattr(o, "raw"))
        print(f"{kind}: {type(error).__name__}, files left open: {left[kind]}")
raise SystemExit(left != {"npy": 0, "npz": 1})
PY
