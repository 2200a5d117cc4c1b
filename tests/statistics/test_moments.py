"""The rounding errors of results, compared with those of NumPy.

The corpus is made by integer arithmetic alone, so it is the same everywhere; the exact answers
are fractions.  Errors are in units in the last place (ulp) of the answer; ours may be four
times that of NumPy plus one ulp.  Both are the largest over several scales of a case, and
NumPy's also over several orders, as it may be exact for one input by luck.
"""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest

pytestmark = pytest.mark.machine

DTYPES = ["f2", "f4", "f8"]
CUTS = {"one": (), "seven": tuple(range(0, 600, 90)), "fifteen": tuple(range(0, 600, 40))}
LENGTH = 600
ROTATIONS = (0, 1, 3, 50, 299)
SCALES = (1, 3 / 7, 5 / 9, 11 / 13)


def noise(seed):
    """Return pseudo-random numbers between -1 and 1, multiples of 2^-40."""
    state = seed
    found = []
    for _ in range(LENGTH):
        state = (6364136223846793005 * state + 1442695040888963407) % 2**64
        found.append(((state >> 23) - 2**40) / 2**40)
    return np.array(found)


def corpus(dtype):
    """Return inputs by their names."""
    info = np.finfo(dtype)
    large = {"f2": 2.0**9, "f4": 2.0**20, "f8": 1e9}[dtype]
    number = np.arange(LENGTH)
    z = noise(1)
    spread = 2.0 ** np.round(noise(2) * np.log2(float(info.max)) / 3)
    found = {
        "noise": z,
        "positive": np.abs(z),
        "ascending": np.sort(np.abs(z)),
        "descending": np.sort(np.abs(z))[::-1],
        "offset": large + z * large / 2.0**8,
        "huge offset": large * (1000 if dtype == "f8" else 1) + z,
        "negative offset": -large + z,
        "alternating": np.where(number % 2, 1, -1) * (1 + z / 1024),
        "cancelling": np.concatenate([[large * 8], z[2:], [-large * 8]]),
        "denormal": z * float(info.tiny) / 4,
        "near denormal": z * float(info.tiny) * 64,
        "wide range": z * spread,
        "constant": np.full(LENGTH, 0.1),
        "line": np.linspace(0, 1000, LENGTH),
        "last bits": 1 + (number % 2) * float(info.eps),
        "one outlier": np.where(number == 77, large, z / 64),
        "thirds": np.full(LENGTH, 1 / 3) * (number % 5),
        "large": (0.5 + np.abs(z) / 2) * float(info.max) / LENGTH,
    }
    return {name: values.astype(dtype) for name, values in found.items()}


def exact(name, values):
    """Return the exact answer for real numbers."""
    numbers = [Fraction(float(value)) for value in values]
    total = sum(numbers, Fraction(0))
    if name == "sum":
        return total
    mean = total / len(numbers)
    if name == "mean":
        return mean
    variance = sum(((x - mean) ** 2 for x in numbers), Fraction(0)) / len(numbers)
    if name == "var":
        return variance
    scale = 2**2200
    return Fraction(math.isqrt(int(variance * scale**2)), scale)


def unit(answer, dtype):
    """Return the unit in the last place of an answer; 0 if the answer overflows."""
    if abs(answer) >= Fraction(float(np.finfo(dtype).max)):
        return Fraction(0)
    return Fraction(float(np.spacing(np.dtype(dtype).type(abs(float(answer))))))


def error(value, answer, dtype):
    """Return the error of a value, in units in the last place of the answer."""
    step = unit(answer, dtype)
    if not step:
        return 0.0
    return float(abs(Fraction(float(value)) - answer) / step) if np.isfinite(value) else math.inf


def scaled(values):
    return [(values * scale).astype(values.dtype) for scale in SCALES]


def numpy_results(name, values):
    """Return NumPy's results for several rotations of the values."""
    with np.errstate(all="ignore"):
        return [getattr(np, name)(np.roll(values, shift)) for shift in ROTATIONS]


