"""Makes the tile server importable; a folder to work in, and programs that are run twice."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "backends" / "helpers"))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return an empty folder, in which the test works."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
