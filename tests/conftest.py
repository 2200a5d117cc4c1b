"""Settings for all tests: a cache folder of their own, and how hard Hypothesis tries."""

from __future__ import annotations

import gc
import importlib
import itertools
import os
import shutil
import signal
import sys
import tempfile
import tomllib
import tracemalloc
import zlib
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np
import pytest

import biggus
from biggus.sources.chunk_memory import chunk_memory

sys.path.append(str(Path(__file__).parent / "helpers"))

try:
    from hypothesis import HealthCheck, given, settings
    from hypothesis.strategies import none
except ImportError:  # the tests that need it are skipped
    given = None
else:
    common = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
    # A test that needs more, or can do with fewer, asks for a multiple of these.
    settings.register_profile("default", max_examples=25, **common)
    settings.register_profile("ci", max_examples=25, derandomize=True, **common)
    settings.register_profile("more", max_examples=250, **common)
    settings.register_profile("long", max_examples=10_000, **common)
    settings.load_profile(
        os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "default")
    )


# A shell starts what runs in the background with interrupts ignored, and children
# inherit that; those of the tests are to be interrupted.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def load_all():
    """Import what biggus imports late, but for what stands on extras.

    Tests replace constants; a module that is imported meanwhile would keep what it takes by name.
    """
    package = Path(biggus.__file__).parent
    for path in package.rglob("*.py"):
        parts = path.relative_to(package).with_suffix("").parts
        if parts[0] not in ("__init__", "__main__", "array_api", "cli", "viewer", "xarray"):
            names = parts[:-1] if parts[-1] == "__init__" else parts
            importlib.import_module(".".join(("biggus", *names)))


load_all()


def pytest_addoption(parser):
    parser.addoption(
        "--few",
        type=int,
        metavar="N",
        help="of the cases of each test, by parameters or classes, run N at most, spread evenly",
    )
    parser.addoption(
        "--every-combination",
        action="store_true",
        help="run all cases of the tests that are marked in_pairs",
    )


def pytest_configure(config):
    """Have xarray find biggus where it was installed, editable, before it had an engine."""
    if not any(found.name == "biggus" for found in entry_points(group="xarray.backends")):
        project = tomllib.loads((config.rootpath / "pyproject.toml").read_text())["project"]
        folder = Path(tempfile.mkdtemp())
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
        info = folder / "biggus_in_xarray-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Name: biggus-in-xarray\nVersion: 1\n")
        lines = []
        for group in ("xarray.backends", "xarray.chunkmanagers"):
            lines += [f"[{group}]", f"biggus = {project['entry-points'][group]['biggus']}"]
        (info / "entry_points.txt").write_text("\n".join(lines))
        sys.path.append(str(folder))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    if not config.getoption("every_combination"):
        keep(config, items, all_but_needless(items))
    if (most := config.getoption("few")) is not None:
        keep(config, items, few_of_each(items, most))
    # What takes longest begins first, so that in the end no process waits for another's.
    items.sort(key=lambda item: item.get_closest_marker("machine") is None)


def keep(config, items, names):
    config.hook.pytest_deselected(items=[item for item in items if item.nodeid not in names])
    items[:] = [item for item in items if item.nodeid in names]


def all_but_needless(items):
    """Return the names of all cases but those, `in_pairs`, in which no two values meet anew."""
    kept, combinations = set(), {}
    for item in items:
        if item.get_closest_marker("in_pairs") is None:
            kept.add(item.nodeid)
        else:
            values = ((name, repr(value)) for name, value in item.callspec.params.items())
            pairs = frozenset(itertools.combinations(sorted(values), 2))
            combinations.setdefault(item.nodeid.partition("[")[0], {})[item.nodeid] = pairs
    for cases in combinations.values():
        order = sorted(cases, key=lambda name: (zlib.crc32(name.encode()), name))
        apart = set().union(*cases.values())
        # First those in which most meet.
        for least in range(max(map(len, cases.values())), 0, -1):
            for name in order:
                if len(cases[name] & apart) >= least:
                    kept.add(name)
                    apart -= cases[name]
    return kept


