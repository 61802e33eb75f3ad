"""With the kubeconfig of a sandbox exported, every command finds what belongs to it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sandbox_terminal import Tool, eventually

from sandbox.cluster import Cluster, Options, sandbox_cluster
from sandbox.cluster.setup import find_prometheus

TEMPLATE = """
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: up}
spec:
  metrics:
  - name: up
    interval: 1s
    count: 2
    successCondition: len(result) > 0
    provider: {prometheus: {address: "http://prometheus.monitoring:9090", query: "up"}}
"""


@pytest.fixture(scope="module")
def measured() -> Iterator[Cluster]:
    if find_prometheus(None) is None:
        pytest.skip("no Prometheus here")
    with sandbox_cluster(Options()) as found:
        yield found


@pytest.fixture
def rollouts(measured: Cluster) -> Tool:
    """Our command line with nothing but `KUBECONFIG` exported."""
    return Tool.rollouts({**dict(Tool.rollouts().environment), "KUBECONFIG": str(measured.kubeconfig)})


def test_status_lists_every_part_with_its_address_and_says_how_to_use_it(measured: Cluster, rollouts: Tool) -> None:
    text = rollouts("sandbox", "status")
    rows = {line.split()[0]: line.split() for line in text.split("\n\n")[0].splitlines()}
    assert {"apiserver", "node", "gateway", "prometheus"} <= rows.keys()
    assert rows["prometheus"][2:4] == [measured.prometheus_url, "yes"]
    assert rows["gateway"][2] == measured.gateway
    assert f"curl -H 'Host: HOST' {measured.gateway}/" in text
    assert f"{measured.prometheus_url}  (open it in a browser)" in text
    assert f"curl -x {measured.name_proxy} http://NAME.NAMESPACE/" in text


def test_status_as_json_has_the_same_for_scripts(measured: Cluster, rollouts: Tool) -> None:
    found = json.loads(rollouts("sandbox", "status", "--json"))
    assert found["ready"] is True
    assert (found["gateway"], found["prometheus"]) == (measured.gateway, measured.prometheus_url)
    assert found["kubeconfig"] == str(measured.kubeconfig)
    pids = {part["name"]: part["pid"] for part in found["parts"]}
    assert Path(f"/proc/{pids['prometheus']}/cmdline").read_text().partition("\0")[0].endswith("prometheus")


def test_the_other_commands_need_no_state(measured: Cluster, rollouts: Tool) -> None:
    assert rollouts("sandbox", "kubeconfig").strip() == str(measured.kubeconfig)
    assert "no load runs" in rollouts.run("sandbox", "traffic").stderr
    sent = rollouts("sandbox", "load", "prometheus", "-n", "monitoring", "--path", "/-/ready", "--rps", "5", "--duration", "1")
    assert re.search(r"\b0 lost", sent)


def test_another_clusters_kubeconfig_is_told_in_one_line(rollouts: Tool, tmp_path: Path) -> None:
    other = tmp_path / "config"
    text = Path(rollouts.environment["KUBECONFIG"]).read_text().replace("sandbox-state", "other")
    other.write_text(text)
    stranger = Tool(rollouts.command, {**rollouts.environment, "KUBECONFIG": str(other)})
    for words in (("status",), ("down",), ("load", "shop"), ("traffic",)):
        done = stranger.run("sandbox", *words)
        assert done.returncode == 1
        assert len(done.stderr.splitlines()) == 1
        assert "is no sandbox; name the sandbox with --state" in done.stderr


def test_query_needs_no_address_and_knows_names_of_the_cluster(rollouts: Tool) -> None:
    eventually(lambda: "1" in rollouts("query", "vector(1)"), what="Prometheus answers")
    assert "1" in rollouts("query", "vector(1)", "--address", "http://prometheus.monitoring:9090")


def test_replay_asks_the_address_of_the_template(rollouts: Tool, tmp_path: Path) -> None:
    (tmp_path / "up.yaml").write_text(TEMPLATE)
    done = rollouts.run("replay", "analysistemplate", "-f", str(tmp_path / "up.yaml"), "--since", "1m")
    assert "cannot be reached" not in done.stderr
    assert "AnalysisTemplate up" in done.stdout
