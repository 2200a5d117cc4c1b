"""Stored pyramids, written by zarr-python in the layouts of the conventions."""

from __future__ import annotations

import json

import numpy as np
import pytest

import biggus
from biggus.backends.zarr import ZarrBackend
from biggus.errors import GoneError, OpenError, VariableError

zarr = pytest.importorskip("zarr")

VALUES = np.random.default_rng(0).integers(0, 255, (2, 40, 56), "u1")


def coarser(values: np.ndarray, factor: int) -> np.ndarray:
    return values[..., ::factor, ::factor]


def ome(folder, zarr_format: int, paths=("0", "1", "2"), scale=(1.0, 0.5, 0.25)):
    group = zarr.open_group(folder, mode="w", zarr_format=zarr_format)
    datasets = []
    for number, path in enumerate(paths):
        factor = 2**number
        group.create_array(path, data=coarser(VALUES, factor), chunks=(1, 16, 16))
        datasets.append(
            {
                "path": path,
                "coordinateTransformations": [
                    {"type": "scale", "scale": [1.0, scale[1] * factor, scale[2] * factor]}
                ],
            }
        )
    axes = [{"name": "c", "type": "channel"}, {"name": "y", "type": "space"}]
    image = {"axes": [*axes, {"name": "x", "type": "space"}], "datasets": datasets}
    if zarr_format == 2:
        group.attrs["multiscales"] = [{"version": "0.4", **image}]
    else:
        group.attrs["ome"] = {"version": "0.5", "multiscales": [image]}
    return group


def check(pyramid: biggus.Pyramid, values: np.ndarray = VALUES) -> None:
    assert len(pyramid) == 3
    for number, level in enumerate(pyramid.levels):
        right = coarser(values, 2**number)
        assert np.array_equal(level.array.ndarray(), right)
        factors = (1,) * (values.ndim - 2) + (2**number,) * 2
        assert level.factors == factors
    assert pyramid.axes == (values.ndim - 2, values.ndim - 1)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_ome_images(tmp_path, zarr_format) -> None:
    ome(tmp_path / "a.zarr", zarr_format)
    check(biggus.open_pyramid(tmp_path / "a.zarr"))


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_ome_image_in_a_group(tmp_path, zarr_format) -> None:
    zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=zarr_format)
    ome(tmp_path / "a.zarr" / "plate" / "7", zarr_format, paths=("s0", "s1", "s2"))
    check(biggus.open_pyramid(tmp_path / "a.zarr", "plate/7"))
    with pytest.raises(VariableError):
        biggus.open_pyramid(tmp_path / "a.zarr")


def test_variable_in_the_location(tmp_path) -> None:
    ome(tmp_path / "a.zarr" / "plate" / "7", 3, paths=("s0", "s1", "s2"))
    zarr.create_array(tmp_path / "a.zarr", name="plate/alone", data=VALUES)
    check(biggus.open_pyramid(f"{tmp_path / 'a.zarr'}::plate/7"))
    alone = biggus.open_pyramid(f"{tmp_path / 'a.zarr'}::plate/alone")
    assert np.array_equal(alone[0].ndarray(), VALUES)
    with pytest.raises(VariableError, match="twice"):
        biggus.open_pyramid(f"{tmp_path / 'a.zarr'}::plate/7", "plate/alone")


def test_store_is_listed_once(tmp_path, monkeypatch) -> None:
    ome(tmp_path / "a.zarr", 3)
    listed = []
    listing = ZarrBackend.variables

    def variables(backend, location, **options):
        listed.append(location)
        return listing(backend, location, **options)

    monkeypatch.setattr(ZarrBackend, "variables", variables)
    check(biggus.open_pyramid(tmp_path / "a.zarr"))
    assert len(listed) == 1


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0)])
@pytest.mark.parametrize("relative", [True, False])
def test_multiscales_layouts(tmp_path, order, relative) -> None:
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=3)
    layout = []
    for number in range(3):
        group.create_array(f"r{number}", data=coarser(VALUES, 2**number))
        entry = {"asset": f"r{number}"}
        if number:
            factor = 2.0 if relative else 2.0**number
            origin = f"r{number - 1}" if relative else "r0"
            entry |= {"derived_from": origin, "transform": {"scale": [1.0, factor, factor]}}
        layout.append(entry)
    group.attrs["multiscales"] = {"layout": [layout[number] for number in order]}
    check(biggus.open_pyramid(tmp_path / "a.zarr"))


