"""Colours are chosen by the name of a variable, or by its values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from biggus.viewer.maps.colours import (
    DIVERGING,
    SEQUENTIAL,
    colours_for,
    places_of_flags,
    with_opacity,
)


@pytest.mark.parametrize(
    ("low", "high", "cmap"),
    [(0, 5, SEQUENTIAL), (-3, 5, DIVERGING), (-5, -1, SEQUENTIAL), (-0.1, 5, SEQUENTIAL)],
)
def test_colours_diverge_for_values_on_both_sides_of_zero(low, high, cmap) -> None:
    found = colours_for(np.linspace(low, high, 500), {})
    assert found.cmap == cmap
    if cmap == DIVERGING:
        assert found.vmin == -found.vmax


@pytest.mark.parametrize(
    ("attributes", "cmap"),
    [
        ({"standard_name": "air_temperature"}, "inferno"),
        ({"standard_name": "air_temperature_anomaly"}, DIVERGING),
        ({"long_name": "Total precipitation"}, "YlGnBu"),
        ({"standard_name": "wind_from_direction"}, "twilight"),
    ],
)
def test_known_names_decide_the_colours(attributes, cmap) -> None:
    assert colours_for(np.linspace(-3, 5, 9), attributes).cmap == cmap


@pytest.mark.parametrize(("low", "high"), [(1, 5), (-5, -1), (-1, 5), (0, 5)])
def test_anomalies_diverge_about_zero(low, high) -> None:
    found = colours_for(np.linspace(low, high, 500), {"long_name": "temperature anomaly"})
    assert found.cmap == DIVERGING
    assert found.vmin == -found.vmax


def test_few_flags_among_other_values_make_no_categories() -> None:
    pytest.importorskip("matplotlib")
    attributes = {"flag_values": -1, "flag_meanings": "outside"}
    assert not colours_for(np.arange(-1.0, 9.0), attributes).flags
    assert colours_for(np.array([-1.0, -1.0, 3.0, np.nan]), attributes).flags


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_flags_must_be_finite(value) -> None:
    attributes = {"flag_values": [1.0, value], "flag_meanings": "a b"}
    assert not colours_for(np.array([1.0, 1.0, value]), attributes).flags


def test_vmin_greater_than_vmax_raises() -> None:
    with pytest.raises(ValueError, match="`vmin=3` is greater than `vmax=2`"):
        colours_for(np.arange(5.0), {}, vmin=3, vmax=2)


def test_arguments_override_defaults() -> None:
    found = colours_for(np.linspace(-3, 5, 9), {}, cmap="magma", vmin=1, vmax=2)
    assert (found.cmap, found.vmin, found.vmax, found.extend) == ("magma", 1, 2, "both")


@given(
    npst.arrays("f8", st.integers(0, 30)),
    st.none() | st.floats(-1e30, 1e30),
    st.none() | st.floats(-1e30, 1e30),
)
@example(np.array([1e308, -1e308]), None, None)
@example(np.arange(5.0), 10.0, None)
@example(np.arange(5.0), None, -10.0)
def test_limits_are_always_finite_and_in_order(values, vmin, vmax) -> None:
    assume(vmin is None or vmax is None or vmin < vmax)
    found = colours_for(values, {}, vmin=vmin, vmax=vmax)
    assert np.isfinite([found.vmin, found.vmax, found.vmax - found.vmin]).all()
    assert found.vmin < found.vmax
    assert vmin is None or found.vmin == vmin
    assert vmax is None or found.vmax == vmax


@given(npst.arrays("i2", st.integers(1, 30), elements=st.integers(-3, 12)))
def test_other_values_than_flags_are_missing(values) -> None:
    flags = ((-1.0, "a"), (0.0, "b"), (7.0, "c"))
    found = places_of_flags(values, flags)
    for value, place, missing in zip(values, found.data, np.ma.getmaskarray(found), strict=True):
        known = [number for number, _ in flags]
        assert missing == (value not in known)
        assert missing or known[int(place)] == value


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", ">i2", "i4", "u4", "i8", "u8"])
def test_integer_colours_are_clipped(dtype) -> None:
    limits = np.iinfo(dtype)
    numbers = [n for n in (0, 1, 127, 255, 256, 300, 2**31, -1, -300) if limits.min <= n]
    values = np.array([n for n in numbers if n <= limits.max] + [limits.min, limits.max], dtype)
    pixels = with_opacity(values.reshape(1, -1, 1).repeat(3, 2))
    expected = [min(max(int(value), 0), 255) for value in values]
    assert pixels[0].tolist() == [[each, each, each, 255] for each in expected]


@pytest.mark.parametrize(
    ("units", "cmap"), [("K", "RdBu_r"), ("kelvin", "RdBu_r"), ("degC", "inferno")]
)
def test_kelvin_on_both_sides_of_zero_are_differences(units, cmap) -> None:
    about = {"standard_name": "air_temperature", "units": units}
    assert colours_for(np.linspace(-5, 5, 9), about).cmap == cmap
    assert colours_for(np.linspace(270, 300, 9), about).cmap == "inferno"
    assert colours_for(np.linspace(-5, 5, 9), about, cmap="gray").cmap == "gray"
