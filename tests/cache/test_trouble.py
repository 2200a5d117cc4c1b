"""What fails in one way for every chunk is said once, and once more when it is over."""

from __future__ import annotations

import errno
import logging
import os
import shutil
import subprocess
import sys
import threading

import numpy as np
import pytest

from biggus.cache import Cache
from biggus.cache.trouble import trouble
from biggus.sources.wrappers import ObjectSource

VALUES = np.random.default_rng(5).random((200, 200))
ALL = (slice(0, 200, 1), slice(0, 200, 1))


def read(cache, token="x"):
    """Read 100 chunks, by way of a cache."""
    cached = cache.wrap(ObjectSource(VALUES, token=token), (20, 20))
    np.testing.assert_array_equal(cached[ALL], VALUES)


@pytest.fixture
def said(caplog):
    """Give a function that returns the messages of a level, and forgets them."""
    caplog.set_level(logging.INFO, "biggus.cache")

    def taken(level="WARNING"):
        records = [r for r in caplog.records if r.name == "biggus.cache" and r.levelname == level]
        found = [r.getMessage() for r in records]
        return [line for line in found if not line.startswith(("miss", "evicted"))]

    taken.clear = caplog.clear
    return taken


def failing(monkeypatch, number):
    """Have all entries fail to be written; return what ends that."""

    def write(self, *_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("biggus.cache.files.Files.write", write)
    return monkeypatch.undo


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG])
def test_what_cannot_be_stored_is_said_once_and_that_it_can_again(
    tmp_path, monkeypatch, said, number
):
    cache = Cache(tmp_path / "c")
    mended = failing(monkeypatch, number)
    read(cache)
    read(cache)
    read(Cache(tmp_path / "c"))
    cache.remember("a", {})
    (line,) = said()
    assert line.startswith("a chunk could not be stored in")
    assert os.strerror(number) in line
    mended()
    said.clear()
    read(cache)
    assert not said()
    assert said("INFO") == [f"{tmp_path / 'c'}: entries are stored again"]


def test_what_fails_now_and_then_is_said_once(tmp_path, monkeypatch, said):
    cache = Cache(tmp_path / "c")
    for _ in range(4):
        mended = failing(monkeypatch, errno.ENOSPC)
        read(cache, "one")
        mended()
        read(cache, "two")
        cache.clear()
    assert len(said()) == 1
    assert len(said("INFO")) == 1


def test_what_fails_again_much_later_is_said_again(tmp_path, monkeypatch, said):
    monkeypatch.setattr("biggus.cache.trouble.QUIET_SECONDS", 0.0)
    cache = Cache(tmp_path / "c")
    for number in range(3):
        with monkeypatch.context() as patch:
            failing(patch, errno.ENOSPC)
            read(cache, f"lost {number}")
        read(cache, f"kept {number}")
    assert len(said()) == 3
    assert len(said("INFO")) == 3


def test_many_threads_say_it_once(tmp_path, said):
    one = trouble(tmp_path, "it works")
    begun = threading.Barrier(8)

    def work():
        begun.wait()
        for _ in range(50):
            one.arose("it fails: %s", "why")

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert said() == ["it fails: why (logged once until it is over)"]


def test_damaged_entries_are_said_once(tmp_path, said):
    cache = Cache(tmp_path / "c")
    read(cache)
    for path in (cache.path / "entries").glob("??/*"):
        *good, last = path.read_bytes()
        path.write_bytes(bytes([*good, last ^ 1]))
    read(cache)
    assert len(said()) == 1
    assert "is not used" in said()[0]
    said.clear()
    read(cache)
    assert not said()
    assert said("INFO") == [f"{cache.path}: entries are used again"]


def test_entries_that_cannot_be_read_are_said_once(tmp_path, said):
    cache = Cache(tmp_path / "c")
    read(cache)
    for path in (cache.path / "entries").glob("??/*"):
        path.unlink()
        path.mkdir()
    read(cache)
    read(cache)
    assert 1 <= len(said()) <= 2  # that they cannot be read, and not stored either
    assert "cannot be read" in said()[0]


def test_descriptions_that_are_damaged_are_said_once(tmp_path, said):
    cache = Cache(tmp_path / "c")
    for number in range(20):
        cache.remember(str(number), {"shape": [number]})
    for path in (cache.path / "descriptions").glob("??/*"):
        path.write_bytes(b"biggus")
    assert list(cache.descriptions()) == []
    assert len(said()) == 1


def in_the_way(folder):
    """Put a file where the folder was."""
    shutil.rmtree(folder)
    folder.write_text("in the way")


def index_gone(folder):
    """Put a folder where the index was."""
    for path in folder.glob("index.db*"):
        path.unlink()
    (folder / "index.db").mkdir()


@pytest.mark.parametrize(("harm", "most"), [(in_the_way, 3), (shutil.rmtree, 1), (index_gone, 1)])
def test_a_folder_that_was_harmed_is_said_once_a_kind(tmp_path, said, harm, most):
    cache = Cache(tmp_path / "c", "100 kB")  # small: the index is brought up often
    read(cache)
    cache.close()
    harm(cache.path)
    for number in range(3):
        read(cache, str(number))
        cache.close()
    assert len(said()) <= most


def test_an_index_that_is_damaged_again_and_again_is_said_once(tmp_path, said):
    cache = Cache(tmp_path / "c")
    for number in range(4):
        read(cache, str(number))
        cache.close()
        path = cache.path / "index.db"
        path.write_bytes(os.urandom(path.stat().st_size))
    read(cache)
    cache.close()
    assert len(said()) == 1
    assert "index" in said()[0]


PROGRAM = """if True:
    import sys, numpy as np
    from biggus.cache import Cache
    from biggus.sources.wrappers import ObjectSource
    cache = Cache(sys.argv[1])
    {limit}
    values = np.random.default_rng(5).random((1000, 1000))
    cached = cache.wrap(ObjectSource(values, token="n"), (50, 50))
    for _ in range(2):
        assert (cached[slice(0, 1000, 1), slice(0, 1000, 1)] == values).all()
    cache.close()
"""


def lines_of(folder, limit=""):
    """Read 800 chunks in another process; return what it says, a line each."""
    command = [sys.executable, "-c", PROGRAM.format(limit=limit), str(folder)]
    done = subprocess.run(command, check=True, timeout=120, capture_output=True, text=True)
    return done.stderr.splitlines()


@pytest.mark.machine
@pytest.mark.skipif(sys.platform == "win32", reason="needs limits on files")
def test_files_that_may_not_be_so_long_are_said_once(tmp_path):
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))"
    lines = lines_of(tmp_path / "c", limit)
    assert 1 <= len(lines) <= 2  # the index may fail too
    assert any("could not be stored" in line for line in lines)


@pytest.fixture
def small_disk(tmp_path):
    """Give a disk of 2 MB, and what makes it read-only."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    root = hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("mount")
    if not root or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("only root may mount a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.machine
def test_a_full_disk_is_said_once(small_disk):
    lines = lines_of(small_disk / "c")
    assert 1 <= len(lines) <= 2
    assert any("could not be stored" in line for line in lines)
    assert lines_of(small_disk / "c")  # by the next process again


def test_a_disk_that_became_read_only_is_said_once(small_disk):
    limit = "import subprocess; subprocess.run(['mount', '-o', 'remount,ro', {!r}], check=True)"
    lines = lines_of(small_disk / "c", limit.format(str(small_disk)))
    assert 1 <= len(lines) <= 2
    assert any("stored" in line for line in lines)
