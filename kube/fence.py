"""Sockets that send nothing while a fence is closed.

A check at the start of a request is not enough: a process can be stopped anywhere between that and the system call that sends it,
and go on when another replica leads. So the fence stands at the system call. Must not: know what is sent.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any, TypeAlias

Fence: TypeAlias = Callable[[], bool]
"""Says whether a write may leave the process now; quick, and never raises."""
AddressInfo: TypeAlias = tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[Any, ...]]


class FencedSocket(socket.socket):
    """A stream socket for connections that carry nothing but writes."""

    def __init__(self, family: int, kind: int, protocol: int, *, fence: Fence) -> None:
        super().__init__(family, kind, protocol)
        self._fence = fence

    def send(self, *arguments: Any) -> int:
        """Send, as of a socket.

        Raises:
            ConnectionAbortedError: the fence is closed; whoever owns the connection drops it.
        """
        self._check()
        return super().send(*arguments)

    def sendmsg(self, *arguments: Any) -> int:
        """Send several buffers; raises as `send` does."""
        self._check()
        return super().sendmsg(*arguments)

    def _check(self) -> None:
        if not self._fence():
            raise ConnectionAbortedError("the lease may be lost: nothing is written until it is held")


def fenced_sockets(fence: Fence) -> Callable[[AddressInfo], socket.socket]:
    """Return what makes a socket for an address, as aiohttp asks for it."""

    def make(address: AddressInfo) -> socket.socket:
        family, kind, protocol, _, _ = address
        return FencedSocket(int(family), int(kind), protocol, fence=fence)

    return make
