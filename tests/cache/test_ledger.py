"""The ledger: counts, order of eviction, damage, and sweeps."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import numpy as np
import pytest

from biggus.cache import Cache
from biggus.cache.files import Files
from biggus.cache.ledger import NAME, SHARDS, BusyError, DamagedError, Ledger, hex_of
from biggus.cache.sweep import Sweeper
from biggus.cache.writers import FolderWriter
from biggus.sources.wrappers import ObjectSource

KEYS = [f"{number:02x}" * 20 for number in range(0, 256, 8)]


@pytest.fixture
def ledger(tmp_path):
    made = Ledger(tmp_path, [Files(tmp_path / "entries"), Files(tmp_path / "descriptions")])
    yield made
    made.close()


def test_entries_are_counted(ledger):
    with ledger.transaction():
        ledger.record([(0, key, 4096) for key in KEYS])
        ledger.record([(1, KEYS[0], 4096)])
        assert ledger.counted(0) == (32, 32 * 4096)
        ledger.record([(0, KEYS[0], 8192), (0, KEYS[1], None)])
        assert ledger.counted(0) == (32, 33 * 4096)
    with ledger.transaction():
        ledger.take(0, [(bytes.fromhex(KEYS[0]), 8192)])
        assert ledger.counted(0) == (31, 31 * 4096)
        assert ledger.counted(1) == (1, 4096)
        ledger.clear()
        assert ledger.counted(0) == ledger.counted(1) == (0, 0)


def test_evict_takes_as_few_least_recently_used_as_needed(ledger):
    with ledger.transaction():
        ledger.record([(0, key, 4096) for key in KEYS])
        ledger.record([(0, KEYS[0], None)])
        evicted = ledger.evict(0, 3 * 4096 - 1)
        assert evicted == [(key, 4096, 2 + number) for number, key in enumerate(KEYS[1:4])]
        left = {key.hex() for (key,) in ledger.run("SELECT key FROM entries")}
    assert set(KEYS) - left == set(KEYS[1:4])


def test_evict_many_in_order_of_use_and_size(ledger):
    keys = [f"{number:040x}" for number in range(1200)]
    with ledger.transaction():
        assert ledger.evict(0, 1) == []
        for number, key in enumerate(keys):
            ledger.put(0, bytes.fromhex(key), 4096 * (1 + number % 2), -number // 2, None)
        evicted = ledger.evict(0, 2**40, rounds=5)
        assert [key for key, _, _ in evicted] == sorted(
            keys, key=lambda key: (-int(key, 16) // 2, int(key, 16) % 2)
        )
        assert ledger.counted(0) == (0, 0)
        assert ledger.run("SELECT * FROM entries") == []


def test_failed_transaction_is_rolled_back(ledger):
    with ledger.transaction():
        ledger.record([(0, KEYS[0], 4096)])

    def failing():
        with ledger.transaction():
            ledger.clear()
            raise KeyError

    with pytest.raises(KeyError):
        failing()
    with ledger.transaction():
        assert ledger.counted(0) == (1, 4096)


def test_concurrent_transaction_raises_busy_error(ledger):
    with ledger.transaction():
        pass
    other = Ledger(ledger.folder, ledger.kinds)
    with ledger.transaction(), pytest.raises(BusyError), other.transaction():
        raise AssertionError
    with other.transaction():
        pass
    other.close()


@pytest.mark.parametrize(
    "change",
    [
        "CREATE TRIGGER t AFTER INSERT ON entries BEGIN DELETE FROM shards; END",
        "CREATE VIEW v AS SELECT * FROM entries",
        "DROP INDEX by_use",
        "DROP TABLE writers",
        "ALTER TABLE state ADD COLUMN more INTEGER",
        "PRAGMA journal_mode=WAL",
    ],
)
@pytest.mark.parametrize("connected", [True, False])
def test_changed_layout_raises_damaged_error(ledger, change, connected):
    with ledger.transaction():
        ledger.record([(0, key, 4096) for key in KEYS])
    if not connected:
        ledger.close()
    other = sqlite3.connect(ledger.path)
    other.execute(change)
    other.close()
    if connected or not change.endswith("WAL"):  # connecting undoes it
        with pytest.raises(DamagedError, match="another layout"), ledger.transaction():
            raise AssertionError
        ledger.remove()
    with ledger.transaction():
        assert ledger.run("PRAGMA journal_mode") == [("truncate",)]
        ledger.record([(0, KEYS[0], 4096)])


@pytest.mark.parametrize("value", ["9223372036854775807", "1 << 62", "-1", "'x'", "x'00'", "0.5"])
@pytest.mark.parametrize("column", ["clock", "swept"])
def test_invalid_counter_raises_damaged_error(ledger, column, value):
    with ledger.transaction():
        ledger.record([(0, key, 4096) for key in KEYS])
    other = sqlite3.connect(ledger.path)
    with other:
        other.execute(f"UPDATE state SET {column}={value}")
    other.close()
    with pytest.raises(DamagedError, match=f"counts a {column} of"), ledger.transaction():
        assert ledger.counter("clock") + ledger.counter("swept") < 0


def test_empty_key_raises_damaged_error(ledger):
    with ledger.transaction():
        ledger.run("INSERT INTO entries VALUES (0, x'', 5, 1)")
    with pytest.raises(DamagedError), ledger.transaction():
        ledger.evict(0, 5)


@pytest.mark.parametrize("size", [2**63, -(2**63) - 1])
def test_size_beyond_64_bits_raises_damaged_error(ledger, size):
    with pytest.raises(DamagedError), ledger.transaction():
        ledger.record([(0, KEYS[0], size)])


@pytest.mark.parametrize("key", [b"", b"\0" * 19, b"\0" * 21, "0" * 20, "../../victim", 7, None])
def test_key_other_than_twenty_bytes_raises_damaged_error(key):
    with pytest.raises(DamagedError):
        hex_of(key)


def test_planted_key_removes_no_file_outside_the_cache(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    with Cache(tmp_path / "c", 500_000) as cache:
        source = ObjectSource(np.arange(100_000), chunks=(1000,), token="one")
        cache.wrap(source)[slice(0, 100_000, 1),]
    database = sqlite3.connect(tmp_path / "c" / NAME)
    with database:
        planted = ("../../victim", -(10**9))
        database.execute("INSERT INTO entries VALUES (0, ?, 4096, ?)", planted)
    database.close()
    other = ObjectSource(np.arange(100_000), chunks=(1000,), token="other")
    cache.wrap(other)[slice(0, 100_000, 1),]
    cache.close()
    assert victim.read_text() == "precious"
    assert cache.stats().bytes <= 500_000


@pytest.mark.parametrize("years", [-56, -1, 1])
def test_order_of_use_does_not_depend_on_the_system_clock(tmp_path, monkeypatch, years):
    cache = Cache(tmp_path / "c", 1_000_000)
    box = (slice(0, 200_000, 1),)
    old = cache.wrap(ObjectSource(np.arange(200_000, dtype="u1"), token="old"), (10_000,))
    old[box]
    cache.close()
    clock = time.time
    monkeypatch.setattr(time, "time", lambda: clock() + years * 365 * 86400)
    used = cache.wrap(ObjectSource(np.arange(200_000, dtype="u1"), token="used"), (10_000,))
    for number in range(12):
        used[box]
        cache.close()
        token = f"passing {number}"
        passing = cache.wrap(ObjectSource(np.arange(200_000, dtype="u1"), token=token), (10_000,))
        passing[box]
        cache.close()
        assert used.cached(box)
    assert not old.cached(box)


# ---- sweeping ----


def write_entries(files, keys):
    for key in keys:
        files.write(key, [b"x" * 5000])


def sweep_steps(ledger, steps):
    """Sweep `steps` shards; return the counted entries and bytes."""
    sweeper = Sweeper(ledger, ledger.folder / "writers")
    done = 0
    while done < steps:
        with ledger.transaction():
            done += sweeper.sweep(0.0)
    with ledger.transaction():
        return ledger.counted(0)


def test_sweeps_continue_shard_by_shard(ledger):
    write_entries(ledger.kinds[0], KEYS)
    counts = [sweep_steps(ledger, 8)[0] for _ in range(SHARDS // 8)]
    assert counts == list(range(1, 33))
    assert sweep_steps(ledger, 1) == (32, 32 * 8192)


def test_found_entries_are_evicted_before_used_ones(ledger):
    files = ledger.kinds[0]
    with ledger.transaction():
        ledger.record([(0, KEYS[0], 8192)])
    write_entries(files, KEYS[:1] + KEYS[4:8])
    sweep_steps(ledger, 2 * SHARDS)
    with ledger.transaction():
        assert ledger.counted(0) == (5, 5 * 8192)
        for key, *_ in ledger.evict(0, 4 * 8192):
            files.remove(key)
    assert [key for key, _ in files.keys()] == KEYS[:1]  # noqa: SIM118 - not a mapping


def test_sweep_corrects_removed_and_grown_entries(ledger):
    files = ledger.kinds[0]
    write_entries(files, KEYS[:3])
    sweep_steps(ledger, 2 * SHARDS)
    files.remove(KEYS[0])
    files.write(KEYS[1], [b"x" * 50_000])
    assert sweep_steps(ledger, 2 * SHARDS) == (2, 8192 + 53_248)


@pytest.mark.parametrize("doomed", [None, 2**63 - 1])  # the second value is damage
def test_full_sweep_returns_the_grant_of_a_dead_writer(ledger, doomed):
    with ledger.transaction():
        ledger.grant("1-dead", 100_000)
        ledger.run("UPDATE writers SET doomed=?", doomed)
    files = ledger.kinds[0]
    files.writer = "1-dead"
    write_entries(files, KEYS[:1])
    alive = FolderWriter(ledger.folder / "writers")
    alive.begin()
    Path(f"{files.path(KEYS[0])}.1-dead.0-0").write_text("cut")
    Path(f"{files.path(KEYS[0])}.{alive.name}.0-0").write_text("cut")
    sweep_steps(ledger, 2 * SHARDS - 1)
    with ledger.transaction():
        assert ledger.granted("") == 100_000
    sweep_steps(ledger, 1)
    with ledger.transaction():
        assert ledger.granted("") == 0
    assert [path.name.split(".")[1:] for path in files.folder.glob("*/*.*")] == [
        [alive.name, "0-0"]
    ]
    alive.end()
