"""Multiscale groups, whose arrays are one image at several resolutions.

Three conventions describe them in the attributes of a group:

- OME-NGFF 0.4 and earlier: ``multiscales``, a list of images with ``datasets``;
- OME-Zarr 0.5: the same within ``ome``;
- the Zarr convention ``multiscales`` 0.1, which GeoZarr's overviews follow: an object
  with a ``layout``, whose assets are arrays or groups of variables.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from biggus.backends.base import Resolution


def resolutions(attributes: Mapping[str, Any]) -> tuple[Resolution, ...]:
    """Return the resolutions of the first image in the attributes of a group.

    None if there is no image, or the attributes are invalid.

    Examples
    --------
    >>> resolutions({"multiscales": [{"datasets": [{"path": "0"}, {"path": "1"}]}]})
    (Resolution(path='0', scale=None), Resolution(path='1', scale=None))
    """
    within = attributes.get("ome")
    images = (within if isinstance(within, dict) else attributes).get("multiscales")
    if isinstance(images, list):
        images = next((image for image in images if isinstance(image, dict)), None)
        return tuple(_of_ome(images or {}))
    if isinstance(images, dict) and isinstance(images.get("layout"), list):
        return tuple(_of_layout([each for each in images["layout"] if isinstance(each, dict)]))
    return ()


def _of_ome(image: Mapping[str, Any]) -> Iterator[Resolution]:
    datasets = image.get("datasets")
    for dataset in datasets if isinstance(datasets, list) else ():
        path = dataset.get("path") if isinstance(dataset, dict) else None
        if isinstance(path, str):
            yield Resolution(path, _scale_in(dataset.get("coordinateTransformations")))


def _scale_in(transformations: Any) -> tuple[float, ...] | None:
    for each in transformations if isinstance(transformations, list) else ():
        if isinstance(each, dict) and each.get("type") == "scale":
            return _numbers(each.get("scale"))
    return None


def _of_layout(layout: Sequence[Mapping[str, Any]]) -> Iterator[Resolution]:
    """Yield the assets of a layout; a scale may be relative to an earlier or later asset."""
    entries = {each["asset"]: each for each in layout if isinstance(each.get("asset"), str)}
    for asset in entries:
        yield Resolution(asset, _absolute(asset, entries))


def _absolute(asset: str, entries: Mapping[str, Mapping[str, Any]]) -> tuple[float, ...] | None:
    """Return the scale of an asset: its own times that of the asset it was derived from."""
    absolute: tuple[float, ...] | None = None
    seen: set[str] = set()
    while True:
        entry = entries[asset]
        origin = entry.get("derived_from")
        transform = entry.get("transform")
        scale = _numbers(transform.get("scale")) if isinstance(transform, dict) else None
        if not isinstance(origin, str) or origin not in entries or asset in seen:
            # The asset that all others are relative to; its own scale does not count.
            return absolute or (None if scale is None else (1.0,) * len(scale))
        if scale is None or (absolute is not None and len(absolute) != len(scale)):
            return None
        absolute = (
            scale
            if absolute is None
            else tuple(a * b for a, b in zip(absolute, scale, strict=True))
        )
        seen.add(asset)
        asset = origin


def _numbers(values: Any) -> tuple[float, ...] | None:
    if not isinstance(values, list) or not values:
        return None
    return tuple(map(float, values)) if all(map(_is_size, values)) else None


def _is_size(value: Any) -> bool:
    # JSON's integers may be longer than any float.
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and 0 < value <= sys.float_info.max
