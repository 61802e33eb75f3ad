"""Everything a Rollout's plan may know, frozen; gather.py collects it from the stores.

Owns the reading of ReplicaSets and pods into small views. Must not: wait, write, decide.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from analysis.templates import TemplateRef
from kube.kinds import POD, ObjectRef
from kube.objects import Object, annotations_of, is_deleting, labels_of, name_of, namespace_of, parse_time, uid_of
from rollouts.engine.names import POD_TEMPLATE_HASH, RESTART_SURGE, SCALE_DOWN_DEADLINE, revision_of
from rollouts.engine.replicas import Side
from routers.base import Objects

if TYPE_CHECKING:
    from rollouts.rollout.reading import Reading  # loads the models, which the command line has no time for


@dataclass(frozen=True, slots=True)
class ReplicaSet:
    """One revision's ReplicaSet as the plan sees it."""

    obj: Object
    name: str = field(init=False, compare=False)
    """`metadata.name`."""
    uid: str = field(init=False, compare=False)
    """`metadata.uid`."""
    hash: str = field(init=False, compare=False)
    """The pod template hash it carries, whoever computed it."""
    revision: int = field(init=False, compare=False)
    """Its revision number; 0 before one was given."""
    wanted: int = field(init=False, compare=False)
    """`spec.replicas`, but for the pod that a restart adds."""
    surge: int = field(init=False, compare=False)
    """1 while it has a pod more for a restart, else 0: a pod that takes over, not one of a step or of a share."""

    def __post_init__(self) -> None:
        """Read at once what a plan asks for again and again."""
        replicas = self.obj["spec"].get("replicas")
        object.__setattr__(self, "name", name_of(self.obj))
        object.__setattr__(self, "uid", uid_of(self.obj))
        object.__setattr__(self, "hash", labels_of(self.obj).get(POD_TEMPLATE_HASH, ""))
        object.__setattr__(self, "revision", revision_of(self.obj))
        size = 1 if replicas is None else int(replicas)
        surge = int(size > 1 and RESTART_SURGE in annotations_of(self.obj))
        object.__setattr__(self, "wanted", size - surge)
        object.__setattr__(self, "surge", surge)

    def count(self, name: str) -> int:
        """Return a counter of its status (`replicas`, `readyReplicas`, ...); 0 when absent."""
        return int((self.obj.get("status") or {}).get(name) or 0)

    @property
    def available(self) -> int:
        """Pods that are available, as its counters say; not counting one that a restart adds."""
        available = self.count("availableReplicas")
        return min(available, self.wanted) if self.surge else available

    @property
    def side(self) -> Side:
        """Its numbers for the arithmetic."""
        return Side(spec=self.wanted, available=self.available)

    @property
    def created(self) -> str:
        """`metadata.creationTimestamp`, which sorts by time."""
        return str(self.obj["metadata"].get("creationTimestamp") or "")

    @property
    def scale_down_deadline(self) -> datetime | None:
        """When it is to be drained, if that was decided."""
        try:
            return parse_time(annotations_of(self.obj).get(SCALE_DOWN_DEADLINE))
        except ValueError:
            return None

    @property
    def template(self) -> Mapping[str, Any]:
        """Its pod template."""
        return self.obj["spec"].get("template") or {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One Rollout and all it depends on, as last seen. Raw objects are shared with the stores: never change them."""

    rollout: Object
    reading: Reading
    replica_sets: Sequence[ReplicaSet] = ()
    foreign_names: Collection[str] = ()
    """Names of ReplicaSets like this Rollout's that belong to somebody else, such as a deleted Rollout of the same name."""
    pods: Mapping[str, Sequence[Object]] = field(default_factory=dict)
    """Pods by the uid of their ReplicaSet."""
    services: Mapping[str, Object] = field(default_factory=dict)
    templates: Mapping[TemplateRef, Object] = field(default_factory=dict)
    """Analysis templates that may be referred to, nested ones included."""
    analysis_runs: Sequence[Object] = ()
    """Runs that this Rollout controls."""
    foreign_runs: Collection[str] = ()
    """Names of runs like this Rollout's that belong to somebody else."""
    service_users: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Which Rollouts of the namespace refer to each of this one's Services."""
    routing: Objects = field(default_factory=Objects)

    def template(self, ref: TemplateRef) -> Object | None:
        """Return an analysis template; None when the cluster has none such."""
        return self.templates.get(ref)

    def pods_of(self, replica_set: ReplicaSet | None) -> Sequence[Object]:
        """Return the pods of a ReplicaSet that are not being deleted."""
        if replica_set is None:
            return ()
        return [pod for pod in self.pods.get(replica_set.uid, ()) if not is_deleting(pod)]


def pod_ref(pod: Object) -> ObjectRef:
    """Return the reference of a pod."""
    return ObjectRef(POD, namespace_of(pod), name_of(pod))


def ready_since(pod: Object) -> datetime | None:
    """Return since when a pod is ready; None while it is not."""
    for condition in (pod.get("status") or {}).get("conditions") or ():
        if condition.get("type") == "Ready" and condition.get("status") == "True":
            return parse_time(condition.get("lastTransitionTime"))
    return None


def restarts_of(pod: Object) -> int:
    """Return how often containers of a pod were restarted."""
    return sum(int(one.get("restartCount") or 0) for one in (pod.get("status") or {}).get("containerStatuses") or ())


def available_at(pod: Object, min_ready: timedelta) -> datetime | None:
    """Return the moment a ready pod counts as available; None while it is not ready."""
    since = ready_since(pod)
    return since + min_ready if since else None
