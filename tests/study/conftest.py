"""Makes the tile server importable, and provides a folder to work in."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "backends" / "helpers"))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return an empty folder, which is the working directory of the test."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
