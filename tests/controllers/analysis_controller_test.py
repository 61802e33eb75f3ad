"""The AnalysisRun controller on an API server, measuring a web server over real HTTP."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web

from analysis.providers import served
from analysis.run.controller import analysis_controller
from analysis.transport import HttpTransport
from kube.client import Client
from kube.clock import SystemClock
from kube.events import EventRecorder
from kube.executor import Executor
from kube.expectations import Expectations
from kube.informer import Informer
from kube.kinds import ANALYSIS_RUN, CORE_EVENT, CUSTOM_RESOURCE_DEFINITION, SECRET, ObjectRef
from kube.objects import Object
from sandbox.apiserver.inprocess import InProcessTransport
from sandbox.apiserver.server import ApiServer
from tests.scripted_server import Server, serving

MANIFEST = Path(__file__).parents[2] / "crds" / "manifests" / "analysisruns.yaml"
PATIENCE_SECONDS = 20.0


@dataclass(slots=True)
class Cluster:
    """An API server with the analysis controller at work, and a web server to measure."""

    client: Client
    web: Server
    informer: Informer
    events: Informer
    changed: asyncio.Event

    async def run(self, name: str, *metrics: Mapping[str, Any], **spec: Any) -> None:
        body = {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "AnalysisRun",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {"metrics": list(metrics), **spec},
        }
        await self.client.create(ANALYSIS_RUN, body)

    def metric(self, path: str, name: str = "score", **fields: Any) -> dict[str, Any]:
        return {"name": name, "provider": {"web": {"url": f"{self.web.url}{path}", "jsonPath": "{$.score}"}}, **fields}

    async def until(self, name: str, holds: Callable[[Object], bool]) -> Object:
        """Return the run as soon as it is as wanted."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                self.changed.clear()
                run = self.informer.store.get("default", name)
                if run is not None and holds(run):
                    return run
                await self.changed.wait()

    async def until_done(self, name: str) -> Mapping[str, Any]:
        run = await self.until(name, lambda run: "completedAt" in (run.get("status") or {}))
        return run["status"]  # type: ignore[no-any-return]


async def answer(request: web.Request) -> web.StreamResponse:
    """Give the score that the path asks for; `/echo` repeats the header."""
    if request.path == "/echo":
        return web.Response(status=403, text=f"not you: {request.headers['X-Token']}")
    return web.json_response({"score": float(request.path.strip("/"))})


@asynccontextmanager
async def running(work: Any) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    clock = SystemClock()
    client = Client(InProcessTransport(ApiServer()))
    await client.create(CUSTOM_RESOURCE_DEFINITION, yaml.safe_load(MANIFEST.read_text()))
    informer, events, changed = (
        Informer(client, ANALYSIS_RUN, clock=clock),
        Informer(client, CORE_EVENT, clock=clock),
        asyncio.Event(),
    )
    for one in (informer, events):
        one.on_change(lambda old, new: changed.set())
    recorder = EventRecorder(client, clock=clock)
    executor = Executor(client, recorder=recorder, expectations=Expectations(clock), clock=clock)
    transport = HttpTransport()
    controller = analysis_controller(
        runs=informer, secrets=client, transport=transport, providers=served(), executor=executor, clock=clock
    )
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(serving(answer))
        stack.push_async_callback(client.close)
        stack.push_async_callback(transport.close)
        for work in (recorder.run(), informer.run(), events.run(), controller.run()):
            await stack.enter_async_context(running(work))
        await informer.synced()
        yield Cluster(client, server, informer, events, changed)


async def reasons(cluster: Cluster, *wanted: str) -> dict[str, str]:
    """Return type by reason of the events, once all those wanted are there."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            cluster.changed.clear()
            found = {str(event["reason"]): str(event["type"]) for event in cluster.events.store.all()}
            if set(wanted) <= set(found):
                return found
            await cluster.changed.wait()


async def test_a_good_score_makes_a_run_successful(cluster: Cluster) -> None:
    await cluster.run("good", cluster.metric("/0.99", successCondition="result >= 0.95"))
    status = await cluster.until_done("good")
    assert (status["phase"], status["runSummary"]) == ("Successful", {"count": 1, "successful": 1})
    assert status["metricResults"][0]["measurements"][0]["value"] == "0.99"
    assert (await reasons(cluster, "AnalysisRunSuccessful"))["MetricSuccessful"] == "Normal"


async def test_a_bad_score_fails_a_run_and_warns(cluster: Cluster) -> None:
    await cluster.run("bad", cluster.metric("/0.5", successCondition="result >= 0.95"))
    status = await cluster.until_done("bad")
    assert status["phase"] == "Failed"
    assert status["message"] == 'Metric "score" assessed Failed due to failed (1) > failureLimit (0)'
    assert (await reasons(cluster, "AnalysisRunFailed"))["AnalysisRunFailed"] == "Warning"


async def test_measurements_repeat_at_their_interval(cluster: Cluster) -> None:
    await cluster.run("twice", cluster.metric("/1", interval="1s", count=2, successCondition="result == 1"))
    status = await cluster.until_done("twice")
    assert (status["phase"], status["metricResults"][0]["count"]) == ("Successful", 2)
    assert len(cluster.web.seen) == 2


async def test_a_run_is_terminated_by_its_spec(cluster: Cluster) -> None:
    await cluster.run("endless", cluster.metric("/1", interval="1h"))
    await cluster.until("endless", lambda run: bool((run.get("status") or {}).get("metricResults")))
    await cluster.client.patch(ObjectRef(ANALYSIS_RUN, "default", "endless"), {"spec": {"terminate": True}})
    status = await cluster.until_done("endless")
    assert (status["phase"], status["message"]) == ("Successful", "Run Terminated")


async def test_a_secret_is_used_and_never_shown(cluster: Cluster) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "creds", "namespace": "default"}}
    await cluster.client.create(SECRET, {**secret, "data": {"token": base64.b64encode(b"open-sesame").decode()}})
    metric = cluster.metric("/echo", consecutiveErrorLimit=0)
    metric["provider"]["web"]["headers"] = [{"key": "X-Token", "value": "{{args.token}}"}]
    argument = {"name": "token", "valueFrom": {"secretKeyRef": {"name": "creds", "key": "token"}}}
    await cluster.run("secret", metric, args=[argument])
    status = await cluster.until_done("secret")
    assert cluster.web.headers("X-Token") == ["open-sesame"]
    assert "received non 2xx response code: 403 (text/plain: not you: *****)" in status["message"]
    assert "sesame" not in str(status)


async def test_a_missing_secret_ends_the_run_at_once(cluster: Cluster) -> None:
    argument = {"name": "token", "valueFrom": {"secretKeyRef": {"name": "none", "key": "token"}}}
    await cluster.run("lost", cluster.metric("/1"), args=[argument])
    status = await cluster.until_done("lost")
    assert (status["phase"], status["message"]) == (
        "Error",
        'Unable to resolve metric arguments: secrets "none" not found in namespace default',
    )


async def test_a_finished_run_goes_after_its_time_to_live(cluster: Cluster) -> None:
    await cluster.run("brief", cluster.metric("/1"), ttlStrategy={"secondsAfterCompletion": 1})
    await cluster.until_done("brief")
    async with asyncio.timeout(PATIENCE_SECONDS):
        while cluster.informer.store.get("default", "brief") is not None:
            cluster.changed.clear()
            await cluster.changed.wait()
