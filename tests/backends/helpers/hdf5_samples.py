"""Sample values of every kind that h5py writes, and the layouts to store them in."""

import h5py
import numpy as np

TEXT = h5py.string_dtype()


def _numbers(dtype, n=24):
    values = (np.arange(n) * 7 % 19).astype("f8") - 3
    if np.dtype(dtype).kind == "c":
        return (values + 1j * values[::-1]).astype(dtype)
    if np.dtype(dtype).kind == "u":
        values = abs(values)
    return values.astype(dtype)


def _objects(items, dtype):
    values = np.empty(len(items), dtype=dtype)
    for i, item in enumerate(items):
        values[i] = item
    return values


def _compound():
    dtype = np.dtype(
        [
            ("text", TEXT),
            ("grid", ">f4", (2, 3)),
            ("inner", [("mark", h5py.enum_dtype({"A": 0, "B": 1}, "i1")), ("c", "c8")]),
            ("texts", TEXT, (2,)),
            ("list", h5py.vlen_dtype("i2")),
        ]
    )
    values = np.zeros(24, dtype)
    for i in range(24):
        values[i]["grid"] = i
        values[i]["inner"]["mark"] = i % 2
        values[i]["inner"]["c"] = i * 1j
        values["text"][i] = f"é{i}"
        values["texts"][i] = [f"a{i}", ""]
        values["list"][i] = np.arange(i % 4, dtype="i2")
    return values, dtype


PLAIN = [
    *("i1", "u1", "<i2", ">i2", "<u4", ">u4", "<i8", ">i8", "<u8"),
    *("<f2", ">f2", "<f4", ">f4", "<f8", ">f8", "longdouble", "c8", ">c8", "c16", "?"),
]


def samples():
    """Return 24 values and the h5py dtype of each kind, by name."""
    kinds = {dtype: (_numbers(dtype), np.dtype(dtype)) for dtype in PLAIN}
    kinds["enum"] = (_numbers("u1") % 2, h5py.enum_dtype({"NO": 0, "YES": 1}, "u1"))
    fixed = np.array([f"s{i}".encode() for i in range(24)], "S4")
    kinds["S4"] = (fixed, np.dtype("S4"))
    utf8 = h5py.string_dtype("utf-8", 6)
    kinds["utf8 fixed"] = (np.array([f"é{i}".encode() for i in range(24)], "S6").astype(utf8), utf8)
    kinds["text"] = (_objects([f"é{i}" * (i % 4) for i in range(24)], TEXT), TEXT)
    ascii_ = h5py.string_dtype("ascii")
    kinds["ascii text"] = (_objects([f"a{i}" for i in range(24)], ascii_), ascii_)
    lists = h5py.vlen_dtype(">f4")
    kinds["lists"] = (_objects([np.arange(i % 5, dtype=">f4") for i in range(24)], lists), lists)
    kinds["compound"] = _compound()
    plain = np.dtype([("x", ">i4"), ("y", "<f8", (2,)), ("z", [("b", "?"), ("s", "S3")])])
    records = np.zeros(24, plain)
    records["x"], records["y"], records["z"]["s"] = np.arange(24), 1.5, b"abc"
    kinds["records"] = (records, plain)
    days = np.arange(24).astype("M8[D]")
    kinds["M8[D]"] = (days.astype(h5py.opaque_dtype("M8[D]")), h5py.opaque_dtype("M8[D]"))
    kinds["V3"] = (np.array([bytes([i, 0, 1]) for i in range(24)], "V3"), np.dtype("V3"))
    return kinds


SAMPLES = samples()

LAYOUTS = {
    "contiguous": {},
    "chunked": {"chunks": (3, 4)},
    "gzip": {"chunks": (2, 3), "compression": "gzip", "shuffle": True},
    "lzf": {"chunks": (4, 6), "compression": "lzf"},
    "fletcher32": {"chunks": (1, 5), "fletcher32": True},
}


def write_compact(group, name, values, dtype):
    """Store `values` in the object header; h5py has no keyword for that layout."""
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_layout(h5py.h5d.COMPACT)
    space = h5py.h5s.create_simple(values.shape)
    kind = h5py.h5t.py_create(np.dtype(dtype), logical=True)
    h5py.h5d.create(group.id, name.encode(), kind, space, properties)
    group[name][...] = values


def write_nbit(group, name, values):
    """Store small integers in 20 bits each, with the n-bit filter."""
    kind = h5py.h5t.STD_I32LE.copy()
    kind.set_precision(20)
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_chunk((2, 3))
    properties.set_filter(h5py.h5z.FILTER_NBIT)
    space = h5py.h5s.create_simple(values.shape)
    h5py.h5d.create(group.id, name.encode(), kind, space, properties)
    group[name][...] = values


def assert_equal(values, raw):
    """Check that an array of biggus equals that of h5py bit for bit."""
    raw = np.asarray(raw)
    assert type(values) is np.ndarray
    assert values.shape == raw.shape
    assert values.dtype == raw.dtype
    assert not values.dtype.metadata
    _assert_items(values, raw)


def _assert_items(values, raw):
    if raw.dtype.names:
        for name in raw.dtype.names:
            assert not values.dtype[name].metadata
            _assert_items(values[name], raw[name])
    elif raw.dtype.kind == "O":
        for a, b in zip(values.ravel(), raw.ravel(), strict=True):
            if isinstance(b, np.ndarray):
                assert a.dtype == b.dtype
                assert not a.dtype.metadata
                _assert_items(a, b)
            else:
                assert type(a) is str
                assert a.encode("utf-8", "surrogateescape") == b
    elif raw.dtype.char in "gG":  # padding bytes may differ
        assert np.array_equal(values, raw)
    else:
        assert values.tobytes() == raw.tobytes()
