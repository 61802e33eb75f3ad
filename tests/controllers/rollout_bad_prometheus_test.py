"""A Prometheus that is down, slow or answers nonsense, behind a whole Rollout: the update is given up and everybody goes back.

Never a crash, never a version promoted unmeasured, and the message says what came instead of a measurement.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from aiohttp import web
from rollout_harness import Cluster, running

from kube.kinds import ANALYSIS_TEMPLATE, INGRESS, REPLICA_SET
from tests.scripted_server import Script, a_status, answers, serving
from tests.shops import INGRESS_YAML, NGINX, SERVICES, routed_rollout

TEMPLATE = """
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: rate}
spec:
  metrics:
  - name: rate
    consecutiveErrorLimit: 0
    provider: {prometheus: {address: "URL", query: up, timeout: 1}}
"""
STEPS: list[dict[str, Any]] = [{"setWeight": 50}, {"analysis": {"templates": [{"templateName": "rate"}]}}, {"pause": {}}]
HUGE = 100 * 1024 * 1024


def vector(*values: str) -> Callable[[], web.StreamResponse]:
    """Answer with a vector of these values."""
    result = [{"metric": {"n": str(n)}, "value": [0, value]} for n, value in enumerate(values)]
    return lambda: web.json_response({"status": "success", "data": {"resultType": "vector", "result": result}})


async def slow(_: web.Request) -> web.StreamResponse:
    """Answer long after anybody waits."""
    await asyncio.sleep(30)
    return web.Response(text="late")


async def endless(request: web.Request) -> web.StreamResponse:
    """Answer with more than anybody wants."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    sent = 0
    try:
        while sent < HUGE:
            await response.write(b" " * 1024 * 1024)
            sent += 1024 * 1024
    except ConnectionResetError:
        pass  # they had enough
    return response


def html() -> web.StreamResponse:
    """Answer as a gateway that wants a login does."""
    return web.Response(text="<html><body>log in</body></html>", content_type="text/html")


def weight_of(ingress: Any) -> str:
    """Return the weight of a canary Ingress."""
    return str(ingress["metadata"]["annotations"]["nginx.ingress.kubernetes.io/canary-weight"])


async def updated(cluster: Cluster, url: str, condition: str = "result[0] >= 0.9") -> None:
    """Ship a second version whose analysis asks a URL and judges the answer by a condition."""
    template = yaml.safe_load(TEMPLATE.replace("URL", url))
    template["spec"]["metrics"][0]["successCondition"] = condition
    await cluster.put(template)
    await cluster.apply(f"{SERVICES}---{INGRESS_YAML}")
    await cluster.put(routed_rollout(STEPS, NGINX, replicas=2))
    await cluster.phase("Healthy", seconds=30)
    await cluster.set_image("shop:2")


@pytest.mark.parametrize(
    ("script", "said"),
    [
        pytest.param(slow, "", id="slow"),
        pytest.param(endless, "", id="100 MB"),
        pytest.param(answers(html), "text/html", id="HTML"),
        pytest.param(answers(a_status(429, "slow down")), "429", id="429"),
        pytest.param(answers(a_status(500, "broken")), "500", id="500"),
        pytest.param(answers(vector("NaN")), "", id="NaN"),
        pytest.param(answers(vector()), "", id="an empty vector"),
        pytest.param(answers(vector("x")), "", id="no number"),
        pytest.param(answers(lambda: web.Response(body=b"\xff\xfe", content_type="application/json")), "", id="no text"),
        pytest.param(answers(lambda: web.json_response({"status": "error", "error": "parse error"})), "parse error", id="an error"),
    ],
)
async def test_a_prometheus_that_gives_no_good_measurement_sends_everybody_back(script: Script, said: str) -> None:
    async with serving(script) as server, running() as cluster:
        await updated(cluster, server.url)
        await cluster.phase("Degraded", seconds=40)
        status = await cluster.status()
        assert status["abort"] is True
        assert status["message"].startswith("RolloutAborted: ")
        assert said in status["message"]
        assert weight_of(await cluster.get(INGRESS, "shop-web-canary")) == "0"
        assert len(status["message"]) < 2000, "what came is told in part"


async def test_a_prometheus_that_is_down_sends_everybody_back() -> None:
    async with serving(answers(html)) as server:
        url = server.url
    async with running() as cluster:
        await updated(cluster, url)
        await cluster.phase("Degraded", seconds=40)
        assert url.removeprefix("http://") in (await cluster.status())["message"]
        assert weight_of(await cluster.get(INGRESS, "shop-web-canary")) == "0"


async def test_a_prometheus_that_answers_well_lets_the_update_go_on() -> None:
    async with serving(answers(vector("0.95"))) as server, running() as cluster:
        await updated(cluster, server.url)
        await cluster.phase("Paused", seconds=40)
        assert weight_of(await cluster.get(INGRESS, "shop-web-canary")) == "50"


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        pytest.param("result[5] >= 1", "out of range", id="past the end"),
        pytest.param("1 % int(result[0]) == 0", "", id="the rest of a division by zero"),
        pytest.param("1 / result[0] < 1", "", id="a division by zero is infinite"),
        pytest.param("all(1..100000, {all(1..100000, {# > 0})})", "", id="loops in loops"),
    ],
)
async def test_a_condition_that_cannot_be_evaluated_sends_everybody_back(condition: str, said: str) -> None:
    async with serving(answers(vector("0"))) as server, running() as cluster:
        await updated(cluster, server.url, condition)
        await cluster.phase("Degraded", seconds=40)
        assert (await cluster.status())["abort"] is True
        assert said in (await cluster.status())["message"]
        assert weight_of(await cluster.get(INGRESS, "shop-web-canary")) == "0"


@pytest.mark.parametrize(
    "condition",
    [
        pytest.param("result[0] >== 0.9", id="no expression"),
        pytest.param("results[0] >= 0.9", id="an unknown name"),
        pytest.param("(" * 5000 + "true" + ")" * 5000, id="brackets beyond counting"),
    ],
)
async def test_a_condition_that_cannot_be_read_is_refused_before_anything_is_shipped(condition: str) -> None:
    async with serving(answers(vector("1"))) as server, running() as cluster:
        template = yaml.safe_load(TEMPLATE.replace("URL", server.url))
        template["spec"]["metrics"][0]["successCondition"] = condition
        await cluster.put(template)
        await cluster.apply(f"{SERVICES}---{INGRESS_YAML}")
        await cluster.put(routed_rollout(STEPS, NGINX, replicas=2))
        await cluster.phase("Degraded", seconds=30)
        assert "metric rate: successCondition cannot be read" in (await cluster.status())["message"]
        assert await cluster.all(REPLICA_SET) == []
        mended = {"spec": {"metrics": [{**template["spec"]["metrics"][0], "successCondition": "result[0] >= 0.9"}]}}
        await cluster.patch(ANALYSIS_TEMPLATE, "rate", mended)
        await cluster.phase("Healthy", seconds=30)
