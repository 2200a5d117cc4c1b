"""Partials: merged in one tree they are the same to the bit, whoever computed them when."""

from __future__ import annotations

import itertools
import math
import pickle
import threading
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from biggus.statistics import nbytes_of, partials, statistic
from biggus.statistics.base import Statistic
from biggus.statistics.combining import Combining
from biggus.statistics.layout import LONG, RUN, RunLayout
from biggus.statistics.moments import Moments, total
from biggus.statistics.registry import ENTRIES

DOUBLE = np.dtype("f8")
OVERALL = {
    *("median", "nanmedian", "quantile", "nanquantile", "percentile", "nanpercentile"),
    *("histogram", "histogram_edges"),
}
PARAMETERS = {"quantile": {"q": 0.3}, "nanquantile": {"q": 0.3}, "percentile": {"q": 30}}
PARAMETERS["nanpercentile"] = PARAMETERS["percentile"]


def made(shape=(6, 40, 9), seed=0):
    return np.random.default_rng(seed).normal(1000, 1, shape).astype("f4")


def statistics(axes, shape=(6, 40, 9), masked=False):
    """Return all statistics that there are of an axis, or of several."""
    found = {}
    for name in sorted(ENTRIES):
        if name in OVERALL and len(axes) != len(shape):
            continue
        if "arg" in name and len(axes) not in (1, len(shape)):
            continue
        if name == "grouped" or (name.endswith(("first", "last")) and len(axes) > 1):
            continue  # of groups that are given, and along one axis
        parameters = PARAMETERS.get(name, {})
        found[name] = statistic(name, np.dtype("f4"), masked, shape, axes, **parameters)
    return found


def equal_bits(left, right):
    return len(left) == len(right) and all(
        a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
        for a, b in zip(left, right, strict=True)
    )


@pytest.mark.parametrize("what", ["plain", "masked", "nan"])
@pytest.mark.parametrize("axes", [(0, 1, 2), (0,), (1,), (2,), (0, 2), ()], ids=str)
def test_together_as_alone(axes, what):
    values = made((6, 400, 90))
    chosen = np.random.default_rng(1).random(values.shape) < 0.3
    if what == "masked":
        values = np.ma.array(values, mask=chosen)
    if what == "nan":
        values[chosen] = np.nan
    aggregators = [s.aggregator for s in statistics(axes, values.shape, what == "masked").values()]
    together = partials(aggregators, values, axes, (0, 0, 0))
    for aggregator, found in zip(aggregators, together, strict=True):
        assert equal_bits(found, partials([aggregator], values, axes, (0, 0, 0))[0])
    if what != "masked":
        together = partials(aggregators, values, axes, (0, 0, 0), plain=True)
        for aggregator, found in zip(aggregators, together, strict=True):
            [alone] = partials([aggregator], values, axes, (0, 0, 0), plain=True)
            assert equal_bits(found, alone)


@pytest.mark.parametrize("dtype", ["f4", "i2", "?"])
@pytest.mark.parametrize("axes", [(0, 1, 2), (0,), (1,), (2,), (0, 2), ()], ids=str)
def test_long_runs_combine_the_same_values(axes, dtype):
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


def test_runs_are_long_only_where_nothing_can_be_missing():
    for aggregator in (Combining(("minimum",), DOUBLE, skip) for skip in (False, True)):
        assert aggregator.run_length(False) == RUN
        assert aggregator.run_length(True) == (RUN if aggregator.skip else LONG)
    assert Moments(2, DOUBLE, False).run_length(True) == RUN


def test_extremes_are_joined_and_others_are_not():
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


def test_what_is_kept_in_parts_is_put_together_again():
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
def test_whatever_thread_computed_before(axes):
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
def test_nothing_changes_nothing(axes):
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


def test_merging_leaves_the_right_and_what_cannot_be_written():
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


@pytest.mark.parametrize("axes", [(0, 1, 2), (0,), ()], ids=str)
@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_higher_moments_hold_lower_ones(folded, axes, skip, masked):
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


def test_what_does_not_serve():
    moments = Moments(2, DOUBLE, False)
    for other in [
        Moments(1, DOUBLE, True),
        Moments(1, np.dtype("i8"), False),
        Combining(("minimum",), DOUBLE, False),
    ]:
        assert not moments.serves(other)
        assert not other.serves(moments)
    assert Moments(1, np.dtype("i8"), False).serves(Moments(0, DOUBLE, False))


def test_both_extremes_hold_each():
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
def test_identity_of_statistics(axes, masked):
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


def test_bytes_are_what_is_said():
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


def test_places_depend_on_the_origin_and_nothing_else_does():
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
def test_ties_are_won_by_the_first_in_the_whole_array(computed, name, cut):
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


def test_a_fraction_of_masked_values_is_tolerated(computed):
    values = np.ma.array(np.arange(20.0).reshape(4, 5))
    values[:1, 0] = values[:2, 1] = values[:3, 2] = values[:4, 3] = np.ma.masked
    for name in ["mean", "sum", "std", "min", "prod", "any"]:
        for mdtol, missing in [
            (1, [False, False, False, True, False]),
            (0.5, [False, False, True, True, False]),
            (0.49, [False, True, True, True, False]),
            (0, [True, True, True, True, False]),
        ]:
            got = computed(name, values, (0,), ((1, 3), (2,)), mdtol=mdtol)
            assert np.ma.getmaskarray(got)[0].tolist() == missing
            want = getattr(np.ma, name)(values, axis=0)
            kept = ~np.array(missing)
            np.testing.assert_allclose(got.data[0][kept], want.data[kept], rtol=1e-15)
    assert np.ma.getmaskarray(computed("mean", values, (0, 1), mdtol=0.4)).all()
    assert not np.ma.getmaskarray(computed("mean", values, (0, 1), mdtol=0.5)).any()


