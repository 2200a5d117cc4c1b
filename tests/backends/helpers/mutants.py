"""Change valid files of every format at random, read them, and print the outcome of each.

Run as a program, because native libraries may crash on damaged files.  The arguments are a
folder, the number of mutants per format, the mutant to begin with, and names of formats.
"""

from __future__ import annotations

import contextlib
import io
import logging
import random
import re
import shutil
import sys
import warnings
from pathlib import Path

import numpy as np

import biggus
from biggus.backends import Location, backend_for, settling

SEED = "mutants"
VALUES = np.arange(600, dtype="i4").reshape(20, 30)
MOST = 5_000_000

TOKENS = re.compile(r'-?\d+(\.\d+)?|"[^"]*"|true|false|null|\[[^\[\]]*\]')
REPLACEMENTS = [
    "-1",
    "0",
    "1e308",
    "NaN",
    "null",
    "[]",
    "{}",
    '"x"',
    "99999999999999999999",
    "2147483648",
    "1",
    "true",
    "[1,2,3]",
    "3.7",
    '"<i4"',
    '"|O"',
    '"<f8"',
    '"zstd"',
    '"gzip"',
    '"blosc"',
    '"delta"',
    "[[]]",
    '""',
    "1000000",
    "-9223372036854775808",
]
REPLACEMENTS += ["[" * deep + "]" * deep for deep in (70, 900, 3000, 100_000)]


def mutate(rng, data, text=False):
    changed = bytearray(data)
    kind = rng.randrange(8)
    at = rng.randrange(len(changed))
    if text and kind < 5:
        words = data.decode("latin-1")
        match = rng.choice(list(TOKENS.finditer(words)))
        new = words[: match.start()] + rng.choice(REPLACEMENTS) + words[match.end() :]
        return new.encode("latin-1")
    if kind < 3:
        for _ in range(rng.choice([1, 1, 2, 5, 20])):
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    elif kind == 3:
        changed[at] = rng.choice([0, 1, 0x7F, 0x80, 0xFF])
    elif kind == 4:
        del changed[at:]
    elif kind == 5:
        number = rng.choice([b"\xff" * 8, bytes(8), b"\x7f" + b"\xff" * 7])
        changed[at : at + 8] = number[: len(changed) - at]
    elif kind == 6:
        del changed[at : at + rng.choice([1, 8, 64])]
    else:
        changed[at:at] = rng.randbytes(rng.choice([1, 4, 64]))
    return bytes(changed)


def use(path):
    """Open, read and compute every variable; raise the last error."""
    location = Location(str(path))
    last = None
    for name in backend_for(location).variables(location):
        try:
            array = biggus.open(path, name)
            if array.size > MOST:
                array = array[tuple(slice(0, 10) for _ in array.shape)]
            array.masked_array()
            array.mean().masked_array()
        except biggus.BiggusError as error:
            last = error
    if last is not None:
        raise last


def write_hdf5(path, **settings):
    import h5py

    with h5py.File(path, "w") as file:
        dataset = file.create_dataset("g/a", data=VALUES, **settings)
        dataset.attrs["units"] = "K"
        dataset.attrs["_FillValue"] = np.int32(5)
        dataset.attrs["scale_factor"] = 0.5
        file.create_dataset("b", data=np.arange(50.0), chunks=(7,))


def write_hdf5_latest(path):
    import h5py

    with h5py.File(path, "w", libver="latest") as file:
        settings = {"chunks": (5, 30), "compression": "lzf", "maxshape": (None, 30)}
        file.create_dataset("a", data=VALUES.astype("f4"), **settings)


def write_netcdf(path, **settings):
    import netCDF4

    form = "NETCDF4" if settings else "NETCDF3_CLASSIC"
    with netCDF4.Dataset(path, "w", format=form) as dataset:
        dataset.createDimension("t", None)
        dataset.createDimension("x", 30)
        variable = dataset.createVariable("a", "i2", ("t", "x"), fill_value=-1, **settings)
        variable.scale_factor = 0.1
        variable[:] = VALUES * 0.1