@pytest.mark.in_pairs
@pytest.mark.parametrize("case", corpus("f8"))
@pytest.mark.parametrize("name", ["sum", "mean", "var", "std"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_errors_are_at_most_four_times_those_of_numpy(computed, dtype, name, case):
    ours, theirs = [], []
    for values in scaled(corpus(dtype)[case]):
        answer = exact(name, values)
        theirs += [error(value, answer, dtype) for value in numpy_results(name, values)]
        for cuts in CUTS.values():
            found = computed(name, values, (0,), (cuts,))
            ours.append(error(found[0], answer, dtype))
    assert max(ours) <= 4 * max(theirs) + 1


@pytest.mark.in_pairs
@pytest.mark.parametrize("case", corpus("f8"))
@pytest.mark.parametrize("name", ["sum", "mean", "var", "std"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_errors_along_an_axis(computed, dtype, name, case):
    values = corpus(dtype)[case].reshape(30, 20)
    for axis in (0, 1):
        answers = [exact(name, line) for line in np.moveaxis(values, axis, -1)]
        with np.errstate(all="ignore"):
            native = getattr(np, name)(values, axis=axis)
        theirs = max(error(x, a, dtype) for x, a in zip(native, answers, strict=True))
        for cuts in [(), ((7, 20), (3,))]:
            found = np.ravel(computed(name, values, (axis,), cuts))
            ours = max(error(x, a, dtype) for x, a in zip(found, answers, strict=True))
            assert ours <= 4 * theirs + 1


@pytest.mark.parametrize("name", ["sum", "mean", "var"])
@pytest.mark.parametrize("dtype", ["c8", "c16"])
def test_errors_of_complex_numbers(computed, dtype, name):
    real = {"c8": "f4", "c16": "f8"}[dtype]
    found = corpus(real)
    for one, other in itertools.pairwise(found):
        values = (found[one] + 1j * found[other][::-1]).astype(dtype)
        answers = [exact(name, values.real), exact(name, values.imag)]
        if name == "var":
            answers = [sum(answers, Fraction(0))]
        sides = list(zip(["real", "imag"], answers, strict=False))
        theirs = [
            error(getattr(x, s), a, real) for x in numpy_results(name, values) for s, a in sides
        ]
        for cuts in CUTS.values():
            got = computed(name, values, (0,), (cuts,))[0]
            ours = [error(getattr(got, side), answer, real) for side, answer in sides]
            assert max(ours) <= 4 * max(theirs) + 1, (one, other)


@pytest.mark.parametrize("cuts", CUTS)
@pytest.mark.parametrize("case", ["offset", "huge offset", "cancelling", "wide range", "noise"])
def test_masked_and_skipped_values_change_no_error(computed, case, cuts):
    values = corpus("f8")[case]
    gone = noise(5) < -0.3
    kept = values[~gone]
    masked = np.ma.array(np.where(gone, 1e300, values), mask=gone)
    skipped = np.where(gone, np.nan, values)
    for name in ["sum", "mean", "var", "std"]:
        answer = exact(name, kept)
        theirs = max(error(value, answer, "f8") for value in numpy_results(name, kept))
        for found in [
            computed(name, masked, (0,), (CUTS[cuts],)),
            computed("nan" + name, skipped, (0,), (CUTS[cuts],)),
        ]:
            assert error(found[0], answer, "f8") <= 4 * theirs + 1


def test_intermediate_overflow_does_not_affect_the_result(computed):
    values = np.array([60000, 60000, -60000, -60000], "f2")
    assert computed("sum", values, (0,))[0] == 0
    assert computed("mean", np.full(100, 65000, "f2"), (0,))[0] == np.float16(65000)
    with np.errstate(over="ignore"):
        assert np.isinf(np.full(4, 60000, "f2").sum())
    assert np.isinf(computed("sum", np.full(4, 60000, "f2"), (0,), ((2,),))[0])
    large = np.full(4, 1.5e308)
    for name in ["sum", "mean"]:
        assert np.isposinf(computed(name, large, (0,), ((2,),))[0])


def test_integers_wrap_as_in_numpy(computed):
    values = np.array([2**62] * 5 + [-3] * 4)
    with np.errstate(over="ignore"):
        assert computed("sum", values, (0,), ((3, 7),))[0] == values.sum()
        assert computed("prod", values, (0,), ((3, 7),))[0] == values.prod()


@pytest.mark.parametrize("cut", [(), (1,), (3,), (2, 4)])
@pytest.mark.parametrize("where", [0, 2, 4])
def test_infinite_and_nan_values(computed, where, cut):
    for special in [np.inf, -np.inf, np.nan]:
        values = np.array([1.0, 2, 3, 4, 5])
        values[where] = special
        for name in ["sum", "mean", "var", "std", "min", "max", "ptp", "prod"]:
            with np.errstate(all="ignore"):
                want = getattr(np, name)(values)
            np.testing.assert_equal(computed(name, values, (0,), (cut,))[0], want, name)
