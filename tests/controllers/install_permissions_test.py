"""The shipped rights are those that the controllers use: nothing they ask is missing, and nothing is granted that nobody asks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import yaml
from rollout_harness import CONTROLLER, Cluster, running, stop
from workloads_harness import LoopClock

from kube.client import Client
from kube.kinds import CLUSTER_ANALYSIS_TEMPLATE, EXPERIMENT, ROLLOUT, SECRET
from kube.objects import format_time
from kube.transport import Response
from rollouts.manager import Manager, Options
from sandbox.apiserver.inprocess import InProcessTransport
from sandbox.apiserver.installing import install_all
from sandbox.apiserver.server import ApiServer
from tests.shops import INGRESS_YAML, NGINX, ROUTINGS, SERVICES, routed_rollout

pytestmark = pytest.mark.looptime

Right: TypeAlias = tuple[str, str]
"""Verb and resource."""
ROLE = Path(__file__).parents[2] / "config/rbac/cluster/role.yaml"
LOST = "an object that was created by a request whose answer was lost is looked at"
REASONS: dict[Right, str] = {
    ("get", "analysisruns"): LOST,
    ("get", "replicasets"): LOST,
    ("get", "ingresses"): LOST,
    ("update", "rollouts/finalizers"): "asked by clusters that let nobody be an owner that blocks deletion without it",
    ("list", "leases"): "whether Argo Rollouts is at work is looked at before the controllers start",
}
"""Rights that a run without faults, and without an election, does not need."""
TEMPLATE = """
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: errors}
spec:
  args:
  - {name: token, valueFrom: {secretKeyRef: {name: shop, key: token}}}
  metrics:
  - name: errors
    count: 1
    provider: {web: {url: "http://127.0.0.1:9/{{args.token}}", jsonPath: "{$}"}}
"""
EPHEMERAL = {"canaryMetadata": {"labels": {"role": "canary"}}, "stableMetadata": {"labels": {"role": "stable"}}}


def granted() -> set[Right]:
    rules = yaml.safe_load(ROLE.read_text())["rules"]
    return {(verb, resource) for rule in rules for resource in rule["resources"] for verb in rule["verbs"]}


def asked(cluster: Cluster) -> Iterable[Right]:
    """Return what the controller has asked for, in the words of the API."""
    return [(str(row["verb"]), str(row["resource"])) for row in cluster.server.counts.rows() if row["user"] == CONTROLLER]


async def shipped_and_taken_back() -> Iterable[Right]:
    """A bad version behind NGINX, with a Secret in its analysis; then a restart, and versions that push old ones out."""
    async with running() as cluster:
        await cluster.apply(SERVICES)
        await cluster.apply(INGRESS_YAML)
        await cluster.apply(TEMPLATE)
        await cluster.client.create(SECRET, {"metadata": {"name": "shop", "namespace": "default"}, "data": {"token": "dA=="}})
        analysis = {"templates": [{"templateName": "errors"}], "args": []}
        steps: list[dict[str, Any]] = [{"setWeight": 20}, {"analysis": analysis}]
        limits = {"successfulRunHistoryLimit": 0, "unsuccessfulRunHistoryLimit": 0}
        await cluster.put(routed_rollout(steps, {**NGINX, **EPHEMERAL}, replicas=2, revisionHistoryLimit=0, analysis=limits))
        await cluster.phase("Healthy")
        for image in ("shop:2", "shop:3"):
            await cluster.set_image(image)
            await cluster.phase("Degraded")
        await cluster.settled(seconds=60)
        await cluster.set_image("shop:1")
        await cluster.phase("Healthy")
        when = format_time(cluster.manager.clock.now())
        await cluster.patch(ROLLOUT, "shop", {"spec": {"restartAt": when}})
        await cluster.until(lambda status: status.get("restartedAt") == when)
        return asked(cluster)


async def shipped_in_a_mesh() -> Iterable[Right]:
    """An update by subsets, which writes VirtualService and DestinationRule."""
    async with running() as cluster:
        objects, strategy = ROUTINGS["istio, split by subsets"]
        await cluster.apply(objects)
        await cluster.put(routed_rollout([{"setWeight": 20}], strategy, replicas=2))
        await cluster.phase("Healthy")
        await cluster.set_image("shop:2")
        await cluster.phase("Healthy")
        return asked(cluster)


async def experimented() -> Iterable[Right]:
    """An Experiment, which is refused."""
    async with running() as cluster:
        metadata = {"name": "one", "namespace": "default"}
        await cluster.client.create(EXPERIMENT, {"metadata": metadata, "spec": {"duration": "1m", "templates": []}})
        await cluster.settled(seconds=10)
        return asked(cluster)


async def test_the_controllers_ask_for_what_is_granted_and_for_all_of_it() -> None:
    used = {*await shipped_and_taken_back(), *await shipped_in_a_mesh(), *await experimented()}
    assert sorted(used - granted()) == [], "asked for, and not granted"
    assert sorted(granted() - used - set(REASONS)) == [], "granted, and neither asked for nor explained"


def test_every_explanation_is_for_a_right_that_is_granted() -> None:
    assert set(REASONS) <= granted()


async def test_in_some_namespaces_only_these_are_asked() -> None:
    """A list of the whole cluster would be refused; only ClusterAnalysisTemplates are tried, and done without."""
    paths: list[str] = []

    class Watched(InProcessTransport):
        async def request(self, method: str, path: str, **options: Any) -> Response:
            paths.append(path)
            if "/namespaces/team-" not in path:
                body = {"kind": "Status", "status": "Failure", "reason": "Forbidden", "code": 403, "message": "forbidden"}
                return Response(403, {"content-type": "application/json"}, json.dumps(body).encode())
            return await super().request(method, path, **options)

    server, clock = ApiServer(clock=LoopClock(), seed=1), LoopClock()
    await install_all(server)
    client = Client(Watched(server, user=CONTROLLER), clock=clock)
    manager = Manager(client=client, clock=clock, options=Options(namespaces=("team-a", "team-b")))
    task = asyncio.create_task(manager.run())
    await asyncio.sleep(600)
    await stop(task)
    await manager.close()
    await client.close()
    elsewhere = [path for path in paths if "/namespaces/team-" not in path]
    assert manager.has_synced()
    assert set(elsewhere) == {CLUSTER_ANALYSIS_TEMPLATE.path()}
    assert len(elsewhere) <= 600 / 45
