"""What a collector of traces gets from a controller that ships a version; one that takes nothing changes nothing."""

from __future__ import annotations

import asyncio
import base64
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from sandbox_shop import deploy, quickstart
from sandbox_terminal import Tool, eventually
from traces_collector import Collector, collector

from sandbox.cluster import Cluster, Options, sandbox_cluster

SECRET = "sesame-open"
LOOK = "reconcile Rollout"
CLIENT = 3
"""The kind of spans that are requests."""


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Cluster]:
    """A sandbox whose controllers the tests start."""
    with sandbox_cluster(Options()) as found:
        yield found


@pytest.fixture
def environment(sandbox: Cluster) -> Mapping[str, str]:
    return sandbox.environment


@dataclass(frozen=True)
class Controller:
    """A controller process and its log."""

    process: subprocess.Popen[bytes]
    log: Path

    async def stop(self) -> int:
        """Ask it to end and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return await asyncio.to_thread(self.process.wait, 30)

    def lines(self) -> list[dict[str, str]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@contextmanager
def controller(sandbox: Cluster, folder: Path, **environment: str) -> Iterator[Controller]:
    """Start a controller with further environment variables."""
    log = folder / "controller.log"
    kubeconfig = sandbox.state.path / "controller.kubeconfig"
    quiet = ("--healthzPort=0", "--metricsPort=0", "--logformat=json", "--loglevel=debug")
    command = (sys.executable, "-m", "rollouts.app", "--kubeconfig", str(kubeconfig), *quiet)
    with log.open("wb") as stream:
        process = subprocess.Popen(command, env={**sandbox.environment, **environment}, stderr=stream, stdin=subprocess.DEVNULL)
    try:
        yield Controller(process, log)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


async def ship(kubectl: Tool, rollouts: Tool, namespace: str) -> None:
    """Bring a second version to everybody, step by step."""
    steps: list[dict[str, Any]] = [{"setWeight": 50}, {"pause": {"duration": "1s"}}]
    await asyncio.to_thread(deploy, kubectl, namespace, quickstart(namespace, steps=steps, analysis=False))
    await asyncio.to_thread(rollouts, "set", "image", "shop", "shop=shop:2", "-n", namespace)
    for condition in ("jsonpath={.status.currentStepIndex}=2", "jsonpath={.status.phase}=Healthy"):
        await asyncio.to_thread(kubectl, "wait", "-n", namespace, "rollout/shop", f"--for={condition}", "--timeout=60s")


async def measure(kubectl: Tool, namespace: str, url: str) -> None:
    """Have a metric measured once, with a secret in a header."""
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "token"}, "stringData": {"is": SECRET}}
    web = {
        "url": f"{url}/points?token={{{{args.token}}}}",
        "headers": [{"key": "X-Token", "value": "{{args.token}}"}],
        "jsonPath": "{$.score}",
    }
    run = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisRun",
        "metadata": {"name": "once"},
        "spec": {
            "args": [{"name": "token", "valueFrom": {"secretKeyRef": {"name": "token", "key": "is"}}}],
            "metrics": [{"name": "score", "successCondition": "result == 1", "provider": {"web": web}}],
        },
    }
    await asyncio.to_thread(kubectl, "apply", "-n", namespace, "-f", "-", stdin=yaml.safe_dump_all([secret, run]))
    wait = ("wait", "-n", namespace, "analysisrun/once", "--for=jsonpath={.status.phase}=Successful", "--timeout=30s")
    await asyncio.to_thread(kubectl, *wait)


async def told(sandbox: Cluster, folder: Path, kubectl: Tool, rollouts: Tool, namespace: str) -> tuple[Collector, Controller]:
    """Ship a version and measure a metric under a collector's eyes."""
    async with collector() as found:
        asked = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": found.url,
            "OTEL_EXPORTER_OTLP_HEADERS": f"x-collector-token={SECRET}-too",
            "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test",
        }
        with controller(sandbox, folder, **asked) as process:
            await ship(kubectl, rollouts, namespace)
            await measure(kubectl, namespace, found.url)
            assert await process.stop() == 0
    return found, process


