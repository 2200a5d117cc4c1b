"""The usage policies of public tile servers.

They apply by host and override options, unless the user has a permission and passes
``permission=True``.
"""

from __future__ import annotations

from typing import NamedTuple


class Policy(NamedTuple):
    """The usage policy of a server.

    Attributes
    ----------
    hosts : tuple of str
        Its hosts, with their subdomains; requests to all of them are counted together.
    connections : int
        How many requests may run at once.
    per_second : float or None
        How many requests may begin in a second.
    fresh_for : float
        The least seconds for which a copy must be used without a request.
    bulk : bool
        Whether bulk downloads are allowed.
    text : str
        The URL of the policy.
    """

    hosts: tuple[str, ...]
    connections: int
    per_second: float | None
    fresh_for: float
    bulk: bool
    text: str


_WEEK = 7 * 86400.0

_POLICIES = (
    Policy(
        ("tile.openstreetmap.org", "tile.osm.org"),
        connections=2,
        per_second=20.0,
        fresh_for=_WEEK,
        bulk=False,
        text="https://operations.osmfoundation.org/policies/tiles/",
    ),
    Policy(
        ("tile.openstreetmap.fr", "tile-cyclosm.openstreetmap.fr"),
        connections=2,
        per_second=10.0,
        fresh_for=_WEEK,
        bulk=False,
        text="https://www.openstreetmap.fr/tuiles/",
    ),
    Policy(
        ("tile.openstreetmap.de",),
        connections=2,
        per_second=10.0,
        fresh_for=_WEEK,
        bulk=False,
        text="https://www.openstreetmap.de/germanstyle/",
    ),
    Policy(
        ("tile.opentopomap.org", "opentopomap.org"),
        connections=2,
        per_second=5.0,
        fresh_for=_WEEK,
        bulk=False,
        text="https://opentopomap.org/about",
    ),
)


def policy_for(host: str) -> Policy | None:
    """Return the policy of a host; None if it has none.

    Examples
    --------
    >>> policy_for("a.tile.openstreetmap.org").bulk
    False
    >>> policy_for("tiles.example.org")
    """
    name = host.rpartition("@")[2].partition(":")[0].lower().rstrip(".")
    for policy in _POLICIES:
        if any(name == known or name.endswith(f".{known}") for known in policy.hosts):
            return policy
    return None
