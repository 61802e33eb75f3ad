"""`query` and `replay` as people call them: against a Prometheus over HTTP, with templates from files and from a cluster."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web

from kube.config import load
from kube.kinds import ANALYSIS_TEMPLATE, SECRET
from kube.quick import QuickClient
from rollouts.cli.main import run
from sandbox.apiserver.http import kubeconfig
from sandbox.apiserver.http import serving as serving_cluster
from sandbox.apiserver.installing import install_all
from sandbox.apiserver.server import ApiServer
from tests.scripted_server import Server, serving

END = 1_785_585_600
"""2026-08-01T12:00:00Z."""


async def prometheus(request: web.Request) -> web.Response:
    """Answer `ok` with 1, `flaky` with 0 in one of ten minutes, `quiet` with NaN in these, `wrong` with an error."""
    name = request.query["query"]
    if name.startswith("wrong"):
        return web.json_response({"status": "error", "errorType": "bad_data", "error": "no such function"}, status=400)
    if "start" not in request.query:
        result: Any = [{"metric": {"job": "shop"}, "value": [END, "1"]}]
        return web.json_response({"status": "success", "data": {"resultType": "vector", "result": result}})
    start, end, step = (int(float(request.query[one])) for one in ("start", "end", "step"))
    bad = {"flaky": "0", "quiet": "NaN"}.get(name, "1")
    values = [[at, bad if (END - at) // 60 % 10 == 5 else "1"] for at in range(start, end + 1, step)]
    result = [{"metric": {"job": "shop"}, "values": values}]
    return web.json_response({"status": "success", "data": {"resultType": "matrix", "result": result}})


@contextmanager
def in_a_thread(serve: Callable[[Callable[[Any], Awaitable[None]]], Coroutine[Any, Any, None]]) -> Iterator[Any]:
    """Run a server beside the commands, which block; yield what it calls ready with."""
    ready = threading.Event()
    shared: list[Any] = []

    async def until_stopped(told: Any) -> None:
        stop = asyncio.Event()
        shared.extend((told, asyncio.get_running_loop(), stop))
        ready.set()
        await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve(until_stopped)))
    thread.start()
    assert ready.wait(30)
    try:
        yield shared[0]
    finally:
        shared[1].call_soon_threadsafe(shared[2].set)
        thread.join(30)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    async def serve(until_stopped: Callable[[Any], Awaitable[None]]) -> None:
        async with serving(prometheus) as server:
            await until_stopped(server)

    with in_a_thread(serve) as found:
        monkeypatch.setenv("ARGO_ROLLOUTS_PROMETHEUS_ADDRESS", found.url)
        yield found


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[QuickClient]:
    async def serve(until_stopped: Callable[[Any], Awaitable[None]]) -> None:
        cluster = ApiServer()
        await install_all(cluster)
        async with serving_cluster(cluster) as url:
            await until_stopped(url)

    with in_a_thread(serve) as url:
        path = tmp_path / "kubeconfig"
        path.write_text(kubeconfig(url))
        monkeypatch.setenv("KUBECONFIG", str(path))
        client = QuickClient(load(), timeout_seconds=30)
        yield client
        client.close()


def a_template(*metrics: Mapping[str, Any], args: list[dict[str, Any]] | None = None, name: str = "errors") -> dict[str, Any]:
    kind = {"apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisTemplate"}
    return {**kind, "metadata": {"name": name}, "spec": {"metrics": list(metrics), "args": args or []}}


def a_metric(query: str, *, name: str = "errors", **prometheus: Any) -> dict[str, Any]:
    condition = {"interval": "1m", "count": 3, "successCondition": "result[0] >= 1"}
    return {"name": name, **condition, "provider": {"prometheus": {"query": query, **prometheus}}}


def command(*arguments: str) -> int:
    return run([*arguments], prog="rollouts")


def replay(*arguments: str) -> int:
    return command("replay", "analysistemplate", "--until", str(END), "--since", "2h", *arguments)


def written(path: Path, template: Mapping[str, Any]) -> str:
    (path / "template.yaml").write_text(yaml.safe_dump(template))
    return str(path / "template.yaml")


def test_a_template_in_a_file_is_replayed_without_a_cluster(server: Server, tmp_path: Path, capsys: Any) -> None:
    template = a_template(a_metric("{{args.query}}", address="http://not.reachable.example"), args=[{"name": "query"}])
    assert replay("-f", written(tmp_path, template), "-a", "query=flaky") == 0
    said = capsys.readouterr().out
    assert "AnalysisTemplate errors, the 2h until 2026-08-01T12:00:00Z" in said
    assert "of 119 runs in the last 2h, 36 (30.3 %) would have failed: false alarms if nothing was wrong" in said
    assert "failureLimit: 1 (0 %)" in said


def test_a_template_is_replayed_with_what_it_says_of_measurements_without_data(server: Server, tmp_path: Path, capsys: Any) -> None:
    template = a_template(a_metric("quiet"))
    metadata = {**template["metadata"], "annotations": {"rollouts/no-data": "successful"}}
    assert replay("-f", written(tmp_path, {**template, "metadata": metadata})) == 0
    said = capsys.readouterr().out
    assert "no data counts as successful" in said
    assert "none would have failed" in said
    assert replay("-f", written(tmp_path, template)) == 0
    assert "would have failed" in capsys.readouterr().out.replace("none would have failed", "")


def test_a_template_of_the_cluster_is_replayed_with_its_secret_which_is_never_shown(
    server: Server, client: QuickClient, capsys: Any
) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "prom", "namespace": "default"}}
    client.create(SECRET, {**secret, "data": {"token": base64.b64encode(b"s3cr3t-token").decode()}})
    args = [{"name": "token", "valueFrom": {"secretKeyRef": {"name": "prom", "key": "token"}}}]
    headers = [{"key": "Authorization", "value": "Bearer {{args.token}}"}]
    metric = a_metric("ok", headers=headers) | {"successCondition": "'{{args.token}}' == '' || result[0] > 1"}
    client.create(ANALYSIS_TEMPLATE, {**a_template(metric, args=args), "metadata": {"name": "errors", "namespace": "default"}})
    assert replay("errors") == 0
    assert set(server.headers("authorization")) == {"Bearer s3cr3t-token"}
    said = capsys.readouterr()
    assert "successCondition '*****' == '' || result[0] > 1" in said.out
    assert "s3cr3t" not in said.out + said.err


def test_json_has_every_metric_and_both_together(server: Server, tmp_path: Path, capsys: Any) -> None:
    path = written(tmp_path, a_template(a_metric("ok", name="good"), a_metric("flaky", name="bad")))
    assert replay("-f", path, "-o", "json") == 0
    data = json.loads(capsys.readouterr().out)
    assert {one["name"]: one["runs"]["failed"] for one in data["metrics"]} == {"good": 0, "bad": 36}
    assert data["together"]["failed"] == 36


def test_only_the_metric_named_is_replayed_and_other_providers_are_said_to_be_left_out(
    server: Server, tmp_path: Path, capsys: Any
) -> None:
    job = {"name": "smoke", "provider": {"job": {"spec": {}}}}
    path = written(tmp_path, a_template(a_metric("ok", name="good"), a_metric("flaky", name="bad"), job))
    assert replay("-f", path, "--metric", "good") == 0
    assert "bad" not in capsys.readouterr().out
    assert replay("-f", path) == 0
    assert "metric smoke is left out: its provider job keeps no past to ask for" in capsys.readouterr().out


def test_a_metric_that_cannot_be_asked_ends_with_one_but_the_others_are_told(server: Server, tmp_path: Path, capsys: Any) -> None:
    path = written(tmp_path, a_template(a_metric("ok", name="good"), a_metric("wrong", name="bad")))
    assert replay("-f", path) == 1
    said = capsys.readouterr()
    assert "Metric good" in said.out
    assert "Error: metric bad: Prometheus at http://127.0.0.1:" in said.err
    assert "refuses the query: bad_data: no such function" in said.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param([], "args.query was not resolved; give it with -a query=VALUE", id="an argument without a value"),
        pytest.param(
            ["-a", "other=1"], "AnalysisTemplate errors declares no argument other; it declares query", id="an unknown argument"
        ),
        pytest.param(["-a", "query=ok", "--metric", "x"], "has no metric x; it has errors", id="no such metric"),
        pytest.param(["-a", "query=ok", "--since", "soon"], "--since:", id="no duration"),
        pytest.param(["-a", "query=ok", "--cluster-scope"], "must hold one ClusterAnalysisTemplate", id="the other kind"),
        pytest.param(["-a", "query=ok", "--header", "nonsense"], "must be of the form 'Name: value'", id="no header"),
        pytest.param(["nobody", "-a", "query=ok"], "AnalysisTemplate 'nobody' not found", id="no such template in the file"),
    ],
)
def test_what_is_wrong_with_a_call_is_said_in_one_line(
    server: Server, tmp_path: Path, capsys: Any, arguments: list[str], says: str
) -> None:
    path = written(tmp_path, a_template(a_metric("{{args.query}}"), args=[{"name": "query"}]))
    assert replay("-f", path, *arguments) == 1
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1


def test_an_oauth2_metric_is_refused_unless_a_token_is_given(server: Server, tmp_path: Path, capsys: Any) -> None:
    oauth2 = {"oauth2": {"tokenUrl": "http://login.example", "clientId": "me", "clientSecret": "s3cr3t"}}
    path = written(tmp_path, a_template(a_metric("ok", authentication=oauth2)))
    assert replay("-f", path) == 1
    assert "authentication.oauth2 is not served by replay" in capsys.readouterr().err
    assert replay("-f", path, "--header", "Authorization: Bearer mine") == 0
    assert "Bearer mine" in server.headers("authorization")


def test_a_query_prints_the_value_now(server: Server, capsys: Any) -> None:
    assert command("query", "ok", "--at", str(END)) == 0
    assert capsys.readouterr().out.splitlines() == ["SERIES        VALUE", '{job="shop"}  1']
    assert f"time={END}" in server.seen[0][1]


def test_a_query_over_the_past_prints_what_it_was_like(server: Server, capsys: Any) -> None:
    assert command("query", "flaky", "--at", str(END), "--since", "20m", "--step", "60s") == 0
    header, row = capsys.readouterr().out.splitlines()
    assert header.split() == ["SERIES", "MIN", "MEDIAN", "P95", "P99", "MAX", "NO", "DATA", "NAN"]
    assert row.split() == ['{job="shop"}', "0", "1", "1", "1", "1", "0", "%", "0", "%", "█████▁█████████▁█████"]


def test_a_query_as_json_has_result_type_and_summary(server: Server, capsys: Any) -> None:
    assert command("query", "ok", "--since", "10m", "--step", "60s", "--at", str(END), "-o", "json") == 0
    data = json.loads(capsys.readouterr().out)
    assert (data["resultType"], len(data["result"][0]["values"])) == ("matrix", 11)
    assert data["summary"][0]["quantiles"]["median"] == "1.0"


def test_a_query_without_an_address_says_how_to_give_one(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.delenv("ARGO_ROLLOUTS_PROMETHEUS_ADDRESS", raising=False)
    assert command("query", "up") == 1
    assert "no Prometheus address; give it with --address" in capsys.readouterr().err
