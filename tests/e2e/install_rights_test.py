"""The shipped manifests on a real API server: the controller does its work under the shipped account, with the shipped rights."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from install_account import ACCOUNT, HOME, ROOT, controller, installed, refusals
from sandbox_shop import answers, deploy, quickstart, users
from sandbox_terminal import Tool, eventually

from sandbox.cluster import Cluster, ControlPlane, Options, sandbox_cluster
from sandbox.controlplane.programs import Programs, cache_folder

pytestmark = pytest.mark.long
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


@pytest.mark.parametrize("overlay", ["cluster", "cluster-webhook", "namespace", "namespaces"])
def test_the_manifests_are_applied_without_a_warning(kubectl: Tool, overlay: str) -> None:
    """Unknown fields and violations of the namespace's pod security standard would be warned of."""
    for name in (HOME, "team-a", "team-b"):
        kubectl("create", "namespace", name) if not exists(kubectl, name) else None
    kubectl("label", "namespace", HOME, "--overwrite", "pod-security.kubernetes.io/warn=restricted")
    text = kubectl("kustomize", str(ROOT / "config/overlays" / overlay))
    done = kubectl.run("apply", "--server-side", "--force-conflicts", "--dry-run=server", "-f", "-", stdin=text)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_chart_is_applied_without_a_warning(kubectl: Tool, tmp_path: Path) -> None:
    helm = shutil.which("helm") or shutil.which("helm", path=str(cache_folder() / "helm"))
    if helm is None:
        pytest.skip("helm is not installed")
    if not exists(kubectl, HOME):
        kubectl("create", "namespace", HOME)
    kubectl("label", "namespace", HOME, "--overwrite", "pod-security.kubernetes.io/warn=restricted")
    home = {name: str(tmp_path) for name in ("HELM_CONFIG_HOME", "HELM_CACHE_HOME", "HELM_DATA_HOME")}
    chart = Tool((helm, "template", "test", str(ROOT / "charts/rollouts")), {**os.environ, **home})
    text = chart("--namespace", HOME, "--set", "webhook.enabled=true")
    done = kubectl.run("apply", "--server-side", "--force-conflicts", "--dry-run=server", "-f", "-", stdin=text)
    assert (done.returncode, done.stderr) == (0, "")


ASKED = [
    pytest.param("view", "list rollouts", True, id="view reads"),
    pytest.param("view", "patch rollouts/status", False, id="view gives no commands"),
    pytest.param("edit", "patch rollouts/status", True, id="edit promotes and aborts"),
    pytest.param("edit", "create analysistemplates", True, id="edit writes templates"),
    pytest.param("edit", "create clusteranalysistemplates", False, id="edit leaves what is everybody's"),
    pytest.param("admin", "delete rollouts", True, id="admin deletes"),
]


@pytest.mark.parametrize(("role", "request_", "allowed"), ASKED)
def test_people_get_their_rights_from_the_roles_of_the_cluster(kubectl: Tool, role: str, request_: str, allowed: bool) -> None:
    kubectl("apply", "-k", str(ROOT / "config/rbac/users"))
    binding = ("create", "rolebinding", f"people-{role}", "-n", "default", f"--clusterrole={role}", f"--user=person-{role}")
    kubectl.run(*binding)

    def can(*words: str) -> bool:
        return kubectl.run("auth", "can-i", *words, "-n", "default", f"--as=person-{role}").stdout.strip() == "yes"

    eventually(lambda: can("get", "experiments.argoproj.io"), what="the roles are aggregated")
    verb, _, resource = request_.partition(" ")
    plural, _, subresource = resource.partition("/")
    words = (verb, f"{plural}.argoproj.io", *([f"--subresource={subresource}"] if subresource else []))
    assert can(*words) is allowed


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
