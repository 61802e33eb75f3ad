"""A cluster as plain data for tests of pure plans: applies plans to stores, and plays ReplicaSets, pods and Endpoints.

Time stands still until a test moves it. Everything is synchronous, so a two-hour canary is a table test.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import yaml

from kube.kinds import ANALYSIS_RUN, INGRESS, POD, REPLICA_SET, ROLLOUT, SERVICE, Kind, ObjectRef
from kube.objects import format_time, is_deleting, key_of, name_of, parse_time, uid_of
from kube.plan import Create, Delete, Event, Evict, Patch, Plan, Write
from rollouts.rollout.gather import KINDS, Stores, gather
from rollouts.rollout.plan import plan
from rollouts.rollout.snapshot import ReplicaSet

START = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


def merge(target: Any, patch: Any) -> Any:
    """Apply an RFC 7386 merge patch and return the result; the arguments stay as they are."""
    if not isinstance(patch, Mapping):
        return copy.deepcopy(patch)
    result = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result


@dataclass
class World:
    """Stores that answer like a cluster. `ready_after` is how long a pod takes; `broken` says which images never get ready."""

    now: datetime = START
    ready_after: timedelta = timedelta(0)
    broken: set[str] = field(default_factory=set)
    stores: Stores = field(default_factory=Stores.empty)
    log: list[Write | str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    plans: list[Plan] = field(default_factory=list)
    status_writes: int = 0
    status_due_since: dict[str, datetime] = field(default_factory=dict)
    """Since when the status of a Rollout differs that may wait for company."""
    after_write: Callable[[], None] = lambda: None
    """Called after each write of the controller, before the next."""
    _serial: Iterable[int] = field(default_factory=lambda: itertools.count(1))

    # -- what users do -----------------------------------------------------------------------------------------------------

    def apply(self, text: str) -> None:
        """Create or update the objects of a YAML text, in namespace `default` unless it says otherwise."""
        for document in yaml.safe_load_all(text):
            if document:
                self.put(document)

    def put(self, obj: Mapping[str, Any]) -> None:
        """Create or update an object as `kubectl apply` would: spec from the manifest, the rest stays."""
        kind = next(one for one in KINDS if (one.name, one.group) == (obj["kind"], obj["apiVersion"].rpartition("/")[0]))
        body = copy.deepcopy(dict(obj))
        body["metadata"].setdefault("namespace", "default") if kind.namespaced else None
        known = self.stores[kind].get(*key_of(body))
        if known is None:
            self._store(kind, {**body, "metadata": {**body["metadata"], **self._born(), "generation": 1}})
        else:
            kept = {**known, **{key: value for key, value in body.items() if key not in ("metadata", "status")}}
            kept["metadata"] = {**known["metadata"], "generation": known["metadata"].get("generation", 1) + 1}
            self._store(kind, kept)

    def edit(self, kind: Kind, name: str, patch: Mapping[str, Any]) -> None:
        """Merge-patch an object as a person would."""
        known = self.get(kind, name)
        changed = merge(known, patch)
        if changed.get("spec") != known.get("spec"):
            changed["metadata"] = {**changed["metadata"], "generation": known["metadata"].get("generation", 1) + 1}
        self._store(kind, changed)

    def set_image(self, image: str, name: str = "shop") -> None:
        """Change the image of the first container."""
        template = copy.deepcopy(self.rollout(name)["spec"]["template"])
        template["spec"]["containers"][0]["image"] = image
        self.edit(ROLLOUT, name, {"spec": {"template": template}})

    def patch_status(self, patch: Mapping[str, Any], name: str = "shop") -> None:
        """Patch the status of the Rollout, as the command line does."""
        self.edit(ROLLOUT, name, {"status": patch})

    def finish_run(self, phase: str, message: str = "", *, kind: str | None = None) -> str:
        """Give the youngest unfinished AnalysisRun a verdict; returns its name."""
        runs = [run for run in self.all(ANALYSIS_RUN) if "phase" not in (run.get("status") or {})]
        runs = [run for run in runs if kind is None or run["metadata"]["labels"]["rollout-type"] == kind]
        name = name_of(runs[-1])
        self.edit(ANALYSIS_RUN, name, {"status": {"phase": phase, "message": message}})
        return name

    # -- what is there -----------------------------------------------------------------------------------------------------

    def get(self, kind: Kind, name: str, namespace: str = "default") -> dict[str, Any]:
        """Return an object that is there."""
        found = self.stores[kind].get(namespace if kind.namespaced else "", name)
        assert found is not None, f"no {kind.name} {name}; there are {[name_of(one) for one in self.stores[kind].all()]}"
        return dict(found)

    def all(self, kind: Kind) -> list[dict[str, Any]]:
        """Return all objects of a kind, oldest first."""
        return sorted((dict(one) for one in self.stores[kind].all()), key=lambda one: int(one["metadata"].get("serial", 0)))

    def rollout(self, name: str = "shop") -> dict[str, Any]:
        """Return the Rollout."""
        return self.get(ROLLOUT, name)

    def status(self, name: str = "shop") -> dict[str, Any]:
        """Return its status."""
        return dict(self.rollout(name).get("status") or {})

    def sizes(self) -> dict[str, int]:
        """Return `spec.replicas` of every ReplicaSet by the image of its pods."""
        return {self._image(one): size_of(one) for one in self.all(REPLICA_SET)}

    def weight(self) -> int:
        """Return the canary weight of the only canary Ingress."""
        found = [one for one in self.all(INGRESS) if name_of(one).endswith("-canary")]
        return int(found[0]["metadata"]["annotations"]["nginx.ingress.kubernetes.io/canary-weight"]) if found else 0

    def selected(self, service: str) -> str | None:
        """Return the image of the version that a Service selects."""
        wanted = self.get(SERVICE, service)["spec"]["selector"].get("rollouts-pod-template-hash")
        found = [one for one in self.all(REPLICA_SET) if one["metadata"]["labels"]["rollouts-pod-template-hash"] == wanted]
        return self._image(found[0]) if found else None

    @staticmethod
    def _image(replica_set: Mapping[str, Any]) -> str:
        return str(replica_set["spec"]["template"]["spec"]["containers"][0]["image"])

    # -- what the machinery does ---------------------------------------------------------------------------------------------

    def plan(self, name: str = "shop") -> Plan:
        """Return what the controller wants to do now."""
        snapshot = gather(self.stores, ("default", name))
        assert snapshot is not None
        return plan(snapshot, self.now)

    def reconcile(self, name: str = "shop", *, killed_after: int | None = None) -> Plan:
        """Plan once and carry the plan out; or be killed after so many of its writes."""
        wanted = self.plan(name)
        self.plans.append(wanted)
        left = killed_after
        for stage in wanted.stages:
            for write in stage.writes[:left]:
                self._carry_out(write)
                self.after_write()
            if left is not None:
                left -= len(stage.writes)
                if left <= 0:
                    self.status_due_since.pop(name, None)  # a process remembers it, another one does not
                    return wanted
            self._tell(stage.events)
        if self._writes_status(wanted, name):
            self.status_writes += 1
            self.log.append("status")
            self._store(ROLLOUT, {**self.rollout(name), "status": copy.deepcopy(dict(wanted.status or {}))})
        self._tell(wanted.events)
        return wanted

    def _writes_status(self, wanted: Plan, name: str) -> bool:
        """Tell whether the status goes out now: not while it is the same, nor while it may wait for company."""
        if wanted.status is None or dict(wanted.status) == self.status(name):
            self.status_due_since.pop(name, None)
            return False
        since = self.status_due_since.setdefault(name, self.now)
        if not wanted.events and self.now < since + wanted.status_may_wait:
            return False
        del self.status_due_since[name]
        return True

    def _tell(self, events: Sequence[Event]) -> None:
        self.events += [f"{event.reason}: {event.message}" for event in events]

    def settle(self, name: str = "shop", *, limit: int = 60, watch: Callable[[], None] | None = None) -> Plan:
        """Reconcile and let pods follow until nothing changes at this moment."""
        for _ in range(limit):
            before = len(self.log)
            wanted = self.reconcile(name)
            if watch:
                watch()
            moved = self.play_pods()
            if watch:
                watch()
            if len(self.log) > before or moved:
                continue
            if name not in self.status_due_since:
                return wanted
            self.status_due_since[name] = datetime.min.replace(tzinfo=UTC)  # it has waited long enough
        raise AssertionError(f"not settled after {limit} rounds; last plan: {self.plans[-1]}")

    def wait(self, seconds: float, name: str = "shop") -> Plan:
        """Let time pass in the steps that plans ask for, then settle."""
        until = self.now + timedelta(seconds=seconds)
        while self.now < until:
            asked = [step for step in (self.plan(name).look_again, self.ready_after) if step]
            step = min(asked, default=timedelta(seconds=seconds))
            self.now = min(until, self.now + max(step, timedelta(milliseconds=100)))
            result = self.settle(name)
        return result

    def _carry_out(self, write: Write) -> None:
        self.log.append(write)
        match write:
            case Create(kind=kind, body=body):
                assert self.stores[kind].get(write.ref.namespace, write.ref.name) is None, f"{write.ref} created twice"
                self._store(kind, {**copy.deepcopy(dict(body)), "metadata": {**body["metadata"], **self._born(), "generation": 1}})
            case Patch(ref=ref, patch=patch):
                known = self.stores[ref.kind].get(ref.namespace, ref.name)
                assert known is not None, f"{ref} is not there"
                assert merge(known, patch) != known, f"a write that changes nothing: {write}"
                self._store(ref.kind, merge(known, patch))
            case Delete(ref=ref) | Evict(ref=ref):
                self.stores[ref.kind].remove((ref.namespace, ref.name))

    def _store(self, kind: Kind, obj: Mapping[str, Any]) -> None:
        stored = {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(next(iter(self._serial)))}}
        self.stores[kind].put(stored)

    def _born(self) -> dict[str, Any]:
        serial = next(iter(self._serial))
        return {
            "uid": f"uid-{serial}",
            "serial": serial,
            "creationTimestamp": format_time(self.now + timedelta(seconds=serial // 1000)),
        }

    def play_pods(self) -> bool:
        """Let ReplicaSets have the pods they want, and pods get ready; tell whether anything changed."""
        moved = False
        for replica_set in self.all(REPLICA_SET):
            moved |= self._play(replica_set)
        return moved

    def _play(self, replica_set: dict[str, Any]) -> bool:
        view = ReplicaSet(replica_set)
        pods = sorted((pod for pod in self.stores[POD].by("owner", view.uid) if not is_deleting(pod)), key=self._missed)
        for pod in pods[: max(0, len(pods) - size_of(replica_set))]:
            self.stores[POD].remove(key_of(pod))
        for _ in range(size_of(replica_set) - len(pods)):
            self._store(POD, self._pod(replica_set))
        kept = [self._refreshed(pod) for pod in self.stores[POD].by("owner", view.uid)]
        ready = sum(self._ready(pod) for pod in kept)
        status = {"replicas": len(kept), "readyReplicas": ready, "availableReplicas": ready}
        if status == replica_set.get("status"):
            return False
        self._store(REPLICA_SET, {**replica_set, "status": status})
        return True

    def _pod(self, replica_set: Mapping[str, Any]) -> dict[str, Any]:
        born = self._born()
        owner = {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "name": name_of(replica_set),
            "uid": uid_of(replica_set),
            "controller": True,
        }
        metadata = {
            **replica_set["spec"]["template"].get("metadata", {}),
            **born,
            "namespace": replica_set["metadata"]["namespace"],
        }
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {**metadata, "name": f"{name_of(replica_set)}-{born['serial']}", "ownerReferences": [owner]},
            "spec": replica_set["spec"]["template"]["spec"],
        }

    def _refreshed(self, pod: Mapping[str, Any]) -> Mapping[str, Any]:
        born = parse_time(pod["metadata"]["creationTimestamp"]) or self.now
        image = pod["spec"]["containers"][0]["image"]
        if self._ready(pod) or image in self.broken or self.now < born + self.ready_after:
            return pod
        condition = {"type": "Ready", "status": "True", "lastTransitionTime": format_time(self.now)}
        changed = {**pod, "status": {"phase": "Running", "conditions": [condition]}}
        self._store(POD, changed)
        return changed

    def _missed(self, pod: Mapping[str, Any]) -> tuple[bool, int]:
        cost = (pod["metadata"].get("annotations") or {}).get("controller.kubernetes.io/pod-deletion-cost", "0")
        return self._ready(pod), int(cost)

    @staticmethod
    def _ready(pod: Mapping[str, Any]) -> bool:
        return any(one["status"] == "True" for one in (pod.get("status") or {}).get("conditions") or ())


def size_of(replica_set: Mapping[str, Any]) -> int:
    """Return how many pods a ReplicaSet asks for."""
    return int(replica_set["spec"]["replicas"])


def ref(kind: Kind, name: str, namespace: str = "default") -> ObjectRef:
    """Return a reference for comparisons."""
    return ObjectRef(kind, namespace, name)
