"""Makes the modules of this folder importable by the tests in it."""

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

if find_spec("matplotlib") is None:
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture
def axes():
    """Make the axes of a figure of its own, which pyplot does not know."""
    from figures import new_axes

    return new_axes
