"""Sources that fail, hang or end their process; importable in worker processes."""

from __future__ import annotations

import os
import time

import numpy as np

from biggus.sources.base import Source, box_shape


class Failing(Source):
    """Each value is the number of its row; each row is a chunk; one row cannot be read.

    Parameters
    ----------
    shape : tuple of int
    row : int
        The row that cannot be read; -1 for none.
    io_bound : bool
    cause : exception
        The exception to raise.
    """

    dtype = np.dtype("u1")
    name = "failing"

    def __init__(self, shape, row, io_bound=False, cause=None):
        self.shape = shape
        self.chunks = (1, *shape[1:])
        self.row = row
        self.io_bound = io_bound
        self.cause = OSError("the disk is on fire") if cause is None else cause

    def __getitem__(self, box):
        rows = range(box[0].start, box[0].stop, box[0].step)
        if self.row in rows:
            raise self.cause
        values = np.empty(box_shape(box), self.dtype)
        values[...] = np.array(rows, self.dtype).reshape(-1, *[1] * (len(box) - 1))
        return values


class FailingWhileOthersWait(Failing):
    """Reads wait for an event, except read number `fails_in`, which fails at once."""

    def __init__(self, shape, gate, fails_in):
        super().__init__(shape, -1)
        self.gate = gate
        self.fails_in = fails_in
        self.reads = 0

    def __getitem__(self, box):
        number, self.reads = self.reads, self.reads + 1
        if number == self.fails_in:
            raise self.cause
        if not self.gate.wait(120):
            raise TimeoutError
        return super().__getitem__(box)


class Deadly(Failing):
    """Reading row 8 kills the process, unless it is the process of the tests."""

    def __init__(self, shape, spared, signal):
        super().__init__(shape, -1)
        self.spared = spared
        self.signal = signal

    def __getitem__(self, box):
        if box[0].start <= 8 < box[0].stop and os.getpid() != self.spared:
            os.kill(os.getpid(), self.signal)
            time.sleep(10)
        return super().__getitem__(box)


class Slow(Failing):
    """Each read takes `seconds`."""

    def __init__(self, shape, seconds):
        super().__init__(shape, -1)
        self.seconds = seconds

    def __getitem__(self, box):
        time.sleep(self.seconds)
        return super().__getitem__(box)
