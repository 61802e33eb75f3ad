"""The node agent: binds pods, runs each as local processes on its own loopback address, and serves their logs.

Owns which pods run here. Must not: know how a pod runs (pod.py), or why it was made.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from kube.client import Client
from kube.clock import Clock
from kube.errors import AlreadyExists, ApiError, Conflict, NotFound
from kube.events import EventRecorder
from kube.kinds import CONFIG_MAP, LEASE, NODE, POD, SECRET, ObjectRef
from kube.objects import Key, Object, annotations_of, is_deleting, key_of, uid_of
from kube.plan import Event
from sandbox.apps.catalogue import ALLOW_ANNOTATION, Entry, Missing, look_up
from sandbox.node.addresses import AddressPool
from sandbox.node.binding import NODE_NAME, bind, node_lease, node_object, node_status, wants_binding
from sandbox.node.context import PodContext, Tempo
from sandbox.node.logs import log_server
from sandbox.node.pod import PodRunner, grace_of
from sandbox.node.processes import Processes
from sandbox.workloads.informers import Informers
from sandbox.workloads.pods import is_finished, spec_of, status_of
from sandbox.workloads.worker import Worker

logger = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How the node is set up.

    Attributes:
        directory: where pods keep their files; it is the agent's own and emptied when it stops.
        node: the node's name.
        network: where pods get their addresses from.
        address: where logs are served.
        allowed_images: patterns of further images that run the HTTP echo.
        name_proxy: URL of an HTTP proxy that knows the cluster's names; given to every container.
        log_certificate: a PEM file with certificate and key; logs are then served over TLS.
        tempo: how fast back-offs run.
    """

    directory: Path
    node: str = NODE_NAME
    network: str = "127.10.0.0/16"
    address: str = "127.0.0.1"
    allowed_images: Sequence[str] = ()
    name_proxy: str = ""
    log_certificate: Path | None = None
    tempo: Tempo = field(default_factory=Tempo)

    def proxy_environment(self) -> dict[str, str]:
        """Return the variables that send a container's requests through the name proxy."""
        if not self.name_proxy:
            return {}
        found = dict.fromkeys(("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"), self.name_proxy)
        return {**found, "NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}


class NodeAgent:
    """Runs pods; `run` until cancelled. The informers are started by whoever made them."""

    def __init__(self, client: Client, clock: Clock, informers: Informers, options: Options) -> None:
        self._client = client
        self._clock = clock
        self._options = options
        self._stores = {kind.name: informers.store(kind) for kind in (POD, CONFIG_MAP, SECRET)}
        self._addresses = AddressPool(options.network)
        self._recorder = EventRecorder(client, clock=clock, component="kubelet", instance=options.node)
        self._runners: dict[Key, PodRunner] = {}
        self._worker: Worker[Key] = Worker("node", self._attend, clock=clock, workers=16)
        self._processes = Processes()
        self._session: aiohttp.ClientSession | None = None
        self._synced = informers.of(POD).synced
        informers.of(POD).on_change(lambda old, new: self._worker.queue.add(key_of(new or old or {})))

    async def run(self) -> None:
        """Run pods until cancelled; then end them all at once."""
        timeout = aiohttp.ClientTimeout(total=None)
        connector = aiohttp.TCPConnector(limit=0, force_close=True)
        async with (
            self._processes,
            aiohttp.ClientSession(timeout=timeout, connector=connector) as self._session,
            log_server(self._options.address, self._log_directory, certificate=self._options.log_certificate) as port,
        ):
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._recorder.run())
                    group.create_task(self._tidy())
                    group.create_task(self._heartbeat(port))
                    group.create_task(self._worker.run())
            finally:
                await self._stop()

    async def _stop(self) -> None:
        await asyncio.gather(*(runner.abandon() for runner in self._runners.values()), return_exceptions=True)
        try:
            async with asyncio.timeout(2.0):
                await self._recorder.flush()
                await self._announce(ready=False, port=0)
        except (ApiError, TimeoutError) as error:
            logger.info("the node could not say that it stops: %s", error)
        await asyncio.to_thread(shutil.rmtree, self._options.directory, ignore_errors=True)

    async def _tidy(self) -> None:
        """Remove what pods that are gone left here when an earlier agent was killed."""
        await self._synced()
        known = {self._directory_of(pod).name for pod in self._stores["Pod"].all()}
        left = [path for path in self._options.directory.glob("*_*_*") if path.name not in known]
        for path in left:  # listed before the first wait: whatever comes later belongs to a pod that has come since
            await asyncio.to_thread(shutil.rmtree, path, ignore_errors=True)

    def _directory_of(self, pod: Object) -> Path:
        return self._options.directory / "_".join((*key_of(pod), uid_of(pod)))

    async def _heartbeat(self, port: int) -> None:
        while True:
            try:
                await self._announce(ready=True, port=port)
                wait = HEARTBEAT_SECONDS
            except ApiError as error:
                logger.warning("the node could not be announced: %s", error)
                wait = 1.0
            await self._clock.sleep(wait)

    async def _announce(self, *, ready: bool, port: int) -> None:
        ref = ObjectRef(NODE, "", self._options.node)
        status = node_status(ready=ready, address=self._options.address, log_port=port, now=self._clock.now())
        try:
            await self._client.patch(ref, {"status": status}, subresource="status")
        except NotFound:
            try:
                await self._client.create(NODE, node_object(self._options.node))
            except AlreadyExists:
                logger.debug("node %s was created meanwhile", self._options.node)
            await self._client.patch(ref, {"status": status}, subresource="status")
        if ready:
            await self._client.apply(LEASE, node_lease(self._options.node, now=self._clock.now()), force=True)

    async def _attend(self, key: Key) -> float | None:
        """Bring what runs in line with a pod object."""
        pod, runner = self._stores["Pod"].get(*key), self._runners.get(key)
        if runner is not None and (pod is None or uid_of(pod) != runner.uid):
            await self._forget(key, runner)
            runner = None
        if pod is None:
            return None
        if wants_binding(pod):
            await bind(self._client, pod, self._options.node)
        elif spec_of(pod).get("nodeName") == self._options.node:
            await self._run(key, pod, runner)
        return None

    async def _run(self, key: Key, pod: Object, runner: PodRunner | None) -> None:
        if runner is not None:
            runner.changed()
        elif not is_deleting(pod) and not is_finished(pod):
            runner = self._runners[key] = PodRunner(self._client, self._context(key, pod))
            runner.start()
        if not is_deleting(pod):
            return
        if runner is not None:
            runner.terminate(grace_seconds=grace_of(pod))
            return
        try:
            await self._client.delete(ObjectRef(POD, *key), uid=uid_of(pod), grace_seconds=0)
        except (Conflict, NotFound):
            logger.debug("pod %s is gone already", "/".join(key))

    async def _forget(self, key: Key, runner: PodRunner) -> None:
        del self._runners[key]
        await runner.abandon()
        self._addresses.give_back(runner.context.address)

    def _context(self, key: Key, pod: Object) -> PodContext:
        assert self._session is not None
        ref, uid = ObjectRef(POD, *key), uid_of(pod)

        def newest() -> Object:
            found = self._stores["Pod"].get(*key)
            return found if found is not None and uid_of(found) == uid else pod

        def report(reason: str, message: str, *, warning: bool = False) -> None:
            self._recorder.record(Event(about=ref, reason=reason, message=message, warning=warning), uid=uid)

        address = status_of(pod).get("podIP")
        if address:
            self._addresses.reserve(address)
        return PodContext(
            pod=newest,
            address=address or self._addresses.take(),
            host_address=self._options.address,
            directory=self._directory_of(pod),
            processes=self._processes,
            session=self._session,
            find=lambda kind, name: self._stores[kind].get(key[0], name),
            look_up=self._look_up,
            clock=self._clock,
            tempo=self._options.tempo,
            report=report,
            extra_environment=self._options.proxy_environment(),
        )

    def _look_up(self, pod: Object, image: str) -> Entry | Missing:
        anything = annotations_of(pod).get(ALLOW_ANNOTATION) == "true"
        return look_up(image, allowed=("*",) if anything else self._options.allowed_images)

    def _log_directory(self, namespace: str, pod: str, container: str) -> tuple[Path, Callable[[], bool]] | str:
        runner = self._runners.get((namespace, pod))
        if runner is None:
            return f'pod "{pod}" in namespace "{namespace}" does not run on this node'
        found = next((one for one in (*runner.inits, *runner.containers) if one.name == container), None)
        if found is None:
            return f'container "{container}" is not valid for pod "{pod}"'
        return runner.context.directory / "logs" / container, lambda: found.goes_on

    @property
    def pods(self) -> Mapping[Key, PodRunner]:
        """What runs here."""
        return self._runners
