"""Random expressions have the values that NumPy and np.ma compute.

Each example starts with an array and applies a few operations to it, one after the other: with
other arrays, with earlier results, with reductions of itself.
`BIGGUS_EXAMPLES` says how many examples there are; 10000 take a minute or two.
"""

from __future__ import annotations

import contextlib
import operator
import os
import warnings

import numpy as np
import pytest
from numpy_keys import advanced_keys, basic_keys

import biggus

pytest.importorskip("hypothesis")

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("BIGGUS_EXAMPLES", 2 * settings().max_examples))

DTYPES = ["?", "u1", ">i2", "i4", "i8", "f4", ">f8", "f8"]
SCALARS = [0, 1, 2, -3, 0.5, True, np.float32(2), np.int64(3)]

ARITHMETIC = [operator.add, operator.sub, operator.mul, np.maximum, np.fmin, np.hypot]
STEPPED = [operator.lt, operator.ge, operator.eq, operator.ne, operator.truediv]
STEPPED += [operator.floordiv, operator.mod, operator.and_, np.copysign, np.logical_xor]
SMOOTH = [operator.neg, operator.pos, abs, np.square, np.sin]
JUMPING = [operator.invert, np.sign, np.isfinite, np.floor, np.logical_not, lambda a: a.round(0)]

EXACT = ["min", "max", "any", "all", "argmin", "argmax", "ptp"]
ROUNDED = ["sum", "prod", "mean", "std", "var", "median"]


class Pair:
    """A lazy array, and the same values in NumPy.

    Parameters
    ----------
    lazy : Array
    eager : ndarray or MaskedArray
    scale : float
        The largest magnitude of any intermediate value, which scales rounding errors.
    rounding : float
        The relative error that is allowed; 0 for exact results.
    """

    def __init__(self, lazy, eager, scale=0.0, rounding=0.0):
        if lazy.masked:
            lost = eager is np.ma.masked
            eager = np.ma.MaskedArray(np.zeros((), lazy.dtype) if lost else eager)
            eager = np.ma.MaskedArray(eager.data, np.ma.getmaskarray(eager) | lost)
        self.lazy = lazy
        self.eager = eager if lazy.masked else np.asarray(eager)
        if not lazy.shape and lazy.dtype.newbyteorder("=") == self.eager.dtype:
            self.eager = self.eager.astype(lazy.dtype)  # scalars are in the native byte order
        assert lazy.shape == self.eager.shape
        assert lazy.dtype == self.eager.dtype
        assert lazy.masked == isinstance(self.eager, np.ma.MaskedArray)
        self.scale = max(scale, largest(self.eager))
        self.rounding = rounding

    @property
    def shape(self):
        return self.lazy.shape

    def check(self):
        """Read, and compare."""
        right = self.eager
        if self.lazy.masked:
            got = self.lazy.masked_array()
            np.testing.assert_array_equal(np.ma.getmaskarray(got), right.mask)
            got, right = got.compressed(), right.compressed()
        else:
            got = self.lazy.ndarray()
            assert got.shape == right.shape
        assert got.dtype == right.dtype
        if not self.rounding:
            np.testing.assert_array_equal(got, right)
            return
        np.testing.assert_allclose(
            got, right, rtol=self.rounding, atol=self.rounding * max(1, self.scale)
        )


def largest(values):
    if isinstance(values, np.ma.MaskedArray):
        values = values.compressed()
    values = np.abs(values.astype(float))
    return float(np.max(values, initial=0, where=np.isfinite(values)))


def each(act, operands):
    """Return NumPy's result, masked where np.ma masks it.

    np.ma turns Python's numbers into arrays, which are no longer weak.
    """
    values = act(*map(data_of, operands))
    with contextlib.suppress(TypeError, OverflowError):
        found = act(*operands)
        mask = np.ma.getmaskarray(found) if found is not np.ma.masked else True
        return np.ma.MaskedArray(values, mask=np.broadcast_to(mask, np.shape(values)))
    masks = [np.ma.getmaskarray(one) for one in operands if isinstance(one, np.ndarray)]
    return np.ma.MaskedArray(values, mask=np.logical_or.reduce(np.broadcast_arrays(*masks)))


