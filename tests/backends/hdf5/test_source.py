"""HDF5: values of every type and layout match h5py."""

import pickle
import shutil

import numpy as np
import pytest

h5py = pytest.importorskip("h5py")
from hdf5_samples import LAYOUTS, PLAIN, SAMPLES, assert_equal, write_compact, write_nbit
from hypothesis import HealthCheck, given, settings

import biggus
from biggus.backends import Location
from biggus.backends.hdf5.backend import HDF5Backend, HDF5Source
from biggus.errors import GoneError, OpenError, VariableError
from biggus.sources.base import read, whole
from biggus.testing import SourceTests
from biggus.testing.strategies import boxes

pytestmark = pytest.mark.usefixtures("settled_soon_after_writing")

SHAPE = (4, 6)
SLOW = settings(
    max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), database=None
)


@pytest.fixture(scope="session")
def everything(tmp_path_factory):
    """Return a file with every kind of value in every layout, and the names in it."""
    path = tmp_path_factory.mktemp("hdf5") / "everything.h5"
    names = []
    with h5py.File(path, "w", track_order=True) as file:
        for kind, (flat, dtype) in SAMPLES.items():
            values = flat.reshape(SHAPE)
            for layout, options in LAYOUTS.items():
                if layout == "fletcher32" and np.dtype(dtype).hasobject:
                    continue  # HDF5 has no checksums of values in a heap
                name = f"{layout}/{kind}"
                file.create_dataset(name, data=values, dtype=dtype, **options)
                names.append(name)
            write_compact(file.require_group("compact"), kind, values, dtype)
            names.append(f"compact/{kind}")
        for kind in ("<i2", ">u4", "<i8"):
            values = SAMPLES[kind][0].reshape(SHAPE)
            file.create_dataset(f"scaled/{kind}", data=values, chunks=(2, 2), scaleoffset=0)
            names.append(f"scaled/{kind}")
        reals = SAMPLES["<f4"][0].reshape(SHAPE) / 8
        file.create_dataset("scaled/f4", data=reals, chunks=(2, 2), scaleoffset=2)
        write_nbit(file, "nbit", SAMPLES["<i8"][0].reshape(SHAPE))
        names += ["scaled/f4", "nbit"]
        if h5py.h5z.filter_avail(h5py.h5z.FILTER_SZIP):
            for kind in ("<i4", ">f8"):
                data = np.arange(24, dtype=kind).reshape(SHAPE)
                file.create_dataset(f"szip/{kind}", data=data, compression="szip", chunks=SHAPE)
                names.append(f"szip/{kind}")
    return str(path), names


def test_variables_are_listed_in_file_order(everything):
    path, names = everything
    listed = HDF5Backend().variables(Location(path))
    with h5py.File(path) as file:
        expected = [
            f"{group}/{name}" if group != "nbit" else "nbit"
            for group in file
            for name in (file[group] if group != "nbit" else [""])
        ]
    assert sorted(listed) == sorted(names)
    assert list(listed) == expected


def test_every_type_in_every_layout_and_filter(everything):
    path, names = everything
    keys = [
        (slice(0, 4, 1), slice(0, 6, 1)),
        (slice(1, 4, 2), slice(0, 6, 5)),
        (slice(3, 4, 1), slice(5, 6, 1)),
        (slice(0, 3, 1), slice(2, 3, 1)),
    ]
    with h5py.File(path) as file:
        for name in names:
            source = HDF5Source(path, name)
            dataset = file[name]
            assert source.shape == SHAPE
            assert source.dtype == dataset.dtype
            assert not source.dtype.metadata
            assert source.chunks == dataset.chunks
            for key in keys:
                assert_equal(read(source, key), dataset[key])


@given(box=boxes(SHAPE))
@SLOW
def test_any_box_of_any_kind(everything, box):
    path, names = everything
    with h5py.File(path) as file:
        for name in names[::3]:
            assert_equal(read(HDF5Source(path, name), box), file[name][box])


@given(box=boxes((11, 7, 5)))
@settings(SLOW, max_examples=2 * settings.default.max_examples)
def test_any_box_in_three_dimensions(tmp_path_factory, box):
    path = tmp_path_factory.getbasetemp() / "three.h5"
    if not path.exists():
        with h5py.File(path, "w") as file:
            data = np.arange(385, dtype=">f4").reshape(11, 7, 5)
            file.create_dataset("v", data=data, chunks=(4, 3, 5), compression="gzip")
    with h5py.File(path) as file:
        assert_equal(read(HDF5Source(str(path), "v"), box), file["v"][box])


