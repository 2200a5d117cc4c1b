"""Attributes of every type are shown, remembered and saved, or left out with a warning."""

import json
import logging

import numpy as np
import pytest

import biggus
from biggus.cli import main
from biggus.sinks.metadata import plain_value
from biggus.sources.description import DescribedSource, describe

h5py = pytest.importorskip("h5py")
netCDF4 = pytest.importorskip("netCDF4")
zarr = pytest.importorskip("zarr")


def ragged(*rows):
    values = np.empty(len(rows), object)
    values[:] = [np.array(row, "i4") for row in rows]
    return values


PAIR = np.dtype([("a", "i4"), ("b", "f8"), ("c", "S3")])
ENUM = h5py.enum_dtype({"LAND": 1, "SEA": 2}, "i1")

# Value, stored dtype, output of `info`, and saved value (None if the attribute is left out).
KINDS = {
    "long_double": (np.longdouble("0.1"), None, 0.1, 0.1),
    "long_doubles": (np.array([1, 0.5], np.longdouble), None, [1, 0.5], [1, 0.5]),
    "half": (np.float16(0.1), None, float(np.float16(0.1)), float(np.float16(0.1))),
    "halves": (np.array([0.5, 2], "f2"), None, [0.5, 2], [0.5, 2]),
    "big_endian": (np.array([1, 2], ">f4"), None, [1, 2], [1, 2]),
    "unsigned": (np.uint64(2**64 - 1), None, 2**64 - 1, 2**64 - 1),
    "complex": (np.complex64(1 + 2j), None, "(1+2j)", None),
    "long_complex": (np.clongdouble(1 + 2j), None, "(1+2j)", None),
    "complexes": (np.array([1 + 2j, 3]), None, ["(1+2j)", "(3+0j)"], None),
    "enum": (2, ENUM, 2, 2),
    "enums": (np.array([1, 2], "i1"), ENUM, [1, 2], [1, 2]),
    "compound": (np.array((1, 0.5, b"x"), PAIR), None, {"a": 1, "b": 0.5, "c": "x"}, None),
    "compounds": (np.zeros(2, PAIR), None, 2 * [{"a": 0, "b": 0.0, "c": ""}], None),
    "opaque": (np.void(b"\x00\xff"), None, "00ff", None),
    "list": (ragged([1, 2])[0], None, [1, 2], [1, 2]),
    "text": ("é", None, "é", "é"),
    "texts": (["a", "é"], None, ["a", "é"], ["a", "é"]),
    "bytes": (np.bytes_(b"abc"), None, "abc", "abc"),
    "no_utf8": (np.bytes_(b"\xb0C"), None, "\\xb0C", None),
    "no_utf8_vlen": (b"\xb0C", h5py.string_dtype(), "\\xb0C", None),
    "no_utf8_array": (np.array([b"\xb0C", b"ok"]), None, ["\\xb0C", "ok"], None),
    "null": (h5py.Empty("f4"), None, None, None),
    "null_text": (h5py.Empty("S1"), None, "", ""),
    "no_text": ("", None, "", ""),
}  # fmt: skip
WIDE = np.finfo(np.longdouble).max > np.finfo("f8").max
if WIDE:
    for name, text in (("out_of_range", "1e+4000"), ("too_small", "1e-4000")):
        KINDS[name] = (np.longdouble(text), None, text, None)


def stored(path, kind):
    value, dtype, *_ = KINDS[kind]
    with h5py.File(path, "w") as file:
        file["v"] = np.arange(3.0)
        file["v"].attrs.create("kept", value, dtype=dtype)


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


def test_info_shows_attributes_of_every_type(tmp_path, kind, capsys):
    stored(tmp_path / "a.h5", kind)
    assert main(["info", str(tmp_path / "a.h5")]) == 0
    assert main(["info", str(tmp_path / "a.h5"), "--json"]) == 0
    captured = capsys.readouterr()
    captured.out.encode()
    (facts,) = json.loads(captured.out[captured.out.index("\n{") :])["variables"]
    assert facts["attributes"] == {"kept": KINDS[kind][2]}
    assert captured.err == ""


