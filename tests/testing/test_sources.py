import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import biggus
from biggus.errors import SourceError
from biggus.sources.base import read, whole
from biggus.sources.wrappers import ObjectSource, Wrapper
from biggus.testing import (
    ArraySource,
    FaultySource,
    LatentSource,
    RecordingSource,
    UnreadableSource,
    assert_same,
    garbage,
    sample_values,
    wrong_dtype,
    wrong_shape,
)

VALUES = np.arange(24.0).reshape(4, 6)
ALL = whole(VALUES.shape)
CORNER = (slice(0, 1, 1), slice(0, 2, 1))
FAR = (slice(3, 4, 1), slice(5, 6, 1))


def source(**capabilities):
    return ArraySource(VALUES, chunks=(2, 3), **capabilities)


def test_recording_source_records_reads_and_fetches():
    recording = RecordingSource(source())
    assert_same(recording[CORNER], VALUES[CORNER])
    values, validator = recording.fetch(FAR)
    assert_same(values, VALUES[FAR])
    assert validator == recording.source.state()
    assert recording.boxes == [CORNER, FAR]
    assert (recording.reads, recording.fetches) == (1, 1)
    assert recording.chunks_touched() == {(0, 0), (1, 1)}
    assert recording.chunks_touched((1, 6)) == {(0, 0), (3, 0)}
    recording.clear()
    assert (recording.boxes, recording.reads, recording.fetches) == ([], 0, 0)


def test_chunks_touched_without_chunks_raises():
    with pytest.raises(ValueError, match="no chunks"):
        RecordingSource(ObjectSource(VALUES)).chunks_touched()


def test_recording_source_counts_reads_of_many_threads():
    recording = RecordingSource(source())
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: recording[CORNER], range(500)))
    assert recording.reads == len(recording.boxes) == 500


def test_chunks_touched_by_a_selection():
    recording = RecordingSource(source())
    array = biggus.ArrayAdapter(recording)[[0, 3]][:, :2]
    assert not recording.boxes
    assert_same(array.ndarray(), VALUES[[0, 3], :2])
    assert recording.chunks_touched() == {(0, 0), (1, 0)}


@pytest.mark.parametrize("get", [lambda s, b: s[b], lambda s, b: s.fetch(b)])
def test_faulty_source_raises_on_the_given_reads(get):
    numbered = FaultySource(source(), ConnectionResetError("gone"), on={1, 2})
    get(numbered, ALL)
    for _ in range(2):
        with pytest.raises(OSError, match="gone"):
            get(numbered, ALL)
    get(numbered, ALL)
    assert numbered.reads == 4
    placed = FaultySource(source(), KeyError, on=lambda box: box == FAR)
    get(placed, CORNER)
    with pytest.raises((KeyError, SourceError)):
        get(placed, FAR)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (wrong_shape, r"got shape \(1, 1, 2\) instead of \(1, 2\)"),
        (wrong_dtype, "got dtype"),
        (garbage, "got a str, not an array"),
    ],
)
def test_faulty_values_raise_source_error(fault, message):
    faulty = FaultySource(source(), fault)
    with pytest.raises(SourceError, match=message):
        read(faulty, CORNER)
    with pytest.raises(SourceError, match=message):
        faulty.fetch(CORNER)


def test_faulty_source_with_wrong_values():
    faulty = FaultySource(source(), lambda values: values + 1, on={0})
    assert_same(read(faulty, ALL), VALUES + 1)
    assert_same(faulty.fetch(ALL)[0], VALUES)


def test_latent_source_counts_concurrent_reads():
    latent = LatentSource(source(), seconds=0.05)
    latent[ALL]
    assert latent.most == 1
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: latent.fetch(CORNER), range(8)))
    assert latent.most == 4


def test_latent_source_counts_failed_reads_as_ended():
    latent = LatentSource(FaultySource(source(), OSError("unplugged")), seconds=0)
    for _ in range(3):
        with pytest.raises(OSError, match="unplugged"):
            latent[ALL]
    assert latent.most == 1


def test_unreadable_source_raises_on_read():
    unreadable = UnreadableSource((10**6, 10**6), "f4", chunks=(100, 100), token="never")
    array = biggus.ArrayAdapter(unreadable)[::-3, None][5:].T
    assert array.shape == (10**6, 1, 333329)
    for get in (unreadable.__getitem__, unreadable.fetch):
        with pytest.raises(AssertionError, match="was read at"):
            get((slice(0, 1, 1), slice(0, 1, 1)))