def test_scalars_of_every_kind(tmp_path):
    path = str(tmp_path / "scalars.h5")
    with h5py.File(path, "w") as file:
        for i, (values, dtype) in enumerate(SAMPLES.values()):
            dataset = file.create_dataset(f"v{i}", (), dtype)
            if np.dtype(dtype).metadata and isinstance(np.dtype(dtype).metadata.get("vlen"), type):
                dataset[()] = values[5]
            elif np.dtype(dtype).kind != "O" and not np.dtype(dtype).hasobject:
                dataset[...] = values[5]
    with h5py.File(path) as file:
        for i, (kind, (_, dtype)) in enumerate(SAMPLES.items()):
            source = HDF5Source(path, f"v{i}")
            value = read(source, ())
            assert value.shape == source.shape == ()
            assert value.dtype == source.dtype == file[f"v{i}"].dtype, kind
            raw = file[f"v{i}"][()]
            if kind == "text":
                assert value[()] == raw.decode() == "é5"
            elif kind == "lists":
                assert value[()].dtype == raw.dtype
            elif not np.dtype(dtype).hasobject:
                assert_equal(value, np.asarray(raw, source.dtype))


def test_scalar_of_variable_length(tmp_path):
    path = str(tmp_path / "list.h5")
    with h5py.File(path, "w") as file:
        file.create_dataset("v", (1,), h5py.vlen_dtype("i4"))[0] = [1, 2, 3]
        file.create_dataset("s", (), h5py.vlen_dtype("i4"))[()] = np.array([4, 5], "i4")
    value = read(HDF5Source(path, "s"), ())
    assert value.shape == ()
    assert value[()].tolist() == [4, 5]
    assert read(HDF5Source(path, "v"), whole((1,)))[0].tolist() == [1, 2, 3]


def test_array_types_become_axes(tmp_path):
    path = str(tmp_path / "arrays.h5")
    with h5py.File(path, "w") as file:
        file.create_dataset("v", (5,), np.dtype(("<i4", (2, 3))), chunks=(2,))
        file["v"][...] = np.arange(30).reshape(5, 2, 3)
    source = HDF5Source(path, "v")
    assert (source.shape, source.dtype, source.chunks) == ((5, 2, 3), np.dtype("i4"), (2, 2, 3))
    box = (slice(1, 5, 2), slice(1, 2, 1), slice(0, 3, 2))
    np.testing.assert_array_equal(read(source, box), np.arange(30).reshape(5, 2, 3)[box])


def test_invalid_utf8_is_kept(tmp_path):
    path = str(tmp_path / "bad.h5")
    with h5py.File(path, "w") as file:
        file.create_dataset(
            "v", data=np.array([b"\xff\xfea", b"ok"], object), dtype=SAMPLES["text"][1]
        )
    value = read(HDF5Source(path, "v"), whole((2,)))
    assert value[0].encode("utf-8", "surrogateescape") == b"\xff\xfea"
    assert value[1] == "ok"


def test_axis_of_length_zero(tmp_path):
    path = str(tmp_path / "empty.h5")
    with h5py.File(path, "w") as file:
        file.create_dataset("v", (0, 3), "f4", maxshape=(None, 3))
    source = HDF5Source(path, "v")
    assert source.shape == (0, 3)
    assert read(source, (slice(0, 0, 1), slice(0, 3, 1))).shape == (0, 3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda f: f.create_dataset("v", data=h5py.Empty("f4")), "null"),
        (lambda f: f.create_dataset("v", (2,), [("r", h5py.regionref_dtype)]), "references"),
        (
            lambda f: h5py.h5d.create(
                f.id, b"v", h5py.h5t.UNIX_D32LE, h5py.h5s.create_simple((2,))
            ),
            "TypeTimeID",
        ),
    ],
)
def test_unsupported_datasets_raise_at_opening(tmp_path, make, message):
    path = str(tmp_path / "odd.h5")
    with h5py.File(path, "w") as file:
        make(file)
    assert HDF5Backend().variables(Location(path)) == ("v",)
    with pytest.raises(OpenError, match=message):
        HDF5Source(path, "v")


