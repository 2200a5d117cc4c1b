"""Object references in HDF5 files are read as paths; region references and nulls raise."""

import json
import pickle
import subprocess
import sys

import numpy as np
import pytest

import biggus
from biggus.backends import Location, backend_named
from biggus.cli import main
from biggus.errors import OpenError, SourceError

h5py = pytest.importorskip("h5py")

TEXT = h5py.string_dtype()
PATHS = ["/t", "", "/group/é", "/group"]


def references(file, paths=PATHS):
    values = np.empty(len(paths), h5py.ref_dtype)
    values[:] = [file[path].ref if path else h5py.Reference() for path in paths]
    return values


def fill(file):
    file["t"] = np.arange(4)
    file["group/é"] = 1
    values = references(file)
    file.create_dataset("flat", data=values, dtype=h5py.ref_dtype)
    file.create_dataset("chunked", data=values.reshape(2, 2), dtype=h5py.ref_dtype, chunks=(1, 2))
    file.create_dataset("scalar", (), h5py.ref_dtype)[()] = values[2]
    dtype = np.dtype([("to", h5py.ref_dtype), ("i", "i4"), ("name", TEXT)])
    pairs = np.array([(ref, k, f"n{k}") for k, ref in enumerate(values)], dtype)
    file.create_dataset("compound", data=pairs, dtype=dtype)
    file.create_dataset("one", (), dtype)[()] = (values[0], 7, "one")
    nested = np.dtype([("in", dtype), ("x", "f8")])
    file.create_dataset("nested", (3,), nested)
    ragged = file.create_dataset("ragged", (2,), h5py.vlen_dtype(h5py.ref_dtype))
    ragged[0] = values[:3]


