"""Making overviews takes no more memory than the option allows, however large the array is.

Measured in a separate process, by its peak resident memory.  Only Linux reports that for a part
of a process's life.
"""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import peak_overviews
import peaks
import pytest

import biggus
from biggus.errors import MemoryBudgetError
from biggus.testing import ArraySource, RecordingSource

pytestmark = pytest.mark.machine

CASES = ("missing*4", "deep*4", "planes*16")


@pytest.mark.skipif(not peaks.peaks_are_available(), reason="needs /proc/self/clear_refs")
@pytest.mark.parametrize("case", CASES)
def test_peak_memory_stays_within_the_budget(case):
    done = subprocess.run(
        [sys.executable, "-W", "error", peak_overviews.__file__, case],
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    taken = json.loads(done.stdout)[case]
    assert taken <= peak_overviews.MEMORY + peak_overviews.ALLOWED


@pytest.mark.parametrize("method", ["mean", "mode"])
@pytest.mark.parametrize("chunks", [None, (256, 256), (2000, 3000)])
def test_overviews_over_budget_raise_before_reading(tmp_path, method, chunks):
    source = RecordingSource(ArraySource(np.ones((2000, 3000), "f4"), chunks, token="v"))
    array = biggus.ArrayAdapter(source)
    with (
        biggus.Cache(tmp_path / "cache") as cache,
        biggus.set_options(memory="8 MB"),
        pytest.raises(MemoryBudgetError, match="raise it"),
    ):
        biggus.overviews(array, cache=cache, method=method)
    assert not source.boxes


@pytest.mark.parametrize("chunks", [(7, 60, 75), (3, 300, 450), (20, 64, 64)])
@pytest.mark.parametrize("workers", [1, 2])
def test_chunks_with_further_axes_are_decoded_once(tmp_path, chunks, workers):
    values = np.random.default_rng(1).integers(0, 99, (20, 600, 900)).astype("i2")
    source = RecordingSource(ArraySource(values, chunks, token="v"))
    with biggus.Cache(tmp_path / "cache") as cache, biggus.set_options(workers=workers):
        biggus.overviews(biggus.ArrayAdapter(source), cache=cache)
    depths = [(box[0].start, box[0].stop) for box in source.boxes]
    assert depths
    assert all(start % chunks[0] == 0 for start, _ in depths)
    assert all(stop % chunks[0] == 0 or stop == len(values) for _, stop in depths)


def test_levels_do_not_depend_on_memory(tmp_path):
    values = np.random.default_rng(2).standard_normal((40, 900, 700)).astype("f4")
    found, read = [], []
    for memory in ("1 GB", "80 MB"):
        source = RecordingSource(ArraySource(values, (40, 90, 70), token="v"))
        array = biggus.ArrayAdapter(source)
        with (
            biggus.Cache(tmp_path / memory) as cache,
            biggus.set_options(workers=1, memory=memory),
        ):
            pyramid = biggus.overviews(array, cache=cache)
            found.append([level.array.ndarray().tobytes() for level in pyramid.levels[1:]])
        read.append(max(box[0].stop - box[0].start for box in source.boxes))
    assert found[0] == found[1]
    assert read[0] == 40 > read[1]
