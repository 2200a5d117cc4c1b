"""The backend of tile servers."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from biggus.backends.base import Backend
from biggus.backends.http.absence import absent_statuses
from biggus.backends.http.client import HttpSettings
from biggus.backends.http.deadline import DEFAULT_TIMEOUT, timeout_option
from biggus.backends.tiles.encoding import TileEncoding
from biggus.backends.tiles.options import TileOptionChecker
from biggus.backends.tiles.policies import Policy, policy_for
from biggus.backends.tiles.presets import SCHEME, Preset, preset_named
from biggus.backends.tiles.source import TileSource
from biggus.backends.tiles.template import Template, looks_like_template
from biggus.errors import MissingDependencyError, OpenError, VariableError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import timedelta

    from biggus.backends.location import Location

VARIABLE = "tiles"
"""The name of the one variable that a tile server has."""

LARGEST_ZOOM = 30
LARGEST_TILE = 8192


class TilesBackend(Backend):
    """Map tiles over HTTP, with urllib3 and Pillow."""

    name = "tiles"

    def claims(self, location: Location) -> int:
        if location.scheme == SCHEME:
            return self.BY_MARK
        if location.scheme in {"http", "https"} and looks_like_template(location.text):
            return self.BY_MARK
        return self.UNCLAIMED

    def variables(self, location: Location, **options: Any) -> tuple[str, ...]:
        return (VARIABLE,)

    def identity(self, location: Location, variable: str | None, **options: Any) -> Any:
        """Return the token of the source."""
        return self.open(location, variable, **options).token

    def encoding(self, fields: Mapping[str, Any]) -> TileEncoding:
        return TileEncoding(**fields)

    def open(  # type: ignore[override] # the options have names here
        self,
        location: Location,
        variable: str | None = VARIABLE,
        *,
        zoom: int | None = None,
        tile_size: int | None = None,
        bands: int = 3,
        dtype: Any = "u1",
        connections: int = 16,
        timeout: float | Sequence[float] = DEFAULT_TIMEOUT,
        retries: int = 4,
        missing: str | int | Sequence[int] = "raise",
        absent: int | Sequence[int] = (),
        headers: Mapping[str, str] | None = None,
        subdomains: Sequence[str] | None = None,
        user_agent: str | None = None,
        fresh_for: float | timedelta = 7 * 86400.0,
        stale_if_error: float | timedelta | None = None,
        retina: bool = False,
        attribution: str | None = None,
        permission: bool = False,
        local_redirects: bool = False,
    ) -> TileSource:
        """Return the source of all tiles of one zoom; nothing is requested yet.

        Parameters
        ----------
        location : Location
            A template: an http(s) URL with ``{z}``, ``{x}`` and ``{y}``, or ``{-y}`` for rows
            counted from the south, or ``{q}`` for a quadkey; ``{s}`` is a subdomain; the names
            of WMTS are known too.  Or the name of a server, as in ``xyz:OpenStreetMap.Mapnik``.
        variable : str, optional
            ``"tiles"``, the only variable.
        zoom : int
            0 to 30; the array has ``tile_size * 2**zoom`` rows and columns.
        tile_size : int
            The pixels along each axis of a tile; by default 256, or that of a known server.
        bands : {3, 1, 4}
            Red, green, blue; grey (the array has two axes); with alpha.
        dtype : dtype
            ``"u1"``, or ``"u2"`` for 16-bit grey PNG, with ``bands=1``.
        connections : int
            The most requests at a time to the host, of all threads.
        timeout : float or sequence of float
            The seconds to wait for a connection, for each piece of a response, and for a request
            with all its retries (see `biggus.backends.http.deadline.Timeout`).
        retries : int
            How often failures that may pass are retried.
        missing : "raise", int or sequence of int
            The fill value of tiles that the server does not have (404, 410, 204), which are
            cached like others; by default an error is raised.
        absent : int or sequence of int
            Further statuses that mean that the server does not have a tile, such as 403; 200
            stands for a response without a body.
        headers : mapping, optional
            Headers to send, such as credentials.
        subdomains : str or sequence of str
            The values of ``{s}``, used in turn.
        user_agent : str, optional
            The ``User-Agent``; by default biggus and its version.
        fresh_for : float or timedelta
            The seconds for which a copy is fresh if the server does not say.
        stale_if_error : float or timedelta, optional
            The seconds for which an expired copy is used if the server cannot be reached or
            fails; by default for ever.
        retina : bool
            Whether to request tiles of twice the size, if the template has ``{r}``.
        attribution : str, optional
            The text to show with pictures; by default that of a known server.
        permission : bool
            Whether the operator of a public server has agreed that its usage policy (see
            `biggus.backends.tiles.presets`) does not apply.
        local_redirects : bool
            Whether a server on the internet may redirect to addresses of this machine or of a
            private network.

        Raises
        ------
        OpenError
            If the template or an option cannot be used.
        VariableError
            If another variable is named.
        MissingDependencyError
            If urllib3 or Pillow is not installed.

        Examples
        --------
        >>> from biggus.backends.location import Location
        >>> source = TilesBackend().open(Location("https://host/{z}/{x}/{y}.jpg"), zoom=9)
        >>> source.shape, source.chunks, source.dtype
        ((131072, 131072, 3), (256, 256, 3), dtype('uint8'))
        """
        preset = preset_named(location.text) if location.scheme == SCHEME else None
        template = _template(location.text, preset, subdomains, retina)
        check = TileOptionChecker(template.public)
        if variable not in {VARIABLE, "", "/", None}:
            raise VariableError(template.public, f"it has no variable {variable!r}", (VARIABLE,))
        zoom, tile_size = _measures(check, template, preset, zoom, tile_size, retina)
        bands = check.integer("bands", bands, 1, 4)
        kind = check.dtype(dtype, bands)
        policy = None if permission else policy_for(template.host)
        settings = HttpSettings(
            connections=check.integer("connections", connections, 1, 1024),
            timeout=timeout_option(template.public, timeout),
            retries=check.integer("retries", retries, 0, 100),
            user_agent=user_agent,
            headers=check.headers(headers),
            shared=True,
            local_redirects=local_redirects,
        )
        settings, fresh = _held_to(policy, settings, check.seconds("fresh_for", fresh_for))
        source = TileSource(
            template,
            zoom,
            tile_size=tile_size,
            bands=bands,
            dtype=kind,
            missing=check.missing(missing, bands, kind),
            absent=absent_statuses(template.public, absent),
            settings=settings,
            fresh_for=fresh,
            stale_if_error=(
                None if stale_if_error is None else check.seconds("stale_if_error", stale_if_error)
            ),
            counted=None if policy is None else policy.hosts[0],
        )
        _tell(source, attribution, preset, policy)
        _require_packages()
        return source


def _measures(
    check: TileOptionChecker,
    template: Template,
    preset: Preset | None,
    zoom: int | None,
    tile_size: int | None,
    retina: bool,
) -> tuple[int, int]:
    """Return the checked zoom and tile size, by default those of a known server."""
    if zoom is None:
        raise OpenError(template.public, f"it needs `zoom=`, a number from 0 to {LARGEST_ZOOM}")
    least, most = (0, LARGEST_ZOOM) if preset is None else preset.zooms
    zoom = check.integer("zoom", zoom, least, most)
    if tile_size is None:
        tile_size = (256 if preset is None else preset.tile_size) << retina
    return zoom, check.integer("tile_size", tile_size, 1, LARGEST_TILE)


def _held_to(
    policy: Policy | None, settings: HttpSettings, fresh: float
) -> tuple[HttpSettings, float]:
    """Return the settings and freshness that the usage policy of a server allows."""
    if policy is None:
        return settings, fresh
    allowed = replace(
        settings,
        connections=min(settings.connections, policy.connections),
        per_second=policy.per_second,
    )
    return allowed, max(fresh, policy.fresh_for)


def _tell(
    source: TileSource, attribution: str | None, preset: Preset | None, policy: Policy | None
) -> None:
    """Set the attribution of a source, and whether bulk downloads are forbidden."""
    text = preset.attribution if attribution is None and preset else attribution
    source.attributes = {"attribution": text} if text else {}
    if policy is not None and not policy.bulk:
        source.no_bulk = (
            f"the operator of {source.template.host} forbids bulk downloads ({policy.text}); "
            "pass `permission=True` if you may"
        )


def _require_packages() -> None:
    for package in ("urllib3", "PIL"):
        if find_spec(package) is None:
            raise MissingDependencyError(package, "tiles", "reading map tiles")


def _template(
    text: str, preset: Preset | None, subdomains: Sequence[str] | None, retina: bool
) -> Template:
    """Return the template of a location or of a known server."""
    public = None
    if preset is not None:
        text, public = preset.template, preset.public
    twice = "@2x" if retina else ""
    if retina and "{r}" not in text:
        problem = "`retina=True` needs a template with {r}"
        raise OpenError(Template(text, public=public).public, problem)
    known = "abc" if preset is None else preset.subdomains
    text = text.replace("{r}", twice)
    public = None if public is None else public.replace("{r}", twice)
    return Template(text, known if subdomains is None else subdomains, public)
