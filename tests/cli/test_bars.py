"""The progress bar: only on a terminal, and only for long work."""

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


def terminal_output(seconds):
    """Run `WORK` with `seconds` per step; return its output to a terminal of 80 columns."""
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


def test_long_work_shows_a_bar_and_erases_it():
    seen = terminal_output(0.15)
    assert "/10.0M" in seen
    assert seen.endswith("\r")
    assert seen.rstrip("\r").rpartition("\r")[2].strip() == ""


def test_short_work_shows_no_bar():
    assert terminal_output(0.001) == ""


def test_no_bar_without_a_terminal(capsys):
    with progress_bar() as show:
        assert show is None
    assert capsys.readouterr().err == ""
