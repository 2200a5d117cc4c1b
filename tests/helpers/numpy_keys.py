"""Hypothesis strategies for NumPy keys, and a reference implementation of orthogonal keys."""

from __future__ import annotations

import math

import numpy as np

INTEGER_DTYPES = ("intp", "i1", "<i2", ">i4", "u1", "u4", "<i8", "u8")


def basic_keys(shape, invalid=True):
    """Make keys of integers, slices, Ellipsis and newaxis, bare or in a tuple.

    About one key in eight is refused by NumPy, unless `invalid` is False.
    """
    return _keys(Basic, shape, invalid)


def advanced_keys(shape, invalid=True):
    """Make keys of all kinds that NumPy accepts: `basic_keys`, and integer and boolean arrays.

    Arrays broadcast together.  They come as ndarrays of many dtypes and of none to three axes, as
    lists and as tuples, with masks over several axes and 0-d booleans among them.  About one key
    in eight is refused by NumPy, unless `invalid` is False.
    """
    return _keys(Advanced, shape, invalid)


def oindex_keys(shape):
    """Make valid orthogonal keys: for each axis an integer, a slice or a 1-d selection."""
    return _keys(Orthogonal, shape, False)


def _keys(kind, shape, invalid):
    from hypothesis import strategies

    @strategies.composite
    def keys(draw):
        return kind(strategies, draw, shape).key(invalid)

    return keys()


def orthogonal(values, key):
    """Select from `values` by an orthogonal key, one axis after the other."""
    items = list(key) if isinstance(key, tuple) else [key]
    at = next((i for i, item in enumerate(items) if item is Ellipsis), None)
    if at is not None:
        items[at : at + 1] = [slice(None)] * (values.ndim - len(items) + 1)
    axis = 0
    for item in items:
        if isinstance(item, (int, np.integer, slice)):
            values = values[(slice(None),) * axis + (item,)]
            axis += isinstance(item, slice)
            continue
        selected = np.asarray(item)
        if selected.size == 0 and selected.dtype != bool:
            selected = selected.astype(np.intp)
        if selected.dtype == bool:
            selected = np.flatnonzero(selected)
        values = np.take(values, selected, axis=axis)
        axis += 1
    return values


class Basic:
    """Keys of integers, slices, Ellipsis and newaxis.

    Parameters
    ----------
    st : module
        ``hypothesis.strategies``.
    draw : callable
        Draws from a strategy.
    shape : tuple of int
        The shape of the array to index.
    """

    newaxes = True

    def __init__(self, st, draw, shape):
        self.st = st
        self.draw = draw
        self.shape = shape

    def pick(self, *choices):
        """Draw one of `choices`, the first being the simplest."""
        return self.draw(self.st.sampled_from(choices))

    def between(self, low, high):
        """Draw an integer."""
        return int(self.draw(self.st.integers(low, high)))

    def key(self, invalid):
        """Draw a key."""
        items = self.items()
        if invalid and self.between(0, 7) == 7:
            items = self.spoil(items)
        # A lone item may stand bare, but a lone tuple would then be the key.
        if len(items) == 1 and not isinstance(items[0], tuple) and self.pick(True, False):
            return items[0]
        return tuple(items)

    def items(self):
        """Draw the items of a key, which index the axes from the first to the last."""
        items = []
        axis, ndim = 0, len(self.shape)
        # Half the keys name every axis.
        short, ellipsis = self.pick((False, True), (False, False), (True, False), (False, True))
        while True:
            if self.newaxes and len(items) < 2 * ndim + 2 and self.between(0, 7) == 7:
                items.append(None)
                continue
            if ellipsis and self.between(0, 3) == 3:
                items.append(Ellipsis)
                # The following items index the last axes, up to the very last.
                axis, ellipsis = self.between(axis, ndim), False
                continue
            if axis == ndim or (short and self.between(0, 3) == 3):
                return items
            item, taken = self.item(axis)
            items.append(item)
            axis += taken

    def item(self, axis):
        """Draw an item for `axis`; return it and the number of axes that it takes."""
        if self.pick("slice", "integer") == "integer" and self.shape[axis]:
            return self.integer(self.shape[axis]), 1
        return self.slice_(self.shape[axis]), 1

    def integer(self, n):
        """Draw an integer index of an axis of length `n`."""
        index = self.between(-n, n - 1)
        return self.pick(int, int, np.intp, np.int8 if n <= 128 else np.int64)(index)

    def slice_(self, n):
        """Draw any slice."""
        kind = self.pick("all", "within", "any")
        if kind == "all":
            return slice(None, None, self.pick(None, -1, 2, -2, 1))
        if kind == "within":
            start = self.between(0, n)
            return slice(start, self.between(start, n), self.pick(None, 1, 2, 3))
        bound = self.st.one_of(self.st.none(), self.st.integers(-n - 3, n + 3))
        far = self.st.sampled_from([2**31, -(2**31), 2**63 - 1, -(2**63), 10**30, -(10**30)])
        bound = self.st.one_of(bound, bound, bound, far)
        step = self.st.one_of(
            self.st.none(), self.st.integers(1, n + 2), self.st.integers(-n - 2, -1), far
        )
        made = slice(self.draw(bound), self.draw(bound), self.draw(step))
        if self.between(0, 3) == 3:
            wrapped = [
                np.int64(b) if b is not None and -(2**63) <= b < 2**63 else b
                for b in (made.start, made.stop, made.step)
            ]
            made = slice(*wrapped)
        return made

    def spoil(self, items):
        """Change `items` so that NumPy most likely refuses the key."""
        n = self.shape[0] if self.shape else 0
        bad = self.pick("out", "many", "float", "step", "ellipsis", "text", "odd")
        at = self.between(0, len(items))
        if bad == "out":
            return [self.pick(n, -n - 1, n + 100, 10**30, np.int64(n))]
        if bad == "many":
            return [*items, *[self.pick(0, slice(None))] * (len(self.shape) + 1)]
        if bad == "step":
            return [self.pick(slice(None, None, 0), slice(0.5, None), slice("a"))]
        if bad == "ellipsis":
            return [*items[:at], Ellipsis, *items[at:], Ellipsis]
        wrong = {
            "float": self.pick(1.0, np.float64(0), 1j),
            "text": self.pick("a", b"a", np.str_("x")),
            "odd": self.pick(object(), {}, {1}, range),
        }
        return [*items[:at], wrong[bad], *items[at:]]


