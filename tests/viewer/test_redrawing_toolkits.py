"""The windows of real toolkits, and notebooks, where they are installed: ``tox -e windows``."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("in_backend.py")
NOTEBOOK = Path(__file__).with_name("in_notebook.py")


@pytest.fixture
def display():
    """Start a virtual display, and return its name."""
    if shutil.which("Xvfb") is None:
        pytest.skip("a window needs a display: there is no Xvfb")
    command = ["Xvfb", "-displayfd", "1", "-screen", "0", "800x600x24", "-nolisten", "tcp"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        try:
            number = server.stdout.readline().strip()
            if not number:
                pytest.skip("Xvfb does not start here")
            yield f":{number}"
        finally:
            server.terminate()


def run(backend, display, script=SCRIPT, **environment):
    done = subprocess.run(
        [sys.executable, script, backend],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={
            **os.environ,
            "DISPLAY": display,
            "PYTHONPATH": os.pathsep.join(sys.path),
            **environment,
        },
    )
    assert done.stdout == "all went well\n", done.stderr


def test_tk(display):
    pytest.importorskip("tkinter", reason="Python has no Tk", exc_type=ImportError)
    run("TkAgg", display)


@pytest.mark.parametrize("binding", ["PySide6", "PyQt6"])
def test_qt(binding):
    if importlib.util.find_spec(binding) is None:
        pytest.skip(f"{binding} is not installed")
    run("QtAgg", "", QT_API=binding, QT_QPA_PLATFORM="offscreen")


def test_ipympl():
    if importlib.util.find_spec("ipympl") is None:
        pytest.skip("ipympl is not installed")
    run("ipympl", "", NOTEBOOK)