@pytest.mark.parametrize("mdtol", [-0.1, 1.1])
def test_mdtol_is_a_fraction(mdtol):
    with pytest.raises(ValueError, match="mdtol"):
        statistic("mean", DOUBLE, True, (3,), (0,), mdtol=mdtol)


@pytest.mark.parametrize("name", ["min", "max", "ptp", "nanmin", "nanmax", "argmin", "nanargmax"])
def test_nothing_has_no_extremes(name):
    with pytest.raises(ValueError, match=r"empty|zero-size"):
        statistic(name, DOUBLE, False, (0, 3), (0,))
    with pytest.raises(ValueError, match=r"empty|zero-size"):
        statistic(name, DOUBLE, True, (0, 3), (0,))
    assert statistic(name, DOUBLE, False, (0, 3), (1,)).dtype is not None


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mean", "Mean of empty slice"),
        ("var", "Degrees of freedom"),
        ("std", "Degrees of freedom"),
        ("nanmean", "Mean of empty slice"),
        ("nanvar", "Degrees of freedom"),
    ],
)
def test_warnings_of_nothing(computed, name, message):
    with pytest.warns(RuntimeWarning, match=message):
        got = computed(name, np.empty((0, 3)), (0,))
    assert np.isnan(got).all()
    assert got.shape == (1, 3)
    masked = computed(name.removeprefix("nan"), np.ma.empty((0, 3)), (0,))
    assert np.ma.getmaskarray(masked).all()


@pytest.mark.parametrize("name", ["sum", "prod", "any", "all", "count", "count_nonzero", "nansum"])
def test_of_nothing_there_is_a_result(computed, name):
    got = computed(name, np.empty((0, 3)), (0,))
    want = {"prod": 1, "all": True}.get(name, 0)
    np.testing.assert_array_equal(got, np.full((1, 3), want))


def test_all_nan(computed):
    values = np.array([[np.nan, 1], [np.nan, np.nan]])
    for name in ["nanmin", "nanmax"]:
        with pytest.warns(RuntimeWarning, match="All-NaN"):
            got = computed(name, values, (0,), ((1,),))
        np.testing.assert_array_equal(got, [[np.nan, 1]])
    with pytest.raises(ValueError, match="All-NaN"):
        computed("nanargmin", values, (0,), ((1,),))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert computed("nansum", values, (0,))[0].tolist() == [0, 1]


@pytest.mark.parametrize(
    ("name", "kind", "parameters"),
    [
        ("sum", "M8[s]", {}),
        ("mean", "U3", {}),
        ("var", "m8[s]", {}),
        ("ptp", "?", {}),
        ("min", "U3", {}),
        ("sum", "i4,i4", {}),
        ("var", "i4", {"dtype": "i8"}),
        ("mean", "f8", {"axis": 0}),
        ("nanmean", "f8", {"mdtol": 0.5}),
    ],
)
def test_what_is_no_statistic(name, kind, parameters):
    with pytest.raises(TypeError):
        statistic(name, np.dtype(kind), False, (3,), (0,), **parameters)


def test_names():
    with pytest.raises(ValueError, match="unknown statistic 'mode'; there are all, any"):
        statistic("mode", DOUBLE, False, (3,), (0,))
    assert {"sum", "nanstd", "count", "histogram_edges"} <= set(ENTRIES)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("shape", "axes"), [((0, 3), (1,)), ((3, 0), (0,)), ((0,), ())], ids=str)
def test_where_there_is_no_result_nothing_is_said(shape, axes, masked):
    for name, found in statistics(axes, shape, masked).items():
        block = (np.ma.zeros if masked else np.zeros)(shape, "f4")
        got = found.proceed(partials([found.aggregator], block, axes, (0,) * len(shape))[0])
        assert got.shape == tuple(1 if axis in axes else n for axis, n in enumerate(shape)), name


@pytest.mark.parametrize("dtype", ["f4", "f8", ">f4", "c8", "i2", "u4", "?"])
def test_single_values_are_summed_as_if_they_were_accumulated(folded, dtype):
    """Nothing is copied of them; what comes of it is the same to the bit."""
    values = np.array([[0, 1.1, -0.0, -3], [-0.0, 2.7, -0.0, 5], [7, 1e-9, -0.0, np.pi]])
    values = np.repeat(np.abs(values) if dtype in "u4?" else values, 3, axis=1).astype(dtype)
    aggregator = statistic("sum", values.dtype, False, values.shape, (0,)).aggregator
    blocks = [values[row : row + 1] for row in range(len(values))]
    single = [partials([aggregator], block, (0,), (0, 0))[0] for block in blocks]
    assert all(np.shares_memory(p[1], block) for p, block in zip(single, blocks, strict=True))
    kept = values.copy()
    invalid = [np.ma.array(np.vstack([b, b]), mask=[[0], [1]] * np.ones(12, bool)) for b in blocks]
    slow = [partials([aggregator], block, (0,), (0, 0))[0] for block in invalid]
    for count in (1, 3):
        found, other = (total(folded(aggregator, p[:count])) for p in (single, slow))
        np.testing.assert_array_equal(found, other)
        assert not (np.signbit(np.real(found)) & (found == 0)).any()
    np.testing.assert_array_equal(kept, values)
