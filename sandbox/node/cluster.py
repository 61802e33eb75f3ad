"""Workload controllers and a simulated node against any API server, in one line.

Owns starting and stopping them together. Must not: start an API server.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from kube.client import Client
from kube.clock import Clock
from sandbox.node.played import Behaviour
from sandbox.node.simulated import Pods, SimulatedNode
from sandbox.workloads.controllers import WorkloadControllers
from sandbox.workloads.informers import Informers


@dataclass(frozen=True, slots=True)
class SimulatedCluster:
    """A cluster whose pods are played."""

    node: SimulatedNode
    workloads: WorkloadControllers
    informers: Informers

    @property
    def pods(self) -> Pods:
        """What to say about pods: `cluster.pods.never_ready("shop:3")`."""
        return self.node.pods


@asynccontextmanager
async def simulated_cluster(
    client: Client,
    clock: Clock,
    *,
    ready_after: timedelta = timedelta(0),
    gone_after: timedelta = timedelta(0),
    events: bool = False,
    garbage: bool = True,
) -> AsyncIterator[SimulatedCluster]:
    """Run the workload controllers and a simulated node while the block lasts.

    Args:
        client: the API server.
        clock: real or virtual time, the same as the API server's.
        ready_after: from the start of a pod until it is ready, unless something else is said about it.
        gone_after: from the request to delete a pod until it is gone.
        events: record what the controllers do as Kubernetes events.
        garbage: collect what owners left behind and empty deleted namespaces; it watches every kind there is.
    """
    informers = Informers(client, clock)
    node = SimulatedNode(client, clock, informers, usual=Behaviour(ready_after=ready_after, gone_after=gone_after))
    workloads = WorkloadControllers(client, clock, informers, events=events, garbage=garbage)
    informers.start()
    tasks = [asyncio.create_task(node.run(), name="node"), asyncio.create_task(workloads.run(), name="workloads")]
    try:
        await informers.synced()
        yield SimulatedCluster(node, workloads, informers)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await informers.stop()
