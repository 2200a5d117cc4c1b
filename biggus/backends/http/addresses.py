"""Public addresses, and redirects that lead from them to private ones.

A server on the internet can redirect a request to any address, even to one that only this
machine or its network can reach, whose contents are not meant for others.
"""

from __future__ import annotations

import ipaddress
from typing import TypeAlias

from biggus.backends.http.names import SlowNameError, looked_up

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

_LOCAL_NAMES = ("localhost", "local", "internal", "lan", "home.arpa")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class LocalRedirectError(ValueError):
    """A public server redirects a request to an address that is not public."""

    def __init__(self, host: str) -> None:
        super().__init__(
            f"the server redirects to {host}, which is not a public address: "
            "`local_redirects=True` allows that"
        )


def is_public(address: str) -> bool:
    """Return whether an address is a public one.

    Examples
    --------
    >>> is_public("93.184.216.34"), is_public("10.0.0.1"), is_public("::ffff:169.254.169.254")
    (True, False, False)
    """
    parsed = ipaddress.ip_address(address.partition("%")[0])
    return all(one.is_global and not one.is_multicast for one in (parsed, *_inside(parsed)))


def _inside(address: Address) -> list[Address]:
    """Return the IPv4 addresses that are embedded in an address."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    if address in _NAT64:
        return [ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)]
    return [one for one in (address.ipv4_mapped, address.sixtofour) if one is not None]


def addresses_of(host: str, seconds: float | None = None) -> list[str]:
    """Return the addresses of a host; none if its name cannot be resolved.

    Raises
    ------
    SlowNameError
        If that takes longer than `seconds`.
    """
    try:
        return sorted(looked_up(host, seconds))
    except SlowNameError:
        raise
    except (OSError, UnicodeError):
        return []


def by_name(host: str) -> list[str]:
    """Return the addresses of a host as far as its name tells them, if a proxy resolves names.

    Examples
    --------
    >>> by_name("10.0.0.1"), by_name("a.localhost"), by_name("intranet"), by_name("example.org")
    (['10.0.0.1'], ['127.0.0.1'], ['127.0.0.1'], [])
    """
    name = host.lower().rstrip(".")
    try:
        return [str(ipaddress.ip_address(name.strip("[]").partition("%")[0]))]
    except ValueError:
        pass
    local = "." not in name or any(name.endswith(f".{known}") for known in _LOCAL_NAMES)
    return ["127.0.0.1"] if local else []


def is_outside(addresses: list[str]) -> bool:
    """Return whether a host with these addresses, or unknown ones, may be on the internet."""
    return not addresses or any(map(is_public, addresses))
