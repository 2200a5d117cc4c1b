"""Settings for all tests: a temporary cache folder, profiles of Hypothesis, shared fixtures."""

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
    # A test that needs more or fewer examples uses a multiple of these.
    settings.register_profile("default", max_examples=25, **common)
    settings.register_profile("ci", max_examples=25, derandomize=True, **common)
    settings.register_profile("more", max_examples=250, **common)
    settings.register_profile("long", max_examples=10_000, **common)
    settings.load_profile(
        os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "default")
    )


# A shell starts background jobs with interrupts ignored, and child processes inherit that.
# Some tests interrupt their child processes.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def load_all():
    """Import every module that biggus imports late, except those that need extras.

    Tests patch constants; a module imported during a test would keep the patched values.
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
        help="run at most N cases of each test (parameters, subclasses), spread evenly",
    )
    parser.addoption(
        "--every-combination",
        action="store_true",
        help="run all cases of the tests marked in_pairs",
    )


def pytest_configure(config):
    """Register the xarray entry points if an older editable installation lacks them."""
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
        keep_items(config, items, case_names_covering_pairs(items))
    if (most := config.getoption("few")) is not None:
        keep_items(config, items, names_of_few_cases(items, most))
    # The slowest tests run first, so that no worker process is left with them at the end.
    items.sort(key=lambda item: item.get_closest_marker("machine") is None)


def keep_items(config, items, names):
    config.hook.pytest_deselected(items=[item for item in items if item.nodeid not in names])
    items[:] = [item for item in items if item.nodeid in names]


def case_names_covering_pairs(items):
    """Return the node ids to run: for tests marked `in_pairs`, cases that cover all pairs."""
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
        uncovered = set().union(*cases.values())
        # Cases that cover the most new pairs come first.
        for least in range(max(map(len, cases.values())), 0, -1):
            for name in order:
                if len(cases[name] & uncovered) >= least:
                    kept.add(name)
                    uncovered -= cases[name]
    return kept


def names_of_few_cases(items, most):
    """Return the node ids of at most `most` cases of each test, spread evenly.

    A test method that several classes inherit is one test; each class is a case of it.
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
    """Exclude the collected tests from garbage collection: they live until the end."""
    if given is not None:
        # Hypothesis creates objects on first use whose referrers it inspects: create them
        # before the freeze.
        settings(max_examples=1, database=None)(given(none())(lambda _: None))()
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def nothing_in_memory():
    """Clear the chunk memory, so that no test sees values that another test has read."""
    chunk_memory.clear()


@pytest.fixture
def no_chunk_memory():
    """Keep no decoded chunks in memory: each read goes to the disk cache or to the source."""
    with biggus.set_options(chunk_memory=0):
        yield


@pytest.fixture(scope="session", autouse=True)
def session_defaults(tmp_path_factory):
    """Set the defaults of all tests, once per session.

    The default cache is a temporary folder, not the user's.  Files settle after the same time on
    every file system, and idle files stay open, however slow the machine is.
    """
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.getbasetemp() / "default-cache"
        patch.setenv("BIGGUS_CACHE_DIR", str(folder))
        patch.setattr("biggus.backends.files.SOON_SETTLED_SECONDS", 1e9)
        patch.setattr("biggus.backends.idle_handles.IDLE_SECONDS", 1e9)
        yield


@pytest.fixture
def settled_soon_after_writing(monkeypatch):
    """Trust files 0.1 s after they were written."""
    monkeypatch.setattr("biggus.backends.files.SETTLED_SECONDS", 0.1)


@pytest.fixture(autouse=True)
def read_rewritten_files_at_once(monkeypatch):
    """Read rewritten files without waiting: the tests do not read half-written files."""
    monkeypatch.setattr("biggus.backends.settling._RESTLESS_SECONDS", 0.0)


@pytest.fixture(autouse=True)
def stored_at_once(monkeypatch):
    """Store chunks in the cache when they are read, not later, however busy the machine is."""
    monkeypatch.setattr("biggus.cache.index._WAIT_SECONDS", 10.0)


@pytest.fixture
def traced_peak():
    """Return a function that measures the peak of Python's and NumPy's memory during a call.

    Threads of other tests may allocate memory at the same time, so the call is repeated up to
    five times and the smallest peak counts.  A peak of at most `allowed` bytes ends the repeats.
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
    """A plain user object that checks and records the requested boxes."""

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
        """Return the indices of the chunks that hold an element that was read."""
        found = set()
        for box in self.boxes:
            axes = [
                sorted({i // c for i in range(s.start, s.stop, s.step)})
                for s, c in zip(box, chunks, strict=True)
            ]
            found.update((i, j) for i in axes[0] for j in axes[1])
        return found


@pytest.fixture
def interrupted_everywhere():
    """A function that calls another again and again, interrupted at the next moment each time.

    It takes the function, the file in whose functions interrupts come, and a function to call
    after each interrupt.  The moments are those at which the interpreter looks for signals: at
    the start of a function, and after the call of one that is written in C.
    """

    def call(function, file, check):
        for last in range(1_000):
            moments = 0

            def profile(frame, event, _):
                nonlocal moments
                if event in ("call", "c_return") and frame.f_code.co_filename == file:
                    moments += 1
                    if moments > last:  # noqa: B023 - called within this round
                        raise KeyboardInterrupt

            previous = sys.getprofile()
            sys.setprofile(profile)
            try:
                function()
            except KeyboardInterrupt:
                sys.setprofile(previous)
                check()
            else:
                sys.setprofile(previous)
                assert moments <= last
                return
        raise AssertionError("it has too many moments")

    return call


@pytest.fixture
def times_read():
    """Return a function that lists how many times elements of a `Recorded` source were read.

    The list is sorted, and each number occurs once.
    """

    def counts(source):
        times = np.zeros(source.shape, "u1")
        for box in source.boxes:
            times[box] += 1
        return [number for number in range(times.max() + 1) if (times == number).any()]

    return counts


@pytest.fixture
def settled(monkeypatch):
    """Trust files that have just been written."""
    monkeypatch.setattr("biggus.backends.files.SETTLED_SECONDS", -1.0)


@pytest.fixture
def recorded():
    """Return the class `Recorded`."""
    return Recorded


@pytest.fixture
def check_same():
    """Return a check that two calls return the same values, or raise the same kind of error."""

    def check(got, expected):
        try:
            expected_result = expected()
        except Exception as error:
            # Older NumPy only warns of an index out of bounds if nothing is selected.
            late = isinstance(error, DeprecationWarning)
            with pytest.raises(IndexError if late else type(error)):
                got()
            return
        result = got()
        if isinstance(result, biggus.Array):
            assert result.shape == np.shape(expected_result)
            assert result.dtype == np.asarray(expected_result).dtype
            result = result.ndarray()
        expected_result = np.asarray(expected_result)
        assert type(result) is np.ndarray
        assert result.dtype == expected_result.dtype
        assert result.shape == expected_result.shape
        assert result.flags.writeable
        assert result.flags.c_contiguous
        np.testing.assert_array_equal(result, expected_result)

    return check
