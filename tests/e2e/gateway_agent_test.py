"""The gateway as it follows a cluster: what is written to the API is how requests are answered, and counted."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from gateway_cluster import CANARY, STABLE, Cluster, definition, new_client, shop
from gateway_harness import App, ask, running_apps

from kube.client import Client
from kube.kinds import CUSTOM_RESOURCE_DEFINITION, DESTINATION_RULE, INGRESS, SERVICE, VIRTUAL_SERVICE, ObjectRef
from sandbox.gateway.gateway import lowest_port
from sandbox.gateway.serving import Options, serving
from sandbox.metrics.prometheus import prometheus_path
from tests.gateway_objects import SERVICES, canary_ingress, destination, destination_rule, ingress, path, virtual_service


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    found = await new_client("shop")
    yield found
    await found.close()


@pytest.fixture
async def apps() -> AsyncIterator[tuple[App, App]]:
    stable, canary = App("stable", STABLE), App("canary", CANARY)
    async with running_apps(stable, canary):
        yield stable, canary


@pytest.fixture
async def cluster(client: Client, apps: tuple[App, App], tmp_path: Path) -> AsyncIterator[Cluster]:
    async with serving(client, Options(state=tmp_path, with_prometheus=False)) as running:
        found = Cluster(client, running)
        await shop(found)
        yield found


@pytest.mark.skipif(lowest_port() > 80, reason="this user may not listen on port 80")
async def test_every_service_gets_a_loopback_address_that_answers(cluster: Cluster) -> None:
    found = await cluster.client.get(SERVICE, "shop", "web")
    assert found["spec"]["clusterIP"].startswith(f"{SERVICES}.")
    assert await ask(f"http://{found['spec']['clusterIP']}/", 3) == {(200, "stable"): 3}


async def test_a_weight_written_to_the_api_is_how_users_are_divided(cluster: Cluster) -> None:
    await cluster.create(INGRESS, ingress("web", path("web")), canary_ingress("web-canary", path("web-canary"), weight=0))
    url, ref = cluster.running.addresses.ingress, ObjectRef(INGRESS, "shop", "web-canary")
    assert await ask(url, 20) == {(200, "stable"): 20}
    await cluster.patch(ref, {"metadata": {"annotations": {"nginx.ingress.kubernetes.io/canary-weight": "100"}}})
    assert await ask(url, 20) == {(200, "canary"): 20}


async def test_istio_objects_count_as_soon_as_their_kinds_are_defined(cluster: Cluster) -> None:
    """The definitions arrive after the gateway has started."""
    for kind in (VIRTUAL_SERVICE, DESTINATION_RULE):
        await cluster.client.create(CUSTOM_RESOURCE_DEFINITION, definition(kind))
    rule = destination_rule("api", "api", stable={"version": "1"}, canary={"version": "2"})
    await cluster.create(DESTINATION_RULE, rule)
    await cluster.create(VIRTUAL_SERVICE, virtual_service("api", {"route": [destination("api", subset="canary")]}, hosts=["api"]))
    proxy = cluster.running.addresses.proxy
    assert await ask("http://api.shop.svc.cluster.local/", 20, proxy=proxy) == {(200, "canary"): 20}
    await cluster.patch(
        ObjectRef(DESTINATION_RULE, "shop", "api"), {"spec": {"subsets": [{"name": "canary", "labels": {"version": "1"}}]}}
    )
    assert await ask("http://api.shop.svc.cluster.local/", 20, proxy=proxy) == {(200, "stable"): 20}


async def test_an_ingress_is_told_where_it_is_served(cluster: Cluster) -> None:
    await cluster.create(INGRESS, ingress("web", path("web")))
    for _ in range(100):
        found = await cluster.client.get(INGRESS, "shop", "web")
        if found.get("status", {}).get("loadBalancer"):
            break
        await asyncio.sleep(0.05)
    (address,) = found["status"]["loadBalancer"]["ingress"]
    assert f"http://{address['ip']}:{address['ports'][0]['port']}" == cluster.running.addresses.ingress


@pytest.mark.skipif(prometheus_path() is None, reason="no prometheus binary")
@pytest.mark.slow
async def test_published_queries_get_the_exact_counts(client: Client, apps: tuple[App, App], tmp_path: Path) -> None:
    """30 requests that succeed on stable and 7 that fail on the canary, in Istio's and ingress-nginx's own words."""
    stable, canary = apps
    stable.metrics = "app_requests_total 42\n"
    canary.status = 500
    async with serving(client, Options(state=tmp_path, scrape_seconds=0.5)) as running:
        cluster = Cluster(client, running)
        await shop(cluster)
        await cluster.create(
            INGRESS, ingress("web", path("web")), canary_ingress("web-canary", path("web-canary"), by_header="x-canary")
        )
        for url in ("http://web.shop/", running.addresses.ingress):
            proxy = running.addresses.proxy if "web.shop" in url else None
            await ask(url, 30, proxy=proxy)
        await ask("http://web-canary.shop/", 7, proxy=running.addresses.proxy)
        await ask(running.addresses.ingress, 7, x_canary="always")

        good = 'istio_requests_total{reporter="source",destination_service=~"web.*.shop.svc.cluster.local",response_code!~"5.*"}'
        await cluster.until(f"sum by (destination_service) ({good})", {"web.shop.svc.cluster.local": 30})
        await cluster.until(
            'sum by (response_code) (istio_requests_total{reporter="source",rollouts_pod_template_hash="hash2"})', {"500": 7}
        )
        await cluster.until('sum by (destination_version) (istio_requests_total{reporter="destination"})', {"1": 60, "2": 14})
        await cluster.until('sum by (status) (nginx_ingress_controller_requests{ingress="web"})', {"200": 30, "500": 7})
        await cluster.until(
            'sum by (canary) (nginx_ingress_controller_requests{ingress="web",canary!=""})', {"shop-web-canary-80": 7}
        )
        await cluster.until(
            'sum by (le) (istio_request_duration_milliseconds_bucket{reporter="source",destination_service=~"web.*",le="+Inf"})',
            {"+Inf": 37},
        )
        await cluster.until('app_requests_total{service="web",rollouts_pod_template_hash="hash1"}', {"app_requests_total": 42})
        await cluster.until('count by (namespace) (up{service="web"} == 1)', {"shop": 1})
    assert os.listdir(tmp_path) == ["envoy"]


@pytest.mark.slow
async def test_a_weight_is_in_force_within_a_tenth_of_a_second(cluster: Cluster) -> None:
    """From the write at the API server to Envoy's confirmation; the best of ten, as other work shares the machine."""
    await cluster.create(INGRESS, ingress("web", path("web")), canary_ingress("web-canary", path("web-canary"), weight=0))
    ref, took = ObjectRef(INGRESS, "shop", "web-canary"), []
    for weight in range(10):
        before = time.perf_counter()
        await cluster.patch(ref, {"metadata": {"annotations": {"nginx.ingress.kubernetes.io/canary-weight": str(weight)}}})
        took.append(time.perf_counter() - before)
    assert min(took) < 0.1


async def test_another_process_can_wait_for_a_state_to_be_served(cluster: Cluster) -> None:
    """`/applied` beside the metrics: 200 once served, 504 when it is not, 400 when it is unclear what is asked."""
    made = await cluster.client.get(SERVICE, "shop", "web")
    asked = {"kind": "Service", "namespace": "shop", "name": "web", "version": made["metadata"]["resourceVersion"]}
    statuses = []
    async with aiohttp.ClientSession() as session:
        for query in (asked, {**asked, "version": "0", "timeout": "0"}, {**asked, "kind": "Pigeon"}):
            async with session.get(f"{cluster.running.addresses.metrics}/applied", params=query) as answer:
                statuses.append(answer.status)
    assert statuses == [200, 504, 400]
