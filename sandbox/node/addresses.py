"""Loopback addresses for pods.

Owns which addresses are taken. Must not: bind anything; every 127.x.y.z is local as it is.
"""

from __future__ import annotations

import ipaddress

from sandbox.node.errors import NoAddressLeft


class AddressPool:
    """Hands out the addresses of a network in turn, so that one comes back only after all others had theirs."""

    def __init__(self, network: str = "127.10.0.0/16") -> None:
        """Prepare.

        Raises:
            ValueError: that is no network.
        """
        known = ipaddress.ip_network(network)
        self._network = known
        self._first = int(known.network_address) + 1
        self._size = known.num_addresses - 2
        self._next = 0
        self._taken: set[str] = set()

    def take(self) -> str:
        """Return an address that nobody has.

        Raises:
            NoAddressLeft: all are taken.
        """
        for _ in range(self._size):
            address = str(ipaddress.ip_address(self._first + self._next))
            self._next = (self._next + 1) % self._size
            if address not in self._taken:
                self._taken.add(address)
                return address
        raise NoAddressLeft(f"all {self._size} addresses of {self._network} are taken; give the node a larger network")

    def reserve(self, address: str) -> None:
        """Count an address as taken: a pod that is already there has it."""
        self._taken.add(address)

    def give_back(self, address: str) -> None:
        """Let an address be used again, last of all."""
        self._taken.discard(address)
