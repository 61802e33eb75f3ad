"""People and tools around a Rollout: they deploy it, change it, command it, and judge its AnalysisRuns.

Owns what each act of a history does. Must not: wait for the controller.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from kube.client import Client
from kube.kinds import ANALYSIS_RUN, INGRESS, POD, REPLICA_SET, ROLLOUT, SERVICE, VIRTUAL_SERVICE, Kind, ObjectRef
from kube.objects import Object, annotations_of, labels_of, name_of
from rollouts.cli import patches
from rollouts.rollout.analyses import is_finished
from rollouts.rollout.gather import KINDS
from sandbox.apiserver.inprocess import InProcessTransport
from sandbox.apiserver.server import ApiServer
from sandbox.apiserver.storage import Change
from tests.convergence.histories import TEMPLATE, Act, Shop, step_of
from tests.convergence.machinery import Machinery, is_ready, objects, store_of
from tests.convergence.rules import Rules
from tests.shops import HASH, ROUTINGS, routed_rollout

ANALYSIS = f"""
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {{name: {TEMPLATE}}}
spec:
  metrics:
  - {{name: slow, initialDelay: 2h, provider: {{prometheus: {{address: "http://127.0.0.1:1", query: up}}}}}}
"""
ACCIDENT_SECONDS, RESET_SECONDS = 30.0, 60.0
"""For how long the rules are lax after a pod was lost, or the route was set by hand."""


@dataclass
class People:
    """Everybody but the controller."""

    shop: Shop
    server: ApiServer
    machinery: Machinery
    rules: Rules
    all_good: bool = False
    """Whether every verdict is good from now on, whatever the shop's are."""
    client: Client = field(init=False)
    _judging: set[asyncio.Task[None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Nobody makes trouble for people: their requests arrive."""
        self.client = Client(InProcessTransport(self.server, user="person"), clock=self.server.core.clock)

    def all(self, kind: Kind) -> list[dict[str, Any]]:
        """Return the objects of a kind as they are at this moment."""
        return objects(self.server, kind)

    @property
    def rollout(self) -> Object:
        """The Rollout as it is at this moment."""
        return self.all(ROLLOUT)[0]

    @property
    def status(self) -> Mapping[str, Any]:
        """Its status."""
        return self.rollout.get("status") or {}

    async def edit(self, patch: Mapping[str, Any] | None, subresource: str | None = None) -> None:
        """Patch the Rollout as a person does."""
        if patch:
            await self.client.patch(ObjectRef(ROLLOUT, "default", "shop"), patch, subresource=subresource)

    async def apply(self, change: patches.Change) -> None:
        """Do what a command of the command line does."""
        await self.edit(change.spec)
        await self.edit(change.status, "status")

    async def deploy(self) -> None:
        """Create the shop and all it needs."""
        shop = self.shop
        made, strategy = ROUTINGS[shop.router] if shop.routed else ("", {})
        canary = {**strategy, **({"dynamicStableScale": True} if shop.dynamic else {})}
        if shop.background:
            canary["analysis"] = {"templates": [{"templateName": TEMPLATE}]}
        rollout = routed_rollout([step_of(step) for step in shop.steps], canary, replicas=shop.replicas)
        for body in (*_documents(made), *_documents(ANALYSIS), rollout):
            kind = next(one for one in KINDS if one.name == body["kind"])
            await self.client.create(kind, {**body, "metadata": {"namespace": "default", **body["metadata"]}})

    async def do(self, act: Act) -> None:
        """Let somebody do something."""
        match act.what:
            case "ship":
                await self.edit({"spec": {"template": {"spec": {"containers": [{"name": "shop", "image": act.argument}]}}}})
            case "scale":
                await self.edit({"spec": {"replicas": act.argument}}, "scale")
            case "promote":
                await self.apply(patches.promote(self.rollout))
            case "promote fully":
                await self.apply(patches.promote(self.rollout, full=True))
            case "abort":
                await self.apply(patches.ABORT)
            case "retry":
                await self.apply(patches.RETRY)
            case "pause" | "unpause":
                await self.edit({"spec": {"paused": act.what == "pause"}})
            case "restart":
                await asyncio.sleep(1)
                await self.apply(patches.restart(self.server.core.clock.now()))
            case _:
                await self._misfortune(act)

    async def _misfortune(self, act: Act) -> None:
        """Let something happen that nobody asked for."""
        match act.what:
            case "break":
                self.machinery.broken.add(str(act.argument))
                self.rules.counts_pods = False  # what does not get its pods goes back with those it has
            case "mend":
                self.machinery.mend([str(act.argument)])
            case "lose a pod":
                self._lose_a_pod()
            case "tool":
                await self._tool()
            case "reset the route":
                await self._reset_route()
            case _:
                raise ValueError(f"nobody can do {act.what!r}")

    def _lose_a_pod(self) -> None:
        """Take one ready pod from a version that has others."""
        now = asyncio.get_running_loop().time()
        for replica_set in self.all(REPLICA_SET):
            mine = [pod for pod in self.all(POD) if labels_of(pod)[HASH] == labels_of(replica_set)[HASH]]
            ready = [pod for pod in mine if is_ready(pod)]
            if len(ready) > 1 and int(replica_set["spec"]["replicas"]) > 1:
                self.rules.lax_until = now + ACCIDENT_SECONDS
                self.machinery.delete(ready[0], now)
                return

    async def _tool(self) -> None:
        """Another tool writes what is its own into every object that the controller also writes."""
        number = str(self.server.storage.revision)
        for kind in (ROLLOUT, SERVICE, INGRESS, VIRTUAL_SERVICE):
            for one in self.all(kind):
                patch = {"metadata": {"labels": {"tool": f"v{number}"}, "annotations": {"tool/seen": number}}}
                await self.client.patch(ObjectRef(kind, "default", name_of(one)), patch)

    async def _reset_route(self) -> None:
        """A tool puts a VirtualService back to what its repository says: everybody to the stable version."""
        self.rules.lax_until = asyncio.get_running_loop().time() + RESET_SECONDS
        for one in self.all(VIRTUAL_SERVICE):
            http = copy.deepcopy(one["spec"]["http"])
            http[0]["route"][0]["weight"], http[0]["route"][1]["weight"] = 100, 0
            await self.client.patch(ObjectRef(VIRTUAL_SERVICE, "default", name_of(one)), {"spec": {"http": http}})

    def measure(self) -> None:
        """From now on, give each new AnalysisRun of a step its verdict, a second after it was made."""
        store = store_of(self.server, ANALYSIS_RUN)

        def note(name: str, change: Change) -> None:
            if name == store and change.old is None:
                task = asyncio.create_task(self._judge(change.key[1]))
                self._judging.add(task)
                task.add_done_callback(self._judging.discard)

        self.server.storage.on_commit(note)

    async def _judge(self, name: str) -> None:
        await asyncio.sleep(1)
        for run in self.all(ANALYSIS_RUN):
            if name_of(run) == name and not is_finished(run) and labels_of(run).get("rollout-type") == "Step":
                revision = int(annotations_of(run).get("rollout.argoproj.io/revision", "1"))
                good = self.all_good or self.shop.verdicts[(revision - 1) % len(self.shop.verdicts)]
                patch = {"status": {"phase": "Successful" if good else "Failed", "message": "" if good else "too slow"}}
                await self.client.patch(ObjectRef(ANALYSIS_RUN, "default", name), patch)


def _documents(text: str) -> list[dict[str, Any]]:
    return [body for body in yaml.safe_load_all(text) if body]
