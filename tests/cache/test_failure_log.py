"""Failures that repeat for every chunk are logged once, and once more when they end."""

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
from biggus.cache.failure_log import failure_log
from biggus.sources.wrappers import ObjectSource

VALUES = np.random.default_rng(5).random((200, 200))
ALL = (slice(0, 200, 1), slice(0, 200, 1))


def read(cache, token="x"):
    """Read 100 chunks through a cache."""
    cached = cache.wrap(ObjectSource(VALUES, token=token), (20, 20))
    np.testing.assert_array_equal(cached[ALL], VALUES)


@pytest.fixture
def messages(caplog):
    """Return a function that returns the messages of a level; its `clear` forgets them."""
    caplog.set_level(logging.INFO, "biggus.cache")

    def messages_of(level="WARNING"):
        records = [r for r in caplog.records if r.name == "biggus.cache" and r.levelname == level]
        found = [r.getMessage() for r in records]
        return [line for line in found if not line.startswith(("miss", "evicted"))]

    messages_of.clear = caplog.clear
    return messages_of


def fail_writes(monkeypatch, number):
    """Make writing entries fail; return a function that ends the failure."""

    def write(self, *_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("biggus.cache.files.Files.write", write)
    return monkeypatch.undo


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG])
def test_failure_and_recovery_of_storing_are_logged_once(tmp_path, monkeypatch, messages, number):
    cache = Cache(tmp_path / "c")
    restore = fail_writes(monkeypatch, number)
    read(cache)
    read(cache)
    read(Cache(tmp_path / "c"))
    cache.remember("a", {})
    (line,) = messages()
    assert line.startswith("a chunk could not be stored in")
    assert os.strerror(number) in line
    restore()
    messages.clear()
    read(cache)
    assert not messages()
    assert messages("INFO") == [f"{tmp_path / 'c'}: entries are stored again"]


def test_intermittent_failures_are_logged_once(tmp_path, monkeypatch, messages):
    cache = Cache(tmp_path / "c")
    for _ in range(4):
        restore = fail_writes(monkeypatch, errno.ENOSPC)
        read(cache, "one")
        restore()
        read(cache, "two")
        cache.clear()
    assert len(messages()) == 1
    assert len(messages("INFO")) == 1


def test_failure_after_a_quiet_period_is_logged_again(tmp_path, monkeypatch, messages):
    monkeypatch.setattr("biggus.cache.failure_log.QUIET_SECONDS", 0.0)
    cache = Cache(tmp_path / "c")
    for number in range(3):
        with monkeypatch.context() as patch:
            fail_writes(patch, errno.ENOSPC)
            read(cache, f"lost {number}")
        read(cache, f"kept {number}")
    assert len(messages()) == 3
    assert len(messages("INFO")) == 3


def test_failures_in_many_threads_are_logged_once(tmp_path, messages):
    one = failure_log(tmp_path, "it works")
    barrier = threading.Barrier(8)

    def work():
        barrier.wait()
        for _ in range(50):
            one.log("it fails: %s", "why")

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert messages() == ["it fails: why (logged once until it is over)"]


def test_damaged_entries_are_logged_once(tmp_path, messages):
    cache = Cache(tmp_path / "c")
    read(cache)
    for path in (cache.path / "entries").glob("??/*"):
        *good, last = path.read_bytes()
        path.write_bytes(bytes([*good, last ^ 1]))
    read(cache)
    assert len(messages()) == 1
    assert "is not used" in messages()[0]
    messages.clear()
    read(cache)
    assert not messages()
    assert messages("INFO") == [f"{cache.path}: entries are used again"]


def test_unreadable_entries_are_logged_once(tmp_path, messages):
    cache = Cache(tmp_path / "c")
    read(cache)
    for path in (cache.path / "entries").glob("??/*"):
        path.unlink()
        path.mkdir()
    read(cache)
    read(cache)
    assert 1 <= len(messages()) <= 2  # one for reading, and one for storing
    assert "cannot be read" in messages()[0]


def test_damaged_descriptions_are_logged_once(tmp_path, messages):
    cache = Cache(tmp_path / "c")
    for number in range(20):
        cache.remember(str(number), {"shape": [number]})
    for path in (cache.path / "descriptions").glob("??/*"):
        path.write_bytes(b"biggus")
    assert list(cache.descriptions()) == []
    assert len(messages()) == 1


def file_in_place_of_folder(folder):
    """Put a file where the folder was."""
    shutil.rmtree(folder)
    folder.write_text("in the way")


def folder_in_place_of_index(folder):
    """Put a folder where the index was."""
    for path in folder.glob("index.db*"):
        path.unlink()
    (folder / "index.db").mkdir()


@pytest.mark.parametrize(
    ("harm", "most"),
    [(file_in_place_of_folder, 3), (shutil.rmtree, 1), (folder_in_place_of_index, 1)],
)
def test_harmed_folder_is_logged_once_per_kind(tmp_path, messages, harm, most):
    cache = Cache(tmp_path / "c", "100 kB")  # small, so that the index is updated often
    read(cache)
    cache.close()
    harm(cache.path)
    for number in range(3):
        read(cache, str(number))
        cache.close()
    assert len(messages()) <= most


def test_repeatedly_damaged_index_is_logged_once(tmp_path, messages):
    cache = Cache(tmp_path / "c")
    for number in range(4):
        read(cache, str(number))
        cache.close()
        path = cache.path / "index.db"
        path.write_bytes(os.urandom(path.stat().st_size))
    read(cache)
    cache.close()
    assert len(messages()) == 1
    assert "index" in messages()[0]


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


def warnings_of_process(folder, limit=""):
    """Read 800 chunks in another process; return the lines of its standard error."""
    # -B: modules that Python compiles under a limit would be cut off at it.
    command = [sys.executable, "-B", "-c", PROGRAM.format(limit=limit), str(folder)]
    done = subprocess.run(command, check=True, timeout=120, capture_output=True, text=True)
    return done.stderr.splitlines()


@pytest.mark.machine
@pytest.mark.skipif(sys.platform == "win32", reason="needs limits on files")
def test_file_size_limit_is_logged_once(tmp_path):
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))"
    lines = warnings_of_process(tmp_path / "c", limit)
    assert 1 <= len(lines) <= 2  # the index may fail too
    assert any("could not be stored" in line for line in lines)


@pytest.fixture
def small_disk(tmp_path):
    """Mount a disk of 2 MB, and return its folder."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    root = hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("mount")
    if not root or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("only root may mount a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.machine
def test_full_disk_is_logged_once(small_disk):
    lines = warnings_of_process(small_disk / "c")
    assert 1 <= len(lines) <= 2
    assert any("could not be stored" in line for line in lines)
    assert warnings_of_process(small_disk / "c")  # the next process logs it again


def test_read_only_disk_is_logged_once(small_disk):
    limit = "import subprocess; subprocess.run(['mount', '-o', 'remount,ro', {!r}], check=True)"
    lines = warnings_of_process(small_disk / "c", limit.format(str(small_disk)))
    assert 1 <= len(lines) <= 2
    assert any("stored" in line for line in lines)
