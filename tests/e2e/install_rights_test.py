"""The shipped manifests on a real API server: they are taken without a warning, people get their rights, and Roles are enough.

That the rights of the whole cluster are enough is shown by every other test on a real control plane: there the controller has them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from gateway_cluster import definition
from install_account import ROOT, controller, installed, refusals
from sandbox_shop import deploy, quickstart
from sandbox_terminal import Tool, eventually

from kube.kinds import Kind
from kube.leases import LEASE_NAME
from sandbox.cluster import Cluster, ControlPlane, Options, sandbox_cluster
from sandbox.cluster.account import ACCOUNT, HOME
from sandbox.controlplane.programs import Programs
from tests.helm_chart import Helm

pytestmark = pytest.mark.long
WAIT = "--timeout=50s"
CERTIFICATES = tuple(
    Kind("cert-manager.io", "v1", name, plural) for name, plural in (("Issuer", "issuers"), ("Certificate", "certificates"))
)
"""What an overlay asks of cert-manager; nobody makes certificates here."""
INSTANCE = "argo-rollouts.argoproj.io/controller-instance-id"


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


@pytest.mark.parametrize("overlay", ["cluster", "cluster-webhook", "namespace", "namespaces", "namespaces-webhook"])
def test_the_manifests_are_applied_without_a_warning(kubectl: Tool, overlay: str) -> None:
    """Unknown fields and violations of the namespace's pod security standard would be warned of."""
    for kind in CERTIFICATES:
        kubectl("apply", "-f", "-", stdin=yaml.safe_dump(definition(kind)))
        kubectl("wait", f"crd/{kind.plural}.{kind.group}", WAIT, "--for=condition=Established")
    for name in ("team-a", "team-b"):
        kubectl("create", "namespace", name) if not exists(kubectl, name) else None
    kubectl("label", "namespace", HOME, "--overwrite", "pod-security.kubernetes.io/warn=restricted")
    text = kubectl("kustomize", str(ROOT / "config/overlays" / overlay))
    done = kubectl.run("apply", "--server-side", "--force-conflicts", "--dry-run=server", "-f", "-", stdin=text)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_chart_is_applied_without_a_warning(kubectl: Tool, helm: Helm) -> None:
    kubectl("label", "namespace", HOME, "--overwrite", "pod-security.kubernetes.io/warn=restricted")
    text = helm.rendered({"webhook": {"enabled": True}})
    done = kubectl.run("apply", "--server-side", "--force-conflicts", "--dry-run=server", "-n", HOME, "-f", "-", stdin=text)
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


def test_with_an_instance_id_the_controller_leads_with_the_rights_that_the_manual_adds(
    sandbox: Cluster, kubectl: Tool, namespace: str, tmp_path: Path
) -> None:
    before = refusals(sandbox)
    [manual] = [text for text in blocks(ROOT / "docs/installing.md") if "--instance-id=team-a" in text]
    manual = manual.replace("- config/", f"- {os.path.relpath(ROOT, tmp_path)}/config/")
    (tmp_path / "kustomization.yaml").write_text(manual)
    installed(kubectl, str(tmp_path))
    assert "--instance-id=team-a" in kubectl("get", "deployment", ACCOUNT, "-n", HOME, "-o", "jsonpath={..args}")
    with controller(sandbox, tmp_path, "--instance-id=team-a"):
        deploy(kubectl, namespace, quickstart(namespace, steps=[], analysis=False, labels={INSTANCE: "team-a"}))
    kubectl("get", "lease", "argo-rollouts-controller-lock-team-a", "-n", HOME)
    assert refusals(sandbox) == before


def test_with_roles_in_two_namespaces_these_are_looked_after_and_no_other(
    sandbox: Cluster, kubectl: Tool, rollouts: Tool, tmp_path: Path
) -> None:
    kubectl("delete", "clusterrolebinding", ACCOUNT, "--ignore-not-found")
    kubectl("apply", "-k", str(ROOT / "config/crd"), "--server-side", "--force-conflicts")
    for name in ("team-a", "team-b", "others"):
        kubectl("create", "namespace", name) if not exists(kubectl, name) else None
    installed(kubectl, "namespaces")
    arguments = ("--namespace=team-a", "--namespace=team-b")
    steps: list[dict[str, Any]] = [{"setWeight": 50}]
    with controller(sandbox, tmp_path, *arguments) as log:
        kubectl("apply", "-n", "others", "-f", "-", stdin=quickstart("others", steps=steps, analysis=False))
        for team in ("team-a", "team-b"):
            deploy(kubectl, team, quickstart(team, steps=steps, analysis=False))
            rollouts("set", "image", "shop", "shop=shop:2", "-n", team)
            kubectl("wait", "-n", team, "rollout/shop", WAIT, "--for=jsonpath={.status.stableRS}")
            kubectl("wait", "-n", team, "rollout/shop", WAIT, "--for=condition=Completed")
        assert kubectl("get", "rollout", "shop", "-n", "others", "-o", "jsonpath={.status}") == ""
        assert refusals(sandbox) == ["list clusteranalysistemplates"]
        assert log.read_text().count("taken for empty") == 1


@pytest.mark.parametrize(
    ("values", "lease"),
    [
        pytest.param({}, LEASE_NAME, id="without one"),
        pytest.param({"flags": ["--logformat=json", "--instance-id=team-a"]}, f"{LEASE_NAME}-team-a", id="with one"),
        pytest.param({"flags": ["--instance-id=team-a"], "namespaces": ["shop"]}, f"{LEASE_NAME}-team-a", id="with Roles alone"),
    ],
)
def test_the_chart_grants_the_lease_that_goes_with_the_instance_id(helm: Helm, values: dict[str, Any], lease: str) -> None:
    rules = [rule for one in yaml.safe_load_all(helm.rendered(values)) for rule in (one or {}).get("rules") or ()]
    named = {name for rule in rules if rule["resources"] == ["leases"] for name in rule.get("resourceNames") or ()}
    assert named == {lease}


def blocks(page: Path) -> list[str]:
    """Return the blocks of code of a page."""
    return [text.partition("\n")[2] for text in page.read_text().split("```")[1::2]]


def exists(kubectl: Tool, namespace: str) -> bool:
    return kubectl.run("get", "namespace", namespace).returncode == 0
