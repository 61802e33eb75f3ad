"""The table of workload controllers: what each watches, and how its plan gets its inputs from the stores.

Owns the mapping from changed objects to the objects they concern. Must not: decide anything; the plan modules do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from kube.client import Client
from kube.kinds import ENDPOINT_SLICE, ENDPOINTS, POD, REPLICA_SET, SERVICE, Kind
from kube.objects import Key, Object, controller_of, key_of, labels_of, namespace_of, uid_of
from kube.plan import Plan
from sandbox.workloads import endpoints, replicasets
from sandbox.workloads.informers import Informers, label_value
from sandbox.workloads.loop import Concern
from sandbox.workloads.pods import matches, spec_of


def controlled_by(kind: Kind) -> Callable[[Object], Iterable[Key]]:
    """Return a mapper from an object to the owner of this kind that controls it."""

    def keys(obj: Object) -> Iterable[Key]:
        owner = controller_of(obj)
        if owner is not None and owner.get("kind") == kind.name:
            yield namespace_of(obj), str(owner["name"])

    return keys


def itself(obj: Object) -> Iterable[Key]:
    """Map an object to itself."""
    yield key_of(obj)


def replica_sets(informers: Informers) -> Concern:
    """Keep as many pods as each ReplicaSet wants."""
    sets, pods = informers.store(REPLICA_SET), informers.store(POD)

    def of_pod(pod: Object) -> Iterable[Key]:
        if controller_of(pod) is not None:
            yield from controlled_by(REPLICA_SET)(pod)
            return
        for one in sets.by("namespace", namespace_of(pod)):
            if matches(spec_of(one).get("selector"), labels_of(pod)):
                yield key_of(one)

    def plan(key: Key, now: datetime) -> Plan | None:
        found = sets.get(*key)
        if found is None:
            return None
        return replicasets.plan(found, [*pods.by("controller", uid_of(found)), *pods.by("orphan", key[0])], now)

    return Concern(name="replicaset", root=REPLICA_SET, watches=[(REPLICA_SET, itself), (POD, of_pod)], plan=plan)


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

    watches = [(SERVICE, itself), (POD, of_pod), (ENDPOINTS, itself), (ENDPOINT_SLICE, of_slice)]
    return Concern(name="endpoints", root=SERVICE, watches=watches, plan=plan)


def _first_of_selector(service: Object) -> Iterable[str]:
    """Index Services by one label that their pods must have."""
    selector = spec_of(service).get("selector")
    if selector:
        yield label_value(namespace_of(service), *min(selector.items()))


async def workload_controllers(client: Client, informers: Informers, *, garbage_collection: bool = True) -> list[Concern]:
    """Return every workload controller, ready to be run by one loop."""
    return [replica_sets(informers), service_endpoints(informers)]
