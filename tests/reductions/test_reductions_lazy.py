"""Lazy reductions: what they read, and which arguments they reject."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from reduced_values import (
    ADAPT,
    NAN_TWINS,
    PLAIN,
    check_equal,
    values_of,
)

import biggus
from biggus.testing import UnreadableSource


def test_building_reductions_reads_nothing():
    a = ADAPT(UnreadableSource((3, 4, 5), np.dtype("f4")))
    made = [
        a.mean(),
        a.std(axis=0, ddof=1),
        a.median(axis=(0, 2)),
        a.median(),
        a.max(keepdims=True),
    ]
    made += [*biggus.histogram(a), a.quantile([0.1, 0.2], axis=1)[0], (a - a.mean(0)).sum(axis=-1)]
    made += [a.sum(axis=0)[::-1, None], np.mean(a), np.nanmedian(a, axis=2), a.argmax(axis=1).T]
    shapes = [(), (4, 5), (4,), (), (1, 1, 1), (10,), (11,), (3, 5), (3, 4), (4, 1, 5), (), (3, 4)]
    assert [one.shape for one in made] == [*shapes, (5, 3)]
    for one in made:
        repr(one), one.grid, one.nbytes, one.masked, one.fill_value


def test_selection_of_a_reduction_reads_only_its_chunks(recorded):
    values = np.arange(600.0).reshape(20, 30)
    source = recorded(values)
    a = ADAPT(source, chunks=(5, 6))
    for act in (
        lambda x: x.mean(axis=0)[3:5],
        lambda x: (
            biggus.median(x, axis=0)[3:5] if isinstance(x, biggus.Array) else np.median(x, 0)[3:5]
        ),
        lambda x: x.std(axis=0, keepdims=True)[0, [4, 2, 4]],
        lambda x: (x - x.min(axis=0))[:, 1].max(),
    ):
        source.boxes.clear()
        np.testing.assert_allclose(np.asarray(act(a)), act(values))
        assert {j for _, j in source.touched((5, 6))} == {0}


@pytest.mark.parametrize(
    "act",
    [
        lambda np_, a: np_.median(a, axis=1)[::-1, 2],
        lambda np_, a: np_.quantile(a, [0.1, 0.6, 0.9], axis=1)[1:],
        lambda np_, a: np_.quantile(a, [0.1, 0.6, 0.9], axis=1)[[2, 0, 2], 1],
        lambda np_, a: np_.quantile(a, [0.1, 0.6, 0.9], axis=(0, 2))[..., ::2],
        lambda np_, a: np_.quantile(a, [0.1, 0.6, 0.9], axis=2, keepdims=True)[
            ::-1, [[1], [0]], [1, 2]
        ],
        lambda np_, a: np_.quantile(a, [0.1, 0.6, 0.9])[::-2],
        lambda np_, a: np_.quantile(a, [0.1, 0.6], keepdims=True)[1],
        lambda np_, a: np_.histogram(a, 4)[0][1:3],
        lambda np_, a: np_.transpose(np_.sum(a, axis=0, keepdims=True)),
        lambda np_, a: np_.sum(np_.where(a > np_.mean(a), a, 0), axis=-1),
        lambda np_, a: np_.max(np_.median(a, axis=0)),
        lambda np_, a: np_.median(a - np_.mean(a, axis=0), axis=0),
        lambda np_, a: np_.std((a - np_.mean(a)) / np_.std(a)),
        lambda np_, a: np_.argmax(a, axis=1) + np_.argmin(a, axis=1),
    ],
)
@pytest.mark.parametrize("chunks", [None, (2, 3, 4)])
def test_selections_and_chains(act, chunks):
    values = np.random.default_rng(5).random((5, 6, 7))
    got = act(biggus, ADAPT(values, chunks=chunks))
    right = act(np, values)
    assert got.shape == right.shape
    np.testing.assert_allclose(got.ndarray(), right, rtol=1e-13)


def test_numpy_functions_dispatch_to_lazy_arrays():
    values = values_of("f8")
    array = ADAPT(values)
    for name in [*PLAIN, *NAN_TWINS, "amax", "amin"]:
        found = getattr(np, name)(array, axis=1)
        assert type(found) is biggus.Array
        check_equal(found.ndarray(), getattr(np, name)(values, axis=1))
    for name in (*PLAIN[:-2], "median"):
        found = getattr(array, name)(axis=1)
        check_equal(found.ndarray(), getattr(np, name)(values, axis=1))
    counts, _ = np.histogram(array, bins=3)
    check_equal(counts.ndarray(), np.histogram(values, bins=3)[0])
    check_equal(np.histogram_bin_edges(array, 3).ndarray(), np.histogram(values, bins=3)[1])
    assert np.mean(array, 0, None, None, True).shape == (1, 4, 2)


def test_unsupported_arguments_raise_with_advice():
    array = ADAPT(UnreadableSource((3,), np.dtype("f8")))
    for act, message in [
        (lambda: array.sum(out=np.ones(())), "out="),
        (lambda: np.ptp(array, initial=3), "initial"),
        (lambda: np.sum(array, None, None, None, False, 3), "combine"),
        (lambda: np.histogram(array, weights=[1, 2, 3]), "weights"),
        (lambda: np.histogram(array, bins="auto"), "bins"),
        (lambda: np.std(array, mean=1.0), "mean="),
        (lambda: array.mean(no_such=1), "no_such"),
    ]:
        with pytest.raises(TypeError, match=message):
            act()
    assert np.sum(array, out=None, where=True, initial=None).shape == ()


@pytest.mark.parametrize("shape", list(itertools.product((0, 1, 2), repeat=3)))
@pytest.mark.parametrize("name", ["median", "quantile", "nanmedian", "nanquantile"])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # mean of an empty slice
def test_medians_of_small_shapes_match_numpy(name, shape):
    q = {"q": 0.25} if "quantile" in name else {}
    values = np.ones(shape)
    for count in (1, 2, 3):
        for axes in itertools.combinations(range(3), count):
            try:
                right = getattr(np, name)(values, axis=axes, **q)
            except (ValueError, IndexError) as error:
                with pytest.raises(type(error)):
                    getattr(biggus, name)(biggus.ArrayAdapter(values), axis=axes, **q).ndarray()
                continue
            found = getattr(biggus, name)(biggus.ArrayAdapter(values), axis=axes, **q).ndarray()
            np.testing.assert_array_equal(found, right, strict=True)
