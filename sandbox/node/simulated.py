"""A node that plays its pods: the API sees what it would see, without any process.

Owns binding, status and deletion of pods in tests and benches, in real or virtual time. Must not: know who made the pods.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from kube.client import Client
from kube.clock import Clock
from kube.differences import merge_patch
from kube.errors import AlreadyExists, ApiError, Conflict, NotFound
from kube.kinds import NODE, POD, ObjectRef
from kube.objects import Key, Object, is_deleting, key_of, name_of, namespace_of, uid_of, version_of
from sandbox.node.addresses import AddressPool
from sandbox.node.binding import NODE_NAME, bind, node_object, node_status, wants_binding
from sandbox.node.played import HOST_ADDRESS, Behaviour, play
from sandbox.workloads.informers import Informers
from sandbox.workloads.pods import spec_of, status_of

logger = logging.getLogger(__name__)

TOGETHER = 64
"""Writes that are under way at the same time."""
RETRY_SECONDS = 0.05
FINISHED_AFTER = timedelta(seconds=1)


@dataclass(slots=True)
class _Record:
    """What the node remembers of a pod."""

    uid: str
    started: datetime
    address: str
    deletion_seen: datetime | None = None


class Pods:
    """What tests say about pods: by image (`shop:3`), or by pod as `namespace/name`; a pod's own word goes first."""

    def __init__(self, changed: Callable[[], None], usual: Behaviour) -> None:
        self._changed = changed
        self._usual = usual
        self._special: dict[str, Behaviour] = {}

    def ready(self, which: str, *, after: timedelta = timedelta(0)) -> None:
        """Let them get ready, this long after they started."""
        self.set(which, replace(self._usual, ready_after=after))

    def never_ready(self, which: str) -> None:
        """Let them run but never get ready."""
        self.set(which, replace(self._usual, ready_after=None))

    def crash(self, which: str, *, after: timedelta = timedelta(0), exit_code: int = 1) -> None:
        """Let them exit, this long after each start, and be started again with growing back-off."""
        self.set(which, replace(self._usual, ready_after=None, exit_after=after, exit_code=exit_code))

    def finish(self, which: str, *, after: timedelta = FINISHED_AFTER, exit_code: int = 0) -> None:
        """Let them end, as the pods of Jobs do."""
        self.set(which, replace(self._usual, exit_after=after, exit_code=exit_code))

    def missing_image(self, which: str, message: str = "no such image") -> None:
        """Let the pull of their image fail."""
        self.set(which, replace(self._usual, image_error=message))

    def flap(self, which: str, *, every: timedelta) -> None:
        """Let them lose and regain readiness, each time after this long."""
        self.set(which, replace(self._usual, flap_every=every))

    def stay(self, which: str, *, after: timedelta) -> None:
        """Let them take this long to go when they are deleted."""
        self.set(which, replace(self._special.get(which, self._usual), gone_after=after))

    def usual(self, which: str) -> None:
        """Take back what was said about them."""
        self._special.pop(which, None)
        self._changed()

    def set(self, which: str, behaviour: Behaviour) -> None:
        """Say everything about them at once."""
        self._special[which] = behaviour
        self._changed()

    def behaviour_of(self, pod: Object) -> Behaviour:
        """Return what was said about a pod: by its name, by the image of its first container, or what is usual."""
        named = self._special.get(f"{namespace_of(pod)}/{name_of(pod)}")
        if named is not None:
            return named
        for container in spec_of(pod).get("containers") or ():
            said = self._special.get(str(container.get("image")))
            if said is not None:
                return said
        if (spec_of(pod).get("restartPolicy") or "Always") != "Always":
            return replace(self._usual, exit_after=FINISHED_AFTER)
        return self._usual