def test_attributes_fill_value_and_dims(tmp_path):
    path = str(tmp_path / "described.h5")
    with h5py.File(path, "w") as file:
        data = file.create_dataset("v", (2, 3), "i2", fillvalue=-9)
        file["lat"], file["lon"] = np.zeros(2), np.zeros(3)
        for axis, name in enumerate(("lat", "lon")):
            file[name].make_scale(name)
            data.dims[axis].attach_scale(file[name])
        data.attrs["units"] = "m"
        data.attrs["range"] = [1, 2]
        data.attrs["one"] = np.float32(1.5)
        data.attrs["fixed"] = np.bytes_(b"abc")
        data.attrs["words"] = ["a", "é"]
        data.attrs["nothing"] = h5py.Empty("f4")
        labelled = file.create_dataset("labelled", (2, 3), "f4")
        labelled.dims[0].label, labelled.dims[1].label = "x", "y"
        file.create_dataset("half", (2, 3), "f4").dims[0].label = "x"
    source = HDF5Source(path, "/v")
    assert source.dims == ("lat", "lon")
    assert source.fill_value == -9
    assert source.attributes["units"] == "m"
    assert source.attributes["fixed"] == "abc"
    assert source.attributes["one"] == 1.5
    assert source.attributes["range"].tolist() == [1, 2]
    assert source.attributes["words"].tolist() == ["a", "é"]
    assert source.attributes["nothing"] is None
    assert "DIMENSION_LIST" not in source.attributes
    assert pickle.loads(pickle.dumps(source)).attributes["units"] == "m"
    assert HDF5Source(path, "lat").dims == ("lat",)
    assert HDF5Source(path, "labelled").dims == ("x", "y")
    assert HDF5Source(path, "half").dims == ("x", None)
    assert HDF5Source(path, "half").fill_value is None


@pytest.mark.parametrize("track_order", [False, True])
def test_attributes_match_h5py_in_value_and_order(tmp_path, track_order):
    path = str(tmp_path / "a.h5")
    values = {
        "z": "text",
        "a": np.float32(0.5),
        "list": np.arange(3, dtype=">i2"),
        "words": np.array(["x", "\u00e9"], dtype=object),
        "bytes": np.bytes_(b"abc"),
        "flag": True,
        "none": "",
        "table": np.arange(6.0).reshape(2, 3),
        "long": np.uint64(2**63),
        "complex": np.complex64(1 + 2j),
        "\u00fc": 1,
    }
    with h5py.File(path, "w") as file:
        data = file.create_dataset("v", (4,), "f4", track_order=track_order)
        for name, value in values.items():
            data.attrs[name] = value
    source = HDF5Source(path, "v")
    with h5py.File(path) as file:
        attributes = file["v"].attrs
        assert list(source.attributes) == list(attributes)
        assert (list(attributes) == list(values)) is track_order
        for name, value in attributes.items():
            found = source.attributes[name]
            if isinstance(value, (np.ndarray, np.generic)) and not isinstance(value, bytes):
                assert found.dtype == value.dtype
                assert found.shape == value.shape
                assert found.tolist() == value.tolist()
            else:
                assert found == (value.decode() if isinstance(value, bytes) else value)


@pytest.mark.parametrize("link", ["soft", "out", "twice"])
def test_datasets_are_opened_through_links(tmp_path, link):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["far/v"] = np.arange(3.0)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["soft"] = h5py.SoftLink("/g/v")
        file["out"] = h5py.ExternalLink("other.h5", "/far/v")
        file["twice"] = h5py.SoftLink("/out")
        file["g/v"] = np.arange(3.0)
    source = HDF5Source(str(tmp_path / "a.h5"), link)
    assert source[(slice(0, 3, 1),)].tolist() == [0, 1, 2]
    assert (source.storage is not None) is (link == "soft")


