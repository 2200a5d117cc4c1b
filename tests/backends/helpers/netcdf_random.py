"""Random NetCDF-4 files, and the expected values of their variables in NumPy.

Hypothesis draws a `File`, and `write` writes it.  Variables may be shorter than their
unlimited dimensions, have parts that were never written, fill values and attributes of all
kinds, lie in groups, and be chunked, compressed and of either byte order.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field, replace
from typing import Any

import netCDF4
import numpy as np
from hypothesis import strategies as st

NUMBERS = ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8")
OTHERS = ("char", "text", "str", "enum", "compound", "ragged")
PAIR = np.dtype([("n", "i2"), ("x", "f8")], align=True)
COMPRESSIONS = (None, "zlib", *(["zstd"] if netCDF4.__has_zstandard_support__ else []))
FILLS = {"char": "q", "text": "q", "str": "none of it", "enum": 1}


@dataclass
class Variable:
    """One variable: `shape` is the length of its dimensions, `extent` that of its data."""

    kind: str
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    extent: tuple[int, ...]
    group: str
    seed: int
    fill: Any = None
    hole: bool = False
    big: bool = False
    attributes: dict[str, Any] = field(default_factory=dict)
    storage: dict[str, Any] = field(default_factory=dict)

    @property
    def dtype(self):
        """The dtype of its packed values."""
        dtypes = {"char": "S1", "text": "S1", "enum": "u1", "compound": PAIR}
        if self.kind in ("str", "ragged"):
            return np.dtype(object)
        return np.dtype(dtypes.get(self.kind, (">" if self.big else "<") + self.kind))

    @property
    def written(self):
        """Return the part that is written; None if nothing is."""
        if not all(self.extent):
            return None
        starts = [n - 1 if self.hole and axis == 0 else 0 for axis, n in enumerate(self.extent)]
        return tuple(slice(start, n) for start, n in zip(starts, self.extent, strict=True))

    def values(self):
        """Return the packed values in an array of the variable's shape."""
        packed_values = np.empty(self.shape, self.dtype)
        packed_values[...] = np.reshape(self.filled(), (1,) * len(self.shape))
        if self.written is not None:
            packed_values[(*self.written, ...)] = self.given()
        return packed_values

    def filled(self):
        """Return the value of elements that were never written, in an array of one element."""
        one = np.empty(1, self.dtype)
        if self.kind in NUMBERS:
            unfilled = self.fill is None or self.fill is False
            one[0] = netCDF4.default_fillvals[self.kind] if unfilled else self.fill
        elif self.kind == "ragged":
            one[0] = np.empty(0, "i4")
        elif self.kind == "compound":
            one = np.zeros(1, PAIR)
        else:
            none = {"char": "", "text": "", "str": "", "enum": 255}
            one[0] = FILLS[self.kind] if self.fill not in (None, False) else none[self.kind]
        return one

    def given(self):
        """Return the values to write."""
        rng = np.random.default_rng(self.seed)
        shape = tuple(s.stop - s.start for s in self.written)
        if self.kind in NUMBERS:
            return rng.choice(self._pool(), shape)
        if self.kind in ("char", "text"):
            return rng.choice(np.array([b"a", b"b", b"q", b""], "S1"), shape)
        if self.kind == "enum":
            return rng.choice(np.array([0, 1, 2, 255], "u1"), shape)
        values = np.zeros(shape, self.dtype)
        if self.kind == "compound":
            values["n"], values["x"] = rng.integers(0, 9, shape), rng.random(shape)
            return values
        for index in np.ndindex(shape):
            n = int(rng.integers(0, 4))
            words = ["", "é", "two words", "none of it"]
            values[index] = words[n] if self.kind == "str" else np.arange(n, dtype="i4") + n
        return values

    def _pool(self):
        """Return values to choose from: fill values, limits, and ordinary numbers."""
        dtype = self.dtype
        pool = [0, 1, 2, 3, 5, 7, 100, netCDF4.default_fillvals[self.kind]]
        if dtype.kind == "f":
            pool += [np.nan, np.inf, -np.inf, -0.0, 0.1]
        else:
            info = np.iinfo(dtype)
            pool += [info.min, info.max, info.max - 1, info.min + 1]
        if self.fill not in (None, False):
            pool.append(self.fill)
        for name in ("missing_value", "valid_min", "valid_max", "valid_range"):
            value = np.atleast_1d(self.attributes.get(name, []))
            if value.dtype.kind in "iuf":
                with np.errstate(all="ignore"):
                    pool += list(value[value == value.astype(dtype)])
        return np.array([np.asarray(value).astype(dtype) for value in pool], dtype)