class SimulatedNode:
    """Binds, starts, readies and removes pods on the API server; call `run` in a task."""

    def __init__(
        self, client: Client, clock: Clock, informers: Informers, *, usual: Behaviour | None = None, name: str = NODE_NAME
    ) -> None:
        self.name = name
        self.pods = Pods(self._all_changed, usual or Behaviour())
        self.frozen = False
        """While true, nothing happens to any pod: a node agent that hangs."""
        self._client = client
        self._clock = clock
        self._addresses = AddressPool()
        self._store = informers.store(POD)
        self._records: dict[Key, _Record] = {}
        self._due: list[tuple[float, Key]] = []
        self._dirty: dict[Key, None] = {}
        self._wake = asyncio.Event()
        self._busy = False
        informers.of(POD).on_change(self._pod_changed)

    @property
    def idle(self) -> bool:
        """Whether nothing is to be done now."""
        return self.frozen or (not self._dirty and not self._busy)

    def thaw(self) -> None:
        """Go on after `frozen`."""
        self.frozen = False
        self._all_changed()

    async def run(self) -> None:
        """Play pods until cancelled."""
        await self._announce()
        timer: asyncio.Task[None] | None = None
        try:
            while True:
                self._collect_due()
                if self._dirty and not self.frozen:
                    await self._tick()
                    continue
                timer = self._next_timer()
                self._wake.clear()
                await self._wake.wait()
                if timer is not None:
                    timer.cancel()
        finally:
            if timer is not None:
                timer.cancel()
                await asyncio.gather(timer, return_exceptions=True)

    def _all_changed(self) -> None:
        self._dirty.update(dict.fromkeys(self._store.keys()))
        self._wake.set()

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        if new is None or old is None or _interesting(old, new):
            self._dirty[key_of(new or old or {})] = None
            self._wake.set()

    def _collect_due(self) -> None:
        moment = self._clock.monotonic()
        while self._due and self._due[0][0] <= moment:
            self._dirty[heapq.heappop(self._due)[1]] = None

    def _next_timer(self) -> asyncio.Task[None] | None:
        if not self._due or self.frozen:
            return None
        return asyncio.create_task(self._ring(max(self._due[0][0] - self._clock.monotonic(), 0.001)))

    async def _ring(self, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self._wake.set()

    async def _tick(self) -> None:
        """Do what is due for every pod that changed, many at a time."""
        keys, self._dirty = list(self._dirty), {}
        self._busy = True
        try:
            for start in range(0, len(keys), TOGETHER):
                await asyncio.gather(*(self._attend(key) for key in keys[start : start + TOGETHER]))
        finally:
            self._busy = False

    async def _attend(self, key: Key) -> None:
        pod = self._store.get(*key)
        if pod is None:
            self._forget(key)
            return
        try:
            await self._step(key, pod)
        except NotFound:
            self._forget(key)
        except ApiError as error:
            logger.debug("pod %s: %s", "/".join(key), error)
            self._later(key, RETRY_SECONDS)

    async def _step(self, key: Key, pod: Object) -> None:
        if wants_binding(pod):
            await bind(self._client, pod, self.name)
        elif spec_of(pod).get("nodeName") == self.name:
            record = self._record(key, pod)
            behaviour = self.pods.behaviour_of(pod)
            if is_deleting(pod):
                await self._remove(key, pod, record, behaviour.gone_after)
            else:
                await self._show(key, pod, record, behaviour)

    async def _show(self, key: Key, pod: Object, record: _Record, behaviour: Behaviour) -> None:
        now = self._clock.now()
        scene = play(pod, behaviour, started=record.started, address=record.address, now=now)
        if scene.change_at is not None:
            self._later(key, (scene.change_at - now).total_seconds())
        difference = merge_patch(status_of(pod), scene.status)
        if difference:
            ref = ObjectRef(POD, *key)
            await self._client.patch(ref, {"status": difference}, subresource="status", version=version_of(pod))

    async def _remove(self, key: Key, pod: Object, record: _Record, gone_after: timedelta) -> None:
        now = self._clock.now()
        record.deletion_seen = record.deletion_seen or now
        left = (record.deletion_seen + gone_after - now).total_seconds()
        if left > 0:
            self._later(key, left)
            return
        try:
            await self._client.delete(ObjectRef(POD, *key), uid=uid_of(pod), grace_seconds=0)
        except (NotFound, Conflict):
            self._forget(key)

    def _record(self, key: Key, pod: Object) -> _Record:
        record = self._records.get(key)
        if record is None or record.uid != uid_of(pod):
            self._forget(key)
            known = status_of(pod).get("podIP")
            if known:
                self._addresses.reserve(known)
            record = self._records[key] = _Record(uid_of(pod), self._clock.now(), known or self._addresses.take())
        return record

    def _forget(self, key: Key) -> None:
        record = self._records.pop(key, None)
        if record is not None:
            self._addresses.give_back(record.address)

    def _later(self, key: Key, seconds: float) -> None:
        heapq.heappush(self._due, (self._clock.monotonic() + seconds, key))
        self._wake.set()

    async def _announce(self) -> None:
        try:
            await self._client.create(NODE, node_object(self.name))
        except AlreadyExists:
            logger.debug("node %s is already there", self.name)
        status = node_status(ready=True, address=HOST_ADDRESS, log_port=0, now=self._clock.now())
        await self._client.patch(ObjectRef(NODE, "", self.name), {"status": status}, subresource="status")


def _interesting(old: Object, new: Object) -> bool:
    """Tell whether a change of a pod can matter to the node; the echo of its own status write cannot."""
    if is_deleting(old) != is_deleting(new) or uid_of(old) != uid_of(new) or spec_of(old) != spec_of(new):
        return True
    gates = bool(spec_of(new).get("readinessGates"))
    return gates and status_of(old).get("conditions") != status_of(new).get("conditions")
