"""Tile templates, which make the URL of a tile from its number.

Tiles are numbered as in the "slippy map" scheme: at zoom z there are 2**z by 2**z of them; x
grows eastwards and y southwards from the north-west corner.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from biggus.backends.location import public_url
from biggus.errors import OpenError

PLACEHOLDERS = {
    "z": "the zoom",
    "x": "the column",
    "y": "the row, counted from the north",
    "-y": "the row, counted from the south (TMS)",
    "q": "the quadkey",
    "s": "a subdomain",
    "r": "the suffix for tiles of twice the size: @2x with `retina=True`, else nothing",
    "TileMatrix": "the zoom, as in WMTS",
    "TileCol": "the column, as in WMTS",
    "TileRow": "the row, as in WMTS",
}
"""The known placeholders."""

_FIELD = re.compile(r"\{([^{}]*)\}")

_PLACES = {"x", "y", "-y", "q", "TileCol", "TileRow"}
"""The placeholders of the position of a tile."""


class Template:
    """A URL with placeholders for the number of a tile.

    Parameters
    ----------
    text : str
        An ``http`` or ``https`` URL with ``{x}`` and ``{y}`` (or ``{-y}``), or ``{q}``, and
        usually ``{z}``.
    subdomains : sequence of str
        The values of ``{s}``, used in turn; a string stands for its letters.
    public : str, optional
        The template without secrets; by default without those that can be recognised.

    Raises
    ------
    OpenError
        If it is not such a template.

    Examples
    --------
    >>> Template("https://{s}.host/{z}/{x}/{y}.png").url(9, 231, 213)
    'https://a.host/9/231/213.png'
    >>> Template("https://host/{q}.png").url(3, 3, 5)
    'https://host/213.png'
    """

    def __init__(
        self, text: str, subdomains: Sequence[str] = "abc", public: str | None = None
    ) -> None:
        self.text = text
        self.public = public_url(text if public is None else public)
        self.subdomains = tuple(subdomains)
        problem = _problem_of(text, self.subdomains)
        if problem:
            raise OpenError(self.public, problem)
        self._format = _formatter(text)
        self._format_public = _formatter(self.public)

    def __reduce__(self) -> tuple[type[Template], tuple[str, tuple[str, ...], str]]:
        return type(self), (self.text, self.subdomains, self.public)

    def url(self, z: int, x: int, y: int) -> str:
        """Return the URL of the tile in column `x` and row `y` at zoom `z`."""
        return self._format(self._fields(z, x, y))

    def public_url(self, z: int, x: int, y: int) -> str:
        """Return the URL of a tile without credentials, for errors and logs."""
        return self._format_public(self._fields(z, x, y))

    def at_zoom(self, z: int) -> str:
        """Return the public template with the zoom filled in."""
        return self.public.replace("{z}", str(z)).replace("{TileMatrix}", str(z))

    @property
    def host(self) -> str:
        """The host with its placeholders, as all subdomains are one server."""
        return self.public.split("/", 3)[2]

    def _fields(self, z: int, x: int, y: int) -> dict[str, str]:
        fields = {"z": str(z), "x": str(x), "y": str(y), "-y": str(2**z - 1 - y), "r": ""}
        fields |= {"TileMatrix": fields["z"], "TileCol": fields["x"], "TileRow": fields["y"]}
        if "{q}" in self.text:
            fields["q"] = quadkey(z, x, y)
        if "{s}" in self.text:
            # A tile always has the same subdomain, as caches on the way keep it by URL.
            fields["s"] = self.subdomains[(x + y) % len(self.subdomains)]
        return fields


def quadkey(z: int, x: int, y: int) -> str:
    """Return the quadkey of a tile, with a digit for each zoom: 1 for east plus 2 for south.

    Examples
    --------
    >>> quadkey(3, 3, 5)
    '213'
    """
    digits = (((x >> bit) & 1) + 2 * ((y >> bit) & 1) for bit in reversed(range(z)))
    return "".join(map(str, digits))


def looks_like_template(text: str) -> bool:
    """Return whether a text has a placeholder for the position of a tile."""
    return any(field in _PLACES for field in _FIELD.findall(text))


def _formatter(text: str) -> Callable[[dict[str, str]], str]:
    # Every odd piece is the name of a placeholder.
    pieces = _FIELD.split(text)

    def fill(fields: dict[str, str]) -> str:
        filled = pieces.copy()
        filled[1::2] = [fields[name] for name in pieces[1::2]]
        return "".join(filled)

    return fill


def _problem_of(text: str, subdomains: tuple[str, ...]) -> str | None:
    known = ", ".join(f"{{{name}}} {meaning}" for name, meaning in PLACEHOLDERS.items())
    if not re.match(r"https?://[^/]", text, re.IGNORECASE):
        return "a tile template starts with http:// or https:// and a host"
    fields = set(_FIELD.findall(text))
    unknown = sorted(fields - set(PLACEHOLDERS))
    if unknown:
        return f"unknown placeholder {{{unknown[0]}}}; known are {known}"
    if re.search(r"[{}]", _FIELD.sub("", text)):
        return "a brace in the template is not closed"
    across, down = fields & {"x", "TileCol"}, fields & {"y", "-y", "TileRow"}
    if "q" not in fields and not (across and down):
        return (
            "the template has no placeholders for a tile's position; write it as "
            "https://host/{z}/{x}/{y}.png (or with {-y} or {q})"
        )
    if "s" in fields and not all(isinstance(s, str) and s for s in subdomains or [""]):
        return "`subdomains=` must name at least one for {s}, such as 'abc'"
    return None