def test_multiscales_of_groups_of_variables(tmp_path) -> None:
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=3)
    bands = {"red": VALUES[0], "nir": VALUES[1]}
    for number in range(3):
        for name, values in bands.items():
            group.create_array(f"{number}/{name}", data=coarser(values, 2**number))
        group.create_array(f"{number}/x", data=np.arange(5))
    group.attrs["multiscales"] = {"layout": [{"asset": str(number)} for number in range(3)]}
    check(biggus.open_pyramid(tmp_path / "a.zarr", "nir"), VALUES[1])
    with pytest.raises(VariableError, match="red"):
        biggus.open_pyramid(tmp_path / "a.zarr")


def test_single_variable_beside_coordinates_needs_no_name(tmp_path) -> None:
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=3)
    for number in range(3):
        group.create_array(f"{number}/data", data=coarser(VALUES, 2**number))
        group.create_array(f"{number}/x", data=np.arange(5))
    group.attrs["multiscales"] = {"layout": [{"asset": str(number)} for number in range(3)]}
    check(biggus.open_pyramid(tmp_path / "a.zarr"))


def test_scales_that_contradict_the_shapes_are_ignored(tmp_path) -> None:
    group = ome(tmp_path / "a.zarr", 3)
    metadata = json.loads(json.dumps(group.attrs["ome"]))
    for dataset in metadata["multiscales"][0]["datasets"]:
        dataset["coordinateTransformations"][0]["scale"] = [1.0, 7.0, 7.0]
    group.attrs["ome"] = metadata
    check(biggus.open_pyramid(tmp_path / "a.zarr"))


def test_single_array_is_a_pyramid_of_one_level(tmp_path) -> None:
    zarr.create_array(tmp_path / "a.zarr", data=VALUES)
    pyramid = biggus.open_pyramid(tmp_path / "a.zarr")
    assert (len(pyramid), pyramid.shape, pyramid.axes) == (1, VALUES.shape, (1, 2))


@pytest.mark.parametrize(
    "attributes",
    [
        {"multiscales": 3},
        {"multiscales": []},
        {"multiscales": [7]},
        {"multiscales": {"layout": 5}},
        {"multiscales": {"layout": [3, {}, {"asset": 4}]}},
        {"ome": 5, "multiscales": None},
        {"ome": {"multiscales": [{"datasets": [{"path": 3}, 7]}]}},
    ],
)
def test_invalid_multiscales_are_ignored(tmp_path, attributes) -> None:
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=3)
    group.create_array("v", data=VALUES)
    group.attrs.update(attributes)
    assert len(biggus.open_pyramid(tmp_path / "a.zarr", "v")) == 1


def test_circular_layouts_are_ordered_by_shape(tmp_path) -> None:
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=3)
    layout = []
    for number in range(3):
        group.create_array(f"r{number}", data=coarser(VALUES, 2**number))
        transform = {"scale": [1.0, 2.0, 2.0]}
        origin = f"r{(number + 1) % 3}"
        layout.append({"asset": f"r{number}", "derived_from": origin, "transform": transform})
    group.attrs["multiscales"] = {"layout": layout}
    check(biggus.open_pyramid(tmp_path / "a.zarr"))


def test_levels_with_different_axes_raise(tmp_path) -> None:
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=3)
    group.create_array("0", data=VALUES)
    group.create_array("1", data=VALUES[0])
    group.attrs["multiscales"] = {"layout": [{"asset": "0"}, {"asset": "1"}]}
    with pytest.raises(OpenError, match="axes"):
        biggus.open_pyramid(tmp_path / "a.zarr")


def test_missing_store_or_level_raises(tmp_path) -> None:
    with pytest.raises(GoneError):
        biggus.open_pyramid(tmp_path / "none.zarr")
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=3)
    group.create_array("0", data=VALUES)
    group.attrs["multiscales"] = {"layout": [{"asset": "0"}, {"asset": "1"}]}
    with pytest.raises(OpenError):
        biggus.open_pyramid(tmp_path / "a.zarr")