@dataclass
class File:
    """A file: the lengths of its dimensions, which of them are unlimited, and its variables."""

    dims: dict[str, int]
    unlimited: set[str]
    variables: dict[str, Variable]


def write(path, file):
    """Write a file; extra variables extend the unlimited dimensions to their lengths."""
    with warnings.catch_warnings(), netCDF4.Dataset(path, "w") as dataset:
        warnings.simplefilter("ignore")  # about byte order, and about attributes
        for name, n in file.dims.items():
            dataset.createDimension(name, None if name in file.unlimited else n)
        for name, variable in file.variables.items():
            made = create(dataset, name, variable)
            if variable.written is not None:
                put(made, variable.written, variable.given())
        for name in sorted(file.unlimited):
            dataset.createVariable(f"all_{name}", "i1", (name,))[:] = np.zeros(file.dims[name])
    return path


def write_whole(path, file):
    """Write the numeric variables of a file completely, each with at least one dimension."""
    with warnings.catch_warnings(), netCDF4.Dataset(path, "w") as dataset:
        warnings.simplefilter("ignore")
        dataset.createDimension("one", 1)
        for name, n in file.dims.items():
            dataset.createDimension(name, n)
        for name, variable in file.variables.items():
            if variable.kind in NUMBERS:
                dims = variable.dims or ("one",)
                made = create(dataset, name, replace(variable, group="", dims=dims))
                made[...] = variable.values()
    return path


def create(dataset, name, variable):
    """Create a variable in an open file, with all automatic conversions off."""
    group = dataset.createGroup(variable.group) if variable.group else dataset
    fill = variable.fill
    if variable.kind in FILLS and fill not in (None, False):
        fill = FILLS[variable.kind]
    options = dict(variable.storage)
    if variable.kind in NUMBERS:
        options["endian"] = "big" if variable.big else "little"
    unlimited = [dataset.dimensions[name].isunlimited() for name in variable.dims]
    if any(unlimited):  # the library's default chunks have megabytes
        sizes = zip(unlimited, variable.shape, strict=True)
        options.setdefault("chunksizes", [4 if longer else n for longer, n in sizes])
    made = group.createVariable(
        name, _type(group, name, variable.kind), variable.dims, fill_value=fill, **options
    )
    made.set_auto_maskandscale(False)
    made.set_auto_chartostring(False)
    if variable.kind == "text":
        made._Encoding = "ascii"
    for key, value in variable.attributes.items():
        made.setncattr(key, value)
    return made


def put(made, box, values):
    """Write values to a box of a variable; ragged rows one by one."""
    if values.dtype == object and isinstance(values.flat[0], np.ndarray):
        for index in np.ndindex(values.shape):
            place = tuple(s.start + i for s, i in zip(box, index, strict=True))
            made[place or ...] = values[index]
    else:
        made[box or ...] = values if box else values[()]


def _type(group, name, kind):
    if kind == "enum":
        return group.createEnumType("u1", f"{name}_t", {"a": 0, "b": 1, "c": 2, "z": 255})
    if kind == "compound":
        return group.createCompoundType(PAIR, f"{name}_t")
    if kind == "ragged":
        return group.createVLType("i4", f"{name}_t")
    return str if kind == "str" else "S1" if kind in ("char", "text") else kind


