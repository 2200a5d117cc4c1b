"""Removing many files: each once, and several at a time if the disk is slow."""

from __future__ import annotations

import threading

import pytest

from biggus.cache import removing
from biggus.cache.removing import remove_all

KEYS = [f"{number:03d}" for number in range(100)]
PATIENCE_SECONDS = 60


@pytest.fixture(autouse=True)
def no_fast_removals(monkeypatch):
    monkeypatch.setattr(removing, "_ALONE_SECONDS", 0.0)


def test_each_file_is_removed_once():
    removed = []
    remove_all(removed.append, reversed(KEYS))
    assert sorted(removed) == KEYS


def test_slow_removals_run_in_several_threads():
    barrier = threading.Barrier(4)  # a single thread would block
    removed = []

    def remove(key):
        if key in KEYS[:4]:
            barrier.wait(PATIENCE_SECONDS)
        removed.append(key)

    remove_all(remove, KEYS)
    assert sorted(removed) == KEYS


def test_fast_removals_run_in_the_calling_thread(monkeypatch):
    monkeypatch.setattr(removing, "_ALONE_SECONDS", 1000.0)
    threads = set()
    remove_all(lambda _: threads.add(threading.get_ident()), KEYS)
    assert threads == {threading.get_ident()}


def test_removal_works_without_new_threads(monkeypatch):
    def refused(_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refused)
    removed = []
    remove_all(removed.append, KEYS)
    assert removed == KEYS
