"""Programs of all kinds: every read is recorded, however the program makes it."""

import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from averaging import mean_of

import biggus
from biggus.engine.spill import Spilled
from biggus.errors import GoneError, StudyError
from biggus.labels import labels_of
from biggus.pyramids.overview import OverviewSource
from biggus.sources.base import Source
from biggus.study.bundle import Bundle
from biggus.testing import ArraySource


def replayed(program, *gone):
    """Record a program, remove files, replay it, and return its values."""
    with biggus.record("study.biggus"):
        values = program()
    for name in gone:
        Path(name).unlink()
    with biggus.replay("study.biggus"):
        again = program()
    for one, other in zip(values, again, strict=True):
        np.testing.assert_array_equal(one, other, strict=True)
    return values


class Rows:
    """A user's object that counts its reads."""

    shape = (6, 5)
    dtype = np.dtype("f8")

    def __init__(self):
        self.reads = 0

    def __getitem__(self, box):
        self.reads += 1
        return np.arange(30.0).reshape(6, 5)[box]


def test_many_files(folder):
    for year in range(3):
        np.save(f"y{year}.npy", np.arange(4.0) + year)
    names = [f"y{year}.npy" for year in range(3)]

    def program():
        return [
            biggus.open_many("y*.npy").ndarray(),
            biggus.open_many(str(folder / "y*.npy"), stack=True).mean(axis=0).ndarray(),
            biggus.open_many([folder / name for name in names]).sum().ndarray(),
        ]

    replayed(program, *names)


def test_file_under_another_working_folder(folder, tmp_path_factory, monkeypatch):
    Path("sub").mkdir()
    np.save("sub/a.npy", np.arange(4.0))
    with biggus.record("study.biggus"):
        biggus.open(folder / "sub/a.npy").ndarray()
    other = tmp_path_factory.mktemp("other")
    Path("study.biggus").rename(other / "study.biggus")
    monkeypatch.chdir(other)
    with biggus.replay("study.biggus"):
        for where in (other / "sub/a.npy", folder / "sub/a.npy", "sub/a.npy"):
            assert biggus.open(where).ndarray().tolist() == [0, 1, 2, 3]
        with pytest.raises(StudyError, match=r"b\.npy is not in .*study\.biggus"):
            biggus.open("sub/b.npy")


def test_errors_are_recorded_too(folder):
    def program():
        with pytest.raises(GoneError, match="there is no such file") as caught:
            biggus.open("no.npy")
        return [np.array(str(caught.value))]

    replayed(program)
    with biggus.replay("study.biggus"), pytest.raises(StudyError, match=r"no\.h5 is not in"):
        biggus.open("no.h5")


def test_file_written_by_the_program_is_replayed(folder):
    def program():
        try:
            biggus.open("a.npy")
        except GoneError:
            np.save("a.npy", np.arange(3.0))
        return [biggus.open("a.npy").ndarray()]

    replayed(program, "a.npy")


def test_adapters_with_a_token(folder):
    rows = Rows()
    masked = ArraySource(np.ma.masked_less(np.arange(12).reshape(3, 4), 5), (2, 2), token="masked")

    def program():
        array = biggus.ArrayAdapter(rows, token="rows", chunks=(2, 5))
        other = biggus.ArrayAdapter(masked)
        return [array[1:].mean().ndarray(), other[1:, ::2].masked_array()]

    with biggus.record("study.biggus"):
        values = program()
    reads = rows.reads
    assert reads == 3
    with biggus.replay("study.biggus"):
        again = program()
    assert rows.reads == reads
    assert values[0] == again[0]
    np.testing.assert_array_equal(values[1].mask, again[1].mask)
    np.testing.assert_array_equal(values[1].filled(-1), again[1].filled(-1))
    with biggus.replay("study.biggus"), pytest.raises(StudyError, match="Rows object is not in"):
        biggus.ArrayAdapter(rows, token="others")[0].ndarray()
    other = biggus.ArrayAdapter(ArraySource(np.zeros((3, 3)), token="rows"))
    with biggus.replay("study.biggus"), pytest.raises(StudyError, match="when it was recorded"):
        other[0].ndarray()


@pytest.mark.parametrize("chunks", [None, (2, 5)])
def test_source_without_a_token_raises_with_advice(folder, chunks):
    array = biggus.ArrayAdapter(Rows(), chunks=chunks)
    problem = "Rows object .*token=` with biggus.ArrayAdapter"
    with pytest.raises(StudyError, match=problem), biggus.record("study.biggus"):
        array[0].ndarray()
    assert not Path("study.biggus").exists()


