"""What can go wrong on a node, as types whose texts say what to do.

Owns the reasons that users see in container states and events. Must not: decide what follows.
"""

from __future__ import annotations


class NodeError(Exception):
    """Something on the node failed."""


class NoAddressLeft(NodeError):
    """The pod network is used up."""


class BadConfig(NodeError):
    """A container cannot be set up as its spec says; becomes `CreateContainerConfigError`."""


class CannotStart(NodeError):
    """A container's program cannot be started; becomes `RunContainerError`."""
