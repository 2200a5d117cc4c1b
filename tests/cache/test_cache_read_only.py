"""Cache folders that cannot be written or created: hits are served, and one warning is logged."""

from __future__ import annotations

import logging
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

import biggus
from biggus.cache import Cache, default_cache
from biggus.errors import CacheError
from biggus.sources.wrappers import ObjectSource

VALUES = np.arange(1000)
ALL = (slice(0, 1000, 1),)

READ = """if True:
    import os, sys, logging, numpy as np
    import biggus, biggus.api, numpy.ma, platformdirs, xxhash
    from biggus.cache import Cache
    from biggus.errors import CacheError
    from biggus.sources.wrappers import ObjectSource
    from tests.cache.conftest import Counting
    if os.geteuid() == 0:
        os.setgid(65534)
        os.setuid(65534)
    cache = Cache(sys.argv[1], "1 MB")
    for token, fetched in [("held", 0), ("new", 40)]:
        source = Counting(np.arange(1000), (50,), token=token, now=b"token")
        for _ in range(2):
            assert (cache.wrap(source)[slice(0, 1000, 1),] == np.arange(1000)).all()
        assert len(source.fetched) == fetched, source.fetched
    assert cache.recall("a") == {"shape": [1]}
    cache.remember("b", {})
    assert cache.recall("b") is None
    assert cache.stats().entries == 20 and cache.stats().hits == 40
    try:
        cache.clear()
    except CacheError:
        print("refused")
    cache.close()
"""


@pytest.fixture
def read_only_root():
    """Return a temporary folder that other users may read."""
    if not hasattr(os, "geteuid"):
        pytest.skip("needs permissions")
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755)
    shutil.rmtree(folder)


def folder_state(folder):
    """Return the paths, modification times and sizes of all files under a folder."""
    return sorted((str(p), p.stat().st_mtime_ns, p.stat().st_size) for p in folder.rglob("*"))


def test_read_only_folder_serves_hits(read_only_root):
    folder = read_only_root / "c"
    with Cache(folder, "1 MB") as cache:
        cache.wrap(ObjectSource(VALUES, token="held"), (50,))[ALL]
        cache.remember("a", {"shape": [1]})
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = folder_state(folder)
    done = subprocess.run(
        [sys.executable, "-c", READ, str(folder)],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if "Permission denied" in done.stderr and "import" in done.stderr:
        pytest.skip("other users cannot read the installed packages")
    assert done.stdout == "refused\n", done.stderr
    (line,) = done.stderr.splitlines()
    assert "cannot be written" in line
    assert folder_state(folder) == before


@pytest.fixture
def unusable_folder(tmp_path, monkeypatch):
    """Set the default cache to a path where no folder can be created."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BIGGUS_CACHE_DIR", str(tmp_path / "file" / "cache"))
    default_cache.cache_clear()
    yield tmp_path / "file" / "cache"
    default_cache.cache_clear()


def test_default_cache_without_a_folder_stores_nothing(unusable_folder, counting, caplog):
    source = counting(np.arange(1000.0), (100,))
    with caplog.at_level(logging.WARNING, "biggus.cache"):
        for _ in range(2):
            array = biggus.ArrayAdapter(source, cache=True)
            np.testing.assert_array_equal(array.ndarray(), source.values)
        default_cache().remember("a", {})
        assert default_cache().recall("a") is None
        assert default_cache().stats().entries == 0
        default_cache().close()
    (record,) = caplog.records
    assert "nothing is cached" in record.getMessage()
    assert "BIGGUS_CACHE_DIR" in record.getMessage()
    assert len(source.fetched) == 20


def test_named_cache_with_an_unusable_folder_raises(unusable_folder):
    with pytest.raises(CacheError, match="cannot use"):
        Cache(unusable_folder)
    with pytest.raises(CacheError, match="cannot use"):
        Cache()


def test_unpickled_cache_without_its_folder_stores_nothing(tmp_path, counting):
    cache = Cache(tmp_path / "c", "1 MB")
    sent = pickle.dumps(cache)
    del cache
    shutil.rmtree(tmp_path / "c")
    (tmp_path / "c").write_text("in the way")
    source = counting(np.arange(1000.0), (100,))
    arrived = pickle.loads(sent)
    for _ in range(2):
        np.testing.assert_array_equal(arrived.wrap(source)[ALL], source.values)
    assert len(source.fetched) == 20
