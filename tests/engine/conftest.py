"""Fixtures shared by the tests of the engine."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from biggus.cache import Cache

# Makes the modules of this folder importable here and in worker processes.
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def cache(tmp_path):
    """Return an empty cache."""
    with Cache(tmp_path / "cache", "1 GB") as made:
        yield made