def test_memmap_raises_with_advice(folder):
    np.save("a.npy", np.arange(6.0))
    array = biggus.ArrayAdapter(np.load("a.npy", mmap_mode="r")[::2])
    problem = "open it with biggus.open"
    with pytest.raises(StudyError, match=problem), biggus.record("study.biggus"):
        array[1:].ndarray()


def test_array_opened_before_recording(folder):
    np.save("a.npy", np.arange(6.0))
    before = biggus.open("a.npy")
    with biggus.record("study.biggus"):
        assert (before * 2)[1].ndarray() == 2
    Path("a.npy").unlink()
    with biggus.replay("study.biggus"):
        assert biggus.open("a.npy")[3].ndarray() == 3


def test_values_in_memory_are_not_recorded(folder):
    np.save("a.npy", np.arange(6.0))
    memory = np.ones(6)

    def program():
        mosaic = biggus.LinearMosaic([biggus.open("a.npy"), memory, biggus.zeros(3, "f8")], axis=0)
        grid = biggus.GridMosaic(lambda index: np.full(2, float(index[0])), (4,), (2,), "f8")
        return [mosaic.ndarray(), grid[3:6].ndarray(), (biggus.open("a.npy") - memory).ndarray()]

    replayed(program, "a.npy")
    assert Bundle("study.biggus").chunks == 1


def test_tiles_opened_during_evaluation(folder):
    for number in range(4):
        np.save(f"t{number}.npy", np.arange(2.0) + number)

    def program():
        grid = biggus.GridMosaic(lambda i: biggus.open(f"t{i[0]}.npy"), (4,), (2,), "f8")
        return [grid[1:6].ndarray(), grid[:4].sum().ndarray()]

    replayed(program, *(f"t{number}.npy" for number in range(4)))
    assert Bundle("study.biggus").chunks == 3


def test_threads(folder):
    source = ArraySource(np.arange(4000.0).reshape(40, 100), (1, 50), token="many")

    def program():
        array = biggus.ArrayAdapter(source)
        with biggus.set_options(workers=4):
            found = [array.mean(axis=1).ndarray()]
        with ThreadPoolExecutor(4) as pool:
            rows = list(pool.map(lambda row: array[row].ndarray(), [*range(40)] * 3))
        return [*found, *rows]

    replayed(program)
    assert Bundle("study.biggus").chunks == 80


def test_concurrent_reads_of_a_chunk_are_recorded_once(folder):
    rows = Rows()
    array = biggus.ArrayAdapter(rows, token="rows", chunks=(6, 5))
    start = threading.Barrier(4)

    def read(_):
        start.wait()
        return array[1, 2].ndarray()

    with biggus.record("study.biggus"), ThreadPoolExecutor(4) as pool:
        assert set(map(float, pool.map(read, range(4)))) == {7.0}
        array.ndarray()
    assert rows.reads == 1


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_processes(folder, method):
    for number in range(3):
        np.save(f"t{number}.npy", np.arange(200_000.0) + number)

    def program():
        with ProcessPoolExecutor(2, get_context(method)) as pool:
            with biggus.set_options(executor=pool):
                joined = biggus.open_many([f"t{number}.npy" for number in range(3)])
                found = [joined.mean().ndarray()]
            return [*found, *pool.map(mean_of, [f"t{number}.npy" for number in range(3)])]

    replayed(program, *(f"t{number}.npy" for number in range(3)))
    assert Bundle("study.biggus").chunks == 3


def test_processes_started_before_recording(folder):
    np.save("a.npy", np.arange(2_000_000.0))
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        assert pool.submit(int, 1).result() == 1  # the worker starts before the study

        def program():
            with biggus.set_options(executor=pool):
                return [biggus.open("a.npy").std().ndarray()]

        replayed(program, "a.npy")
        np.save("a.npy", np.arange(3.0))
        assert pool.submit(mean_of, "a.npy").result() == 1


def test_nothing_is_recorded_after_the_block(folder):
    np.save("a.npy", np.arange(6.0))
    with biggus.record("study.biggus"):
        array = biggus.open("a.npy")
        within = array.node.source
    assert array[2:].ndarray().tolist() == [2, 3, 4, 5]
    assert within[slice(0, 2, 1),].tolist() == [0, 1]
    assert Bundle("study.biggus").chunks == 0


def test_variable_changed_while_recording_raises(folder):
    h5py = pytest.importorskip("h5py")

    def make(shape):
        with h5py.File("a.h5", "w") as file:
            file["x"] = np.zeros(shape)

    def program():
        for shape in (4, 5):
            make(shape)
            biggus.open("a.h5", "x").ndarray()

    problem = "changed while it was recorded"
    with pytest.raises(StudyError, match=problem), biggus.record("study.biggus"):
        program()
    assert [path.name for path in folder.iterdir()] == ["a.h5"]


