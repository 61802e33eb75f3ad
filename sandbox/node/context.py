"""What every container of a pod needs from the node.

Owns nothing itself. Must not: decide.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import aiohttp

from kube.clock import Clock
from kube.objects import Object
from sandbox.apps.catalogue import Entry, Missing
from sandbox.node.environment import Find
from sandbox.node.processes import Processes
from sandbox.workloads.backoff import Backoff


class Report(Protocol):
    """Tells users of a pod what happened to it, as an event."""

    def __call__(self, reason: str, message: str, *, warning: bool = False) -> None:
        """Record an event about the pod."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Tempo:
    """How fast the node does what a kubelet does slowly; all 1 is like a kubelet."""

    backoff: Backoff = field(default_factory=Backoff)
    config_retry_seconds: float = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PodContext:
    """One pod's place on the node."""

    pod: Callable[[], Object]
    """The newest state of the pod object that is known."""
    address: str
    host_address: str
    directory: Path
    processes: Processes
    session: aiohttp.ClientSession
    find: Find
    look_up: Callable[[Object, str], Entry | Missing]
    """The program for an image, as this pod may use it."""
    clock: Clock
    tempo: Tempo
    report: Report
    extra_environment: Mapping[str, str]
    """Given to every container, below its own variables: the proxy that resolves cluster names."""

    def log_file(self, container: str, restart: int) -> Path:
        """Return where the output of one run of a container is kept."""
        return self.directory / "logs" / container / f"{restart}.log"


def named_ports(containers: list[Mapping[str, Any]]) -> dict[str, int]:
    """Return the container ports that have names."""
    ports = (port for one in containers for port in one.get("ports") or ())
    return {str(port["name"]): int(port["containerPort"]) for port in ports if port.get("name")}