@st.composite
def files(draw):
    """Draw a file of one to three variables."""
    names = "xyzw"[: draw(st.sampled_from([2, 3, 4, 1]))]
    dims = {name: draw(st.integers(1, 5)) for name in names}
    unlimited = draw(st.sets(st.sampled_from(names)))
    variables = {
        f"v{number}": draw(variable(dims, unlimited)) for number in range(draw(st.integers(1, 3)))
    }
    return File(dims, unlimited, variables)


@st.composite
def variable(draw, dims, unlimited):
    """Draw a variable of a file that has such dimensions."""
    kind = draw(st.sampled_from((*NUMBERS, *NUMBERS, *OTHERS)))
    own = tuple(draw(st.permutations(sorted(dims)))[: draw(st.sampled_from([2, 3, 4, 1, 0]))])
    shape = tuple(dims[name] for name in own)
    extent = tuple(
        draw(st.integers(0, n)) if name in unlimited else n
        for name, n in zip(own, shape, strict=True)
    )
    # Without filling, elements that were never written may have any value.
    fill = draw(st.sampled_from([None, None, False, True]))
    hole = fill is not False and draw(st.booleans())
    drawn = Variable(
        kind, own, shape, extent, draw(st.sampled_from(["", "", "g", "g/h"])),
        draw(st.integers(0, 2**32 - 1)), hole=hole,
        big=kind in NUMBERS and draw(st.booleans()),
    )  # fmt: skip
    if fill is True:
        fill = draw(packed(kind)) if kind in NUMBERS else kind in FILLS or None
    drawn.fill = fill
    if kind in NUMBERS:
        drawn.attributes = draw(attributes(kind))
    if own:
        drawn.storage = draw(storage(kind, shape, any(name in unlimited for name in own)))
    return drawn


def packed(kind):
    """Draw a value that a variable can hold."""
    if kind.startswith("f"):
        values = st.sampled_from([-999.0, 1e20, np.nan, 0.0, 3.0])
    else:
        info = np.iinfo(kind)
        values = st.sampled_from([info.min, info.max, 0, 3, 7])
    return values.map(np.dtype(kind).type)


@st.composite
def attributes(draw, kind):
    """Draw attributes for packing and missing values."""
    of_kind = packed(kind)
    pair = st.lists(of_kind, min_size=2, max_size=2).map(lambda two: np.array(two, kind))
    unlike = st.sampled_from([np.float64(3.0), np.int32(3), np.float64(0.5), np.int16(-1), "no"])
    factor = st.sampled_from(
        [np.float32(0.5), np.float64(0.1), np.int16(2), np.float32(1), np.float64(1), "two"]
    )
    offset = st.sampled_from(
        [np.float32(0.5), np.float64(100), np.int32(-7), np.float32(0), np.float64(0)]
    )
    choices = {
        "missing_value": st.one_of(of_kind, pair, unlike),
        "valid_min": st.one_of(of_kind, unlike),
        "valid_max": st.one_of(of_kind, unlike),
        "valid_range": pair,
        "scale_factor": factor,
        "add_offset": offset,
        "_Unsigned": st.sampled_from(["true", "True", "false"]),
    }
    wanted = draw(st.sets(st.sampled_from(sorted(choices)), max_size=4))
    return {name: draw(choices[name]) for name in sorted(wanted)}


@st.composite
def storage(draw, kind, shape, chunked):
    """Draw the layout and the filters of a variable."""
    options: dict[str, Any] = {}
    if draw(st.booleans()):
        options["chunksizes"] = tuple(draw(st.integers(1, n)) for n in shape)
    elif not chunked and draw(st.booleans()):
        return {"contiguous": True}
    if kind not in ("str", "ragged"):
        options["compression"] = draw(st.sampled_from(COMPRESSIONS))
        options["shuffle"] = draw(st.booleans())
        options["fletcher32"] = draw(st.booleans())
    return options
