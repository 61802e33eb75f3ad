"""From the stores to a `Snapshot`: everything about one Rollout, without waiting.

Owns the indices it needs and which objects touch which Rollout. Must not: decide, write, or talk to a server.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from analysis.templates import TemplateRef, references
from kube.kinds import (
    ANALYSIS_RUN,
    ANALYSIS_TEMPLATE,
    CLUSTER_ANALYSIS_TEMPLATE,
    DESTINATION_RULE,
    INGRESS,
    POD,
    REPLICA_SET,
    ROLLOUT,
    SERVICE,
    VIRTUAL_SERVICE,
    Kind,
    ObjectRef,
)
from kube.objects import (
    Key,
    Object,
    annotations_of,
    controller_of,
    is_controlled_by,
    key_of,
    labels_of,
    name_of,
    namespace_of,
    uid_of,
)
from kube.selectors import selects_for_workload
from kube.store import Index, Store
from rollouts.engine.names import MANAGED_BY, POD_TEMPLATE_HASH
from rollouts.rollout.reading import Readings
from rollouts.rollout.references import analyses_of, template_object
from rollouts.rollout.settings import Settings
from rollouts.rollout.snapshot import ReplicaSet, Snapshot
from routers.base import Objects

KINDS = (
    ROLLOUT,
    REPLICA_SET,
    POD,
    SERVICE,
    INGRESS,
    VIRTUAL_SERVICE,
    DESTINATION_RULE,
    ANALYSIS_TEMPLATE,
    CLUSTER_ANALYSIS_TEMPLATE,
    ANALYSIS_RUN,
)
_NUMBER = re.compile(r"\.\d+$")
SELECTORS: Mapping[Kind, str] = {REPLICA_SET: POD_TEMPLATE_HASH, POD: POD_TEMPLATE_HASH}
"""Label selectors that keep other people's objects out of the stores."""


def _owner(obj: Object) -> Iterable[str]:
    owner = controller_of(obj)
    return (owner["uid"],) if owner else (f"nobody/{namespace_of(obj)}",)


def _references(readings: Readings) -> Index:
    """Return the index of Rollouts by what they refer to, as text; while its spec is invalid, just that."""

    def references_of(rollout: Object) -> Iterable[str]:
        reading = readings.of(rollout)
        if reading.settings is None:
            return (_invalid(key_of(rollout)),)
        found = {str(ref) for ref in reading.references}
        if any(True for _ in analyses_of(reading.settings)):
            found |= {f"analysis/{namespace_of(rollout)}", "analysis/"}
        return found

    return references_of


def _manager(obj: Object) -> Iterable[str]:
    manager = annotations_of(obj).get(MANAGED_BY)
    return (f"{namespace_of(obj)}/{manager}",) if manager else ()


def _invalid(key: Key) -> str:
    return f"invalid/{key[0]}/{key[1]}"


def _base(obj: Object) -> Iterable[str]:
    """Return what the name is without its hash: for a Rollout's ReplicaSet, the Rollout's name."""
    return (f"{namespace_of(obj)}/{name_of(obj).rpartition('-')[0]}",)


def _run_bases(run: Object) -> Iterable[str]:
    """Return what a run's name may be without hash, revision, step and number: for a Rollout's run, the Rollout's name."""
    name = _NUMBER.sub("", name_of(run))
    return {f"{namespace_of(run)}/{name.rsplit('-', parts)[0]}" for parts in (2, 3)}


def indices(readings: Readings) -> Mapping[Kind, Mapping[str, Index]]:
    """Return how each kind's store is to be indexed for `gather`; `readings` spares reading a spec again for a new status."""
    return {
        ROLLOUT: {"refers": _references(readings)},
        REPLICA_SET: {"owner": _owner, "uid": lambda obj: (uid_of(obj),), "base": _base},
        POD: {"owner": _owner},
        ANALYSIS_RUN: {"owner": _owner, "base": _run_bases},
        SERVICE: {"managed": _manager},
        DESTINATION_RULE: {"managed": _manager},
    }


_POD_METADATA = frozenset(("name", "namespace", "uid", "resourceVersion", "labels", "annotations", "ownerReferences"))
_POD_METADATA |= {"creationTimestamp", "deletionTimestamp"}
_POD_STATUS = frozenset({"phase", "conditions", "containerStatuses", "initContainerStatuses"})


def slim_pod(pod: Object) -> Object:
    """Keep of a pod what the plan reads, so that thousands of them fit in memory."""
    return {
        "metadata": {field: value for field, value in pod["metadata"].items() if field in _POD_METADATA},
        "status": {field: value for field, value in (pod.get("status") or {}).items() if field in _POD_STATUS},
    }


@dataclass(frozen=True, slots=True)
class Stores:
    """The stores of every kind in `KINDS`, indexed by `indices(readings)`."""

    by_kind: Mapping[Kind, Store]
    readings: Readings

    @classmethod
    def empty(cls) -> Stores:
        """Return stores with nothing in them, for tools that fill them themselves."""
        readings = Readings()
        known = indices(readings)
        return cls({kind: Store(kind, known.get(kind, {})) for kind in KINDS}, readings)

    def __getitem__(self, kind: Kind) -> Store:
        """Return the store of a kind."""
        return self.by_kind[kind]

    def find(self, ref: ObjectRef) -> Object | None:
        """Return an object by its reference."""
        return self.by_kind[ref.kind].get(ref.namespace, ref.name)


