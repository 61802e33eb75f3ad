"""The dashboard: a real Prometheus that scrapes a working controller answers each of its queries."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from sandbox_shop import deploy, quickstart
from sandbox_terminal import Tool, eventually

from sandbox.cluster import Cluster
from sandbox.cluster.setup import find_prometheus

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("with_prometheus")]
ROOT = Path(__file__).parents[2]
DASHBOARD = ROOT / "dashboards" / "rollouts.json"
VARIABLES = {"$__rate_interval": "60s", "$namespace": ".*", "$job": ".*"}


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return found


def queries() -> list[tuple[str, str]]:
    """Return panel and query of everything on the dashboard."""
    return [(panel["title"], target["expr"]) for panel in dashboard()["panels"] for target in panel.get("targets", ())]


def filled(query: str) -> str:
    for name, value in VARIABLES.items():
        query = query.replace(name, value)
    assert "$" not in query, f"an unknown variable in {query}"
    return query


class Prometheus:
    """A server that scrapes one address every second."""

    def __init__(self, folder: Path, target: str) -> None:
        binary = find_prometheus(None)
        assert binary is not None
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        jobs = [{"job_name": "rollouts", "static_configs": [{"targets": [target]}]}]
        config = {"global": {"scrape_interval": "1s"}, "scrape_configs": jobs}
        (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
        with (folder / "prometheus.log").open("wb") as log:
            self.process = subprocess.Popen(
                (
                    *(str(binary), f"--config.file={folder / 'prometheus.yaml'}"),
                    *(f"--web.listen-address={self.address}", f"--storage.tsdb.path={folder / 'data'}"),
                ),
                stderr=log,
                stdin=subprocess.DEVNULL,
            )

    def answer(self, path: str, **parameters: str) -> Any:
        """Return the data of an answer; None while there is no server."""
        try:
            with urllib.request.urlopen(f"http://{self.address}{path}?{urllib.parse.urlencode(parameters)}", timeout=10) as answer:
                return json.load(answer)["data"]
        except ConnectionRefusedError:
            return None
        except OSError as error:
            if isinstance(getattr(error, "reason", None), ConnectionRefusedError):
                return None
            raise

    def query(self, expression: str) -> list[Any]:
        found = self.answer("/api/v1/query", query=expression)
        return found["result"] if found else []

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(30)


@pytest.fixture
def prometheus(cluster: Cluster, tmp_path: Path) -> Iterator[Prometheus]:
    """A Prometheus beside the sandbox's that scrapes the controller."""
    address = cluster.record.part("controller").address
    running = Prometheus(tmp_path, urllib.parse.urlsplit(address).netloc)
    try:
        yield running
    finally:
        running.end()


def test_every_query_of_the_dashboard_finds_something(
    prometheus: Prometheus, kubectl: Tool, rollouts: Tool, namespace: str
) -> None:
    """After an update with an analysis; a name that nobody serves, or a query that makes no sense, is found here."""
    deploy(kubectl, namespace, quickstart(namespace, steps=[{"setWeight": 50}, {"pause": {"duration": "15s"}}]))
    rollouts("set", "image", "shop", "shop=shop:2", "-n", namespace)
    updated = f'rollout_duration_seconds{{namespace="{namespace}",status="Promoted"}}'
    eventually(lambda: prometheus.query(updated), what="an update has ended", timeout_seconds=60)
    eventually(lambda: prometheus.query("count_over_time(up[1m]) >= 5"), what="a few scrapes")
    empty = [f"{title}: {query}" for title, query in queries() if not prometheus.query(filled(query))]
    assert empty == []


def test_a_scrape_is_taken_without_complaint_and_names_are_as_upstream_has_them(prometheus: Prometheus, namespace: str) -> None:
    eventually(lambda: prometheus.query("up == 1"), what="a scrape")
    (target,) = prometheus.answer("/api/v1/targets")["activeTargets"]
    assert (target["health"], target["lastError"]) == ("up", "")
    names = set(prometheus.answer("/api/v1/label/__name__/values"))
    assert {"rollout_reconcile_bucket", "analysis_run_reconcile_count", "experiment_reconcile_error", "workqueue_depth"} <= names
    assert {"controller_clientset_k8s_request_total", "argo_rollouts_controller_info", "process_cpu_seconds_total"} <= names


def test_what_is_served_is_described(prometheus: Prometheus, namespace: str) -> None:
    """Every metric stands in docs/operating.md."""
    eventually(lambda: prometheus.query("up == 1"), what="a scrape")
    described = set(re.findall(r"`([a-z0-9_]+)[`{]", (ROOT / "docs" / "operating.md").read_text()))
    served = set(prometheus.answer("/api/v1/metadata"))
    assert served - described == set()


def test_the_dashboard_can_be_imported() -> None:
    found = dashboard()
    ids = [panel["id"] for panel in found["panels"]]
    assert len(set(ids)) == len(ids)
    assert {variable["name"] for variable in found["templating"]["list"]} == {"datasource", "namespace", "job"}
    for panel in found["panels"]:
        assert panel["type"] == "row" or panel["targets"]
        assert len({target["refId"] for target in panel.get("targets", ())}) == len(panel.get("targets", ()))