def rounding_in(dtype):
    """Return the relative error that a reduction may have."""
    return 64 * float(np.finfo(dtype if dtype.kind == "f" else float).eps)


def data_of(values):
    """Return values without their mask; a scalar as it is."""
    if not isinstance(values, np.ma.MaskedArray):
        return values

    return np.ma.getdata(values)


def finite(pair):
    return bool(np.isfinite(data_of(pair.eager)).all())


class Builder:
    """Draws an expression, one operation after the other."""

    def __init__(self, draw):
        self.draw = draw
        self.known = []

    def one_of(self, *choices):
        return self.draw(st.sampled_from(choices))

    def leaf(self, shape):
        draw = self.draw
        dtype = np.dtype(self.one_of(*DTYPES))
        numbers = np.random.default_rng(draw(st.integers(0, 2**16))).integers(-4, 6, shape)
        values = np.asarray(np.abs(numbers) if dtype.kind in "bu" else numbers).astype(dtype)
        if dtype.kind == "f":
            values = np.asarray(values / dtype.type(self.one_of(1, 1, 3))).astype(dtype)
        if draw(st.integers(0, 3)) == 0:
            chosen = np.random.default_rng(draw(st.integers(0, 2**16))).random(shape)
            values = np.ma.MaskedArray(values, mask=chosen < self.one_of(0.0, 0.3, 0.3, 1.0))
        lazy = self.stored(values)
        return Pair(lazy, values.astype(lazy.dtype))  # joined arrays are in native byte order

    def stored(self, values):
        """Return a lazy array of values, in one source or joined from two."""
        draw = self.draw
        kind = self.one_of("plain", "chunked", "joined") if values.ndim else "plain"
        if kind == "plain":
            return biggus.ArrayAdapter(values)
        if kind == "chunked":
            chunks = tuple(draw(st.integers(1, max(1, n))) for n in values.shape)
            return biggus.ArrayAdapter(values, chunks=chunks)
        axis = draw(st.integers(0, values.ndim - 1))
        cut = draw(st.integers(0, values.shape[axis]))
        start = (slice(None),) * axis
        parts = [values[(*start, slice(None, cut))], values[(*start, slice(cut, None))]]
        return biggus.LinearMosaic(parts, axis)

    def partner(self, pair):
        """Return an operand that broadcasts with `pair`."""
        kind = self.one_of("leaf", "scalar", "known", "reduced", "self", "part")
        if kind == "scalar":
            return self.one_of(*SCALARS)
        if kind == "known":
            fitting = [one for one in self.known if fits(one.shape, pair.shape)]
            return self.draw(st.sampled_from(fitting)) if fitting else pair
        if kind == "reduced" and pair.shape and 0 not in pair.shape:
            return self.reduced(pair, keepdims=True)
        if kind == "self":
            return pair
        if kind == "part" and pair.shape and 0 not in pair.shape:
            return self.part(pair)
        first = self.draw(st.integers(0, len(pair.shape)))
        return self.leaf(tuple(n if self.draw(st.booleans()) else 1 for n in pair.shape[first:]))

    def applied(self, act, *pairs, rounding=0.0, scale=0.0, kept=False):
        """Return the result of `act`, or the first operand if NumPy raises an error."""
        lazy = [one.lazy if isinstance(one, Pair) else one for one in pairs]
        eager = [one.eager if isinstance(one, Pair) else one for one in pairs]
        arrays = [one for one in pairs if isinstance(one, Pair)]
        try:
            right = (
                act(*eager)
                if kept or not any(map(np.ma.isMaskedArray, eager))
                else each(act, eager)
            )
        except Exception as error:
            with pytest.raises(type(error)):
                act(*lazy).masked_array()
            return arrays[0]
        rounding = max([rounding, *(one.rounding for one in arrays)])
        scale = max([scale, *(one.scale for one in arrays)])
        return Pair(act(*lazy), right, scale, rounding)

    # Operations ------------------------------------------------------------------

    def elementwise(self, pair):
        other = self.partner(pair)
        if self.draw(st.booleans()):
            pair, other = other, pair
        rounded = any(one.rounding for one in (pair, other) if isinstance(one, Pair))
        act = self.one_of(*(ARITHMETIC if rounded else [*ARITHMETIC, *STEPPED]))
        scales = [one.scale if isinstance(one, Pair) else abs(one) for one in (pair, other)]
        return self.applied(act, pair, other, scale=float((1 + scales[0]) * (1 + scales[1])))

    def of_one(self, pair):
        act = self.one_of(*(SMOOTH if pair.rounding else [*SMOOTH, *JUMPING]))
        return self.applied(act, pair, scale=pair.scale**2)

    def reduced(self, pair, keepdims=None):
        masked = pair.lazy.masked
        if masked and (0 in pair.shape or not finite(pair) or not pair.shape):
            return pair  # np.ma differs there
        name = self.one_of(*(ROUNDED if pair.rounding else [*EXACT, *ROUNDED]))
        ndim = len(pair.shape)
        axes = st.lists(st.integers(0, max(0, ndim - 1)), unique=True, max_size=ndim).map(tuple)
        axis = self.draw(st.one_of(st.none(), st.integers(-ndim, max(0, ndim - 1)), axes))
        if name.startswith("arg") or (masked and name in ("ptp", "median")):
            axis = axis if not isinstance(axis, tuple) else None
        if masked and (axis == () or (name.startswith("arg") and pair.lazy.dtype == bool)):
            axis, name = None, "max"
        if name == "median" and axis == ():
            axis = None  # NumPy cannot reshape empty arrays
        keepdims = self.draw(st.booleans()) if keepdims is None else keepdims

        def act(a):
            if not isinstance(a, np.ma.MaskedArray):
                return getattr(np, name)(a, axis=axis, keepdims=keepdims)
            found = getattr(np.ma, name)(a, axis=axis, keepdims=keepdims)
            dtype = np.asarray(getattr(np, name)(a.data, axis=axis)).dtype
            # np.ma returns some scalars in a wider dtype.
            return found if found is np.ma.masked else np.ma.asarray(found).astype(dtype)

        rounding, scale = 0.0, 0.0
        if name in ROUNDED:
            rounding = max(rounding_in(pair.lazy.dtype), pair.rounding)
            rounding = rounding**0.5 if name == "std" else rounding
            size = max(1, int(np.prod(pair.shape)))
            scale = (1 + pair.scale) ** 2 * size
            if name == "prod":
                scale = min((1 + pair.scale) ** size, 1e300) if size < 64 else 1e300
        return self.applied(act, pair, rounding=rounding, scale=scale, kept=True)

    def part(self, pair):
        """Return a part of an array that broadcasts with it."""
        axis = self.draw(st.integers(0, len(pair.shape) - 1))
        place = self.draw(st.integers(0, pair.shape[axis] - 1))
        return self.taken(pair, (slice(None),) * axis + (slice(place, place + 1),))

    def indexed(self, pair):
        keys = self.one_of(basic_keys, advanced_keys)
        return self.taken(pair, self.draw(keys(pair.shape, invalid=False)))

    def taken(self, pair, key):
        eager = data_of(pair.eager)[key]
        if pair.lazy.masked:
            eager = np.ma.MaskedArray(eager, mask=pair.eager.mask[key])
        return Pair(pair.lazy[key], eager, pair.scale, pair.rounding)

    def transposed(self, pair):
        return self.applied(lambda a: a.T, pair)

    def cast(self, pair):
        dtype = np.dtype(self.one_of(*DTYPES))
        if pair.rounding and dtype.kind != "f":
            return pair
        values = data_of(pair.eager)
        low, high = (0, 200) if dtype.kind == "u" else (-(2**14), 2**14)
        inside = finite(pair) and ((low <= values) & (values <= high)).all()
        if dtype.kind in "iu" and not inside:
            return pair  # the result then depends on the processor
        rounding = rounding_in(dtype) if pair.rounding else 0.0
        return self.applied(lambda a: a.astype(dtype), pair, rounding=rounding)

    def clipped(self, pair):
        bounds = self.one_of((-1, 2), (None, 1), (0, None), (0.5, 3))
        return self.applied(lambda a: a.clip(*bounds), pair)

    def chosen(self, pair):
        condition = self.leaf(pair.shape) if pair.rounding else pair
        other = self.partner(pair)
        condition = self.applied(lambda a: a > 0, condition)
        if condition.lazy.dtype != bool:
            return pair

        def act(c, x, y):
            if isinstance(c, biggus.Array):
                return biggus.where(c, x, y)
            masked = any(isinstance(one, np.ma.MaskedArray) for one in (c, x, y))
            return (np.ma if masked else np).where(c, x, y)

        return self.applied(act, condition, pair, other)

    def joined(self, pair):
        if not pair.shape:
            return pair
        axis = self.draw(st.integers(0, len(pair.shape) - 1))
        length = self.draw(st.integers(0, 3))
        shape = (*pair.shape[:axis], length, *pair.shape[axis + 1 :])
        other = self.leaf(shape)
        stacked = self.draw(st.booleans()) and length == pair.shape[axis]

        def act(a, b):
            if isinstance(a, biggus.Array):
                made = biggus.ArrayStack([a, b]) if stacked else biggus.LinearMosaic([a, b], axis)
                return made[::-1] if stacked else made
            masked = isinstance(a, np.ma.MaskedArray) or isinstance(b, np.ma.MaskedArray)
            module = np.ma if masked else np
            return module.stack([a, b])[::-1] if stacked else module.concatenate([a, b], axis)

        return self.applied(act, pair, other, kept=True)

    def quantile(self, pair):
        if pair.lazy.masked or pair.lazy.dtype == bool or not finite(pair):
            return pair
        q = self.one_of(0.25, [0.1, 0.75])
        axis = self.draw(st.one_of(st.none(), st.integers(0, max(0, len(pair.shape) - 1))))

        def act(a):
            return (biggus if isinstance(a, biggus.Array) else np).quantile(a, q, axis=axis)

        return self.applied(act, pair, rounding=rounding_in(pair.lazy.dtype))

    def expression(self):
        draw = self.draw
        pair = self.leaf(draw(st.lists(st.integers(0, 4), max_size=3).map(tuple)))
        for _ in range(draw(st.integers(0, 6))):
            self.known.append(pair)
            act = self.one_of(
                *(self.elementwise, self.elementwise, self.of_one, self.reduced, self.reduced),
                *(self.indexed, self.indexed, self.transposed, self.cast, self.clipped),
                *(self.chosen, self.joined, self.quantile),
            )
            pair = act(pair)
            if pair.eager.size > 5000 or pair.scale > 1e8:
                break
        return pair


def fits(one, other):
    try:
        np.broadcast_shapes(one, other)
    except ValueError:
        return False
    return True


RANDOM_EXPRESSIONS = settings(
    max_examples=EXAMPLES,
    deadline=None,
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@RANDOM_EXPRESSIONS
@given(st.data())
def test_random_expressions(data):
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        Builder(data.draw).expression().check()


@RANDOM_EXPRESSIONS
@given(st.data())
def test_random_expressions_together_match_each_alone(data):
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        builder = Builder(data.draw)
        last = builder.expression()
        others = data.draw(st.lists(st.sampled_from([last, *builder.known]), max_size=3))
        wanted = [one.lazy for one in (last, *others)]
        alone = [one.masked_array() for one in wanted]
        with biggus.set_options(workers=data.draw(st.sampled_from([1, 4]))):
            together = biggus.masked_arrays(wanted)
        for one, other in zip(together, alone, strict=True):
            np.testing.assert_array_equal(np.ma.getmaskarray(one), np.ma.getmaskarray(other))
            np.testing.assert_array_equal(np.ma.filled(one, 0), np.ma.filled(other, 0))