def write_zarr(path, zarr_format, **settings):
    import zarr

    array = zarr.create_array(
        path, shape=(20, 30), chunks=(5, 30), dtype="i4", zarr_format=zarr_format, **settings
    )
    array[:] = VALUES
    array.attrs["scale_factor"] = 0.5


def write_zarr_blosc(path):
    from zarr.codecs import BloscCodec

    write_zarr(path, 3, compressors=BloscCodec())


def write_image(path, form):
    from PIL import Image

    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype="u1")
    buffer = io.BytesIO()
    Image.fromarray(noise[..., 0] if form == "GIF" else noise).save(buffer, form)
    path.write_bytes(buffer.getvalue())


def use_image(path):
    from biggus.backends.tiles.image import decode_image

    decode_image(path.read_bytes(), 64, 3, np.dtype("u1"))


PACKED = {"chunks": (5, 30), "compression": "gzip", "shuffle": True, "fletcher32": True}
DEFLATED = {"chunksizes": (5, 30), "zlib": True, "shuffle": True, "fletcher32": True}

NATIVE = {
    "contiguous.h5": write_hdf5,
    "packed.h5": lambda path: write_hdf5(path, **PACKED),
    "latest.h5": write_hdf5_latest,
    "classic.nc": write_netcdf,
    "four.nc": lambda path: write_netcdf(path, **DEFLATED),
}
OTHERS = {
    "two.zarr": lambda path: write_zarr(path, 2),
    "three.zarr": lambda path: write_zarr(path, 3),
    "blosc.zarr": write_zarr_blosc,
    "shards.zarr": lambda path: write_zarr(path, 3, shards=(20, 30)),
    "a.npy": lambda path: np.save(path, VALUES),
    "a.png": lambda path: write_image(path, "PNG"),
    "a.jpeg": lambda path: write_image(path, "JPEG"),
    "a.gif": lambda path: write_image(path, "GIF"),
    "a.webp": lambda path: write_image(path, "WEBP"),
}
IMAGES = {".png", ".jpeg", ".gif", ".webp"}


def mutants(folder, name, count):
    """Yield `count` numbers, each with the function that writes and reads that mutant."""
    original = folder / name
    {**NATIVE, **OTHERS}[name](original)
    changed = folder / f"changed-{name}"
    files = [original]
    if original.is_dir():
        files = sorted(path for path in original.rglob("*") if path.is_file())
        # Metadata files are changed more often than chunks.
        files += [path for path in files if path.name in {"zarr.json", ".zarray"}] * 4

    def make(number):
        rng = random.Random(f"{SEED} {name} {number}")
        target = rng.choice(files)
        data = mutate(rng, target.read_bytes(), target.name.endswith(("json", "zarray", "zattrs")))
        if original.is_dir():
            shutil.rmtree(changed, ignore_errors=True)
            shutil.copytree(original, changed)
            (changed / target.relative_to(original)).write_bytes(data)
        else:
            changed.write_bytes(data)
        (use_image if original.suffix in IMAGES else use)(changed)

    for number in range(count):
        yield number, make


def main(folder, count, begin, *names):
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (2**32, 2**32))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Read each mutant without waiting, although its file has just changed.
    settling._RESTLESS_SECONDS = 0.0
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    done = 0
    for name in names:
        for number, make in mutants(Path(folder), name, int(count)):
            done += 1
            if done <= int(begin):
                continue
            print(done, name, number, end=" ", flush=True)  # noqa: T201 - read by the parent
            try:
                make(number)
                outcome = "fine"
            except biggus.BiggusError:
                outcome = "refused"
            except BaseException as error:
                outcome = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            print(outcome, flush=True)  # noqa: T201 - likewise


if __name__ == "__main__":
    main(*sys.argv[1:])