@pytest.mark.parametrize("settled", [True, False])
@pytest.mark.parametrize("again", ["all", "the rest"])
def test_file_rewritten_while_recording_raises(folder, monkeypatch, settled, again):
    h5py = pytest.importorskip("h5py")
    monkeypatch.setattr("biggus.backends.files.SETTLED_SECONDS", -1.0 if settled else 1e9)

    def make(first):
        with h5py.File("new.h5", "w") as file:
            file.create_dataset("x", data=np.arange(6.0) + first, chunks=(2,))
        Path("new.h5").replace("a.h5")

    make(0)
    other = biggus.Cache("cache")

    def program(cache):
        with biggus.set_options(cache=cache, retry_changed=3):
            assert biggus.open("a.h5", "x")[:2].ndarray().tolist() == [0, 1]
            make(100)
            wanted = np.s_[:2] if again == "all" else np.s_[4:6]
            biggus.open("a.h5", "x")[wanted].ndarray()

    for cache in (False, other):
        make(0)
        problem = r"a\.h5::x .*changed while it was recorded"
        with pytest.raises(StudyError, match=problem), biggus.record("study.biggus"):
            program(cache)
        assert not Path("study.biggus").exists()


def test_kept_results_do_not_replace_recorded_reads(folder):
    source = ArraySource(np.arange(4000.0).reshape(40, 100), (10, 100), token="t")
    with biggus.set_options(cache=biggus.Cache("cache")):
        wanted = biggus.ArrayAdapter(source).mean().ndarray()
        assert biggus.ArrayAdapter(source).mean().ndarray() == wanted
        with biggus.record("study.biggus"):
            assert biggus.ArrayAdapter(source).mean().ndarray() == wanted
    assert Bundle("study.biggus").chunks == 4


def test_cached_values_of_a_deleted_file_are_recorded(folder, monkeypatch):
    monkeypatch.setattr("biggus.backends.files.SETTLED_SECONDS", -1.0)
    np.save("a.npy", np.arange(6.0))

    def program():
        return [biggus.open("a.npy").ndarray()]

    with biggus.set_options(cache=biggus.Cache("cache")):
        program()
        Path("a.npy").unlink()
        replayed(program)


def test_prefetching(folder):
    np.save("a.npy", np.arange(6.0))

    def program():
        with biggus.set_options(cache=biggus.Cache("cache")):
            array = biggus.open("a.npy")
            biggus.prefetch(array)
            return [array[2].ndarray()]

    replayed(program, "a.npy")


def test_saving(folder):
    np.save("a.npy", np.arange(6.0))

    def program():
        array = biggus.open("a.npy")
        Path("out.npy").unlink(missing_ok=True)
        biggus.save(array * 2, "out.npy")
        return [np.load("out.npy"), biggus.open("out.npy")[1:].ndarray()]

    replayed(program, "a.npy")


def test_derived_sources_are_not_recorded(folder):
    class Doubled(Source):
        derived = True
        io_bound = False
        token = "doubled"

        def __init__(self, array):
            self.array, self.shape, self.dtype = array, array.shape, array.dtype

        def __getitem__(self, box):
            return 2 * self.array[box].ndarray()

    np.save("a.npy", np.arange(6.0))
    cache = biggus.Cache("cache")

    def program():
        return [biggus.ArrayAdapter(Doubled(biggus.open("a.npy")), cache=cache)[1:3].ndarray()]

    program()  # fills the cache
    replayed(program, "a.npy")
    assert [held.token for held in Bundle("study.biggus").sources.values() if held.chunks] == [
        f"npy:{folder}/a.npy::values"
    ]
    assert Spilled.derived
    assert OverviewSource.derived


def test_options_and_variables(folder):
    h5py = pytest.importorskip("h5py")
    with h5py.File("a.h5", "w") as file:
        file["x"] = np.arange(6, dtype="i2")
        file["x"].attrs.update({"scale_factor": 0.5, "units": "K"})

    def program():
        array = biggus.open("a.h5")
        raw = biggus.open("a.h5::x", decode=False, chunks=(4,))
        assert labels_of(array.node).attributes["units"] == "K"
        return [array[1:3].ndarray(), raw[1:3].ndarray(), np.array(raw.grid)]

    replayed(program, "a.h5")
    with biggus.replay("study.biggus"), pytest.raises(StudyError, match="these options"):
        biggus.open("a.h5", swmr=True)