def test_names_links_and_cycles(tmp_path):
    path, other = str(tmp_path / "links.h5"), str(tmp_path / "other.h5")
    with h5py.File(other, "w") as file:
        file["far/v"] = np.arange(3.0)
    with h5py.File(path, "w") as file:
        file["g/deep/v"] = np.arange(4)
        file["g/again"] = file["g"]  # a ring of hard links
        file["g/deep/up"] = file["/"]
        file["soft"] = h5py.SoftLink("/g/deep/v")
        file["softgroup"] = h5py.SoftLink("/g/deep")
        file["out"] = h5py.ExternalLink("other.h5", "/far/v")
        file["dangling"] = h5py.SoftLink("/nowhere")
        file["noexternal"] = h5py.ExternalLink("missing.h5", "/v")
        file["nothere"] = h5py.ExternalLink("other.h5", "/w")
        file["ring"] = h5py.SoftLink("/ring")
        file["type"] = np.dtype("i4")
    names = HDF5Backend().variables(Location(path))
    assert set(names) == {"g/deep/v", "out", "soft", "softgroup/v"} | {
        name for name in names if name.startswith(("softgroup/up/", "g/deep/up/"))
    }
    for name in names:
        source = HDF5Source(path, name)
        expected = np.arange(3.0) if name.endswith("out") else np.arange(4)
        np.testing.assert_array_equal(read(source, whole(source.shape)), expected)
    assert HDF5Source(path, "//g/./deep/v/").token == HDF5Source(path, "g/deep/v").token
    for name, error, message in [
        ("dangling", VariableError, "soft link to '/nowhere'"),
        ("noexternal", GoneError, "missing.h5"),
        ("nothere", VariableError, "external link to '/w'"),
        ("ring", VariableError, "too many links"),
        ("type", VariableError, "Datatype"),
        ("g", VariableError, "is a group.*g/deep/v"),
        ("", VariableError, "root is a group.*soft"),
        ("wrong", VariableError, "no variable 'wrong'.*g/deep/v"),
        ("g/wrong", VariableError, "no variable 'g/wrong'"),
        ("soft/v", VariableError, "no variable 'soft/v'"),
    ]:
        with pytest.raises(error, match=message) as caught:
            HDF5Source(path, name)
        assert "\n" not in str(caught.value)


def test_listing_of_multiplying_hard_links_is_bounded(tmp_path):
    path = str(tmp_path / "multiply.h5")
    with h5py.File(path, "w") as file:
        group = file
        for _ in range(40):  # 2 ** 40 paths lead to the end
            group["a"] = group.file.create_group(None)
            group["b"] = group["a"]
            group = group["a"]
        group["v"] = 1
    names = HDF5Backend().variables(Location(path))
    assert "/".join("a" * 40) + "/v" in names
    assert len(names) <= 16


class TestConformance(SourceTests):
    """The suite that every source must pass."""

    dtypes = tuple(kind for kind in PLAIN if kind != "longdouble")

    def store(self, values, folder):
        """Write a chunked dataset."""
        options = {"chunks": tuple(max(1, n // 2) for n in values.shape)} if values.shape else {}
        with h5py.File(folder / "new", "w") as file:
            file.create_dataset("group/v", data=values, **options)
        # In place, the same inode: h5py itself refuses while biggus has it open.
        shutil.copyfile(folder / "new", folder / "v.h5")

    def open(self, folder):
        """Open it by path."""
        return HDF5Backend().open(Location(folder / "v.h5"), "group/v")


@pytest.mark.parametrize("group", ["", "g/h"])
def test_attributes_in_arrays_of_one_are_used_as_those_alone(tmp_path, group):
    """Many programs write each attribute as an array."""
    netCDF4 = pytest.importorskip("netCDF4")
    attributes = {
        "units": np.array([b"days since 2000-01-01"]),
        "calendar": np.array(["noleap"], h5py.string_dtype()),
        "scale_factor": np.array([0.5], "f4"),
        "_FillValue": np.array([2], "i2"),
        "flag_masks": np.array([1], "u1"),
        "valid_range": np.array([0, 7], "i2"),
    }
    with h5py.File(tmp_path / "a.h5", "w") as file:
        place = file.require_group(group or "/")
        place["v"] = np.arange(9, dtype="i2")
        place["v"].attrs.update(attributes)
        place.attrs["title"] = np.array([b"one"])
    name = f"{group}/v".strip("/")
    a = biggus.open(tmp_path / "a.h5", name)
    assert a.units == "days since 2000-01-01"
    assert biggus.open_dataset(tmp_path / "a.h5", group).attrs == {"title": "one"}
    with netCDF4.Dataset(tmp_path / "a.h5") as file:
        variable = file[name]
        np.testing.assert_array_equal(a.masked_array(), variable[:])
        for key in attributes:
            np.testing.assert_array_equal(
                a.node.children[0].source.attributes[key], variable.getncattr(key), strict=True
            )