def test_description_keeps_attributes_and_dtypes(tmp_path, kind):
    stored(tmp_path / "a.h5", kind)
    source = biggus.open(tmp_path / "a.h5", "v").node.source
    again = DescribedSource(json.loads(json.dumps(describe(source)))).attributes
    assert repr(again) == repr(source.attributes)


@pytest.mark.parametrize("suffix", ["h5", "nc", "zarr"])
def test_attributes_are_saved_or_left_out_with_a_warning(tmp_path, kind, suffix, caplog):
    stored(tmp_path / "a.h5", kind)
    expected = KINDS[kind][3]
    path = tmp_path / f"out.{suffix}"
    with caplog.at_level(logging.WARNING):
        biggus.save([biggus.open(tmp_path / "a.h5", "v")], [f"{path}::v"])
    kept = saved(path)
    if expected is None:
        assert kept is None
        assert "leaving out the attribute kept: " in caplog.text
    else:
        assert np.asarray(kept).tolist() == np.asarray(expected).tolist()
        assert not caplog.records


def saved(path):
    if path.suffix == ".h5":
        with h5py.File(path) as file:
            return file["v"].attrs.get("kept")
    if path.suffix == ".nc":
        with netCDF4.Dataset(path) as file:
            return getattr(file["v"], "kept", None)
    return zarr.open_group(path, mode="r")["v"].attrs.get("kept")


def test_ragged_attribute_is_saved_in_zarr_only(tmp_path, caplog):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["v"] = np.arange(3.0)
        file["v"].attrs.create("kept", ragged([1, 2], [3]), dtype=h5py.vlen_dtype("i4"))
    a = biggus.open(tmp_path / "a.h5", "v")
    biggus.save([a], [f"{tmp_path}/out.zarr::v"])
    assert saved(tmp_path / "out.zarr") == [[1, 2], [3]]
    assert not caplog.records
    for suffix in ("h5", "nc"):
        caplog.clear()
        biggus.save([a], [f"{tmp_path}/out.{suffix}::v"])
        assert saved(tmp_path / f"out.{suffix}") is None
        assert "leaving out the attribute kept: " in caplog.text


@pytest.mark.parametrize(
    "dtype", [*"?bBhHiIlLqQefdgFDG", "S3", "U3", "M8[s]", "m8[s]", "V2", "i4,f8", "O"]
)
def test_every_dtype_has_a_plain_value_or_none(dtype):
    several = [np.zeros(shape, dtype) for shape in ((), (2,), (2, 0))]
    for values in (several[0][()], *several):
        plain = plain_value(values)
        json.dumps(plain)
        assert plain is None or np.asarray(plain).shape == np.shape(values)


@pytest.mark.parametrize("suffix", [".nc", ".h5"])
@pytest.mark.parametrize("order", "<>")
def test_numbers_in_attributes_keep_their_dtype(tmp_path, suffix, order):
    numbers = {
        f"a_{dtype}": np.array([1, 2], order + dtype)
        for dtype in ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8")
    }
    numbers |= {"b_i1": np.int8(-1), "b_f4": np.float32(0.1), "b_u8": np.uint64(2**64 - 1)}
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["v"] = np.arange(3, dtype="i1")
        file["v"].attrs.update(numbers)
        file.attrs.update(numbers)
    biggus.save(biggus.open(tmp_path / "a.h5", "v"), tmp_path / f"out{suffix}::v")
    with h5py.File(tmp_path / f"out{suffix}") as file:
        for found in (file.attrs, file["v"].attrs):
            for name, value in numbers.items():
                assert found[name].dtype == value.dtype.newbyteorder("=")
                np.testing.assert_array_equal(found[name], value)
