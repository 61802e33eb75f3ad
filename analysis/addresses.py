"""Which addresses a metric may reach: not the link-local ones, where clouds hand out credentials (design.md 7).

Must not: send anything; resolving a name is all the I/O there is.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from typing import Any

_METADATA_NAMES = frozenset(
    {"metadata", "metadata.google.internal", "metadata.goog", "instance-data", "instance-data.ec2.internal"}
)
_DENIED = tuple(
    ipaddress.ip_network(network)
    for network in ("169.254.0.0/16", "fe80::/10", "fd00:ec2::254/128", "100.100.100.200/32", "192.0.0.192/32")
)


class AddressDenied(Exception):
    """A metric asks for an address where credentials of the machine are handed out."""

    def __init__(self, host: str) -> None:
        super().__init__(
            f"{host} is a link-local or metadata address, which metrics may not reach; "
            "use another address, or let the controller allow link-local addresses"
        )


async def check_host(host: str, *, allow_link_local: bool) -> None:
    """Refuse a host that is, or resolves to, a denied address. A name that does not resolve is left to the connection.

    Raises:
        AddressDenied: it is one of those addresses.
    """
    if allow_link_local:
        return
    if host.rstrip(".").lower() in _METADATA_NAMES or is_denied(host):
        raise AddressDenied(host)
    if _is_literal(host):
        return
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return
    if any(is_denied(str(entry[4][0])) for entry in found):
        raise AddressDenied(host)


def check_peer(address: Any, *, allow_link_local: bool) -> None:
    """Refuse an answer that came from a denied address after all (a name whose meaning changed in between).

    Raises:
        AddressDenied: it did.
    """
    if not allow_link_local and isinstance(address, tuple) and address and is_denied(str(address[0])):
        raise AddressDenied(str(address[0]))


def is_denied(text: str) -> bool:
    """Tell whether the text is an IP address of the denied ranges, also written as IPv4 in IPv6."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0].strip("[]"))
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return any(address in network for network in _DENIED)


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0].strip("[]"))
    except ValueError:
        return False
    return True
