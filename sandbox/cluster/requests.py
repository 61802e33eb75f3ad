"""Who asked the API server of a sandbox for what, and how often.

Owns the reading of what either control plane keeps: the embedded one counts, a real one has an audit log. Must not: tell more of a
request than user, verb and resource.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TypeAlias

from kube.config import load
from kube.counting import resource_of
from kube.quick import QuickClient
from sandbox.cluster.account import USER
from sandbox.cluster.running import Cluster
from sandbox.cluster.state import SandboxError
from sandbox.cluster.topology import ControlPlane

CONTROLLER = "controller"
"""As whom the controller is counted on either control plane."""
Requests: TypeAlias = Counter[tuple[str, str, str]]
"""How often by user, verb and resource, `rollouts/status` for a subresource."""


class RequestLog:
    """The requests of a cluster, as they come."""

    def __init__(self, cluster: Cluster) -> None:
        """Begin with the first request that the server answered.

        Raises:
            SandboxError: the sandbox stands on a cluster that is not its own, and nobody tells it what that is asked for.
        """
        if cluster.record.control_plane == ControlPlane.EXISTING.value:
            raise SandboxError("only the owner of a cluster can count its requests")
        self._cluster = cluster
        self._counted: Requests = Counter()
        self._read_bytes = 0

    def take(self) -> Requests:
        """Return what was asked since the last call."""
        if self._cluster.record.control_plane == ControlPlane.REAL.value:
            return self._logged()
        before, self._counted = self._counted, self._counts()
        return self._counted - before

    def _counts(self) -> Requests:
        with QuickClient(load(str(self._cluster.kubeconfig))) as client:
            rows = client.read("/debug/requests")["requests"]
        found: Requests = Counter()
        for row in rows:
            found[row["user"], row["verb"], row["resource"]] += row["count"]
        return found

    def _logged(self) -> Requests:
        found: Requests = Counter()
        with (self._cluster.state.path / "logs" / "audit.log").open() as file:
            file.seek(self._read_bytes)
            for line in iter(file.readline, ""):
                if not line.endswith("\n"):
                    break  # the rest of it is being written
                self._read_bytes += len(line.encode())
                entry = json.loads(line)
                if entry["stage"] == "ResponseComplete":
                    user = entry["user"].get("username", "")  # of nobody while the accounts cannot be looked up
                    resource, _ = resource_of(entry["requestURI"].partition("?")[0])
                    found[CONTROLLER if user == USER else user, entry["verb"], resource] += 1
        return found