@pytest.fixture
def path(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        fill(file)
    return str(tmp_path / "a.h5")


@pytest.fixture(params=["path", "dataset"])
def open_array(request, path):
    """Return a function that opens a dataset by path, or adopts one from h5py."""
    if request.param == "path":
        yield lambda name: biggus.open(path, name)
        return
    with h5py.File(path) as file:
        yield lambda name: biggus.ArrayAdapter(file[name])


def test_object_references_are_paths(open_array, path):
    a = open_array("flat")
    assert (a.shape, a.dtype) == ((4,), np.dtype(object))
    assert a.ndarray().tolist() == PATHS
    assert a[::-2].ndarray().tolist() == PATHS[::-2]
    assert open_array("chunked")[:, 1].ndarray().tolist() == PATHS[1::2]
    value = open_array("scalar").ndarray()
    assert (value.shape, value[()]) == ((), "/group/é")
    with h5py.File(path) as file:
        for name, found in zip(a.ndarray(), file["flat"], strict=True):
            assert not found if not name else file[name] == file[found]


def test_references_in_structures(open_array):
    values = open_array("compound").ndarray()
    assert values.dtype == np.dtype([("to", "O"), ("i", "i4"), ("name", "O")])
    assert values["to"].tolist() == PATHS
    assert values["i"].tolist() == [0, 1, 2, 3]
    assert values["name"].tolist() == ["n0", "n1", "n2", "n3"]
    assert open_array("compound")["to"][2:].ndarray().tolist() == PATHS[2:]
    assert open_array("one").ndarray()[()].tolist() == ("/t", 7, "one")
    assert open_array("nested").ndarray()["in"]["to"].tolist() == ["", "", ""]


def test_references_in_ragged_rows(open_array):
    first, second = open_array("ragged").ndarray()
    assert first.tolist() == PATHS[:3]
    assert second.size == 0


def test_references_in_another_process(path):
    values = pickle.dumps(biggus.open(path, "compound"))
    code = "import pickle, sys; print(pickle.load(sys.stdin.buffer).ndarray()['to'][0])"
    done = subprocess.run(
        [sys.executable, "-c", code], input=values, capture_output=True, check=True
    )
    assert done.stdout.strip() == b"/t"


def test_references_are_saved_as_text(path, tmp_path):
    biggus.save([biggus.open(path, "flat")], [f"{tmp_path}/out.h5::v"])
    assert biggus.open(tmp_path / "out.h5", "v").ndarray().tolist() == PATHS


def test_dangling_reference_raises(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["t"], file["gone"] = 1, 2
        file.create_dataset("v", data=references(file, ["t", "gone"]), dtype=h5py.ref_dtype)
        del file["gone"]
    a = biggus.open(tmp_path / "a.h5", "v")
    assert a[:1].ndarray().tolist() == ["/t"]
    with pytest.raises(SourceError, match=r"an object reference has (no target|a target without)"):
        a.ndarray()


def test_references_in_attributes(tmp_path, caplog):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["t"], file["x"], file["gone"] = np.arange(4), np.arange(4), 1
        attributes = file["t"].attrs
        attributes["one"] = file["x"].ref
        attributes["several"] = references(file, ["t", "", "x"])
        pair = np.dtype([("to", h5py.ref_dtype), ("i", "i4")])
        attributes.create("pairs", np.array([(file["x"].ref, 5)], pair))
        attributes["dangling"] = file["gone"].ref
        file["x"].make_scale()
        file["t"].dims[0].attach_scale(file["x"])
        del file["gone"]
    found = biggus.open(tmp_path / "a.h5", "t").node.source.attributes
    assert found["one"] == "/x"
    assert found["several"].tolist() == ["/t", "", "/x"]
    assert found["pairs"].tolist() == ("/x", 5)
    assert set(found) == {"one", "several", "pairs"}
    (record,) = caplog.records
    assert "'dangling' of /t is left out: an object reference has" in record.getMessage()
    assert biggus.open(tmp_path / "a.h5", "t").node.source.dims == ("x",)
    assert "REFERENCE_LIST" not in biggus.open(tmp_path / "a.h5", "x").node.source.attributes


# Written in another process: some releases of h5py are unstable after writing these.
ODD = """
import sys
import h5py
import numpy as np

with h5py.File(sys.argv[1], "w") as file:
    file["t"] = np.arange(4)
    file.create_dataset("region", (2,), h5py.regionref_dtype)[0] = file["t"].regionref[1:3]
    file.create_dataset("in_compound", (2,), [("r", h5py.regionref_dtype), ("i", "i4")])
    file.create_dataset("in_rows", (2,), h5py.vlen_dtype(h5py.regionref_dtype))
    file.create_dataset("arrays", (2,), np.dtype((h5py.ref_dtype, (3,))))
    file.create_dataset("field", (2,), [("r", h5py.ref_dtype, (3,)), ("i", "i4")])
    file.create_dataset("null", data=h5py.Empty(">f4"))
    file.create_dataset("null_text", data=h5py.Empty(h5py.string_dtype()))
    file["t"].attrs["region"] = file["t"].regionref[1:3]
"""
REFUSED = {
    "region": "region references",
    "in_compound": "region references",
    "in_rows": "region references",
    "arrays": "arrays of references",
    "field": "arrays of references",
    "null": r"its dataspace is null, so it has no shape and no values \(>f4\)",
    "null_text": r"its dataspace is null, .* \(object\)",
}


@pytest.fixture
def file_of_odd_types(tmp_path):
    subprocess.run([sys.executable, "-c", ODD, tmp_path / "odd.h5"], check=True)
    return str(tmp_path / "odd.h5")


def test_unsupported_references_raise_by_name(file_of_odd_types, capsys):
    assert set(backend_named("hdf5").variables(Location(file_of_odd_types))) == {"t", *REFUSED}
    with h5py.File(file_of_odd_types) as file:
        for name, message in REFUSED.items():
            with pytest.raises(OpenError, match=message) as caught:
                biggus.open(file_of_odd_types, name)
            assert f"'/{name}'" in str(caught.value)
            with pytest.raises(OpenError, match=message):
                biggus.ArrayAdapter(file[name])
    assert main(["info", file_of_odd_types, "--json"]) == 0
    captured = capsys.readouterr()
    by_name = {facts["name"]: facts for facts in json.loads(captured.out)["variables"]}
    assert {name for name, facts in by_name.items() if "problem" in facts} == set(REFUSED)
    assert by_name["t"]["attributes"] == {}
    assert "attribute 'region' of /t is left out: it holds region references" in captured.err


def test_file_with_a_null_dataspace_only(tmp_path, capsys):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["v"] = h5py.Empty("f4")
    assert main(["info", str(tmp_path / "a.h5")]) == 1
    assert "its dataspace is null" in capsys.readouterr().err
    with pytest.raises(TypeError):
        biggus.ArrayAdapter(h5py.Empty("f4"))
