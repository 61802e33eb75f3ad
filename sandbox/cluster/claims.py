"""Loopback networks of a sandbox: which ones are its own while it runs, so that several run side by side.

Owns the claim. A claim is a name in the kernel's table of abstract sockets: it is as wide as the loopback interface it
stands for, and goes with the process that holds it. Must not: bind an address.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

FIRST_PODS, FIRST_SERVICES, NUMBERS = 10, 96, range(1, 30)
"""Number 0 is what the parts use when they are run by hand."""


class NoNetworkLeft(RuntimeError):
    """As many sandboxes run already as there are networks."""


@dataclass(frozen=True, slots=True)
class Networks:
    """Where pods and Services of one sandbox have their addresses."""

    number: int

    @property
    def pods(self) -> str:
        """The network of pods, `127.11.0.0/16`."""
        return f"127.{FIRST_PODS + self.number}.0.0/16"

    @property
    def services(self) -> str:
        """The network of Services, `127.97.0.0/16`."""
        return f"127.{FIRST_SERVICES + self.number}.0.0/16"


@contextmanager
def claimed_networks() -> Iterator[Networks]:
    """Hold networks that no other sandbox on this machine has.

    Raises:
        NoNetworkLeft: all are held.
    """
    with socket.socket(socket.AF_UNIX) as claim:
        for number in NUMBERS:
            try:
                claim.bind(f"\0rollouts-sandbox-{number}")
            except OSError:
                continue
            yield Networks(number)
            return
    raise NoNetworkLeft(f"{len(NUMBERS)} sandboxes run already; stop one (rollouts sandbox down)")
