"""Make the folder `helpers` importable; not this folder, which has a subfolder `zarr`."""

import sys
from pathlib import Path

import pytest

from biggus.backends.descriptor import Descriptor

sys.path.insert(0, str(Path(__file__).parent / "helpers"))


@pytest.fixture
def fetched(monkeypatch):
    """Return a list that receives the number of bytes of each read of a file."""
    counts = []
    read_into, read_at_hand = Descriptor.read_into, Descriptor.read_at_hand

    def record_and_read(self, out, offset):
        counts.append(len(out))
        read_into(self, out, offset)

    def record_and_read_at_hand(self, out, offsets, sizes):
        done = read_at_hand(self, out, offsets, sizes)
        counts.extend(sizes if done else ())
        return done

    monkeypatch.setattr(Descriptor, "read_into", record_and_read)
    monkeypatch.setattr(Descriptor, "read_at_hand", record_and_read_at_hand)
    return counts
