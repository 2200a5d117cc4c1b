"""`RecentValues`, a cache of limited size in bytes."""

from biggus.support.recent import RecentValues


def test_recent_values_evict_old_ones():
    kept = RecentValues(10)
    for name in "abc":
        kept.keep(name, name.upper(), 4)
    assert [kept.find(name) for name in "abc"] == [None, "B", "C"]
    assert kept.find("b") == "B"
    kept.keep("d", "D", 4)
    assert [kept.find(name) for name in "bcd"] == ["B", None, "D"]
    kept.keep("b", "longer", 11)
    assert kept.find("b") is None
    kept.keep("d", "again", 10)
    assert kept.find("d") == "again"
    kept.forget("d")
    kept.forget("d")
    kept.keep("e", "E", 10)
    assert kept.find("e") == "E"


class Contended:
    """A lock for which another thread waits; it keeps a value as soon as the lock is free."""

    def __init__(self, kept):
        self.kept = kept
        self.waiting = True

    def __enter__(self):
        pass

    def __exit__(self, *args):
        if self.waiting:
            self.waiting = False
            self.kept.keep("a", "theirs", 4)


def test_values_kept_concurrently_count_once():
    kept = RecentValues(10)
    kept._lock = Contended(kept)
    kept.keep("a", "ours", 4)
    kept.keep("b", "other", 6)
    assert kept.find("a") in ("ours", "theirs")
    assert kept.find("b") == "other"
