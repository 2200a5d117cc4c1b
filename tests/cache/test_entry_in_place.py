"""Other things in place of an entry (pipes, folders, huge files): a miss, and replaced."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from biggus.cache.entry import HEAD, EntryError, announced, encode

KEY = bytes(range(20))


def grown(path):
    os.truncate(path, 1 << 29)


def grown_from_nothing(path):
    path.write_bytes(b"")
    os.truncate(path, 1 << 29)


def with_a_huge_length_in_its_header(path):
    """Grow the file, and set the length in its header to match."""
    data = bytearray(path.read_bytes())
    data[12 + 32 : 12 + 40] = ((1 << 29) - 192).to_bytes(8, "little")
    path.write_bytes(data)
    os.truncate(path, 1 << 29)


def replaced_by_a_pipe(path):
    path.unlink()
    os.mkfifo(path)


def replaced_by_a_folder(path):
    path.unlink()
    path.mkdir()


def replaced_by_a_full_folder(path):
    replaced_by_a_folder(path)
    (path / "file").write_text("in the way")


def with_a_file_in_place_of_its_folder(path):
    for each in path.parent.iterdir():
        each.unlink()
    path.parent.rmdir()
    path.parent.write_text("in the way")


def replaced_by_a_link_to_itself(path):
    path.unlink()
    path.symlink_to(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
@pytest.mark.parametrize(
    "harm",
    [
        grown,
        grown_from_nothing,
        with_a_huge_length_in_its_header,
        replaced_by_a_pipe,
        replaced_by_a_folder,
        replaced_by_a_full_folder,
        with_a_file_in_place_of_its_folder,
        replaced_by_a_link_to_itself,
    ],
)
def test_harmed_entry_is_a_miss_and_is_replaced(cache, counting, entries, box, harm):
    source = counting(np.arange(1000.0), (1000,))
    cached = cache.wrap(source)
    cached[box((0, 1000))]
    (path,) = entries(cache)
    harm(path)
    tracemalloc.start()
    try:
        for _ in range(2):
            assert cached[box((0, 1000))].tolist() == source.values.tolist()
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()
    assert len(source.fetched) == 2
    assert path.is_file()
    assert path.stat().st_size < 10_000
    assert cached.cached(box((0, 1000)))
    assert cache.stats().entries == 1
    assert list((cache.path / "entries").glob("**/*.*")) == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
@pytest.mark.parametrize(
    "harm", [grown, replaced_by_a_pipe, replaced_by_a_folder, replaced_by_a_full_folder]
)
def test_harmed_entry_gives_no_validator_or_description(cache, harm, entries):
    cache.remember("a", {"shape": [1]})
    (path,) = (cache.path / "descriptions").glob("??/*")
    harm(path)
    assert cache.recall("a") is None
    assert list(cache.descriptions()) == []
    cache.remember("a", {"shape": [2]})
    assert cache.recall("a") == {"shape": [2]}
    key = "ab" * 20
    cache.store(key, np.arange(10), b"v1", cache.cleared)
    assert cache.validator(key) == b"v1"
    harm(entries(cache)[0])
    assert cache.validator(key) in {None, b"v1"}
    assert cache.load_bytes(key) is None


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
@pytest.mark.parametrize("harm", [grown, replaced_by_a_pipe, replaced_by_a_full_folder])
def test_harmed_entry_is_evicted_when_room_is_needed(tmp_path, counting, entries, box, harm):
    from biggus.cache import Cache

    cache = Cache(tmp_path / "c", 1_000_000)
    cache.wrap(counting(np.arange(1000.0), (1000,)))[box((0, 1000))]
    cache.close()
    (path,) = entries(cache)
    harm(path)
    other = counting(np.arange(300_000.0), (1000,), token="other")
    cache.wrap(other)[box((0, 300_000))]
    cache.close()
    assert not os.path.lexists(path)


def test_entries_are_renamed_within_their_folder(cache, counting, box, monkeypatch):
    """Renames between folders wait for each other on the whole disk."""
    moved = []
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda *paths: moved.append(paths) or replace(*paths))
    cached = cache.wrap(counting(np.arange(100.0), (10,)))
    cached[box((0, 100))]
    assert moved
    assert all(Path(old).parent == Path(new).parent for old, new in moved)


def test_header_announces_the_length_of_the_entry():
    for values in (np.arange(6.0), np.ma.masked_less(np.arange(60), 7), np.zeros((0, 3))):
        entry = b"".join(encode(values, b"some validator", KEY))
        assert announced(KEY, values.nbytes, entry[:HEAD]) == len(entry)
        assert announced(KEY, None, entry[:HEAD]) == len(entry)
        for key, nbytes, head in [
            (KEY[::-1], values.nbytes, entry), (KEY, values.nbytes + 1, entry),
            (KEY, values.nbytes, b"no" + entry), (KEY, values.nbytes, entry[: HEAD - 1]),
            (KEY, values.nbytes, entry[:6] + b"\xff\xff" + entry[8:]),
        ]:  # fmt: skip
            with pytest.raises(EntryError):
                announced(key, nbytes, head[:HEAD])
