"""What a cluster does around the controller: ReplicaSets have pods, pods get ready, die and go.

Plays on the server's storage without requests, which makes a history cheap. Must not: touch anything that the controller writes,
except the status of ReplicaSets.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kube.kinds import POD, REPLICA_SET, Kind
from kube.objects import Object, annotations_of, controller_of, is_deleting, key_of, name_of, uid_of
from sandbox.apiserver.defaults_pods import default_pod
from sandbox.apiserver.server import ApiServer
from sandbox.apiserver.storage import Change

TICK_SECONDS = 0.001
"""Virtual time is rounded: what is due within this time is due, and nobody waits for less."""
LAG_SECONDS = 0.02
"""How long the ReplicaSet controller and the kubelet take to notice."""
DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"


def image_of(obj: Object) -> str:
    """Return the image of the first container of a pod, or of a template's."""
    spec = obj["spec"]["template"]["spec"] if "template" in obj["spec"] else obj["spec"]
    return str(spec["containers"][0]["image"])


def is_ready(pod: Object) -> bool:
    """Tell whether a pod takes requests: ready, and not on its way out."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return not is_deleting(pod) and any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def store_of(server: ApiServer, kind: Kind) -> str:
    """Return the name of the storage's store of a kind."""
    resource = server.registry.find(kind.group, kind.version, kind.plural)
    assert resource is not None, f"the server does not serve {kind.name}"
    return resource.store


def objects(server: ApiServer, kind: Kind) -> list[dict[str, Any]]:
    """Return the objects of a kind in namespace `default` as they are at this moment, oldest name first."""
    stored = server.storage.current(store_of(server, kind))
    return [one.body for key, one in sorted(stored.items()) if key[0] in ("default", "")]


@dataclass
class Machinery:
    """Plays ReplicaSet controller and kubelet."""

    server: ApiServer
    ready_after: float = 0.0
    gone_after: float = 0.0
    broken: set[str] = field(default_factory=set)
    """Images whose pods do not get ready."""
    _serial: int = 0
    _ready_at: dict[str, float] = field(default_factory=dict)
    _gone_at: dict[str, float] = field(default_factory=dict)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Play until cancelled."""
        stores = {store_of(self.server, kind) for kind in (POD, REPLICA_SET)}

        def note(store: str, _change: Change) -> None:
            if store in stores:
                self._wake.set()

        self.server.storage.on_commit(note)
        loop = asyncio.get_running_loop()
        while True:
            self._wake.clear()
            due = self.play(loop.time() + TICK_SECONDS)
            try:
                async with asyncio.timeout_at(None if due is None else due + TICK_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                continue
            await asyncio.sleep(LAG_SECONDS)

    def play(self, now: float) -> float | None:
        """Do what is due; return when something is due next."""
        for pod in objects(self.server, POD):
            self._let_go(pod, now)
        for replica_set in objects(self.server, REPLICA_SET):
            self._play(replica_set, now)
        later = [at for at in (*self._ready_at.values(), *self._gone_at.values()) if at > now]
        return min(later, default=None)

    def _let_go(self, pod: dict[str, Any], now: float) -> None:
        """Remove a pod once its time to go has passed."""
        if is_deleting(pod) and self._gone_at.setdefault(name_of(pod), now + self.gone_after) <= now:
            self.server.storage.remove(store_of(self.server, POD), key_of(pod), pod)
            del self._gone_at[name_of(pod)]

    def _pods(self, replica_set: Object) -> list[dict[str, Any]]:
        uid = uid_of(replica_set)
        return [one for one in objects(self.server, POD) if (controller_of(one) or {}).get("uid") == uid]

    def _play(self, replica_set: dict[str, Any], now: float) -> None:
        size = int(replica_set["spec"]["replicas"])
        pods = [pod for pod in self._pods(replica_set) if not is_deleting(pod)]
        for pod in sorted(pods, key=_worth)[: max(len(pods) - size, 0)]:
            self.delete(pod, now)
        for _ in range(size - len(pods)):
            self._create(replica_set, now)
        for pod in self._pods(replica_set):
            if self._ready_at.get(name_of(pod), now + 1) <= now and not is_deleting(pod) and image_of(pod) not in self.broken:
                self._put(POD, {**pod, "status": ready_status(self.server.core.timestamp())})
                del self._ready_at[name_of(pod)]
        self._show(replica_set)

    def _show(self, replica_set: dict[str, Any]) -> None:
        pods = [pod for pod in self._pods(replica_set) if not is_deleting(pod)]
        ready = sum(map(is_ready, pods))
        counts = {"replicas": len(pods), "fullyLabeledReplicas": len(pods), "readyReplicas": ready, "availableReplicas": ready}
        status = {name: count for name, count in counts.items() if count or name == "replicas"}
        status["observedGeneration"] = replica_set["metadata"]["generation"]
        if status != replica_set.get("status"):
            self._put(REPLICA_SET, {**replica_set, "status": status})

    def delete(self, pod: dict[str, Any], now: float) -> None:
        """Begin to delete a pod, as the API does with a grace period."""
        metadata = {**pod["metadata"], "deletionTimestamp": self.server.core.timestamp(), "deletionGracePeriodSeconds": 30}
        self._ready_at.pop(name_of(pod), None)
        self._gone_at[name_of(pod)] = now + self.gone_after
        self._put(POD, {**pod, "metadata": metadata})

    def _create(self, replica_set: Object, now: float) -> None:
        self._serial += 1
        template = replica_set["spec"]["template"]
        owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": name_of(replica_set), "uid": uid_of(replica_set)}
        name = f"{name_of(replica_set)}-{self._serial:04d}"
        metadata = {
            "name": name,
            "namespace": "default",
            "labels": dict(template["metadata"]["labels"]),
            "annotations": dict(annotations_of(template)),
            "ownerReferences": [{**owner, "controller": True, "blockOwnerDeletion": True}],
            "uid": self.server.core.new_uid(),
            "creationTimestamp": self.server.core.timestamp(),
        }
        spec = copy.deepcopy(template["spec"])
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": {"phase": "Pending"}}
        default_pod(pod)  # else the first patch of a pod would change more than it says, and be refused
        self._ready_at[name] = now + self.ready_after
        self._put(POD, pod)

    def _put(self, kind: Kind, body: dict[str, Any]) -> None:
        copied = {**body, "metadata": dict(body["metadata"])}
        self.server.storage.put(store_of(self.server, kind), key_of(body), copied)

    def mend(self, images: Iterable[str]) -> None:
        """Let the pods of these images get ready from now on."""
        self.broken -= set(images)
        self._wake.set()


def ready_status(moment: str) -> dict[str, Any]:
    """Return the status of a pod that takes requests."""
    condition = {"type": "Ready", "status": "True", "lastTransitionTime": moment}
    return {"phase": "Running", "conditions": [condition, {**condition, "type": "ContainersReady"}]}


def _worth(pod: Mapping[str, Any]) -> tuple[bool, int, str]:
    """Order as the ReplicaSet controller does: pods not ready go first, then cheap ones, then those of lowest name."""
    return is_ready(pod), int(annotations_of(pod).get(DELETION_COST, "0")), name_of(pod)
