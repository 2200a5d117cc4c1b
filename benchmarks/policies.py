"""Cache policies: the number of hits of each on a trace."""

from __future__ import annotations

import heapq
from collections import Counter, OrderedDict, deque
from typing import TYPE_CHECKING, Any

from biggus.cache.admission import Admission

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def lru(trace: Sequence[int], size: int) -> int:
    """Return the hits if every fetched chunk is stored and the least recently used is evicted."""
    stored: OrderedDict[int, None] = OrderedDict()
    hits = 0
    for chunk in trace:
        if chunk in stored:
            hits += 1
            stored.move_to_end(chunk)
            continue
        if len(stored) >= size:
            stored.popitem(last=False)
        stored[chunk] = None
    return hits


def scans(trace: Sequence[int], size: int) -> int:
    """Return the hits of LRU with the admission of biggus."""
    stored: OrderedDict[int, int] = OrderedDict()
    admission = Admission()
    hits = 0
    for now, chunk in enumerate(trace):
        if chunk in stored:
            hits += 1
            stored.move_to_end(chunk)
            stored[chunk] = now
            continue
        seen = admission.returned(str(chunk))
        if len(stored) >= size:
            next_to_go = next(iter(stored))
            admission.oldest = stored[next_to_go]
            if seen is not None and not admission.admits(seen):
                admission.note([(str(chunk), now)])
                continue
            admission.note([(str(next_to_go), stored.pop(next_to_go))])
        stored[chunk] = now
    return hits


def sieve(trace: Sequence[int], size: int) -> int:
    """Return the hits of SIEVE: a hand moves along a queue and evicts unused chunks."""
    queue: list[int] = []  # the newest last
    used: dict[int, bool] = {}
    hand = hits = 0
    for chunk in trace:
        if chunk in used:
            hits += 1
            used[chunk] = True
            continue
        if len(queue) >= size:
            hand = hand if hand < len(queue) else 0
            while used[queue[hand]]:
                used[queue[hand]] = False
                hand = (hand + 1) % len(queue)
            del used[queue.pop(hand)]
        queue.append(chunk)
        used[chunk] = False
    return hits


class _S3Fifo:
    """S3-FIFO: a small queue of new chunks, a large one of reused chunks, and evicted keys."""

    def __init__(self, size: int) -> None:
        self._size, self._share = size, max(1, size // 10)
        self._small: deque[int] = deque()
        self._main: deque[int] = deque()
        self._ghost: OrderedDict[int, None] = OrderedDict()
        self._used: dict[int, int] = {}

    def hit(self, chunk: int) -> bool:
        if chunk in self._used:
            self._used[chunk] = min(3, self._used[chunk] + 1)
            return True
        if len(self._used) >= self._size:
            self._evict()
        known = chunk in self._ghost
        self._ghost.pop(chunk, None)
        (self._main if known else self._small).append(chunk)
        self._used[chunk] = 0
        return False

    def _evict(self) -> None:
        while len(self._small) >= self._share or (self._small and not self._main):
            chunk = self._small.popleft()
            if self._used[chunk] > 1:
                self._used[chunk] = 0
                self._main.append(chunk)
                continue
            del self._used[chunk]
            self._ghost[chunk] = None
            if len(self._ghost) > self._size:
                self._ghost.popitem(last=False)
            return
        while self._used[self._main[0]]:
            self._used[self._main[0]] -= 1
            self._main.rotate(-1)
        del self._used[self._main.popleft()]


class _TinyLfu:
    """W-TinyLFU: a window of new chunks, which then replace chunks that are used less often."""

    def __init__(self, size: int) -> None:
        self._size, self._window = size, max(1, size // 100)
        self._counts: Counter[int] = Counter()
        self._new: OrderedDict[int, None] = OrderedDict()
        self._trial: OrderedDict[int, None] = OrderedDict()
        self._sure: OrderedDict[int, None] = OrderedDict()
        self._requests = 0

    def hit(self, chunk: int) -> bool:
        self._count(chunk)
        for queue in (self._new, self._sure):
            if chunk in queue:
                queue.move_to_end(chunk)
                return True
        if chunk in self._trial:
            del self._trial[chunk]
            self._sure[chunk] = None
            if len(self._sure) > 8 * (self._size - self._window) // 10:
                self._trial[self._sure.popitem(last=False)[0]] = None
            return True
        self._new[chunk] = None
        if len(self._new) > self._window:
            self._admit(self._new.popitem(last=False)[0])
        return False

    def _admit(self, chunk: int) -> None:
        if len(self._trial) + len(self._sure) >= self._size - self._window:
            queue = self._trial or self._sure
            next_to_go = next(iter(queue))
            if self._counts[chunk] <= self._counts[next_to_go]:
                return
            del queue[next_to_go]
        self._trial[chunk] = None

    def _count(self, chunk: int) -> None:
        self._counts[chunk] += 1
        self._requests += 1
        if self._requests % (10 * self._size) == 0:
            self._counts = Counter({key: n // 2 for key, n in self._counts.items() if n > 1})


def _hit_counter(policy: Callable[[int], Any]) -> Callable[[Sequence[int], int], int]:
    def hits(trace: Sequence[int], size: int) -> int:
        return sum(map(policy(size).hit, trace))

    return hits


def belady(trace: Sequence[int], size: int) -> int:
    """Return the hits of Belady's policy, the optimum: evict the chunk that is used last."""
    never = len(trace)
    following = [never] * len(trace)
    last: dict[int, int] = {}
    for now in range(len(trace) - 1, -1, -1):
        following[now] = last.get(trace[now], never)
        last[trace[now]] = now
    stored: dict[int, int] = {}
    furthest: list[tuple[int, int]] = []
    hits = 0
    for chunk, next_time in zip(trace, following, strict=True):
        if chunk in stored:
            hits += 1
        elif len(stored) >= size:
            while stored.get(furthest[0][1]) != -furthest[0][0]:
                heapq.heappop(furthest)
            if -furthest[0][0] <= next_time:
                continue
            del stored[heapq.heappop(furthest)[1]]
        stored[chunk] = next_time
        heapq.heappush(furthest, (-next_time, chunk))
    return hits


POLICIES: dict[str, Callable[[Sequence[int], int], int]] = {
    "LRU": lru,
    "biggus": scans,
    "SIEVE": sieve,
    "S3-FIFO": _hit_counter(_S3Fifo),
    "W-TinyLFU": _hit_counter(_TinyLfu),
    "Belady": belady,
}


def main() -> None:
    """Print the share of hits of each policy on each trace, in Markdown."""
    from benchmarks.traces import CACHE, traces

    print("| trace |" + " | ".join(POLICIES) + " |")
    print("|---|" + "---|" * len(POLICIES))
    for name, trace in traces().items():
        shares = [policy(trace, CACHE) / len(trace) for policy in POLICIES.values()]
        print(f"| {name} | " + " | ".join(f"{share:.3f}" for share in shares) + " |")


if __name__ == "__main__":
    main()
