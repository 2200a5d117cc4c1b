"""Sources adopted from h5py objects of the user."""

import io
import pickle

import numpy as np
import pytest

h5py = pytest.importorskip("h5py")

from biggus.backends import adopt
from biggus.backends.files import file_validator
from biggus.backends.hdf5.backend import AdoptedHDF5Source, HDF5Source
from biggus.backends.native import hdf5_lock
from biggus.errors import OpenError, SourceError
from biggus.sources.base import read, whole
from biggus.testing import SourceTests

pytestmark = pytest.mark.usefixtures("settled_soon_after_writing")

BOX = (slice(1, 5, 2),)


@pytest.fixture
def path(tmp_path):
    """Return a file with one dataset."""
    path = str(tmp_path / "a.h5")
    with h5py.File(path, "w") as file:
        file.create_dataset("g/v", data=np.arange(6.0), chunks=(4,)).attrs["units"] = "m"
        file["text"] = ["a", "é"]
    return path


def test_reads_through_the_users_handle(path):
    with h5py.File(path) as file:
        source = adopt(file["g/v"])
        assert isinstance(source, AdoptedHDF5Source)
        assert source.lock is None, "read past the library"
        assert adopt(file["text"]).lock is hdf5_lock
        assert (source.shape, source.dtype, source.chunks) == ((6,), np.dtype("f8"), (4,))
        assert source.attributes == {"units": "m"}
        assert source.token == HDF5Source(path, "g/v").token
        assert read(source, BOX).tolist() == [1.0, 3.0]
        assert read(adopt(file["text"]), whole((2,))).tolist() == ["a", "é"]
    with pytest.raises(SourceError, match="closed") as caught:
        read(source, BOX)
    assert "a.h5::g/v [1:5:2]" in str(caught.value)
    copy = pickle.loads(pickle.dumps(source))
    assert isinstance(copy, HDF5Source)
    assert read(copy, BOX).tolist() == [1.0, 3.0]


def test_state_is_that_of_the_open_file(path, tmp_path):
    with h5py.File(path) as file:
        source = adopt(file["g/v"])
        while file_validator(path) is None:
            pass
        assert source.state() == file_validator(path)
        (tmp_path / "b.h5").write_bytes((tmp_path / "a.h5").read_bytes())
        (tmp_path / "b.h5").replace(path)
        while file_validator(path) is None:
            pass
        assert source.state() is None  # the handle still reads the replaced file
        assert adopt(file["g/v"]).state() is None


def test_writable_file_has_no_token(path):
    with h5py.File(path, "r+") as file:
        source = adopt(file["g/v"])
        assert source.token is None
        assert source.state() is None
        file["g/v"][3] = 33.0
        assert read(source, BOX).tolist() == [1.0, 33.0]
        grows = file.create_dataset("grows", (2,), "i4", maxshape=(None,))
        source = adopt(grows)
        grows.resize((3,))
        with pytest.raises(SourceError, match=r"changed.*open it again"):
            read(source, (slice(0, 2, 1),))


def test_files_in_memory(tmp_path):
    with h5py.File("nowhere.h5", "w", driver="core", backing_store=False) as file:
        file["v"] = np.arange(6)
        source = adopt(file["v"])
        assert source.token is None
        assert read(source, BOX).tolist() == [1, 3]
        with pytest.raises(SourceError, match="pickled"):
            pickle.dumps(source)
    with h5py.File(io.BytesIO(), "w") as file:
        file["v"] = np.arange(6)
        source = adopt(file["v"])
        assert read(source, BOX).tolist() == [1, 3]
        with pytest.raises(SourceError, match="pickled"):
            pickle.dumps(source)


def test_anonymous_datasets(path):
    with h5py.File(path, "r+") as file:
        source = adopt(file.create_dataset(None, data=np.arange(6)))
        assert read(source, BOX).tolist() == [1, 3]
        with pytest.raises(SourceError, match="pickled"):
            pickle.dumps(source)


def test_views_groups_and_closed_datasets(path):
    with h5py.File(path) as file:
        if hasattr(file["g/v"].astype("f4"), "shape"):  # older h5py returns no array
            view = adopt(file["g/v"].astype("f4"))
            assert view.lock is hdf5_lock
            assert view.dtype == np.dtype("f4")
            assert read(view, BOX).tolist() == [1.0, 3.0]
        for group in (file, file["g"]):
            with pytest.raises(TypeError, match="pass one of the datasets"):
                adopt(group)
        assert adopt(h5py.Empty("f4")) is None or adopt(h5py.Empty("f4")).shape is None
        dataset = file["g/v"]
    with pytest.raises(OpenError, match="closed"):
        adopt(dataset)
    assert adopt(np.arange(3)) is None or adopt(np.arange(3)).shape == (3,)


class TestConformance(SourceTests):
    """The suite that every source must pass."""

    stored = False
    has_validator = False
    dtypes = ("f8", ">i4")
    _open = ()

    @pytest.fixture(autouse=True)
    def _close(self):
        self._open = []
        yield
        for file in self._open:
            file.close()

    def make(self, values, folder):
        """Adopt a dataset that stays open as long as the test."""
        with h5py.File(folder / "v.h5", "w") as file:
            file["v"] = values
        self._open.append(h5py.File(folder / "v.h5"))
        return adopt(self._open[-1]["v"])