def test_array_source_has_every_capability():
    full = source(name="sst", dims=("y", "x"), attributes={"units": "K"}, remote=True)
    assert (full.name, full.dims, full.attributes, full.remote) == (
        "sst",
        ("y", "x"),
        {"units": "K"},
        True,
    )
    with pytest.raises(TypeError, match="no attribute 'unit'"):
        source(unit="K")
    with pytest.raises(TypeError, match="no attribute 'fetch'"):
        source(fetch=None)


def test_array_source_changes_values_and_validator():
    changing = source()
    _, validator = changing.fetch(ALL)
    assert changing.revalidate(ALL, validator) == validator
    changing.change(VALUES * 2)
    assert changing.revalidate(ALL, validator) is None
    assert_same(changing[ALL], VALUES * 2)
    changing.revision = None
    assert changing.validator(ALL) is None
    with pytest.raises(ValueError, match="do not fit"):
        changing.change(VALUES[0])


def test_array_source_tokens_follow_from_values():
    assert source().token == source().token
    others = [VALUES + 1, VALUES.astype("f4"), VALUES.reshape(6, 4)]
    others.append(np.ma.array(VALUES, mask=VALUES > 5))
    assert len({ArraySource(values).token for values in [VALUES, *others]}) == 5


def test_array_source_of_masked_values():
    values = np.ma.array(VALUES, mask=VALUES > 5, fill_value=-1)
    masked = ArraySource(values)
    assert masked.masked
    assert masked.fill_value == -1
    assert_same(read(masked, CORNER), values[CORNER])
    nothing = ArraySource(np.ma.array(5.0, mask=True))
    assert_same(read(nothing, ()), np.ma.array(5.0, mask=True))


@pytest.mark.parametrize(
    "wrap", [RecordingSource, lambda s: FaultySource(s, KeyError("x"), on={9}), LatentSource]
)
def test_wrappers_pickle_and_delegate_attributes(wrap):
    inner = source(name="sst", dims=("y", "x"), attributes={"units": "K"}, remote=True)
    wrapped = wrap(inner)
    for one in (wrapped, pickle.loads(pickle.dumps(wrapped))):
        for name in Wrapper.delegated:
            if not callable(getattr(inner, name)):
                assert getattr(one, name) == getattr(inner, name), name
        assert_same(read(one, ALL), VALUES)


@pytest.mark.parametrize(
    "dtype", ["f8", ">f2", "c16", "M8[s]", "S3", "<U4", "O", "i4,f8", "V5", "?"]
)
def test_sample_values_are_deterministic_and_depend_on_the_seed(dtype):
    values = sample_values((5, 6), dtype)
    assert values.dtype == dtype
    assert_same(values, sample_values((5, 6), dtype))
    with pytest.raises(AssertionError, match="differ"):
        assert_same(values, sample_values((5, 6), dtype, seed=1))


def test_assert_same():
    with pytest.raises(AssertionError, match="differ"):
        assert_same(np.array([0.0]), np.array([-0.0]))
    assert_same(np.array([np.nan, np.inf]), np.array([np.nan, np.inf]))
    with pytest.raises(AssertionError, match="dtype"):
        assert_same(np.array([1], ">i4"), np.array([1], "<i4"))
    with pytest.raises(AssertionError, match="shape"):
        assert_same(np.zeros((1, 2)), np.zeros((2, 1)))
    with pytest.raises(AssertionError, match="not an array"):
        assert_same(1.0, np.array(1.0))
    with pytest.raises(AssertionError, match="mask"):
        assert_same(np.ma.array([1, 2], mask=[0, 1]), np.ma.array([1, 2]))
    assert_same(np.ma.array([1, 2], mask=[0, 1]), np.ma.array([1, 3], mask=[0, 1]))


def test_import_without_hypothesis_and_pytest():
    code = """
import sys
sys.modules["hypothesis"] = sys.modules["pytest"] = None
import biggus.testing
from biggus.testing.strategies import boxes
try:
    boxes((3,))
except biggus.errors.MissingDependencyError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'biggus[testing]'" in done.stdout
