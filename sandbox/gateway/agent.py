"""Follows the cluster and keeps the gateway as its objects say.

Owns the informers and the moment of each translation. Must not: translate, or know Envoy's files.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence

from kube.client import Client
from kube.clock import Clock, SystemClock
from kube.errors import AlreadyExists, ApiError, Invalid
from kube.informer import Informer
from kube.kinds import (
    CUSTOM_RESOURCE_DEFINITION,
    DESTINATION_RULE,
    ENDPOINT_SLICE,
    INGRESS,
    POD,
    SERVICE,
    VIRTUAL_SERVICE,
    Kind,
    ObjectRef,
)
from kube.objects import Object, key_of, version_of
from sandbox.gateway.gateway import Gateway, NotServed
from sandbox.gateway.selected import with_selected
from sandbox.gateway.translate_ingress import is_served
from sandbox.gateway.world import GATEWAY, World

KINDS = (SERVICE, ENDPOINT_SLICE, POD, INGRESS, VIRTUAL_SERVICE, DESTINATION_RULE, GATEWAY)
TOGETHER_SECONDS = 0.002
"""Changes that arrive within this time are translated together."""
QUIET_SECONDS = 1.0
"""What nothing routes to any more is taken away after no change for this long."""

log = logging.getLogger(__name__)


class Agent:
    """Translates after every change that matters, from `run` until it is cancelled."""

    def __init__(self, client: Client, gateway: Gateway, *, clock: Clock | None = None) -> None:
        """Follow the cluster of `client` with a started `gateway`."""
        self._client = client
        self._gateway = gateway
        self._changed = asyncio.Event()
        self._applied = asyncio.Condition()
        self.ready = asyncio.Event()
        """Set once the objects that were there at the start are served."""
        self._seen: dict[ObjectRef, str] = {}
        self._extra: dict[ObjectRef, Object] = {}
        self._feeds: dict[Kind, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None
        self._followers: list[Callable[[World], None]] = []
        self.world = World()
        """What was last translated."""
        kinds = (*KINDS, CUSTOM_RESOURCE_DEFINITION)
        self._informers: Mapping[Kind, Informer] = {kind: Informer(client, kind, clock=clock or SystemClock()) for kind in kinds}
        for kind in KINDS:
            self._informers[kind].on_change(lambda _old, _new: self._changed.set())
        self._informers[CUSTOM_RESOURCE_DEFINITION].on_change(lambda _old, new: self._look_for_kinds(new))

    def on_world(self, follower: Callable[[World], None]) -> None:
        """Tell `follower` of each world before it is translated."""
        self._followers.append(follower)

    async def run(self) -> None:
        """Follow until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._feeds = {kind: group.create_task(informer.run()) for kind, informer in self._informers.items()}
            self._group = group
            for informer in self._informers.values():
                await informer.synced()
            self._changed.set()
            group.create_task(self._translate())

    async def applied(self, ref: ObjectRef, version: str, *, timeout_seconds: float = 10.0) -> None:
        """Wait until this state of an object (its resourceVersion) is what requests are served by.

        Raises:
            TimeoutError: it was not seen in time, or was replaced by another state meanwhile.
            NotServed: Envoy does not take the configuration.
        """
        async with asyncio.timeout(timeout_seconds), self._applied:
            await self._applied.wait_for(lambda: self._seen.get(ref) == version)
        await self._gateway.confirmed()

    async def ensure(self, objects: Sequence[tuple[Kind, Object]]) -> None:
        """Bring objects into the cluster, or up to date there.

        An EndpointSlice that the server refuses (real ones take no loopback addresses) counts for this gateway all the same.
        """
        for kind, body in objects:
            ref = ObjectRef(kind, str(body["metadata"].get("namespace") or ""), str(body["metadata"]["name"]))
            try:
                await self._put(ref, body)
            except Invalid:
                if kind != ENDPOINT_SLICE:
                    raise
                self._extra[ref] = body
                self._changed.set()

    async def _put(self, ref: ObjectRef, body: Object) -> None:
        try:
            await self._client.create(ref.kind, body)
        except AlreadyExists:
            if ref.namespace:
                wanted = {key: value for key, value in body.items() if key in ("spec", "endpoints", "ports")}
                await self._client.patch(ref, wanted)

    async def _translate(self) -> None:
        quiet = True
        while True:
            try:
                async with asyncio.timeout(None if quiet else QUIET_SECONDS):
                    await self._changed.wait()
            except TimeoutError:
                quiet = True
                await self._settle()
                continue
            await asyncio.sleep(TOGETHER_SECONDS)
            self._changed.clear()
            quiet = False
            await self._serve()

    async def _serve(self) -> None:
        seen = {ObjectRef(kind, *key_of(obj)): version_of(obj) for kind in KINDS for obj in self._all(kind)}
        services, pods = self._all(SERVICE), self._all(POD)
        slices = (*self._all(ENDPOINT_SLICE), *self._extra.values())
        self.world = World(
            services=services,
            slices=with_selected(slices, services=services, pods=pods),
            pods=pods,
            ingresses=self._all(INGRESS),
            virtual_services=self._all(VIRTUAL_SERVICE),
            destination_rules=self._all(DESTINATION_RULE),
            gateways=self._all(GATEWAY),
        )
        for follower in self._followers:
            follower(self.world)
        self._gateway.apply(self.world)
        async with self._applied:
            self._seen = seen
            self._applied.notify_all()
        if not self.ready.is_set():
            await self._settle()
            self.ready.set()

    async def _settle(self) -> None:
        try:
            await self._gateway.settle()
        except NotServed as error:
            log.error("%s", error)
        await self._publish_address()

    async def _publish_address(self) -> None:
        """Write where Ingresses are served into those whose status does not say so."""
        address = {"ip": self._gateway.ingress.address, "ports": [{"port": self._gateway.ingress.port, "protocol": "TCP"}]}
        for ingress in self.world.ingresses:
            known = ((ingress.get("status") or {}).get("loadBalancer") or {}).get("ingress")
            if known == [address] or not is_served(ingress, self._gateway.settings):
                continue
            ref = ObjectRef(INGRESS, *key_of(ingress))
            try:
                await self._client.patch(ref, {"status": {"loadBalancer": {"ingress": [address]}}}, subresource="status")
            except ApiError as error:
                log.info("the address of %s is not published: %s", ref, error)

    def _all(self, kind: Kind) -> tuple[Object, ...]:
        """Return a kind's objects, each with its kind: lists do not carry it."""
        return tuple(obj if obj.get("kind") else {**obj, "kind": kind.name} for obj in self._informers[kind].store.all())

    def _look_for_kinds(self, definition: Object | None) -> None:
        """Ask again for a kind that was not served, as soon as its definition comes or is established."""
        spec = (definition or {}).get("spec") or {}
        named = (spec.get("group"), (spec.get("names") or {}).get("plural"))
        for kind in self._feeds:
            if (kind.group, kind.plural) == named and not self._informers[kind].served and self._group:
                self._feeds[kind].cancel()
                self._feeds[kind] = self._group.create_task(self._informers[kind].run())