def few_of_each(items, most):
    """Return the names of `most` cases of each test, spread evenly, other ones for each test.

    A test that classes inherit is one test: what runs it for another store is a case of it.
    """
    cases = {}
    for item in items:
        cases.setdefault(getattr(item, "function", item), []).append(item.nodeid)
    kept = set()
    for names in cases.values():
        names.sort()
        first = zlib.crc32(names[0].encode())
        kept.update(names[(first + i * len(names) // most) % len(names)] for i in range(most))
    return kept


def pytest_collection_finish():
    """Have the collector of garbage pass over the thousands of tests, which stay."""
    if given is not None:
        # What this makes at first must not be frozen unseen: it asks who refers to it.
        settings(max_examples=1, database=None)(given(none())(lambda _: None))()
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def nothing_in_memory():
    """Take nothing from memory that another test has read under the same name."""
    chunk_memory.clear()


@pytest.fixture
def no_chunk_memory():
    """Each read is one of what lies beneath: of a cache on disk, or of the source itself."""
    with biggus.set_options(chunk_memory=0):
        yield


@pytest.fixture(scope="session", autouse=True)
def _for_all_tests(tmp_path_factory):
    """Set what is the same for all tests, once: few of them are about how long these are.

    None writes to, or is served from, the cache of whoever runs it.  No file is trusted sooner
    than all are, and files stay open, however slow the machine is.
    """
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.getbasetemp() / "default-cache"
        patch.setenv("BIGGUS_CACHE_DIR", str(folder))
        patch.setattr("biggus.backends.files.SOON_SETTLED_SECONDS", 1e9)
        patch.setattr("biggus.backends.idle.IDLE_SECONDS", 1e9)
        yield


@pytest.fixture
def soon_settled(monkeypatch):
    """Files are trusted a moment after they were written: few tests are about how long that is."""
    monkeypatch.setattr("biggus.backends.files.SETTLED_SECONDS", 0.1)


@pytest.fixture(autouse=True)
def soon_at_rest(monkeypatch):
    """Files that a test rewrites are whole when they are read: few tests are about half of one."""
    monkeypatch.setattr("biggus.backends.settling._RESTLESS_SECONDS", 0.0)


@pytest.fixture(autouse=True)
def stored_at_once(monkeypatch):
    """What is read is stored, and not a little later, however busy the machine is."""
    monkeypatch.setattr("biggus.cache.index._WAIT_SECONDS", 10.0)


@pytest.fixture
def traced_peak():
    """Return what tells how many bytes Python and NumPy take at most during a call.

    Threads that other tests left may take some meanwhile: the least of a few calls counts,
    and the first that takes no more than is allowed is enough.
    """

    def peak(call, allowed):
        least = float("inf")
        for _ in range(5):
            tracemalloc.start()
            try:
                call()
                least = min(least, tracemalloc.get_traced_memory()[1])
            finally:
                tracemalloc.stop()
            if least <= allowed:
                break
        return least

    return peak


class Recorded:
    """A plain user object that holds biggus to its contract, and remembers what it was asked."""

    def __init__(self, values):
        self.values = values
        self.shape = values.shape
        self.dtype = values.dtype
        self.boxes = []

    def __getitem__(self, box):
        assert type(box) is tuple
        assert len(box) == len(self.shape)
        for s, n in zip(box, self.shape, strict=True):
            assert type(s) is slice
            assert all(type(i) is int for i in (s.start, s.stop, s.step))
            assert 0 <= s.start < s.stop <= n
            assert s.step >= 1
        self.boxes.append(box)
        return self.values[box]

    def touched(self, chunks):
        """Return the numbers of the chunks that a read element lay in."""
        found = set()
        for box in self.boxes:
            axes = [
                sorted({i // c for i in range(s.start, s.stop, s.step)})
                for s, c in zip(box, chunks, strict=True)
            ]
            found.update((i, j) for i in axes[0] for j in axes[1])
        return found


@pytest.fixture
def times_read():
    """Return what tells how often elements of a source that records were read, each number once."""

    def told(source):
        times = np.zeros(source.shape, "u1")
        for box in source.boxes:
            times[box] += 1
        return [number for number in range(times.max() + 1) if (times == number).any()]

    return told


@pytest.fixture
def settled(monkeypatch):
    """Trust files that have just been written."""
    monkeypatch.setattr("biggus.backends.files.SETTLED_SECONDS", -1.0)


@pytest.fixture
def recorded():
    """Return the class of a plain object that records what it is asked."""
    return Recorded


@pytest.fixture
def check_same():
    """Return a check that two calls give the same values, or the same kind of error."""

    def check(got, expected):
        try:
            right = expected()
        except Exception as error:
            # Older NumPy only warns of an index out of bounds if nothing is selected.
            late = isinstance(error, DeprecationWarning)
            with pytest.raises(IndexError if late else type(error)):
                got()
            return
        result = got()
        if isinstance(result, biggus.Array):
            assert result.shape == np.shape(right)
            assert result.dtype == np.asarray(right).dtype
            result = result.ndarray()
        right = np.asarray(right)
        assert type(result) is np.ndarray
        assert result.dtype == right.dtype
        assert result.shape == right.shape
        assert result.flags.writeable
        assert result.flags.c_contiguous
        np.testing.assert_array_equal(result, right)

    return check
