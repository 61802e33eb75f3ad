"""The table of workload controllers: what each watches, and how its plan gets its inputs from the stores.

Owns the mapping from changed objects to the objects they concern. Must not: decide anything; the plan modules do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kube.client import Client
from kube.clock import Clock
from kube.controller import Controller, Watch, own_key
from kube.events import EventRecorder
from kube.executor import Executor, Recorder
from kube.expectations import Expectations
from kube.kinds import DEPLOYMENT, ENDPOINT_SLICE, ENDPOINTS, JOB, POD, REPLICA_SET, SERVICE, Kind
from kube.objects import Key, Object, controller_of, key_of, labels_of, namespace_of, uid_of
from kube.plan import Effect, Event, Observation, Plan
from kube.selectors import selects_for_workload
from sandbox.workloads import deployments, endpoints, jobs, replicasets
from sandbox.workloads.collecting import Collector
from sandbox.workloads.informers import Informers, label_value
from sandbox.workloads.namespaces import NamespaceCleaner
from sandbox.workloads.pods import spec_of

COMPONENT = "sandbox-controller-manager"


@dataclass(frozen=True, slots=True)
class Concern:
    """One controller: the kind it looks after, what else it watches, and its plan."""

    root: Kind
    watches: Sequence[tuple[Kind, Callable[[Object], Iterable[Key]]]]
    plan: Callable[[Key, datetime], Plan | None]


class Silence:
    """Records no events: most tests do not look at them."""

    def record(self, event: Event, *, uid: str = "") -> None:
        """Let it pass."""


def controlled_by(kind: Kind) -> Callable[[Object], Iterable[Key]]:
    """Return a mapper from an object to the owner of this kind that controls it."""

    def keys(obj: Object) -> Iterable[Key]:
        owner = controller_of(obj)
        if owner is not None and owner.get("kind") == kind.name:
            yield namespace_of(obj), str(owner["name"])

    return keys


def replica_sets(informers: Informers) -> Concern:
    """Keep as many pods as each ReplicaSet wants."""
    sets, pods = informers.store(REPLICA_SET), informers.store(POD)

    def of_pod(pod: Object) -> Iterable[Key]:
        if controller_of(pod) is not None:
            yield from controlled_by(REPLICA_SET)(pod)
            return
        for one in sets.by("namespace", namespace_of(pod)):
            if selects_for_workload(spec_of(one).get("selector"), labels_of(pod)):
                yield key_of(one)

    def plan(key: Key, now: datetime) -> Plan | None:
        found = sets.get(*key)
        if found is None:
            return None
        return replicasets.plan(found, [*pods.by("controller", uid_of(found)), *pods.by("orphan", key[0])], now)

    return Concern(REPLICA_SET, [(REPLICA_SET, own_key), (POD, of_pod)], plan)


def service_endpoints(informers: Informers) -> Concern:
    """Keep Endpoints and EndpointSlices true."""
    services, pods = informers.store(SERVICE), informers.store(POD)
    services.add_index("selector", _first_of_selector)

    def of_pod(pod: Object) -> Iterable[Key]:
        labels = labels_of(pod)
        for pair in labels.items():
            for service in services.by("selector", label_value(namespace_of(pod), *pair)):
                if spec_of(service)["selector"].items() <= labels.items():
                    yield key_of(service)

    def of_slice(obj: Object) -> Iterable[Key]:
        service = labels_of(obj).get(endpoints.SERVICE_NAME)
        if service:
            yield namespace_of(obj), service

    def plan(key: Key, now: datetime) -> Plan | None:
        service = services.get(*key)
        if service is None:
            return None
        selector = spec_of(service).get("selector") or {}
        candidates = min((pods.by("label", label_value(key[0], *pair)) for pair in selector.items()), key=len, default=[])
        slices = informers.store(ENDPOINT_SLICE).by("label", label_value(key[0], endpoints.SERVICE_NAME, key[1]))
        return endpoints.plan(service, pods=candidates, endpoints=informers.store(ENDPOINTS).get(*key), slices=slices)

    return Concern(SERVICE, [(SERVICE, own_key), (POD, of_pod), (ENDPOINTS, own_key), (ENDPOINT_SLICE, of_slice)], plan)


def _first_of_selector(service: Object) -> Iterable[str]:
    """Index Services by one label that their pods must have."""
    selector = spec_of(service).get("selector")
    if selector:
        yield label_value(namespace_of(service), *min(selector.items()))


def deployment_rollouts(informers: Informers) -> Concern:
    """Roll Deployments out."""
    stores = {kind: informers.store(kind) for kind in (DEPLOYMENT, REPLICA_SET, POD)}

    def of_pod(pod: Object) -> Iterable[Key]:
        """Only a Deployment that recreates its pods waits for them."""
        owner = controller_of(pod)
        replica_set = stores[REPLICA_SET].get(namespace_of(pod), str(owner["name"])) if owner else None
        for key in controlled_by(DEPLOYMENT)(replica_set) if replica_set else ():
            found = stores[DEPLOYMENT].get(*key)
            if found is not None and (spec_of(found).get("strategy") or {}).get("type") == "Recreate":
                yield key

    def plan(key: Key, now: datetime) -> Plan | None:
        found = stores[DEPLOYMENT].get(*key)
        if found is None:
            return None
        owned = stores[REPLICA_SET].by("controller", uid_of(found))
        pods = [pod for one in owned for pod in stores[POD].by("controller", uid_of(one))]
        return deployments.plan(found, replica_sets=owned, pods=pods, now=now)

    of_set = controlled_by(DEPLOYMENT)
    return Concern(DEPLOYMENT, [(DEPLOYMENT, own_key), (REPLICA_SET, of_set), (POD, of_pod)], plan)


def job_runs(informers: Informers) -> Concern:
    """Run Jobs to their end."""
    found, pods = informers.store(JOB), informers.store(POD)

    def plan(key: Key, now: datetime) -> Plan | None:
        job = found.get(*key)
        return jobs.plan(job, pods.by("controller", uid_of(job)), now) if job is not None else None

    return Concern(JOB, [(JOB, own_key), (POD, controlled_by(JOB))], plan)


class WorkloadControllers:
    """Every workload controller, over shared informers."""

    def __init__(self, client: Client, clock: Clock, informers: Informers, *, events: bool = True, garbage: bool = True) -> None:
        """Prepare.

        Args:
            client: the API server.
            clock: for everything that waits.
            informers: shared with whoever else runs in the process; started by whoever made them.
            events: record what is done as Kubernetes events.
            garbage: collect what owners left behind, and empty deleted namespaces; watches every kind there is.
        """
        self._recorder = EventRecorder(client, clock=clock, component=COMPONENT) if events else None
        self._collector = Collector(client, informers, clock=clock) if garbage else None
        self._cleaner = NamespaceCleaner(client, informers, clock=clock) if garbage else None
        recorder: Recorder = self._recorder or Silence()
        expectations = Expectations(clock)
        executor = Executor(client, recorder=recorder, expectations=expectations, clock=clock)
        concerns = (replica_sets(informers), service_endpoints(informers), deployment_rollouts(informers), job_runs(informers))
        self.controllers = [_controller(concern, informers, executor=executor, clock=clock) for concern in concerns]

    async def run(self) -> None:
        """Control until cancelled.

        Raises:
            ApiError: the server could not be asked which kinds it has.
        """
        if self._collector is not None:
            await self._collector.discover()
        try:
            async with asyncio.TaskGroup() as group:
                for part in (*self.controllers, self._collector, self._cleaner, self._recorder):
                    if part is not None:
                        group.create_task(part.run())
        finally:
            if self._recorder is not None:
                await self._recorder.flush()


def _controller(concern: Concern, informers: Informers, *, executor: Executor, clock: Clock) -> Controller:
    def reconcile(key: Key, observations: Sequence[Observation], now: datetime) -> Plan | None:
        return concern.plan(key, now)

    async def perform(key: Key, effect: Effect) -> Any:
        raise LookupError(f"{concern.root.name} {key} asked for {effect.id}, and workload controllers have no effects")

    return Controller(
        f"sandbox-{concern.root.plural}",
        root=concern.root,
        watches=[Watch(informers.of(kind), keys) for kind, keys in concern.watches],
        reconcile=reconcile,
        perform=perform,
        executor=executor,
        clock=clock,
    )