def is_unreadable(stores: Stores, key: Key) -> bool:
    """Tell whether a Rollout's spec is invalid, so that nothing can be said about what it refers to."""
    return bool(stores[ROLLOUT].by("refers", _invalid(key)))


def gather(stores: Stores, key: Key) -> Snapshot | None:
    """Return all that is known about a Rollout; None when there is none of that name."""
    rollout = stores[ROLLOUT].get(*key)
    if rollout is None:
        return None
    reading = stores.readings.of(rollout)
    settings = reading.settings
    if settings is None:
        return Snapshot(rollout=rollout, reading=reading)
    found = {ref: obj for ref in reading.references if (obj := stores.find(ref)) is not None}
    sets = tuple(ReplicaSet(obj) for obj in _replica_sets(stores, rollout))
    ours = {one.uid for one in sets}
    alike = stores[REPLICA_SET].by("base", "/".join(key))
    names = [name for name in (settings.stable_service, settings.canary_service) if name]
    return Snapshot(
        rollout=rollout,
        reading=reading,
        replica_sets=sets,
        foreign_names=frozenset(name_of(one) for one in alike if uid_of(one) not in ours),
        pods={one.uid: tuple(stores[POD].by("owner", one.uid)) for one in sets},
        services={ref.name: obj for ref, obj in found.items() if ref.kind == SERVICE},
        templates=dict(_templates(stores, settings, namespace_of(rollout))),
        analysis_runs=tuple(stores[ANALYSIS_RUN].by("owner", uid_of(rollout))),
        foreign_runs=_foreign_runs(stores, rollout),
        service_users={name: _users(stores, ObjectRef(SERVICE, key[0], name)) for name in names},
        routing=Objects(found),
    )


def _foreign_runs(stores: Stores, rollout: Object) -> frozenset[str]:
    alike = stores[ANALYSIS_RUN].by("base", "/".join(key_of(rollout)))
    return frozenset(name_of(run) for run in alike if not is_controlled_by(run, uid_of(rollout)))


def _replica_sets(stores: Stores, rollout: Object) -> Iterator[Object]:
    """Yield the ReplicaSets a Rollout controls, and those nobody controls that its selector matches."""
    yield from stores[REPLICA_SET].by("owner", uid_of(rollout))
    selector = rollout["spec"].get("selector")
    for orphan in stores[REPLICA_SET].by("owner", f"nobody/{namespace_of(rollout)}"):
        template = orphan["spec"].get("template") or {}
        if "metadata" in template and selects_for_workload(selector, labels_of(template)):
            yield orphan


def _templates(stores: Stores, settings: Settings, namespace: str) -> Iterator[tuple[TemplateRef, Object]]:
    """Yield the templates a Rollout refers to and those they refer to; circles end where they began."""
    pending = [ref for _, analysis, _ in analyses_of(settings) for ref in references(analysis)]
    seen: set[TemplateRef] = set()
    while pending:
        ref = pending.pop()
        if ref in seen:
            continue
        seen.add(ref)
        template = stores.find(template_object(ref, namespace))
        if template is not None:
            yield ref, template
            pending += references(template.get("spec") or {})


def _users(stores: Stores, ref: ObjectRef) -> tuple[str, ...]:
    return tuple(name_of(rollout) for rollout in stores[ROLLOUT].by("refers", str(ref)))


def mappers(stores: Stores) -> Mapping[Kind, Callable[[Object], Iterable[Key]]]:
    """Return, for every kind, which Rollouts a change of an object touches."""

    def by_owner(obj: Object) -> Iterable[Key]:
        owner = controller_of(obj)
        if owner is not None and owner.get("kind") == ROLLOUT.name:
            return ((namespace_of(obj), owner["name"]),)
        return ()

    def by_replica_set(pod: Object) -> Iterable[Key]:
        owner = controller_of(pod)
        found = stores[REPLICA_SET].by("uid", owner["uid"]) if owner else ()
        return [key for replica_set in found for key in by_owner(replica_set)]

    def of_replica_set(obj: Object) -> Iterable[Key]:
        if controller_of(obj) is not None:
            return by_owner(obj)
        template = obj["spec"].get("template") or {}
        return [
            key_of(one)
            for one in stores[ROLLOUT].all()
            if namespace_of(one) == namespace_of(obj)
            and "metadata" in template
            and selects_for_workload((one.get("spec") or {}).get("selector"), labels_of(template))
        ]

    def by_reference(kind: Kind) -> Callable[[Object], Iterable[Key]]:
        def keys(obj: Object) -> Iterable[Key]:
            ref = ObjectRef(kind, namespace_of(obj), name_of(obj))
            return [*by_owner(obj), *(key_of(one) for one in stores[ROLLOUT].by("refers", str(ref)))]

        return keys

    def by_analysis(obj: Object) -> Iterable[Key]:
        return [key_of(one) for one in stores[ROLLOUT].by("refers", f"analysis/{namespace_of(obj)}")]

    return {
        ROLLOUT: lambda obj: (key_of(obj),),
        REPLICA_SET: of_replica_set,
        POD: by_replica_set,
        ANALYSIS_RUN: by_owner,
        ANALYSIS_TEMPLATE: by_analysis,
        CLUSTER_ANALYSIS_TEMPLATE: by_analysis,
        **{kind: by_reference(kind) for kind in (SERVICE, INGRESS, VIRTUAL_SERVICE, DESTINATION_RULE)},
    }
