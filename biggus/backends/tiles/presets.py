"""Presets: known tile servers by name, such as ``xyz:OpenStreetMap.Mapnik``.

The names, templates and attributions come from the package xyzservices.  The key that a provider
requires comes from the environment, and is not stored.
"""

from __future__ import annotations

import os
import re
from typing import Any, NamedTuple

from biggus.errors import OpenError
from biggus.support.extras import needing
from biggus.support.similar import did_you_mean

SCHEME = "xyz"

_KEYS = ("apikey", "apiKey", "accessToken", "key", "subscriptionKey", "app_id", "app_code")
"""The placeholders for the keys that a provider gives its users."""

_POSITION = frozenset({"z", "x", "y", "-y", "q", "s", "r"})


class Preset(NamedTuple):
    """A tile server.

    Attributes
    ----------
    template : str
        The template of its tiles, perhaps with a key.
    public : str
        The template without the key.
    attribution : str
        The text to show with pictures.
    subdomains : str or tuple of str
        The values of ``{s}``.
    tile_size : int
        The pixels along each axis of a tile.
    zooms : tuple of int
        The least and the greatest zoom.
    """

    template: str
    public: str
    attribution: str
    subdomains: Any
    tile_size: int
    zooms: tuple[int, int]


def is_preset(text: str) -> bool:
    """Return whether a location names a preset."""
    return text.lower().startswith(f"{SCHEME}:")


def preset_named(text: str) -> Preset:
    """Return the preset of a location such as ``xyz:OpenStreetMap.Mapnik``.

    Raises
    ------
    OpenError
        If there is none of that name, or it requires a key that the environment does not have.
    MissingDependencyError
        If xyzservices is not installed.
    """
    with needing("xyzservices", "tiles", "opening a tile server by its name"):
        import xyzservices.providers
    name = text.partition(":")[2].strip("/")
    try:
        provider = _by_path(name, xyzservices.providers) or xyzservices.providers.query_name(name)
    except ValueError:
        hint = did_you_mean(name, xyzservices.providers.flatten(), "{}")
        problem = f"xyzservices has no provider of that name{hint}"
        raise OpenError(text, problem) from None
    fields_given = dict(provider)
    if fields_given.get("zoomOffset"):
        raise OpenError(text, "its zoom levels have an offset, which is not supported")
    crs = str(fields_given.get("crs", "EPSG:3857")).upper()
    if crs.rpartition(":")[2] not in {"3857", "900913"}:
        raise OpenError(text, f"its maps are in {crs}, not in Web Mercator")
    fields = set(re.findall(r"\{([^{}]*)\}", fields_given["url"]))
    secrets = {key: _secret(text, fields_given["name"], key) for key in fields & set(_KEYS)}
    missing = sorted(
        field for field in fields - _POSITION - set(secrets) if field not in fields_given
    )
    if missing:
        raise OpenError(text, f"its template has an unknown placeholder {missing[0]}")
    url = (
        fields_given["url"].replace("{y}", "{-y}")
        if fields_given.get("tms")
        else fields_given["url"]
    )
    plain = {field: str(fields_given[field]) for field in fields - _POSITION - set(secrets)}
    return Preset(
        _filled(url, plain | secrets),
        _filled(url, plain | dict.fromkeys(secrets, "KEY")),
        fields_given.get("attribution", ""),
        tuple(filter(None, fields_given.get("subdomains", "abc"))) or "abc",
        _size(fields_given),
        (int(fields_given.get("min_zoom", 0)), int(fields_given.get("max_zoom", 22))),
    )


def _size(fields_given: dict[str, Any]) -> int:
    """Return the tile size of a provider; its fields may hold other things than numbers."""
    for name in ("tileSize", "size"):
        text = str(fields_given.get(name, ""))
        if text.isascii() and text.isdigit() and int(text):
            return int(text)
    return 256


def _filled(template: str, values: dict[str, str]) -> str:
    for field, value in values.items():
        template = template.replace(f"{{{field}}}", value)
    return template


def _by_path(name: str, providers: Any) -> Any:
    """Return the provider of exactly that name, if there is one."""
    provider = providers
    for part in name.split("."):
        provider = provider.get(part) if isinstance(provider, dict) else None
    return provider if isinstance(provider, dict) and "url" in provider else None


def _secret(text: str, name: str, key: str) -> str:
    """Return the key of a provider from the environment, for one of its maps or for all."""
    provider = name.partition(".")[0]
    variables = [re.sub(r"\W", "_", f"{part}_{key}").upper() for part in (name, provider)]
    for variable in variables:
        if os.environ.get(variable):
            return os.environ[variable]
    raise OpenError(
        text,
        f"the provider requires a key: put yours into the environment variable {variables[1]}",
    )
