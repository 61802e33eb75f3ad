"""The life of one pod: its volumes, init containers, containers, status, and end.

Owns the pod's status on the API server and its final deletion. Must not: know other pods.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Mapping
from typing import Any

from kube.client import Client
from kube.differences import merge_patch
from kube.errors import ApiError, Conflict, NotFound
from kube.kinds import POD, ObjectRef
from kube.objects import Object, key_of, uid_of, version_of
from sandbox.node.container import ContainerRunner, is_sidecar
from sandbox.node.context import PodContext
from sandbox.node.environment import config_data
from sandbox.node.errors import BadConfig
from sandbox.node.pod_status import Container, PodState, Waiting, pod_status
from sandbox.workloads.pods import spec_of, status_of

logger = logging.getLogger(__name__)

RETRY_SECONDS = 0.1
SIDECAR_GRACE_SECONDS = 2.0
"""How long sidecars have once the containers beside them are done."""


class PodRunner:
    """Runs one pod until it is deleted."""

    def __init__(self, client: Client, context: PodContext) -> None:
        pod = context.pod()
        self.ref = ObjectRef(POD, *key_of(pod))
        self.uid = uid_of(pod)
        self.context = context
        self._client = client
        self._started = context.clock.now()
        self._dirty = asyncio.Event()
        self._ended = ""
        self._stopping = False
        policy = str(spec_of(pod).get("restartPolicy") or "Always")
        restarts = _restarts(pod)
        once = "Never" if policy == "Never" else "OnFailure"
        self.inits = [
            self._runner(one, "Always" if is_sidecar(one) else once, restarts) for one in spec_of(pod).get("initContainers") or ()
        ]
        self.containers = [self._runner(one, policy, restarts) for one in spec_of(pod).get("containers") or ()]
        self._life: asyncio.Task[None] | None = None
        self._writing: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._writing = asyncio.create_task(self._write_changes(), name=f"status of {self.ref}")
        self._life = asyncio.create_task(self._live(), name=str(self.ref))
        self.changed()

    def changed(self) -> None:
        """Something about the pod may have changed: have its status written."""
        self._dirty.set()

    def terminate(self, *, grace_seconds: float) -> None:
        """Begin the pod's graceful end, once."""
        if self._ending is None:
            self._ending = asyncio.create_task(self._terminate(grace_seconds), name=f"end of {self.ref}")

    async def abandon(self) -> None:
        """Stop everything at once: the pod is gone from the API server, or the agent stops."""
        tasks = [task for task in (self._ending, self._life, self._writing) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(one.stop(grace_seconds=0) for one in self._all()), return_exceptions=True)
        await asyncio.to_thread(shutil.rmtree, self.context.directory, ignore_errors=True)

    def _all(self) -> list[ContainerRunner]:
        return [*self.inits, *self.containers]

    def _runner(self, spec: Mapping[str, Any], policy: str, restarts: Mapping[str, int]) -> ContainerRunner:
        return ContainerRunner(self.context, spec, policy=policy, changed=self.changed, restarts=restarts.get(str(spec["name"]), 0))

    async def _live(self) -> None:
        deadline = spec_of(self.context.pod()).get("activeDeadlineSeconds")
        try:
            async with asyncio.timeout(float(deadline) if deadline is not None else None):
                await self._prepare()
                async with asyncio.TaskGroup() as beside:
                    await self._run_in_order(beside)
        except TimeoutError:
            self._ended = "DeadlineExceeded"
            self.context.report("DeadlineExceeded", "Pod was active on the node longer than the specified deadline")
        self.changed()

    async def _run_in_order(self, beside: asyncio.TaskGroup) -> None:
        """Run init containers one after the other, then the containers; sidecars from their turn to the end."""
        running: dict[str, asyncio.Task[None]] = {}
        for one in self.inits:
            if one.view.sidecar:
                running[one.name] = beside.create_task(one.run(), name=f"sidecar {one.name} of {self.ref}")
                await one.up()
            else:
                await one.run()
            if not one.view.initialized and not one.view.sidecar:
                break
        else:
            await asyncio.gather(*(one.run() for one in self.containers))
        if not self._stopping:
            await self._stop_sidecars(grace_seconds=SIDECAR_GRACE_SECONDS)
        for task in running.values():
            await asyncio.wait([task], timeout=RETRY_SECONDS)
            task.cancel()  # one that waits for its next start waits no more

    async def _stop_sidecars(self, *, grace_seconds: float) -> None:
        """Stop them, the last one first."""
        for one in reversed(self.inits):
            if one.view.sidecar:
                await one.stop(grace_seconds=grace_seconds)

    async def _prepare(self) -> None:
        """Lay out the pod's directory; wait for ConfigMaps and Secrets that are not there yet."""
        while True:
            try:
                await asyncio.to_thread(self._lay_out, self._files())
                return
            except BadConfig as error:
                self.context.report("FailedMount", str(error), warning=True)
                await self.context.clock.sleep(self.context.tempo.config_retry_seconds)

    def _files(self) -> dict[str, dict[str, bytes]]:
        """Return the files of each volume that has any."""
        files: dict[str, dict[str, bytes]] = {}
        for volume in spec_of(self.context.pod()).get("volumes") or ():
            files[volume["name"]] = {}
            for field, kind, key in (("configMap", "ConfigMap", "name"), ("secret", "Secret", "secretName")):
                source = volume.get(field)
                if source is None:
                    continue
                obj = self.context.find(kind, source[key])
                if obj is None and not source.get("optional"):
                    raise BadConfig(
                        f'MountVolume.SetUp failed for volume "{volume["name"]}": {kind.lower()} "{source[key]}" not found'
                    )
                files[volume["name"]] = config_data(obj) if obj is not None else {}
        return files

    def _lay_out(self, volumes: Mapping[str, Mapping[str, bytes]]) -> None:
        for volume, files in volumes.items():
            directory = self.context.directory / "volumes" / volume
            directory.mkdir(parents=True, exist_ok=True)
            for name, content in files.items():
                (directory / name).write_bytes(content)
        self.context.directory.mkdir(parents=True, exist_ok=True)

    async def _terminate(self, grace_seconds: float) -> None:
        self._stopping = True
        self.changed()
        clock = self.context.clock
        deadline = clock.monotonic() + grace_seconds
        await asyncio.gather(*(one.stop(grace_seconds=grace_seconds) for one in self._all() if not one.view.sidecar))
        left = max(deadline - clock.monotonic(), 1.0) if grace_seconds else 0.0
        await self._stop_sidecars(grace_seconds=left)
        if self._life is not None:
            self._life.cancel()  # whatever waited for an image or a back-off waits no more
            await asyncio.gather(self._life, return_exceptions=True)
        while True:
            try:
                await self._write()
                await self._client.delete(self.ref, uid=self.uid, grace_seconds=0)
                return
            except (NotFound, Conflict):
                return  # gone, or another pod has the name by now
            except ApiError as error:
                logger.warning("%s: %s", self.ref, error)
                await self.context.clock.sleep(RETRY_SECONDS * 10)

    def state(self) -> PodState:
        """Return what is known of the pod."""
        inits = [one.view for one in self.inits]
        views = [one.view for one in self.containers]
        if not all(one.initialized for one in inits):
            views = [_waiting(view) if isinstance(view.state, Waiting) and view.last is None else view for view in views]
        return PodState(
            address=self.context.address,
            host_address=self.context.host_address,
            started=self._started,
            containers=views,
            init_containers=inits,
            stopping=self._stopping,
            ended=self._ended,
        )

    async def _write_changes(self) -> None:
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            try:
                await self._write()
            except NotFound:
                return
            except ApiError as error:
                logger.debug("%s: %s", self.ref, error)
                await self.context.clock.sleep(RETRY_SECONDS)
                self._dirty.set()

    async def _write(self) -> None:
        """Write the status if it differs; computed anew from the server's state when somebody else wrote meanwhile."""
        pod = self.context.pod()
        for _ in range(5):
            if uid_of(pod) != self.uid:
                return
            difference = merge_patch(status_of(pod), pod_status(pod, self.state(), self.context.clock.now()))
            if not difference:
                return
            try:
                await self._client.patch(self.ref, {"status": difference}, subresource="status", version=version_of(pod))
            except Conflict:
                pod = await self._client.get(POD, self.ref.namespace, self.ref.name)
                continue
            return
        self._dirty.set()


def _restarts(pod: Object) -> dict[str, int]:
    """Return how often each container counts as restarted: programs of an earlier agent are gone, which is one more."""
    statuses = [
        one
        for field in ("containerStatuses", "initContainerStatuses")
        for one in status_of(pod).get(field) or ()
        if one.get("containerID")
    ]
    return {one["name"]: int(one.get("restartCount") or 0) + 1 for one in statuses}


def _waiting(view: Container) -> Container:
    return Container(name=view.name, image=view.image, state=Waiting("PodInitializing"))


def grace_of(pod: Object) -> float:
    """Return the seconds that a pod which is being deleted has for its end."""
    return float(pod["metadata"].get("deletionGracePeriodSeconds") or 0)