class Advanced(Basic):
    """Keys with integer and boolean arrays that broadcast together as well."""

    def __init__(self, st, draw, shape):
        super().__init__(st, draw, shape)
        ndim = self.pick(1, 1, 0, 2, 3)
        # The shape to which all arrays of the key broadcast.
        self.together = tuple(
            self.draw(st.sampled_from((2, 1, 3, 0, 4, *shape))) for _ in range(ndim)
        )
        # Which axes get an array, as bits: one draw, so that all combinations come.
        self.arrays = self.draw(st.sampled_from(range(2 ** len(shape))))

    def item(self, axis):
        if self.arrays >> axis & 1:
            kind = self.pick("integers", "integers", "mask", "masks", "scalar")
            if kind == "integers" and (self.shape[axis] or 0 in self.together):
                return self.sequence(self.integers(self.shape[axis])), 1
            if kind in {"mask", "masks"}:
                taken = 1 if kind == "mask" else self.between(1, len(self.shape) - axis)
                mask = self.mask(self.shape[axis : axis + taken])
                if mask is not None:
                    return self.sequence(mask), taken
            if kind == "scalar" and self.together[-1:] in {(), (1,)}:
                self.arrays ^= 1 << axis
                return self.pick(True, np.True_, np.array(True)), 0
        return super().item(axis)

    def integers(self, n):
        """Draw an integer array that broadcasts, over an axis of length `n`."""
        shape = self.together[self.between(0, len(self.together)) :]
        if 0 not in shape and n == 0:
            shape = self.together
        shape = tuple(1 if m and self.between(0, 3) == 3 else m for m in shape)
        dtype = np.dtype(self.pick(*INTEGER_DTYPES))
        if n > 100 and dtype.itemsize == 1:
            dtype = np.dtype("intp")
        low = 0 if dtype.kind == "u" else -n
        if 0 in shape:
            return np.empty(shape, dtype)
        size = math.prod(shape)
        drawn = self.draw(self.st.lists(self.st.integers(low, n - 1), min_size=size, max_size=size))
        return np.array(drawn, dtype).reshape(shape)

    def mask(self, shape):
        """Draw a boolean array of `shape` whose True elements broadcast."""
        size = math.prod(shape)
        count = self.together[-1] if self.together else 1
        if count > size or (count > 1 and self.between(0, 3) == 3):
            count = 1
        if count > size:
            return None
        order = self.draw(self.st.permutations(range(size))) if size <= 64 else range(size)
        mask = np.zeros(size, bool)
        mask[list(order[:count])] = True
        return mask.reshape(shape)

    def sequence(self, array):
        """Return `array` as it is, or as nested lists or a tuple that mean the same."""
        made = self.pick("array", "array", "list", "tuple")
        if array.ndim == 0 or array.size == 0 or made == "array":
            return array
        return array.tolist() if made == "list" else tuple(array.tolist())

    def spoil(self, items):
        n = self.shape[0] if self.shape else 0
        wrong = [
            [np.array([0, n])],
            [np.array([-n - 1])],
            [[n + 5]],
            [np.ones(n + 1, bool)],
            [np.ones((*self.shape, 1), bool)],
            [np.array([0.0])],
            [np.array([], float)],
            [np.array(["a"])],
            [np.array([None])],
            [[[0], [0, 0]]],
            [np.zeros(2, int), np.zeros(3, int)],
            [np.zeros(5, int), *items],
            [np.array(n)],
        ]
        if self.pick(False, True, False):
            return list(self.pick(*wrong))
        return super().spoil(items)


class Orthogonal(Basic):
    """Keys that select along each axis on its own."""

    newaxes = False

    def item(self, axis):
        n = self.shape[axis]
        kind = self.pick("basic", "integers", "mask", "list")
        if kind == "basic":
            return super().item(axis)
        if kind == "mask":
            mask = self.draw(self.st.lists(self.st.booleans(), min_size=n, max_size=n))
            return (mask if n and self.pick(True, False) else np.array(mask, bool)), 1
        some = self.st.integers(-n, n - 1) if n else self.st.nothing()
        chosen = self.draw(self.st.lists(some, max_size=5 if n else 0))
        return (chosen if kind == "list" else np.array(chosen, np.intp)), 1
