"""Sources of images of any size, whose values follow from positions, and that record reads."""

import threading

import numpy as np

import biggus
from biggus.sources.base import Source, box_shape


class Endless(Source):
    """Values that are a function of row and column, in units of the finest of several levels.

    Reads wait until `gate` is set, and fail for boxes for which `fails` is true.
    """

    owns_data = True

    def __init__(self, side, chunk=256, factor=1, dtype="f4", colours=0, **capabilities):
        n = -(-side // factor)
        self.shape = (n, n, colours) if colours else (n, n)
        self.dtype = np.dtype(dtype)
        self.factor = factor
        if chunk:
            self.chunks = tuple(min(chunk, m) for m in self.shape)
        self.name = f"endless 1:{factor}"
        self.gate = threading.Event()
        self.gate.set()
        self.fails = lambda box: False
        self.boxes = []
        self.lock_of_boxes = threading.Lock()
        vars(self).update(capabilities)

    def __getitem__(self, box):
        with self.lock_of_boxes:
            self.boxes.append(box)
        assert self.gate.wait(60), "the gate stayed shut"
        if self.fails(box):
            raise OSError("unplugged")
        return self.values(*box[:2])

    def values(self, rows, columns):
        rows, columns = (
            (np.arange(s.start, s.stop, s.step) + 0.5) * self.factor for s in (rows, columns)
        )
        plane = np.add.outer(np.sin(rows / 500), np.cos(columns / 700))
        if len(self.shape) == 2:
            return plane.astype(self.dtype)
        planes = [(plane * 50 + 100 + 20 * k).astype(self.dtype) for k in range(self.shape[2])]
        return np.stack(planes, axis=-1)

    @property
    def nbytes_read(self):
        return sum(int(np.prod(box_shape(box))) for box in self.boxes) * self.dtype.itemsize


def array_of(source):
    return biggus.ArrayAdapter(source)


def pyramid_of(sources):
    return biggus.Pyramid(
        [
            (array_of(source), (source.factor, source.factor, 1)[: len(source.shape)])
            for source in sources
        ]
    )


def halved(side, **options):
    """Return the sources of a pyramid from `side` elements a side down to 256."""
    factors = [2**n for n in range(30) if 2**n * 256 <= side]
    return [Endless(side, factor=factor, **options) for factor in factors]
