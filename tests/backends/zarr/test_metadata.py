"""Nonsensical Zarr metadata and HDF5 attributes raise errors when a file is opened."""

import contextlib
import json

import numpy as np
import pytest

import biggus
from biggus.errors import BiggusError, OpenError

zarr = pytest.importorskip("zarr")

ODD = [-1, 256, 2**31, 2**63, -(2**63) - 1, 10**400, 1e308, "NaN", None, [], {}, "x", "0xff", True]
DTYPES = ["i4", "u1", "f4", "bool"]
TEXTS = {2: ".zarray", 3: "zarr.json"}


@pytest.fixture(params=[2, 3])
def store(request, tmp_path):
    """Return a function that writes a store with changed metadata fields."""

    def write(dtype="i4", attributes=None, text=None, **fields):
        path = tmp_path / "a.zarr"
        zarr.create_array(
            path, shape=(6,), chunks=(3,), dtype=dtype, zarr_format=request.param, overwrite=True
        )
        document = path / TEXTS[request.param]
        if attributes is not None and request.param == 2:
            (path / ".zattrs").write_text(json.dumps(attributes))
        elif attributes is not None:
            fields["attributes"] = attributes
        changed = json.loads(document.read_bytes()) | fields
        document.write_text(text or json.dumps(changed))
        return path

    write.format = request.param
    return write


def use(path):
    array = biggus.open(path)
    assert array.masked_array().shape == (6,)
    assert array.mean().masked_array().shape == ()


def use_or_raise_biggus_error(path):
    with contextlib.suppress(BiggusError):
        use(path)


@pytest.mark.parametrize("dtype", DTYPES)
def test_odd_fill_values(store, dtype):
    for value in ODD:
        use_or_raise_biggus_error(store(dtype, fill_value=value))


@pytest.mark.parametrize(
    "name", ["scale_factor", "missing_value", "valid_range", "_FillValue", "_Unsigned", "units"]
)
def test_odd_attributes(store, name):
    for dtype in ("i4", "f4"):
        for value in ODD:
            use_or_raise_biggus_error(store(dtype, {name: value}))


@pytest.mark.parametrize("value", [256, -1, 2**64, 10**400])
def test_fill_value_beyond_the_dtype_raises(store, value):
    with pytest.raises(OpenError, match="cannot read this array"):
        biggus.open(store("u1", fill_value=value))


@pytest.mark.parametrize("deep", [65, 900, 4000, 200_000])
@pytest.mark.parametrize("place", ["attributes", "fill_value", "shape", "chunks", "document"])
def test_deeply_nested_documents_raise(store, deep, place):
    nested = "[" * deep + "]" * deep
    document = json.dumps({"zarr_format": store.format, "node_type": "array", place: 0})
    text = (
        nested if place == "document" else document.replace(f'"{place}": 0', f'"{place}": {nested}')
    )
    with pytest.raises(OpenError, match=r"nested too deeply|is not a JSON object"):
        biggus.open(store(text=text), "/")


def test_moderately_nested_attributes(store):
    deep = "x"
    for _ in range(50):
        deep = [deep]
    assert biggus.open(store(attributes={"deep": deep})).ndarray().tolist() == [0] * 6


@pytest.mark.parametrize("name", ["scale_factor", "_FillValue", "units"])
def test_unreadable_hdf5_attribute(tmp_path, monkeypatch, name, caplog):
    h5py = pytest.importorskip("h5py")
    from biggus.backends.hdf5 import values

    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["a"] = np.arange(3)
        file["a"].attrs[name] = 2

    def fail(*_):
        raise RuntimeError("bad version number\nfor datatype message")

    monkeypatch.setattr(values, "_read_attribute", fail)
    if name == "units":
        assert biggus.open(tmp_path / "a.h5", "a").ndarray().tolist() == [0, 1, 2]
        assert "is left out: bad version number for datatype message" in caplog.text
    else:
        # The attribute would change the values.
        with pytest.raises(OpenError, match="bad version number for datatype message"):
            biggus.open(tmp_path / "a.h5", "a")
    monkeypatch.setattr(values, "_names", fail)
    with pytest.raises(OpenError, match="bad version number for datatype message"):
        biggus.open(tmp_path / "a.h5", "a")
