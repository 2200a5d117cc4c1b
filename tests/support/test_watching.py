"""Another process rewrites a file in place while it is read: no result mixes two states.

Each rewrite sets all values to its number, and records when it wrote each piece.  A mixture is
excused if the writer paused halfway for so long that a reader could not notice; only a busy
machine does that, and nothing else here depends on time.
"""

import contextlib
import json
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

import biggus
from biggus.backends import files, settling
from biggus.backends.files import SOON_SETTLED_SECONDS
from biggus.errors import SourceChangedError
from biggus.support import watching

N = 500_000
PIECES = 8
FIRST = np.arange(1, N + 1, dtype="<f4")
EXCUSED_SECONDS = settling._RESTLESS_SECONDS - 0.02
"""A coarse clock may date a write a little too early."""


@pytest.fixture(autouse=True)
def read_rewritten_files_at_once():
    """Override the fixture, as the time until a file is at rest is tested here."""


WRITER = textwrap.dedent("""
    import json, os, sys, time

    import numpy as np

    places, dtype = json.loads(sys.argv[1]), sys.argv[2]
    files = {path: os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0)) for path, _, _ in places}
    pauses = {}

    def rewrite(number):
        begun = []
        for path, offset, count in places:
            values = np.full(count, number, dtype).tobytes()
            begun.append(time.monotonic())
            os.lseek(files[path], offset, os.SEEK_SET)
            os.write(files[path], values)
        begun.append(time.monotonic())
        pauses[number] = max(b - a for a, b in zip(begun, begun[1:]))

    rewrite(0)
    print("ready", flush=True)
    for _ in sys.stdin:  # a line for each burst of rewritings
        for _ in range(3):
            rewrite(len(pauses))
    print(json.dumps(pauses), flush=True)
""")


def _npy(path):
    np.save(path, FIRST)
    return [path], "<f4"


def _hdf5(path, chunks=None):
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        file.create_dataset("v", data=FIRST, chunks=chunks)
    return [path], "<f4"


def _netcdf(path, kind="NETCDF4"):
    library = pytest.importorskip("netCDF4")
    with library.Dataset(path, "w", format=kind) as file:
        file.createDimension("x", N)
        file.createVariable("v", "f4", ("x",))[:] = FIRST
    return [path], "<f4" if kind == "NETCDF4" else ">f4"


def _zarr(path):
    zarr = pytest.importorskip("zarr")
    zarr.create_array(path, data=FIRST, chunks=(N // PIECES,), compressors=None)
    return [path / "c" / str(number) for number in range(PIECES)], "<f4"


FORMATS = {
    "a.npy": _npy,
    "contiguous.h5": _hdf5,
    "chunked.h5": lambda path: _hdf5(path, (N // PIECES,)),
    "contiguous.nc": _netcdf,
    "classic.nc": lambda path: _netcdf(path, "NETCDF3_64BIT_OFFSET"),
    "a.zarr": _zarr,
}


def _places(files, dtype):
    """Return the path, offset and number of values of each piece."""
    stored = {file: file.read_bytes() for file in files}
    found = []
    for piece in np.split(FIRST.astype(dtype), PIECES):
        for file, data in stored.items():
            if (at := data.find(piece.tobytes())) >= 0:
                found.append((str(file), at, piece.size))
    assert len(found) == PIECES
    return found


def _results(path, cache):
    """Yield the minimum and the maximum, read in several ways; or an error."""
    a = biggus.open(path, None if path.suffix in (".npy", ".zarr") else "v")
    chunked = biggus.open(
        path, None if path.suffix in (".npy", ".zarr") else "v", cache=cache, chunks=(N // 4,)
    )

    def read(array):
        values = array.ndarray()
        return values.min(), values.max()

    ways = [
        lambda: read(a),
        lambda: biggus.ndarrays([a.min(), a.max()]),
        lambda: read(chunked),
        lambda: biggus.ndarrays([a[: N // 3].min(), a[N // 3 :].max()]),
    ]
    while True:
        for way in ways:
            try:
                yield tuple(way())
            except SourceChangedError as error:
                yield error


@pytest.mark.parametrize("name", list(FORMATS))
def test_no_result_mixes_two_states(name, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "SOON_SETTLED_SECONDS", SOON_SETTLED_SECONDS)
    path = tmp_path / name
    stored, dtype = FORMATS[name](path)
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, json.dumps(_places(stored, dtype)), dtype],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with writer:
        assert writer.stdout.readline() == "ready\n"
        results = _results(path, biggus.Cache(tmp_path / "cache"))
        assert [next(results) for _ in range(4)] == [(0, 0)] * 4  # the writer is idle
        found = []
        for _ in range(8):
            print(file=writer.stdin, flush=True)
            found += [next(results) for _ in range(4)]
        for _ in range(16):
            found.append(next(results))
        writer.stdin.close()
        pauses = json.loads(writer.stdout.read())
    errors = [result for result in found if isinstance(result, SourceChangedError)]
    assert all(path.name in str(error) for error in errors)
    for least, most in (result for result in found if result not in errors):
        assert least == most or pauses[str(int(most))] > EXCUSED_SECONDS
    # The writer has ended: reads give the last state, from the cache too.
    last = [(len(pauses) - 1,) * 2] * 4
    give_up = time.monotonic() + 120
    while [next(results) for _ in range(4)] != last:
        assert time.monotonic() < give_up


@pytest.mark.parametrize("call", [watching.evaluated, watching.watched])
def test_interrupt_at_any_moment_leaves_no_watch(call, interrupted_everywhere):
    def check():
        assert watching.of_evaluation() is None
        assert watching.agrees("a", 1)
        assert watching.agrees("a", 2)  # no watch compares these states
        assert watching.under_way_since() is None

    def read():
        with contextlib.suppress(SourceChangedError):
            watching.see("a", 1)

    interrupted_everywhere(lambda: call(read), watching.__file__, check)
    check()
