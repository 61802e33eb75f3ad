"""The shipped manifests on a real API server: the controller does its work under the shipped account, with the shipped rights."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from install_account import ACCOUNT, HOME, ROOT, controller, installed, refusals
from sandbox_shop import answers, deploy, quickstart, users
from sandbox_terminal import Tool

from sandbox.cluster import Cluster, ControlPlane, Options, sandbox_cluster
from sandbox.controlplane.programs import Programs

pytestmark = pytest.mark.slow
WAIT = "--timeout=50s"


@pytest.fixture(scope="module")
def sandbox(real_programs: Programs) -> Iterator[Cluster]:
    """A sandbox on a real control plane, without a controller of its own."""
    assert real_programs.kubectl is not None
    with sandbox_cluster(Options(control_plane=ControlPlane.REAL, audit_log=True)) as found:
        yield found


@pytest.fixture
def environment(sandbox: Cluster) -> Mapping[str, str]:
    return sandbox.environment


@pytest.fixture
def kubectl(environment: Mapping[str, str], real_programs: Programs) -> Tool:
    """The kubectl of the control plane."""
    return Tool((str(real_programs.kubectl),), environment)


@pytest.mark.usefixtures("with_prometheus")
async def test_a_bad_version_is_taken_back_under_exactly_the_shipped_rights(
    sandbox: Cluster, kubectl: Tool, rollouts: Tool, namespace: str, tmp_path: Path
) -> None:
    installed(kubectl, "cluster")
    before = refusals(sandbox)
    with controller(sandbox, kubectl, tmp_path):
        deploy(kubectl, namespace, quickstart(namespace))
        async with users(sandbox, namespace) as load:
            await answers(load, 20)
            await asyncio.to_thread(rollouts, "set", "image", "shop", "shop=shop:3-bad", "-n", namespace)
            degraded = "--for=jsonpath={.status.phase}=Degraded"
            await asyncio.to_thread(kubectl, "wait", "-n", namespace, "rollout/shop", WAIT, degraded)
            await answers(load, 20)
            assert set(await answers(load, 200)) == {"1"}
        rollouts("restart", "shop", "-n", namespace)
        kubectl("wait", "-n", namespace, "rollout/shop", WAIT, "--for=jsonpath={.status.restartedAt}")
    assert load.snapshot().lost == 0
    assert refusals(sandbox) == before == []


def test_with_roles_in_two_namespaces_these_are_looked_after_and_no_other(
    sandbox: Cluster, kubectl: Tool, rollouts: Tool, tmp_path: Path
) -> None:
    kubectl("delete", "clusterrolebinding", ACCOUNT, "--ignore-not-found")
    kubectl("apply", "-k", str(ROOT / "config/crd"), "--server-side", "--force-conflicts")
    for name in (HOME, "team-a", "team-b", "others"):
        kubectl("create", "namespace", name) if not exists(kubectl, name) else None
    installed(kubectl, "namespaces")
    arguments = ("--namespace=team-a", "--namespace=team-b")
    steps: list[dict[str, Any]] = [{"setWeight": 50}]
    with controller(sandbox, kubectl, tmp_path, *arguments) as log:
        kubectl("apply", "-n", "others", "-f", "-", stdin=quickstart("others", steps=steps, analysis=False))
        for team in ("team-a", "team-b"):
            deploy(kubectl, team, quickstart(team, steps=steps, analysis=False))
            rollouts("set", "image", "shop", "shop=shop:2", "-n", team)
            kubectl("wait", "-n", team, "rollout/shop", WAIT, "--for=jsonpath={.status.stableRS}")
            kubectl("wait", "-n", team, "rollout/shop", WAIT, "--for=condition=Completed")
        assert kubectl("get", "rollout", "shop", "-n", "others", "-o", "jsonpath={.status}") == ""
        assert refusals(sandbox) == ["list clusteranalysistemplates"]
        assert log.read_text().count("taken for empty") == 1


def exists(kubectl: Tool, namespace: str) -> bool:
    return kubectl.run("get", "namespace", namespace).returncode == 0
