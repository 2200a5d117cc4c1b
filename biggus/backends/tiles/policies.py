"""Policies: what the operators of public tile servers ask of those who use them.

They apply by host, whatever the options say; a user who has a permission says so with
``permission=True``.
"""

from __future__ import annotations

from typing import NamedTuple


class Policy(NamedTuple):
    """What the operator of a host asks for.

    Attributes
    ----------
    hosts : tuple of str
        The hosts, with all below them; requests to any of them count as one's.
    connections : int
        How many requests may be under way at once.
    per_second : float or None
        How many may begin in a second.
    fresh_for : float
        Seconds for which a copy is to be used without asking, at the least.
    bulk : bool
        Whether areas may be fetched that nobody looks at.
    text : str
        Where it is written.
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
    """Return the policy of a host; None if none is known.

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
