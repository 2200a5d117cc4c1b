"""Partials of aggregators: which serve others, identities, sizes and positions."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_statistics import DOUBLE, equal_bits, made, statistics

from biggus.statistics import nbytes_of, partials, statistic
from biggus.statistics.combining import Combining
from biggus.statistics.layout import RUN, RunLayout
from biggus.statistics.moments import Moments


@pytest.mark.parametrize("axes", [(0, 1, 2), (0,), ()], ids=str)
@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_higher_moments_serve_lower_ones(folded, axes, skip, masked):
    values = made()
    if skip:
        values[values > 1001] = np.nan
    if masked:
        values = np.ma.array(values, mask=made(seed=4) > 1000.5)
    for high, low in [(2, 1), (2, 0), (1, 0)]:
        higher, lower = Moments(high, DOUBLE, skip), Moments(low, DOUBLE, skip)
        assert higher.serves(lower)
        assert not lower.serves(higher)
        blocks = [values[:, start : start + 7] for start in range(0, 40, 7)]
        parts = [
            [partials([f], b, axes, (0, 0, 0))[0] for b in blocks[:5]] for f in (higher, lower)
        ]
        got = higher.restrict(folded(higher, parts[0]), lower)
        assert equal_bits(got, folded(lower, parts[1]))


def test_unrelated_aggregators_do_not_serve_each_other():
    moments = Moments(2, DOUBLE, False)
    for other in [
        Moments(1, DOUBLE, True),
        Moments(1, np.dtype("i8"), False),
        Combining(("minimum",), DOUBLE, False),
    ]:
        assert not moments.serves(other)
        assert not other.serves(moments)
    assert Moments(1, np.dtype("i8"), False).serves(Moments(0, DOUBLE, False))


def test_joined_extremes_serve_each():
    both = Combining(("minimum", "maximum"), np.dtype("f4"), False)
    values = made()
    for name in ["minimum", "maximum"]:
        one = Combining((name,), np.dtype("f4"), False)
        assert both.serves(one)
        assert not one.serves(both)
        got = both.restrict(partials([both], values, (1,), (0, 0, 0))[0], one)
        assert equal_bits(got, partials([one], values, (1,), (0, 0, 0))[0])


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("axes", [(0, 1, 2), (0,)], ids=str)
def test_equality_hash_and_key_of_statistics(axes, masked):
    found, again = statistics(axes, masked=masked), statistics(axes, masked=masked)
    keys = {}
    for name, one in found.items():
        assert one == again[name]
        assert hash(one) == hash(again[name])
        assert pickle.loads(pickle.dumps(one)) == one
        assert one.aggregator.key == again[name].aggregator.key
        assert keys.setdefault(one.aggregator.key, one.aggregator) == one.aggregator
    assert len({s.aggregator for s in found.values()}) == len(keys)
    different = [statistic("var", DOUBLE, masked, (3,), (0,), ddof=ddof) for ddof in (0, 1)] + [
        statistic("std", DOUBLE, masked, (3,), (0,))
    ]
    assert len(set(different)) == 3
    assert len({s.aggregator for s in different}) == 1


def test_partials_take_the_predicted_bytes():
    values = made()
    for axes in [(0, 1, 2), (0,), (1, 2)]:
        positions = values.size // np.prod([values.shape[axis] for axis in axes])
        for masked in [False, True]:
            block = np.ma.array(values, mask=values > 1001) if masked else values
            for name, found in statistics(axes, masked=masked).items():
                part = partials([found.aggregator], block, axes, (0, 0, 0))[0]
                most = nbytes_of([found.aggregator], int(positions))
                size = sum(entry.nbytes for entry in part)
                assert size <= most, name
                assert size + 72 >= most or not masked, name


def test_only_positions_depend_on_the_origin():
    values = made()[:3]
    for name, found in statistics((0, 1, 2)).items():
        aggregator = found.aggregator
        parts = [
            partials([aggregator], values, (0, 1, 2), origin)[0]
            for origin in [(0, 0, 0), (3, 0, 0)]
        ]
        assert equal_bits(*parts) == (not aggregator.placed)
        assert aggregator.placed == ("arg" in name)


@pytest.mark.parametrize("cut", [1, 2, 7, 39])
@pytest.mark.parametrize("name", ["argmin", "argmax"])
def test_ties_take_the_first_position_of_the_whole_array(computed, name, cut):
    values = np.random.default_rng(0).integers(0, 3, (6, 40, 9))
    for axes in [(0, 1, 2), (0,), (1,), (2,)]:
        axis = axes[0] if len(axes) == 1 else None
        got = computed(name, values, axes, ((cut,), (cut,), (cut, 4)))
        want = getattr(np, name)(values, axis=axis, keepdims=True)
        np.testing.assert_array_equal(got, want)


@given(
    st.lists(st.integers(1, 40) | st.sampled_from([700, 70_000]), min_size=1, max_size=4).filter(
        lambda lengths: np.prod(lengths) < 2**21
    ),
    st.data(),
)
def test_runs_cover_a_block_once(lengths, data):
    axes = tuple(sorted(data.draw(st.sets(st.integers(0, len(lengths) - 1)))))
    layout = RunLayout(tuple(lengths), axes)
    seen = np.zeros(layout.lengths, np.int8)
    kept = np.zeros((layout.pieces, *layout.kept), np.int64)
    for run in layout.runs:
        part = seen[run.box]
        assert part.size <= RUN
        part += 1
        kept[run.place] += run.size
    assert (seen == 1).all()
    reduced = np.prod([lengths[axis] for axis in axes], dtype=int)
    assert layout.size == reduced
    assert (kept.sum(axis=0) == reduced).all()
    assert np.prod(layout.kept) * reduced == seen.size
