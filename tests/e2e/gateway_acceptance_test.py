"""Manifests people have, unchanged: an Istio subset split, and the success rate asked of Prometheus by name."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml
from gateway_cluster import Cluster, definition, new_client, run_pod
from gateway_harness import App, ask, running_apps

from kube.client import Client
from kube.kinds import (
    CUSTOM_RESOURCE_DEFINITION,
    DESTINATION_RULE,
    ENDPOINT_SLICE,
    SERVICE,
    VIRTUAL_SERVICE,
    Kind,
    ObjectRef,
)
from kube.objects import Object
from sandbox.gateway.serving import Options, serving
from sandbox.gateway.world import GATEWAY
from sandbox.load.generator import LoadGenerator
from sandbox.load.wire import Target
from sandbox.metrics.prometheus import prometheus_path
from tests.gateway_objects import OWN, destination, endpoints, pod

MANIFESTS = Path(__file__).parents[2].parent / "shared" / "acceptance" / "rollouts"
OLD, NEW = f"{OWN}.84.1", f"{OWN}.84.2"
KINDS = {kind.name: kind for kind in (SERVICE, VIRTUAL_SERVICE, DESTINATION_RULE, GATEWAY)}
HELLO = "spring-boot-helloworld"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not MANIFESTS.is_dir(), reason="no acceptance manifests"),
    pytest.mark.skipif(prometheus_path() is None, reason="no prometheus binary"),
]


def manifests(name: str) -> dict[str, Object]:
    """The documents of a file, by kind."""
    return {one["kind"]: one for one in yaml.safe_load_all((MANIFESTS / name).read_text()) if one}


async def apply(cluster: Cluster, documents: dict[str, Object], namespace: str = "default") -> None:
    """Create the documents that a gateway reads."""
    for kind in KINDS.values():
        if kind.name in documents:
            body = documents[kind.name]
            await cluster.create(kind, {**body, "metadata": {"namespace": namespace, **body["metadata"]}})


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    client: Client = await new_client("istio-system")
    kinds: tuple[Kind, ...] = (VIRTUAL_SERVICE, DESTINATION_RULE, GATEWAY)
    for kind in kinds:
        await client.create(CUSTOM_RESOURCE_DEFINITION, definition(kind))
    async with serving(client, Options(state=tmp_path, scrape_seconds=0.5)) as running:
        yield Cluster(client, running)
    await client.close()


async def split(cluster: Cluster, weight: int) -> None:
    """Write what the Istio router writes: hashes into the subsets, weights into the route."""
    subsets = [
        {"name": name, "labels": {"app": HELLO, "rollouts-pod-template-hash": pod_hash}}
        for name, pod_hash in (("canary", "new"), ("stable", "old"))
    ]
    await cluster.patch(ObjectRef(DESTINATION_RULE, "default", "helloworld-rollout-destrule"), {"spec": {"subsets": subsets}})
    route = [destination(HELLO, 100 - weight, subset="stable"), destination(HELLO, weight, subset="canary")]
    http = [{"name": "primary", "route": route}]
    await cluster.patch(ObjectRef(VIRTUAL_SERVICE, "default", "helloworld-rollout-vsvc"), {"spec": {"http": http}})


@pytest.mark.parametrize(
    "name",
    ["03-canary-istio-subset-split.yaml", "derived/07-canary-istio-background-analysis-right-target.yaml"],
)
async def test_a_subset_split_divides_and_the_published_query_judges_it(cluster: Cluster, name: str) -> None:
    template = manifests("04-analysistemplate-prometheus-success-rate.yaml")["AnalysisTemplate"]
    provider = template["spec"]["metrics"][0]["provider"]["prometheus"]
    host = f"{HELLO}.default.svc.cluster.local"
    good, bad = App("old", OLD), App("new", NEW)
    async with running_apps(good, bad):
        await apply(cluster, manifests(name))
        await cluster.create(ENDPOINT_SLICE, endpoints(HELLO, [OLD, NEW], namespace="default"))
        for address, pod_hash in ((OLD, "old"), (NEW, "new")):
            await run_pod(cluster, pod(address, namespace="default", app=HELLO, rollouts_pod_template_hash=pod_hash))
        await split(cluster, 30)
        target = Target(url=f"http://{host}/", proxy=cluster.running.addresses.proxy)
        async with LoadGenerator(target, rps=100) as users:
            await cluster.until(query(provider["query"], host), {"": 1.0}, address=provider["address"])
            assert await cluster.query(query(provider["query"], f"{HELLO}.hello.svc.cluster.local")) == {}
            bad.status = 500
            await cluster.until(query(provider["query"], host) + " < bool 0.95", {"": 1.0}, address=provider["address"])
            found = await users.stop()
        assert found.lost == 0
        assert 0.15 < found.versions["new"] / found.sent < 0.45


def query(template: str, host: str) -> str:
    """Fill in the one argument, as the analysis does."""
    return template.replace("{{args.service-name}}", host)


async def test_prometheus_answers_at_the_host_of_its_gateway(cluster: Cluster) -> None:
    await apply(cluster, manifests("05-prometheus-istio-gateway.yaml"), "istio-system")
    ((status, text),) = await ask(f"{cluster.running.addresses.ingress}/-/ready", host="prom.icloud2native.com")
    assert (status, text) == (200, "Prometheus Server is Ready.\n")
    assert next(iter(await ask(cluster.running.addresses.ingress, host="other.icloud2native.com")))[0] == 404
