"""What a Rollout refers to may come later than the Rollout: it says what it waits for, ships nothing, and goes on by itself."""

from __future__ import annotations

import base64
import logging
from typing import Any

import pytest
import yaml
from aiohttp import web
from rollout_harness import Cluster, running

from kube.kinds import (
    ANALYSIS_RUN,
    ANALYSIS_TEMPLATE,
    CORE_EVENT,
    DESTINATION_RULE,
    INGRESS,
    REPLICA_SET,
    ROLLOUT,
    SECRET,
    SERVICE,
    VIRTUAL_SERVICE,
    Kind,
)
from tests.scripted_server import serving
from tests.shops import INGRESS_YAML, ISTIO, MESH, NGINX, SERVICES, routed_rollout

TEMPLATE = """
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: rate}
spec:
  args: [{name: token, valueFrom: {secretKeyRef: {name: creds, key: token}}}]
  metrics:
  - name: rate
    successCondition: result >= 1
    provider: {web: {url: "URL", jsonPath: "{$.score}", headers: [{key: X-Token, value: "{{args.token}}"}]}}
"""
STEPS: list[dict[str, Any]] = [
    {"setWeight": 20},
    {"analysis": {"templates": [{"templateName": "rate"}]}},
    {"setWeight": 50},
]
NGINX_OBJECTS, MESH_OBJECTS = f"{SERVICES}---{INGRESS_YAML}---{TEMPLATE}", f"{MESH}---{TEMPLATE}"
MISSING = [
    pytest.param(NGINX, NGINX_OBJECTS, SERVICE, "shop", 'service "shop" not found', id="stable Service"),
    pytest.param(NGINX, NGINX_OBJECTS, SERVICE, "shop-canary", 'service "shop-canary" not found', id="canary Service"),
    pytest.param(NGINX, NGINX_OBJECTS, INGRESS, "web", "web", id="Ingress"),
    pytest.param(NGINX, NGINX_OBJECTS, ANALYSIS_TEMPLATE, "rate", "'rate' not found", id="AnalysisTemplate"),
    pytest.param(ISTIO, MESH_OBJECTS, VIRTUAL_SERVICE, "shop", "VirtualService default/shop not found", id="VirtualService"),
    pytest.param(ISTIO, MESH_OBJECTS, DESTINATION_RULE, "shop", "DestinationRule default/shop not found", id="DestinationRule"),
]


async def invalid_text(cluster: Cluster) -> str:
    """Return what the `InvalidSpec` condition says; empty while there is none."""
    conditions = (await cluster.status()).get("conditions") or ()
    return next((str(one["message"]) for one in conditions if one["type"] == "InvalidSpec"), "")


async def warnings(cluster: Cluster) -> list[str]:
    """Return the texts of the warnings about the Rollout."""
    return [one["message"] for one in await cluster.all(CORE_EVENT) if one["type"] == "Warning"]


@pytest.mark.looptime
@pytest.mark.parametrize(("canary", "objects", "kind", "name", "text"), MISSING)
async def test_a_missing_object_is_told_and_its_arrival_is_all_it_takes(
    canary: dict[str, Any], objects: str, kind: Kind, name: str, text: str
) -> None:
    there = [one for one in yaml.safe_load_all(objects) if one]
    [late] = [one for one in there if (one["kind"], one["metadata"]["name"]) == (kind.name, name)]
    async with running(ready_after=1) as cluster:
        for body in there:
            if body is not late:
                await cluster.put(body)
        await cluster.put(routed_rollout(STEPS, canary, replicas=2))
        await cluster.phase("Degraded")
        assert text in await invalid_text(cluster)
        assert (await cluster.status())["message"].startswith("InvalidSpec: ")
        assert [one for one in await warnings(cluster) if text in one], "an event says it too"
        assert await cluster.all(REPLICA_SET) == [], "nothing is shipped"
        await cluster.settled(seconds=60)
        assert len([one for one in await warnings(cluster) if text in one]) == 1, "and is not repeated"
        await cluster.put(late)
        await cluster.phase("Healthy")
        assert await invalid_text(cluster) == ""
        assert await cluster.sizes() == {"shop:1": 2}


async def score(request: web.Request) -> web.Response:
    """Give a score to those who know the password."""
    return web.json_response({"score": 1} if request.headers.get("X-Token") == "open-sesame" else {"score": 0})


async def test_a_missing_secret_takes_users_back_and_a_retry_after_its_arrival_succeeds(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with serving(score) as server, running() as cluster:
        await cluster.apply(NGINX_OBJECTS.replace("URL", server.url))
        await cluster.put(routed_rollout(STEPS, NGINX, replicas=2))
        await cluster.phase("Healthy", seconds=30)
        await cluster.set_image("shop:2")
        await cluster.phase("Degraded", seconds=30)
        assert 'secrets "creds" not found in namespace default' in (await cluster.status())["message"]
        assert [one for one in await warnings(cluster) if 'secrets "creds" not found' in one]
        data = {"token": base64.b64encode(b"open-sesame").decode()}
        metadata = {"name": "creds", "namespace": "default"}
        await cluster.client.create(SECRET, {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data})
        await cluster.patch_status({"abort": False})
        await cluster.phase("Healthy", seconds=30)
        assert (await cluster.sizes())["shop:2"] == 2
        shown = [await cluster.all(kind) for kind in (ROLLOUT, ANALYSIS_RUN, CORE_EVENT)]
    assert "sesame" not in str(shown)
    assert "sesame" not in caplog.text
