"""Reading of stored attributes from object headers of all versions."""

import itertools
from pathlib import Path

import numpy as np
import pytest

h5py = pytest.importorskip("h5py")

from biggus.backends.hdf5.headers import Headers

VERSIONS = ["earliest", "v108", "latest"]
VARIABLE = 9


def write_attributes(place, count):
    text = h5py.string_dtype()
    for number in range(count):
        place.attrs[f"text{number}"] = "x" * number
        place.attrs[f"numbers{number}"] = np.arange(1 + number % 7)
    place.attrs.create("texts", ["a", "bb", ""], dtype=text)
    rows = np.array([np.arange(3), np.arange(2)], dtype=object)
    place.attrs.create("rows", rows, dtype=h5py.vlen_dtype("i4"))
    place.attrs["fixed"] = np.bytes_("abc")
    place.attrs["nothing"] = h5py.Empty(text)
    place.attrs["table"] = np.ones((2, 3))
    named = h5py.h5a.create(
        place.id, b"named", place.file["kind"].id, h5py.h5s.create(h5py.h5s.SCALAR)
    )
    named.write(np.array("of a named type", dtype=text))


def kind_and_size_by_h5py(place, name):
    attribute = h5py.h5a.open(place.id, name.encode())
    kind = attribute.get_type()
    texts = kind.get_class() == h5py.h5t.STRING and kind.is_variable_str()
    variable = texts or kind.get_class() == h5py.h5t.VLEN
    nbytes = 0 if attribute.shape is None else attribute.get_storage_size()
    return variable, nbytes


@pytest.mark.parametrize("libver", VERSIONS)
def test_variable_length_attributes_match_h5py(tmp_path, libver):
    for count, ordered, userblock in itertools.product((3, 60), (False, True), (0, 512)):
        path = tmp_path / f"{count}-{ordered}-{userblock}.h5"
        with h5py.File(path, "w", libver=libver, userblock_size=userblock) as file:
            file["kind"] = h5py.string_dtype()
            write_attributes(file.create_group("group", track_order=ordered), count)
            write_attributes(file.create_dataset("dataset", data=1.0, track_order=ordered), count)
        data = path.read_bytes()[userblock:]
        headers = Headers(lambda start, n, data=data: data[start : start + n], 8, 8)
        with h5py.File(path) as file:
            for place in file["group"], file["dataset"]:
                stored = headers.attributes(h5py.h5o.get_info(place.id).addr)
                found = sorted(len(v) for kind, v in stored if kind[0] % 16 == VARIABLE)
                expected = [kind_and_size_by_h5py(place, name) for name in place.attrs]
                assert found == sorted(nbytes for variable, nbytes in expected if variable)


def test_addresses_of_four_bytes(tmp_path):
    path = tmp_path / "a.h5"
    create = h5py.h5p.create(h5py.h5p.FILE_CREATE)
    create.set_sizes(4, 4)
    with h5py.File(h5py.h5f.create(bytes(path), h5py.h5f.ACC_TRUNC, create)) as file:
        for number in range(5):
            file.attrs[f"text{number}"] = "K"
        address = h5py.h5o.get_info(file.id).addr
    data = Path(path).read_bytes()
    stored = list(Headers(lambda start, n: data[start : start + n], 4, 4).attributes(address))
    assert [len(each.values) for each in stored] == [12] * 5


@pytest.mark.parametrize("libver", VERSIONS)
def test_damaged_headers_do_not_loop(tmp_path, libver):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w", libver=libver) as file:
        file["kind"] = h5py.string_dtype()
        write_attributes(file.create_dataset("dataset", data=1.0), 9)
        address = h5py.h5o.get_info(file["dataset"].id).addr
    sound = path.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(200):
        data = bytearray(sound)
        for at in rng.integers(0, len(data), 60):
            data[at] = rng.integers(256)
        data = bytes(data[: rng.integers(len(data))])
        headers = Headers(lambda start, n, data=data: data[start : start + max(0, n)], 8, 8)
        assert len(list(headers.attributes(address))) <= len(data)
