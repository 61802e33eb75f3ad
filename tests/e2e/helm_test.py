"""The chart on a real API server, from its installation to its end; the controller runs with the rights that a release gives it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml
from install_account import controller
from sandbox_terminal import Tool

from kube.leases import LEASE_NAME
from sandbox.cluster import Cluster, ControlPlane, Options, sandbox_cluster
from sandbox.cluster.account import ACCOUNT, HOME
from sandbox.controlplane.programs import Programs
from tests.helm_chart import Helm

pytestmark = pytest.mark.long
ROLLOUT = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Rollout",
    "metadata": {"name": "shop", "namespace": "default"},
    "spec": {
        "replicas": 0,
        "selector": {"matchLabels": {"app": "shop"}},
        "strategy": {"canary": {}},
        "template": {
            "metadata": {"labels": {"app": "shop"}},
            "spec": {"containers": [{"name": "shop", "image": "shop:1"}]},
        },
    },
}


@pytest.fixture
def sandbox(real_programs: Programs) -> Iterator[Cluster]:
    """A control plane that nothing was brought into."""
    assert real_programs.kubectl is not None
    with sandbox_cluster(Options(control_plane=ControlPlane.REAL, bare=True)) as found:
        yield found


@pytest.fixture
def environment(sandbox: Cluster) -> Mapping[str, str]:
    return sandbox.environment


@pytest.fixture
def kubectl(environment: Mapping[str, str], real_programs: Programs) -> Tool:
    """The kubectl of the control plane."""
    return Tool((str(real_programs.kubectl),), environment)


def account(sandbox: Cluster, kubectl: Tool, folder: Path) -> Path:
    """Return a kubeconfig of the release's account."""
    known = yaml.safe_load(sandbox.kubeconfig.read_text())
    known["contexts"][0]["context"]["namespace"] = HOME
    known["users"][0]["user"] = {"token": kubectl("create", "token", ACCOUNT, "-n", HOME).strip()}
    file = folder / "controller.kubeconfig"
    file.write_text(yaml.safe_dump(known))
    return file


def roles(kubectl: Tool) -> set[str]:
    """The kinds of which the release has the controller's rights."""
    found = kubectl("get", "clusterroles,roles", "-A", "-l", "app.kubernetes.io/managed-by=Helm", "-o", "name").split()
    return {name.partition(".")[0] for name in found if name.endswith(f"/{ACCOUNT}")}


def test_a_release_is_installed_changed_and_taken_away(sandbox: Cluster, kubectl: Tool, helm: Helm, tmp_path: Path) -> None:
    """A Rollout is looked after with the rights of the release, and outlives it."""
    release = helm.at(sandbox.kubeconfig)
    release.install({})
    with controller(sandbox, tmp_path, kubeconfig=account(sandbox, kubectl, tmp_path)) as log:
        kubectl("apply", "-f", "-", stdin=yaml.safe_dump(ROLLOUT))
        kubectl("wait", "rollout/shop", "--timeout=50s", "--for=jsonpath={.status.phase}=Healthy")
        kubectl("get", "lease", LEASE_NAME, "-n", HOME)
    assert "forbidden" not in log.read_text().lower()
    assert roles(kubectl) == {"clusterrole"}
    kubectl("create", "namespace", "team-a")
    release.upgrade({"namespaces": ["team-a"], "replicas": 1})
    assert roles(kubectl) == {"role"}
    assert kubectl("get", "deployment", ACCOUNT, "-n", HOME, "-o", "jsonpath={.spec.replicas} {..args}").startswith("1 ")
    release.uninstall()
    assert kubectl("get", "deployments,roles,serviceaccounts", "-A", "-l", "app.kubernetes.io/managed-by=Helm", "-o", "name") == ""
    assert kubectl("get", "rollout", "shop", "-o", "jsonpath={.status.phase}") == "Healthy"
