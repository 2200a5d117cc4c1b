"""Writers count as alive as long as their processes exist, stopped or not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from biggus.cache import writers
from biggus.cache.writers import FolderWriter, lives

WRITER = """if True:
    import sys
    from pathlib import Path
    from biggus.cache.writers import FolderWriter
    writer = FolderWriter(Path(sys.argv[1]))
    writer.begin()
    print(writer.name, flush=True)
    sys.stdin.read()
"""


def test_writer_lives_from_begin_to_end(tmp_path):
    folder = tmp_path / "writers"
    writer = FolderWriter(folder)
    assert not lives(folder, writer.name)
    writer.begin()
    writer.begin()
    assert writer.begun
    assert lives(folder, writer.name)
    writer.end()
    assert not writer.begun
    assert not lives(folder, writer.name)
    assert list(folder.iterdir()) == []


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs processes that can be stopped")
def test_stopped_writer_lives_and_killed_writer_does_not(tmp_path):
    command = [sys.executable, "-c", WRITER, str(tmp_path / "writers")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        name = process.stdout.readline().decode().strip()
        process.send_signal(signal.SIGSTOP)
        assert lives(tmp_path / "writers", name)
        process.kill()
        process.wait()
        assert not lives(tmp_path / "writers", name)
        assert (tmp_path / "writers" / name).exists()


def test_removed_folder_is_recreated(tmp_path):
    writer = FolderWriter(tmp_path / "writers")
    writer.begin()
    (tmp_path / "writers" / writer.name).unlink()
    (tmp_path / "writers").rmdir()
    assert not lives(tmp_path / "writers", writer.name)
    writer.begin()
    assert lives(tmp_path / "writers", writer.name)
    writer.end()


@pytest.mark.skipif(os.name != "posix", reason="needs numbers of processes")
def test_without_file_locks_the_process_id_decides(tmp_path, monkeypatch):
    def refused(descriptor, *, exclusively):
        raise OSError("no locks")

    monkeypatch.setattr(writers, "lock", refused)
    writer = FolderWriter(tmp_path / "writers")
    writer.begin()
    assert lives(tmp_path / "writers", writer.name)
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    for name in (f"{ended.pid}-ab", "99999999999999999999-ab", "no number"):
        (tmp_path / "writers" / name).touch()
        assert not lives(tmp_path / "writers", name)
    writer.end()
