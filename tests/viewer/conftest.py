"""Makes the modules of this folder importable by its tests."""

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

if find_spec("matplotlib") is None:
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture
def axes():
    """Return a function that makes the axes of a new figure, independent of pyplot."""
    from figures import new_axes

    return new_axes
