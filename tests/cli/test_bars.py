"""The progress bar: on a terminal, on long work, and nowhere else."""

import os
import struct
import subprocess
import sys

import pytest

from biggus.cli.bars import progress_bar

pytest.importorskip("tqdm")

WORK = """
import sys, time
from biggus.cli.bars import progress_bar
with progress_bar() as show:
    for i in range(1, 11):
        time.sleep(float(sys.argv[1]))
        show(i * 10**6, 10**7)
"""


def on_a_terminal(seconds):
    """Return what the work writes to a terminal of 80 columns."""
    fcntl = pytest.importorskip("fcntl")
    termios = pytest.importorskip("termios")
    ours, theirs = os.openpty()
    fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    with subprocess.Popen([sys.executable, "-c", WORK, str(seconds)], stderr=theirs) as process:
        os.close(theirs)
        seen = b""
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            seen += part
    os.close(ours)
    assert process.returncode == 0
    return seen.decode()


def test_long_work_shows_a_bar_that_goes_away():
    seen = on_a_terminal(0.15)
    assert "/10.0M" in seen
    assert seen.endswith("\r")
    assert seen.rstrip("\r").rpartition("\r")[2].strip() == ""


def test_short_work_shows_none():
    assert on_a_terminal(0.001) == ""


def test_nothing_is_shown_where_there_is_no_terminal(capsys):
    with progress_bar() as show:
        assert show is None
    assert capsys.readouterr().err == ""
