"""Resolutions in multiscale attributes, also malformed ones."""

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
def test_invalid_datasets_give_no_resolutions(datasets, within) -> None:
    attributes = {"multiscales": [{"datasets": datasets}]}
    assert resolutions({"ome": attributes} if within else attributes) == ()


@pytest.mark.parametrize("origin", [["x"], {}, 3, None, {"asset": "b"}, "nowhere"])
def test_invalid_origin_gives_a_scale_of_one(origin) -> None:
    entry = {"asset": "a", "derived_from": origin, "transform": {"scale": [2.0, 2.0]}}
    found = resolutions({"multiscales": {"layout": [entry, {"asset": "b"}]}})
    assert found == (Resolution("a", (1.0, 1.0)), Resolution("b", None))


@pytest.mark.parametrize("size", [10**400, float("inf"), float("nan"), 0, -1.0, True, "1", None])
def test_invalid_sizes_give_no_scale(size) -> None:
    scale = [{"type": "scale", "scale": [1, size]}]
    attributes = {
        "multiscales": [{"datasets": [{"path": "a", "coordinateTransformations": scale}]}]
    }
    assert resolutions(attributes) == (Resolution("a", None),)


def attributes_of_one_dataset(key, value, layout):
    if layout:
        return {"multiscales": {"layout": [{"asset": "a", key: value}]}}
    return {"multiscales": [{"datasets": [{"path": "a", key: value}]}]}


@given(
    st.builds(
        attributes_of_one_dataset,
        st.sampled_from(["transform", "derived_from"]),
        JSON,
        st.just(True),
    )
)
@example({"multiscales": {"layout": [{"asset": ["a"]}]}})
def test_any_layout_is_accepted(attributes) -> None:
    assert [found.path for found in resolutions(attributes)] in (["a"], [])


@given(
    st.builds(attributes_of_one_dataset, st.just("coordinateTransformations"), JSON, st.just(False))
)
def test_any_transformation_is_accepted(attributes) -> None:
    assert [found.path for found in resolutions(attributes)] == ["a"]


@given(
    st.dictionaries(st.sampled_from(["ome", "multiscales"]), JSON, max_size=2)
    | st.builds(lambda attributes: {"multiscales": {"layout": [attributes]}}, JSON)
    | st.builds(lambda attributes: {"multiscales": [{"datasets": attributes}]}, JSON)
)
def test_any_json_is_accepted(attributes) -> None:
    for found in resolutions(attributes):
        assert isinstance(found.path, str)
        assert found.scale is None or all(number > 0 for number in found.scale)
