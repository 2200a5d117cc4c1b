"""Files of NumPy's that are damaged, cut short or pickled: errors that say so, and nothing run."""

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
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


class Trap:
    def __reduce__(self):
        return os.mkdir, ("sprung",)


@pytest.mark.parametrize("dtype", [object, [("a", "i4"), ("b", object)]])
def test_pickles_are_refused_and_never_read(dtype, fetched):
    values = np.empty(2, dtype)
    (values if dtype is object else values["b"])[:] = Trap()
    np.save("a.npy", values, allow_pickle=True)
    for how in ({}, {"variable": "values"}, {"backend": "npy"}):
        fetched.clear()
        with pytest.raises(OpenError, match=r"Python objects.*pickle"):
            biggus.open("a.npy", **how)
        assert sum(fetched) == Path("a.npy").read_bytes().index(b"\n") + 1
    assert not Path("sprung").exists()


@pytest.mark.parametrize("kept", [0, 3, 6, 7, 8, 9, 10, 60, 127, 128, 129, 607])
def test_a_file_that_is_cut_short(kept):
    np.save("a.npy", VALUES)
    whole_file = Path("a.npy").read_bytes()
    assert len(whole_file) == 608
    array = biggus.open("a.npy")
    Path("a.npy").write_bytes(whole_file[:kept])
    with pytest.raises(OpenError, match=r"cut short|does not begin") as caught:
        biggus.open("a.npy")
    assert "\n" not in str(caught.value)
    with pytest.raises(SourceError, match=r"cut short|does not begin"):
        array[0].ndarray()


@pytest.mark.parametrize(
    ("told", "says"),
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
def test_a_header_that_makes_no_sense(told, says, version):
    told = told.encode() + b"\n"
    length = len(told).to_bytes(2 if version == 1 else 4, "little")
    Path("a.npy").write_bytes(b"\x93NUMPY" + bytes([version, 0]) + length + told + bytes(800))
    with pytest.raises(OpenError, match=says) as caught:
        biggus.open("a.npy")
    assert "\n" not in str(caught.value)
    assert not Path("sprung").exists()


def test_a_header_that_is_said_to_be_longer_than_any(fetched):
    Path("a.npy").write_bytes(b"\x93NUMPY\2\0" + b"\xff" * 4 + bytes(5 * 2**20))
    with pytest.raises(OpenError, match="cut short"):
        biggus.open("a.npy")
    assert sum(fetched) <= 2**20


def test_a_version_that_is_not_known():
    Path("a.npy").write_bytes(b"\x93NUMPY\4\0" + bytes(100))
    with pytest.raises(OpenError, match=r"version \(4, 0\)"):
        biggus.open("a.npy")


@pytest.mark.parametrize("axes", ["1,", "1, 1", "2,"])
def test_axes_of_one_within_a_dtype_are_none(axes):
    np.save("a.npy", VALUES)
    content = Path("a.npy").read_bytes()
    told = content.replace(b"'<f8'", f"'({axes})<f8'".encode()).replace(b"  ", b"", 1)
    shorter = len(content) - len(told)
    Path("a.npy").write_bytes(told.replace(b"\n", b" " * shorter + b"\n", 1))
    if axes == "2,":
        with pytest.raises(OpenError, match="no array of shape"):
            biggus.open("a.npy")
    else:
        assert_same(biggus.open("a.npy").ndarray(), np.load("a.npy"))


@pytest.mark.parametrize("order", "CF")
@pytest.mark.filterwarnings("ignore:Reading `.npy`:UserWarning")
def test_damage_anywhere_is_an_error_or_what_numpy_reads(order):
    np.save("whole.npy", np.asarray(VALUES, order=order))
    content = Path("whole.npy").read_bytes()
    numbers = itertools.count()

    @hypothesis.settings(deadline=None, database=None, max_examples=200)
    @hypothesis.given(st.binary(max_size=12), st.integers(0, 140))
    def check(noise, where):
        damaged = bytearray(content)
        damaged[where : where + len(noise)] = noise
        path = Path(f"{next(numbers)}.npy")  # one that is rewritten is given time to settle
        path.write_bytes(damaged)
        try:
            with path.open("rb") as file:  # np.load would leave its own open
                right = np.load(file)
        except Exception:
            with pytest.raises(OpenError) as caught:
                biggus.open(path, backend="npy")
            assert "\n" not in str(caught.value)
        else:
            assert_same(biggus.open(path).ndarray(), right)

    check()


def test_what_is_no_file():
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
