"""Opening pyramids from locations that hold one or several resolutions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from biggus import api
from biggus.errors import OpenError, VariableError
from biggus.pyramids.layout import picture_axes
from biggus.pyramids.pyramid import Pyramid
from biggus.pyramids.tiles import TilePyramid

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from biggus.array import Array
    from biggus.backends import Backend, Location
    from biggus.backends.base import Resolution


def open_pyramid(
    location: str | os.PathLike[str],
    variable: str | None = None,
    *,
    axes: tuple[int, int] | None = None,
    backend: str | None = None,
    **options: Any,
) -> Pyramid:
    """Open an image that is stored at several resolutions.

    These are groups of Zarr stores with the metadata of OME-NGFF (0.4 and 0.5), or of the
    convention ``multiscales`` of Zarr and GeoZarr; and tile servers.  Other arrays make a
    pyramid of one level, to which :func:`biggus.overviews` adds others.

    Parameters
    ----------
    location : str or os.PathLike
        As for :func:`biggus.open`.
    variable : str, optional
        As for :func:`biggus.open`; it may also be a part of the location.  It is the path of the
        group, unless that is the root of the store.  If each resolution is a group of
        variables, the name of the variable follows.
    axes : tuple of int, optional
        The axes of rows and columns; by default the last two axes, or those before a last axis
        of one, three or four colours.
    backend : str, optional
        As for :func:`biggus.open`.
    **options
        The options of :func:`biggus.open`; for tile servers ``zooms=`` as well.

    Returns
    -------
    Pyramid
        The pyramid; none of its values has been read.

    Raises
    ------
    OpenError
        If it cannot be opened, or its resolutions are not of one image.
    VariableError
        If a variable must be named, or one is named for tiles.
    ValueError
        If the array does not have the axes.

    Examples
    --------
    >>> import biggus
    >>> template = "https://tiles.example.org/{z}/{x}/{y}.png"
    >>> biggus.open_pyramid(template, zooms=range(5), cache=False)
    <biggus.TilePyramid shape=(4096, 4096, 3) dtype=uint8 levels=5>
    """
    where, variable = api.located(location, variable)
    server = api.server_for(where, backend)
    if server.name == "tiles":
        if axes not in (None, (0, 1)):
            raise ValueError(f"the rows and columns of tiles are axes 0 and 1, not `axes={axes}`")
        return TilePyramid(where.text, variable=variable, backend=backend, **options)
    source_options = {
        name: value for name, value in options.items() if name not in {"cache", "chunks"}
    }
    resolutions, name = _resolutions_of(server, where, variable, source_options)
    if not resolutions:
        array = api.open(where, variable, backend=backend, **options)
        return Pyramid([(array, (1,) * array.ndim)], axes or picture_axes(array.shape))
    paths = _paths(server, where, resolutions, name, source_options)
    arrays = [api.open(where, path, backend=backend, **options) for path in paths]
    return _pyramid(where, resolutions, arrays, axes)


def _resolutions_of(
    server: Backend, where: Location, variable: str | None, options: dict[str, Any]
) -> tuple[list[Resolution], str | None]:
    """Return the resolutions, by their paths in the store, and the variable in each of them."""
    parts = [part for part in (variable or "").split("/") if part]
    # The name may be the path of the group, or its last part may be a variable.
    for count in dict.fromkeys((len(parts), max(0, len(parts) - 1))):
        group = "/".join(parts[:count])
        resolutions = api.resolutions_of(server, where, group, options)
        if resolutions:
            prefix = f"{group}/" if group else ""
            named = [each._replace(path=prefix + each.path.strip("/")) for each in resolutions]
            return named, "/".join(parts[count:]) or None
    return [], None


def _paths(
    server: Backend,
    where: Location,
    resolutions: Sequence[Resolution],
    name: str | None,
    options: dict[str, Any],
) -> list[str]:
    """Return the paths of the arrays of resolutions."""
    if name is not None:
        return [f"{each.path}/{name}" for each in resolutions]
    try:
        known = api.variables_of(server, where, options)
    except OpenError:
        # A store that cannot be listed can still be opened.
        return [each.path for each in resolutions]
    return [_path(where, each, known) for each in resolutions]


def _path(where: Location, each: Resolution, known: Sequence[str]) -> str:
    """Return the path of the array of a resolution, among all arrays."""
    if each.path in known:
        return each.path
    inside = [path for path in known if path.startswith(f"{each.path}/")]
    images = [path for path in inside if path.rpartition("/")[2] not in _COORDINATES]
    if len(images) == 1:
        return images[0]
    choices = tuple(path.removeprefix(f"{each.path}/") for path in inside)
    raise VariableError(where.public, "name one variable of its resolutions", choices)


_COORDINATES = {
    "x",
    "y",
    "lon",
    "lat",
    "longitude",
    "latitude",
    "spatial_ref",
    "crs",
    "time",
    "band",
}


def _pyramid(
    where: Location,
    resolutions: Sequence[Resolution],
    arrays: Sequence[Array],
    axes: tuple[int, int] | None,
) -> Pyramid:
    pairs = sorted(zip(resolutions, arrays, strict=True), key=lambda pair: -pair[1].size)
    finest, whole = pairs[0]
    levels = []
    for each, array in pairs:
        if array.ndim != whole.ndim:
            problem = f"its resolutions differ in their axes: {array.shape} beside {whole.shape}"
            raise OpenError(where.public, problem)
        levels.append((array, _factors(each, array.shape, finest, whole.shape)))
    try:
        return Pyramid(levels, axes or picture_axes(whole.shape))
    except ValueError as error:
        raise OpenError(where.public, f"its resolutions make no pyramid: {error}") from None


def _factors(
    each: Resolution, shape: tuple[int, ...], finest: Resolution, whole: tuple[int, ...]
) -> tuple[float, ...]:
    """Return how many elements of the finest resolution an element covers along each axis.

    From the scales in the metadata if they agree with the shapes, else from the shapes.
    """
    by_shape = tuple(max(1.0, n / m) if m else 1.0 for n, m in zip(whole, shape, strict=True))
    if each.scale is None or finest.scale is None:
        return by_shape
    if not len(each.scale) == len(finest.scale) == len(shape):
        return by_shape
    by_scale = tuple(a / b for a, b in zip(each.scale, finest.scale, strict=True))
    agrees = all(
        factor >= 1 and math.isfinite(factor) and abs(m - n / factor) < 1
        for factor, n, m in zip(by_scale, whole, shape, strict=True)
    )
    return by_scale if agrees else by_shape