async def test_a_collector_sees_how_a_version_was_shipped(
    sandbox: Cluster, tmp_path: Path, kubectl: Tool, rollouts: Tool, namespace: str
) -> None:
    found, process = await told(sandbox, tmp_path, kubectl, rollouts, namespace)
    sets = "/apis/apps/v1/namespaces/{namespace}/replicasets"
    ingresses = "/apis/networking.k8s.io/v1/namespaces/{namespace}/ingresses"
    status = "/apis/argoproj.io/v1alpha1/namespaces/{namespace}/rollouts/{name}/status"
    secret = "/api/v1/namespaces/{namespace}/secrets/{name}"
    assert {
        (LOOK, "create replicasets", f"POST {sets}"),
        (LOOK, "patch ingresses", f"PATCH {ingresses}/{{name}}"),
        (LOOK, "patch rollouts/status", f"PATCH {status}"),
        ("reconcile AnalysisRun", "effect measure", f"GET {secret}"),
        ("POST /api/v1/namespaces/{namespace}/events",),
    } <= found.paths()
    looks = [span for span in found.spans if span.name == LOOK]
    assert {span.attributes["rollouts.object.name"] for span in looks} == {"shop"}
    assert "failed" not in {span.attributes["rollouts.outcome"] for span in looks}
    [measurement] = [span for span in found.spans if span.name == "effect measure"]
    said = {name.rpartition(".")[2]: value for name, value in measurement.attributes.items() if ".measurement." in name}
    assert said == {"metric": "score", "provider": "web", "number": 1, "phase": "Successful"}
    requests = [span.attributes for span in found.spans if span.kind == CLIENT]
    answers = {one["http.response.status_code"] for one in requests if "error.type" not in one}
    assert answers == {200, 201}
    assert {one["service.name"] for one in found.resources} == {"rollouts-controller"}
    assert {one["deployment.environment.name"] for one in found.resources} == {"test"}
    traces = {span.trace for span in found.spans}
    logged = {line["trace_id"] for line in process.lines() if "trace_id" in line}
    assert logged <= traces
    assert not any(span.parent and len(found.path(span)) == 1 for span in found.spans), "every part of a trace arrives, to the last"
    _hides_what_is_secret(found, process, namespace)


def _hides_what_is_secret(found: Collector, process: Controller, namespace: str) -> None:
    assert [one["x-token"] for one in found.measured] == [SECRET], "the secret was in use"
    assert {one["x-collector-token"] for one in found.headers} == {f"{SECRET}-too"}
    hidden = [SECRET, base64.b64encode(SECRET.encode()).decode(), "/points", "/token/"]
    assert [one for one in hidden for body in found.bodies if one.encode() in body] == []
    assert [one for one in hidden if one in process.log.read_text()] == []
    names = {span.name for span in found.spans}
    assert [name for name in names if namespace in name or "shop" in name] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("answer", "patience", "complaints"),
    [
        pytest.param(None, "1", 1, id="that is not there"),
        pytest.param(503, "1", 1, id="that refuses"),
        pytest.param(0, "120", 0, id="that never answers, and is not waited for at the end"),
    ],
)
async def test_a_version_is_shipped_all_the_same_with_a_collector(
    answer: int | None,
    patience: str,
    complaints: int,
    sandbox: Cluster,
    tmp_path: Path,
    kubectl: Tool,
    rollouts: Tool,
    namespace: str,
) -> None:
    async with collector(answer=answer or 0) as found:
        with socket.create_server(("127.0.0.1", 0)) as free:
            nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
        asked = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": nobody if answer is None else found.url,
            "OTEL_EXPORTER_OTLP_TIMEOUT": patience,
            "OTEL_BSP_SCHEDULE_DELAY": "100",
            "OTEL_BSP_MAX_QUEUE_SIZE": "8",
            "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "8",
        }
        with controller(sandbox, tmp_path, **asked) as process:
            await ship(kubectl, rollouts, namespace)
            if complaints:
                await asyncio.to_thread(eventually, lambda: "takes no spans" in process.log.read_text(), what="it is said")
            else:
                await asyncio.wait_for(found.asked.wait(), 30)
            assert await process.stop() == 0
    assert found.spans == []
    said = [line["msg"] for line in process.lines() if line["logger"].startswith(("opentelemetry", "rollouts.otlp"))]
    assert len(said) == 1 + complaints, said
