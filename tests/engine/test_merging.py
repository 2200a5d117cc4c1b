"""Merging of partial results by several threads."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

from biggus.engine.merging import Merging


def test_threads_merge_different_nodes_concurrently():
    both = threading.Barrier(2)

    class Aggregator:
        def merge(self, left, right):
            both.wait(timeout=60)  # an error unless the other thread merges too
            return left + right

    merging = Merging(SimpleNamespace(aggregators=[Aggregator()]), [], None)

    def add_both(key):
        added = [merging._merged(key, lambda: 2, place, [place + 1]) for place in range(2)]
        return added, key

    with ThreadPoolExecutor(2) as threads:
        done = list(threads.map(add_both, [(1,), (2,)]))
    assert done == [([None, [3]], (1,)), ([None, [3]], (2,))]
    assert not merging._nodes
