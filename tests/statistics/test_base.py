"""Aggregators accumulate and merge alone or together, run by run, in any thread."""

from __future__ import annotations

import itertools
import math
import threading

import numpy as np
import pytest
from made_statistics import DOUBLE, equal_bits, made, statistics

from biggus.statistics import partials
from biggus.statistics.base import Statistic
from biggus.statistics.combining import Combining
from biggus.statistics.layout import LONG, RUN
from biggus.statistics.moments import Moments


@pytest.mark.parametrize("form", ["plain", "masked", "nan"])
@pytest.mark.parametrize("axes", [(0, 1, 2), (0,), (1,), (2,), (0, 2), ()], ids=str)
def test_partials_together_match_partials_alone(axes, form):
    values = made((6, 400, 90))
    chosen = np.random.default_rng(1).random(values.shape) < 0.3
    if form == "masked":
        values = np.ma.array(values, mask=chosen)
    if form == "nan":
        values[chosen] = np.nan
    aggregators = [s.aggregator for s in statistics(axes, values.shape, form == "masked").values()]
    together = partials(aggregators, values, axes, (0, 0, 0))
    for aggregator, found in zip(aggregators, together, strict=True):
        assert equal_bits(found, partials([aggregator], values, axes, (0, 0, 0))[0])
    if form != "masked":
        together = partials(aggregators, values, axes, (0, 0, 0), plain=True)
        for aggregator, found in zip(aggregators, together, strict=True):
            [alone] = partials([aggregator], values, axes, (0, 0, 0), plain=True)
            assert equal_bits(found, alone)


@pytest.mark.parametrize("dtype", ["f4", "i2", "?"])
@pytest.mark.parametrize("axes", [(0, 1, 2), (0,), (1,), (2,), (0, 2), ()], ids=str)
def test_long_runs_match_numpy(axes, dtype):
    shape = (5, 700, 900)
    assert math.prod(shape) > LONG > RUN
    values = made(shape).astype(dtype)
    ufuncs = ("minimum", "maximum", "logical_and", "logical_or")
    aggregators = [
        Combining((name,), np.dtype("?" if "l_" in name else dtype), False) for name in ufuncs
    ]
    for plain in (True, False):
        for name, found in zip(
            ufuncs, partials(aggregators, values, axes, (0, 0, 0), plain), strict=True
        ):
            expected = getattr(np, name).reduce(values, axis=axes, keepdims=True)
            np.testing.assert_array_equal(found[1], expected, strict=True)
            assert (found[0] == values.size // expected.size).all()


def test_runs_are_long_only_without_missing_values():
    for aggregator in (Combining(("minimum",), DOUBLE, skip) for skip in (False, True)):
        assert aggregator.run_length(False) == RUN
        assert aggregator.run_length(True) == (RUN if aggregator.skip else LONG)
    assert Moments(2, DOUBLE, False).run_length(True) == RUN


def test_only_extremes_are_joined():
    least, most, product = (
        Combining((name,), DOUBLE, False) for name in ("minimum", "maximum", "multiply")
    )
    both = least.joined(most)
    assert both is not None
    assert both.serves(least)
    assert both.serves(most)
    assert both.parts == (least, most)
    assert both.joined(most) == both
    assert least.joined(product) is None
    assert least.joined(Combining(("maximum",), np.dtype("f4"), False)) is None
    assert least.joined(Combining(("maximum",), DOUBLE, True)) is None
    assert least.joined(Moments(2, DOUBLE, False)) is None
    assert Moments(2, DOUBLE, False).joined(least) is None


def test_parts_of_a_partial_compose_the_whole():
    values = made().astype(DOUBLE)
    both = Combining(("minimum", "maximum"), DOUBLE, False)
    whole = partials([both], values, (1,), (0, 0, 0))[0]
    parts = [partials([part], values, (1,), (0, 0, 0))[0] for part in both.parts]
    for part, found in zip(both.parts, parts, strict=True):
        assert equal_bits(both.restrict(whole, part), found)
    assert equal_bits(both.composed(parts), whole)
    moments = Moments(2, DOUBLE, False)
    assert moments.parts == (moments,)
    assert moments.composed([whole]) is whole


@pytest.mark.parametrize("axes", [(0, 1, 2), (1,), ()], ids=str)
def test_partials_do_not_depend_on_the_thread(axes):
    blocks = [made(seed=seed)[:, : 5 + 5 * seed] for seed in range(7)]
    aggregators = [s.aggregator for s in statistics(axes).values()]
    expected = [partials(aggregators, block, axes, (0, 0, 0)) for block in blocks]
    found = {}

    def run(order):
        for number in order:
            found[order, number] = partials(aggregators, blocks[number], axes, (0, 0, 0))

    threads = [
        threading.Thread(target=run, args=(order,)) for order in (range(7), range(6, -1, -1))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 14
    for (_, number), got in found.items():
        assert all(itertools.starmap(equal_bits, zip(got, expected[number], strict=True)))


@pytest.mark.parametrize("axes", [(0, 1, 2), (1,)], ids=str)
def test_merging_the_identity_changes_nothing(axes):
    values = made()
    shape = tuple(1 if axis in axes else n for axis, n in enumerate(values.shape))
    for name, found in statistics(axes).items():
        aggregator = found.aggregator
        nothing = (
            partials([aggregator], values[:, :0], (0, 1, 2), (0, 0, 0))[0]
            if len(axes) == 3
            else None
        )
        if nothing is not None:
            assert equal_bits(nothing, aggregator.identity(shape)), name
        for left, right in [
            (partials([aggregator], values, axes, (0, 0, 0))[0], aggregator.identity(shape)),
            (aggregator.identity(shape), partials([aggregator], values, axes, (0, 0, 0))[0]),
        ]:
            alone = found.proceed(partials([aggregator], values, axes, (0, 0, 0))[0])
            merged = found.proceed(aggregator.merge(left, right))
            if isinstance(alone, Statistic):
                assert alone == merged
            else:
                np.testing.assert_array_equal(merged, alone, strict=True, err_msg=name)


def test_merge_changes_neither_its_right_nor_read_only_operands():
    values = made()
    for axes in [(0, 1, 2), (1,)]:
        for name, found in statistics(axes).items():
            aggregator = found.aggregator
            left = partials([aggregator], values, axes, (0, 0, 0))[0]
            right = partials([aggregator], values + 1, axes, (0, 0, 0))[0]
            copies = [tuple(a.copy() for a in part) for part in (left, right)]
            for entry in (*left, *right):
                entry.flags.writeable = False
            merged = aggregator.merge(left, right)
            assert equal_bits(left, copies[0]), name
            assert equal_bits(right, copies[1]), name
            assert equal_bits(merged, aggregator.merge(*copies)), name
