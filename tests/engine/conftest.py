"""What the tests of the engine have in common."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from biggus.cache import Cache

# Makes the modules of this folder importable by the tests in it, and where these send work.
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def cache(tmp_path):
    """Return a cache of this test's own."""
    with Cache(tmp_path / "cache", "1 GB") as made:
        yield made
