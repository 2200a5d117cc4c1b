"""Files are removed each once, and several at a time where that waits."""

from __future__ import annotations

import threading

import pytest

from biggus.cache import removing
from biggus.cache.removing import remove_all

KEYS = [f"{number:03d}" for number in range(100)]
PATIENCE_SECONDS = 60


@pytest.fixture(autouse=True)
def _slow(monkeypatch):
    monkeypatch.setattr(removing, "_ALONE_SECONDS", 0.0)


def test_each_is_removed_once():
    removed = []
    remove_all(removed.append, reversed(KEYS))
    assert sorted(removed) == KEYS


def test_several_at_a_time():
    together = threading.Barrier(4)  # which no thread passes alone
    removed = []

    def remove(key):
        if key in KEYS[:4]:
            together.wait(PATIENCE_SECONDS)
        removed.append(key)

    remove_all(remove, KEYS)
    assert sorted(removed) == KEYS


def test_alone_as_long_as_it_is_fast(monkeypatch):
    monkeypatch.setattr(removing, "_ALONE_SECONDS", 1000.0)
    threads = set()
    remove_all(lambda _: threads.add(threading.get_ident()), KEYS)
    assert threads == {threading.get_ident()}


def test_alone_where_no_thread_can_be_started(monkeypatch):
    def refused(_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refused)
    removed = []
    remove_all(removed.append, KEYS)
    assert removed == KEYS
