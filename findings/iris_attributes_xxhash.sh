#!/usr/bin/env bash
# iris 3.14.1 with xxhash 4.1.0: cubes that have a text among their attributes cannot be compared.
#
# iris takes a digest of each attribute when it compares metadata, and gives the text itself to xxhash.
# Up to version 3, xxhash encodes a text; version 4 wants bytes and raises a TypeError.  iris does not limit
# the version of xxhash, so that a fresh environment has the newer one: `cube == cube.copy()` raises there, as
# does anything that compares the metadata of cubes with attributes.  Without attributes it returns True.
#
# Output seen:
#     xxhash 3.8.2: with a text True, without attributes True
#     xxhash 4.1.0: with a text TypeError: Strings must be encoded before hashing, without attributes True
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
cat > "$folder/compare.py" <<'PYTHON'
import iris.cube
import numpy as np
import xxhash


def compared(**attributes):
    cube = iris.cube.Cube(np.arange(3.0), var_name="a", attributes=attributes)
    try:
        return cube == cube.copy()
    except TypeError as error:
        return f"TypeError: {error}"


text, plain = compared(title="one"), compared()
print(f"xxhash {xxhash.VERSION}: with a text {text}, without attributes {plain}")
assert plain is True
if xxhash.VERSION.startswith("3."):
    assert text is True, "the behaviour has changed"
else:
    assert str(text).startswith("TypeError"), "the behaviour has changed"
PYTHON
for version in 3.8.2 4.1.0; do
    "$folder/venv/bin/pip" install --quiet scitools-iris==3.14.1 numpy==2.4.6 xxhash==$version
    (cd "$folder" && "$folder/venv/bin/python" compare.py)
done
