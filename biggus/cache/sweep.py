"""Sweeping: reconciling the ledger with the files in the folder, a small part at a time.

Files of writers that were killed are added, and entries whose files are gone are removed.  The
grant of a dead writer stays reserved until the whole folder has been swept once more, for
until then it is unknown what it has written.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from biggus.cache.ledger import SHARDS, SWEEP, Ledger, hex_of
from biggus.cache.writers import lives

SWEEP_SECONDS = 0.005
_SWEEP_SHARE = 20
# Added to the time of writing, it is earlier than the last use of any recorded entry.
_LONG_AGO = -(2**62)


class Sweeper:
    """Sweeps a cache folder, within transactions of its ledger.

    Parameters
    ----------
    ledger : Ledger
        The ledger.
    writers : Path
        The folder of the files of writers.
    """

    def __init__(self, ledger: Ledger, writers: Path) -> None:
        self._ledger = ledger
        self._writers = writers
        self._due_at = 0.0
        self._dead: dict[str, bool] = {}

    def sweep_if_due(self, *, waited_for: bool, starved: bool) -> None:
        """Sweep for a moment: now if room is needed, else if a small share of the time is due."""
        now = time.monotonic()
        if now >= self._due_at or (waited_for and (starved or not self.swept() or self.awaited())):
            self.sweep(SWEEP_SECONDS)
            end = time.monotonic()
            self._due_at = end + _SWEEP_SHARE * (end - now)

    def swept(self) -> bool:
        """Return whether the whole folder has been swept since the ledger was created."""
        return self._steps() >= SWEEP

    def awaited(self) -> bool:
        """Return whether further sweeping will free the grants of dead writers."""
        return bool(self._ledger.run("SELECT 1 FROM writers WHERE doomed IS NOT NULL LIMIT 1"))

    def _steps(self) -> int:
        return self._ledger.counter("swept")

    def sweep(self, seconds: float) -> int:
        """Continue to sweep for some time, at least one step and at most the whole folder once.

        Returns the number of steps.  Each writer is checked once for whether it is alive.
        """
        steps = first = self._steps()
        self._dead.clear()
        self._look_after_writers(steps)
        until = time.monotonic() + seconds
        while steps < first + SWEEP:
            kind, shard = divmod(steps % SWEEP, SHARDS)
            self._sweep_shard(kind, shard)
            steps += 1
            if time.monotonic() >= until:
                break
        self._ledger.run("UPDATE state SET swept=?", steps)
        self._ledger.run("DELETE FROM writers WHERE doomed<=?", steps)
        self._ledger.shrink()
        return steps - first

    def _look_after_writers(self, steps: int) -> None:
        due = "SELECT name FROM writers WHERE doomed IS NULL OR doomed>?"
        for (name,) in self._ledger.run(due, steps + SWEEP):
            if self._is_dead(name):
                self._ledger.run("UPDATE writers SET doomed=? WHERE name=?", steps + SWEEP, name)
                with contextlib.suppress(OSError):
                    (self._writers / name).unlink()

    def _is_dead(self, name: str) -> bool:
        if name not in self._dead:
            self._dead[name] = not lives(self._writers, name)
        return self._dead[name]

    def _sweep_shard(self, kind: int, shard: int) -> None:
        ledger, files = self._ledger, self._ledger.kinds[kind]
        files.tidy(f"{shard:02x}", self._is_dead)
        files_there = dict(files.shard(f"{shard:02x}"))
        first, last = bytes([shard]), bytes([shard]) + b"\xff" * 20
        within = "SELECT key, bytes, used FROM entries WHERE kind=? AND key>=? AND key<=?"
        lost = []
        total = count = 0
        for key, size, used in ledger.run(within, kind, first, last):
            state = files_there.pop(hex_of(key), None)
            # A file that was not listed may have been stored since.
            there = files.size(key.hex()) if state is None else files.blocks(state)
            if there is None:
                lost.append((key, size))
                continue
            if there != size:
                ledger.put(kind, key, there, used, size)
            count, total = count + 1, total + there
        ledger.take(kind, lost)
        for name, state in files_there.items():
            there = files.size(name)
            if there is not None:
                ledger.put(kind, bytes.fromhex(name), there, _LONG_AGO + state.st_mtime_ns, None)
                count, total = count + 1, total + there
        ledger.run("DELETE FROM shards WHERE kind=? AND shard=?", kind, shard)
        if count:
            ledger.run("INSERT INTO shards VALUES (?, ?, ?, ?)", kind, shard, count, total)
