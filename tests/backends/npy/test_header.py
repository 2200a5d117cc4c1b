"""Damaged, truncated and pickled `.npy` files raise clear errors, and no pickle is run."""

import itertools
import os
from pathlib import Path

import numpy as np
import pytest

import biggus
from biggus.errors import GoneError, OpenError, SourceError
from biggus.testing import assert_same

hypothesis = pytest.importorskip("hypothesis")
st = hypothesis.strategies

VALUES = np.arange(60.0).reshape(6, 10)


@pytest.fixture(autouse=True)
def chdir(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


class Trap:
    def __reduce__(self):
        return os.mkdir, ("sprung",)


@pytest.mark.parametrize("dtype", [object, [("a", "i4"), ("b", object)]])
def test_object_arrays_raise_without_reading_the_pickle(dtype, fetched):
    values = np.empty(2, dtype)
    (values if dtype is object else values["b"])[:] = Trap()
    np.save("a.npy", values, allow_pickle=True)
    for options in ({}, {"variable": "values"}, {"backend": "npy"}):
        fetched.clear()
        with pytest.raises(OpenError, match=r"Python objects.*pickle"):
            biggus.open("a.npy", **options)
        assert sum(fetched) == Path("a.npy").read_bytes().index(b"\n") + 1
    assert not Path("sprung").exists()


@pytest.mark.parametrize("kept", [0, 3, 6, 7, 8, 9, 10, 60, 127, 128, 129, 607])
def test_truncated_file_raises(kept):
    np.save("a.npy", VALUES)
    whole_file = Path("a.npy").read_bytes()
    assert len(whole_file) == 608
    array = biggus.open("a.npy")
    Path("a.npy").write_bytes(whole_file[:kept])
    with pytest.raises(OpenError, match=r"cut short|does not begin|is empty") as caught:
        biggus.open("a.npy")
    assert "\n" not in str(caught.value)
    with pytest.raises(SourceError, match=r"cut short|does not begin"):
        array[0].ndarray()


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }", "negative"),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (2**62, 8), }", "damaged"),
        (f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({2**62}, 8), }}", "too"),
        (f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({10**30},), }}", "damaged"),
        (f"{{'descr': '<f8', 'fortran_order': False, 'shape': {(1,) * 65}, }}", "dimension"),
        ("{'descr': ('<f8', (2,)), 'fortran_order': False, 'shape': (2,), }", "adds axes"),
        ("{'descr': 'what', 'fortran_order': False, 'shape': (2,), }", "descr"),
        ("{'descr': '<f8', 'fortran_order': 3, 'shape': (2,), }", "fortran_order"),
        ("{'descr': '<f8', 'shape': (2,), }", "keys"),
        ("__import__('os').mkdir('sprung')", "damaged"),
        ("(" * 5000, "damaged"),
        ("-" * 50000 + "1", "damaged"),
        ("[" * 150 + "]" * 150, "damaged"),
        ("\0", "damaged"),
        ("", "damaged"),
    ],
    ids=lambda text: text[:20],
)
@pytest.mark.parametrize("version", [1, 2, 3])
def test_invalid_header_raises(header, message, version):
    header = header.encode() + b"\n"
    length = len(header).to_bytes(2 if version == 1 else 4, "little")
    Path("a.npy").write_bytes(b"\x93NUMPY" + bytes([version, 0]) + length + header + bytes(800))
    with pytest.raises(OpenError, match=message) as caught:
        biggus.open("a.npy")
    assert "\n" not in str(caught.value)
    assert not Path("sprung").exists()


def test_huge_header_length_raises_after_a_small_read(fetched):
    Path("a.npy").write_bytes(b"\x93NUMPY\2\0" + b"\xff" * 4 + bytes(5 * 2**20))
    with pytest.raises(OpenError, match="cut short"):
        biggus.open("a.npy")
    assert sum(fetched) <= 2**20


def test_unknown_version_raises():
    Path("a.npy").write_bytes(b"\x93NUMPY\4\0" + bytes(100))
    with pytest.raises(OpenError, match=r"version \(4, 0\)"):
        biggus.open("a.npy")


@pytest.mark.parametrize("axes", ["1,", "1, 1", "2,"])
def test_subarray_dtype_of_length_one(axes):
    np.save("a.npy", VALUES)
    content = Path("a.npy").read_bytes()
    header = content.replace(b"'<f8'", f"'({axes})<f8'".encode()).replace(b"  ", b"", 1)
    shorter = len(content) - len(header)
    Path("a.npy").write_bytes(header.replace(b"\n", b" " * shorter + b"\n", 1))
    if axes == "2,":
        with pytest.raises(OpenError, match="no array of shape"):
            biggus.open("a.npy")
    else:
        assert_same(biggus.open("a.npy").ndarray(), np.load("a.npy"))


@pytest.mark.parametrize("order", "CF")
@pytest.mark.filterwarnings("ignore:Reading `.npy`:UserWarning")
def test_damaged_file_raises_or_matches_numpy(order):
    np.save("whole.npy", np.asarray(VALUES, order=order))
    content = Path("whole.npy").read_bytes()
    numbers = itertools.count()

    @hypothesis.settings(deadline=None, database=None, max_examples=200)
    @hypothesis.given(st.binary(max_size=12), st.integers(0, 140))
    def check(noise, position):
        damaged = bytearray(content)
        damaged[position : position + len(noise)] = noise
        path = Path(f"{next(numbers)}.npy")  # a new file each time: reading a rewritten file waits
        path.write_bytes(damaged)
        try:
            with path.open("rb") as file:  # np.load would leave its own file open
                expected = np.load(file)
        except Exception:
            with pytest.raises(OpenError) as caught:
                biggus.open(path, backend="npy")
            assert "\n" not in str(caught.value)
        else:
            assert_same(biggus.open(path).ndarray(), expected)

    check()


def test_missing_folder_text_and_pipe_raise():
    with pytest.raises(GoneError, match="no such file"):
        biggus.open("a.npy")
    Path("folder.npy").mkdir()
    with pytest.raises(OpenError, match="folder"):
        biggus.open("folder.npy", backend="npy")
    Path("text.npy").write_text("no array")
    with pytest.raises(OpenError, match="does not begin"):
        biggus.open("text.npy")
    if hasattr(os, "mkfifo"):
        os.mkfifo("pipe.npy")
        with pytest.raises(OpenError, match="regular file"):
            biggus.open("pipe.npy", backend="npy")
