#!/usr/bin/env bash
# zarr-python 3.1.6 (and 3.4.2): the whole index of a shard is read again with each of its chunks. If the chunks are small,
# that is many times what the shard holds.
#
# The index has 16 bytes for each chunk of the shard, and zarr-python keeps nothing of it between two reads. The shard
# here has 4096 chunks of 256 bytes, and so an index of 64 kB. Reading the chunks one by one, as a dask graph with one
# task per chunk does, takes two requests for each of them and 240 times the bytes of the shard. One read of all
# values takes one request.
#
# Output seen:
#     the shard has 1114116 bytes
#     all at once:               1 requests,   1114116 bytes
#     chunk by chunk:         8192 requests, 269500416 bytes
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet zarr==3.1.6 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import zarr
from zarr.storage import LocalStore

SIZE, CHUNK = 2**20, 2**8


class Counting(LocalStore):
    """A store that counts requests for values and their bytes."""

    requests = nbytes = 0

    async def get(self, key, prototype, byte_range=None):
        value = await super().get(key, prototype, byte_range)
        if key.startswith("c/") and value is not None:
            self.requests += 1
            self.nbytes += len(value)
        return value


store = Counting("a.zarr")
array = zarr.create_array(store, shape=(SIZE,), chunks=(CHUNK,), shards=(SIZE,), dtype="u1", compressors=None)
values = np.random.default_rng(0).integers(0, 256, SIZE, dtype="u1")
array[:] = values
shard = (store.root / "c/0").stat().st_size
print(f"the shard has {shard} bytes")
found = {}
for name, step in (("all at once", SIZE), ("chunk by chunk", CHUNK)):
    store.requests = store.nbytes = 0
    for start in range(0, SIZE, step):
        np.testing.assert_array_equal(array[start : start + step], values[start : start + step])
    print(f"{name + ':':22} {store.requests:6} requests, {store.nbytes:9} bytes")
    found[name] = store.nbytes
assert found["all at once"] == shard
assert found["chunk by chunk"] > 200 * shard, "the behaviour has changed"
PYTHON
