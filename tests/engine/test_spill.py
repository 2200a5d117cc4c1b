"""Intermediate results that exceed the memory go to a file, which is removed afterwards."""

from __future__ import annotations

import errno
import gc
import os
import pickle
import re
import tempfile
import time

import numpy as np
import pytest

import biggus
from biggus.engine.spill import Spilled
from biggus.errors import OutputError

SHAPE = (6, 2400, 1000)
VALUES = np.random.default_rng(0).random(SHAPE)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return the folder for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def spilled_nodes(monkeypatch):
    """Return a list of the nodes whose values are spilled to a file."""
    nodes = []
    make = Spilled.__init__

    def recording_init(self, node):
        nodes.append(node)
        make(self, node)

    monkeypatch.setattr(Spilled, "__init__", recording_init)
    return nodes


@pytest.mark.parametrize("masked", [False, True])
def test_spilled_results_are_the_same_to_the_bit(folder, spilled_nodes, masked):
    values = np.ma.masked_greater(VALUES, 0.8) if masked else VALUES
    a = biggus.ArrayAdapter(values, chunks=(2, 300, 500))
    anomaly = (a - a.mean(axis=0)) / a.std(axis=0)
    wanted = [anomaly.max(), anomaly[1:4, :5], a.mean(axis=0)]
    plenty = biggus.masked_arrays(wanted)
    assert not spilled_nodes
    with biggus.set_options(memory="140 MB"):
        little = biggus.masked_arrays(wanted)
    # The mean is not spilled, as it is one of the results.
    assert [node.name for node in spilled_nodes] == ["std"]
    for one, other in zip(plenty, little, strict=True):
        np.testing.assert_array_equal(one.mask, other.mask)
        assert one.filled(0).tobytes() == other.filled(0).tobytes()
    gc.collect()
    assert not list(folder.iterdir())


def test_failure_leaves_no_file(folder, spilled_nodes):
    class Failing:
        shape, dtype = SHAPE, VALUES.dtype
        reads = 0

        def __getitem__(self, box):
            Failing.reads += 1
            if Failing.reads > 20:
                raise OSError("gone")
            return VALUES[box]

    a = biggus.ArrayAdapter(Failing(), chunks=(2, 300, 500))
    with biggus.set_options(memory="140 MB"), pytest.raises(biggus.SourceError, match="gone"):
        (a - a.mean(axis=0)).max().ndarray()
    assert spilled_nodes
    ended = time.monotonic() + 120
    while list(folder.iterdir()) and time.monotonic() < ended:
        gc.collect()  # until the threads that were reading have ended
        time.sleep(0.01)
    assert not list(folder.iterdir())


def on_a_full_disk(file, start, nbytes):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_full_disk_raises_output_error(folder, monkeypatch):
    monkeypatch.setattr(os, "posix_fallocate", on_a_full_disk, raising=False)
    a = biggus.ArrayAdapter(VALUES, chunks=(2, 300, 500))
    with (
        biggus.set_options(memory="140 MB"),
        pytest.raises(OutputError, match=f"{re.escape(str(folder))}: No space left"),
    ):
        (a - a.std(axis=0)).max().ndarray()
    gc.collect()
    assert not list(folder.iterdir())


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="no such call here")
@pytest.mark.parametrize("has_call", [True, False])
def test_space_is_allocated_before_writing(folder, monkeypatch, has_call):
    if not has_call:
        monkeypatch.delattr(os, "posix_fallocate")
    spilled = Spilled(biggus.ArrayAdapter(VALUES).mean(axis=0).node)
    [path] = folder.iterdir()
    found = path.stat()
    assert found.st_size == VALUES[0].nbytes
    assert found.st_blocks * 512 >= VALUES[0].nbytes
    assert (spilled.leaf().source[0:3, 0:5] == 0).all()


@pytest.mark.usefixtures("folder")
def test_unpickled_source_reads_the_same_file():
    a = biggus.ArrayAdapter(VALUES)
    spilled = Spilled(a.mean(axis=0).node)
    box = (slice(3, 10, 1), slice(5, 7, 1))
    spilled.write(box, VALUES[0][box])
    source = pickle.loads(pickle.dumps(spilled.leaf().source))
    np.testing.assert_array_equal(source[box], VALUES[0][box])
