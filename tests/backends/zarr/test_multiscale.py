"""What attributes say of resolutions, however malformed they are."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import example, given

from biggus.backends.base import Resolution
from biggus.backends.zarr.multiscale import resolutions

NAMES = ["ome", "multiscales", "datasets", "path", "coordinateTransformations", "type", "scale"]
NAMES += ["layout", "asset", "derived_from", "transform"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.floats() | st.sampled_from(["a", "b", ""]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize("datasets", [3, "ab", {"path": "a"}, True, None, [3, None, {"path": 3}]])
@pytest.mark.parametrize("within", [False, True])
def test_datasets_that_are_no_list_of_datasets_are_none(datasets, within) -> None:
    said = {"multiscales": [{"datasets": datasets}]}
    assert resolutions({"ome": said} if within else said) == ()


@pytest.mark.parametrize("origin", [["x"], {}, 3, None, {"asset": "b"}, "nowhere"])
def test_what_is_derived_from_nothing_that_there_is_has_its_scale_by_itself(origin) -> None:
    entry = {"asset": "a", "derived_from": origin, "transform": {"scale": [2.0, 2.0]}}
    found = resolutions({"multiscales": {"layout": [entry, {"asset": "b"}]}})
    assert found == (Resolution("a", (1.0, 1.0)), Resolution("b", None))


@pytest.mark.parametrize("size", [10**400, float("inf"), float("nan"), 0, -1.0, True, "1", None])
def test_what_is_no_size_is_no_scale(size) -> None:
    scale = [{"type": "scale", "scale": [1, size]}]
    said = {"multiscales": [{"datasets": [{"path": "a", "coordinateTransformations": scale}]}]}
    assert resolutions(said) == (Resolution("a", None),)


def of_one(key, value, layout):
    if layout:
        return {"multiscales": {"layout": [{"asset": "a", key: value}]}}
    return {"multiscales": [{"datasets": [{"path": "a", key: value}]}]}


@given(st.builds(of_one, st.sampled_from(["transform", "derived_from"]), JSON, st.just(True)))
@example({"multiscales": {"layout": [{"asset": ["a"]}]}})
def test_no_layout_is_an_error(attributes) -> None:
    assert [found.path for found in resolutions(attributes)] in (["a"], [])


@given(st.builds(of_one, st.just("coordinateTransformations"), JSON, st.just(False)))
def test_no_transformation_is_an_error(attributes) -> None:
    assert [found.path for found in resolutions(attributes)] == ["a"]


@given(
    st.dictionaries(st.sampled_from(["ome", "multiscales"]), JSON, max_size=2)
    | st.builds(lambda said: {"multiscales": {"layout": [said]}}, JSON)
    | st.builds(lambda said: {"multiscales": [{"datasets": said}]}, JSON)
)
def test_nothing_that_json_can_say_is_an_error(attributes) -> None:
    for found in resolutions(attributes):
        assert isinstance(found.path, str)
        assert found.scale is None or all(number > 0 for number in found.scale)
