"""Wrong objects are refused by a real API server when they are applied, over the shipped configuration and account."""

from __future__ import annotations

import base64
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from install_account import controller, installed, refusals
from sandbox_shop import quickstart
from sandbox_terminal import Tool, eventually

from rollouts.admission.certificates import issue
from sandbox.cluster import Cluster, ControlPlane, Options, sandbox_cluster
from sandbox.cluster.account import HOME
from sandbox.controlplane.programs import Programs

pytestmark = pytest.mark.long
NAME = "rollouts-webhook"
WRONG: dict[str, Any] = {"revisionHistoryLimit": -1}
"""What the definitions let pass, and the webhook does not."""


@pytest.fixture(scope="module")
def sandbox(real_programs: Programs) -> Iterator[Cluster]:
    """A sandbox on a real control plane, without a controller of its own."""
    assert real_programs.kubectl is not None
    with sandbox_cluster(Options(control_plane=ControlPlane.REAL, audit_log=True, prometheus="none")) as found:
        yield found


@pytest.fixture
def environment(sandbox: Cluster) -> Mapping[str, str]:
    return sandbox.environment


@pytest.fixture
def kubectl(environment: Mapping[str, str], real_programs: Programs) -> Tool:
    """The kubectl of the control plane."""
    return Tool((str(real_programs.kubectl),), environment)


@contextmanager
def serving(sandbox: Cluster, kubectl: Tool, folder: Path) -> Iterator[Path]:
    """Run the controller with its webhook, as the shipped configuration asks for it.

    No pod of the Deployment runs here: the Service stands for a process of this machine instead.
    """
    kubectl("delete", "service", NAME, "-n", HOME, "--ignore-not-found")
    installed(kubectl, "cluster-webhook")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    kubectl("delete", "service", NAME, "-n", HOME)
    kubectl("create", "service", "externalname", NAME, "-n", HOME, "--external-name=localhost")
    place = f'[{{"op": "replace", "path": "/webhooks/0/clientConfig/service/port", "value": {port}}}]'
    kubectl("patch", "validatingwebhookconfiguration", NAME, "--type=json", "-p", place)
    arguments = ("--admission", "--admission-address", "127.0.0.1", "--admission-port", str(port))
    with controller(sandbox, folder, *arguments) as log:
        eventually(lambda: refused(kubectl, shop(**WRONG)), what="the webhook answers")
        yield log


def bundle(kubectl: Tool) -> str:
    path = "jsonpath={.webhooks[0].clientConfig.caBundle}"
    return kubectl("get", "validatingwebhookconfiguration", NAME, "-o", path)


def shop(*, name: str = "shop", **spec: Any) -> dict[str, Any]:
    """Return the Rollout of the quickstart, changed."""
    documents = yaml.safe_load_all(quickstart("shop", analysis=False))
    found: dict[str, Any] = next(one for one in documents if one["kind"] == "Rollout")
    found["metadata"]["name"] = name
    found["spec"] |= spec
    return found


def apply(kubectl: Tool, body: dict[str, Any], *options: str) -> tuple[int, str]:
    """Apply an object; return the exit code and what was printed."""
    done = kubectl.run("apply", "-n", "default", "-f", "-", *options, stdin=yaml.safe_dump(body))
    return done.returncode, done.stdout + done.stderr


def refused(kubectl: Tool, body: dict[str, Any]) -> str:
    """Return why an object would not be let in; empty when it would."""
    code, text = apply(kubectl, body, "--dry-run=server")
    return text if code else ""


def metric(**fields: Any) -> dict[str, Any]:
    good = {"name": "up", "count": 1, "interval": "10s", "provider": {"prometheus": {"address": "http://p", "query": "up"}}}
    return {"metrics": [{**good, **fields}]}


def an(kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": kind, "metadata": {"name": "one"}, "spec": spec}


def test_wrong_objects_are_refused_and_right_ones_are_let_in(sandbox: Cluster, kubectl: Tool, tmp_path: Path) -> None:
    bad = metric(interval="soon")
    with serving(sandbox, kubectl, tmp_path) as log:
        text = refused(kubectl, shop(**WRONG))
        assert 'denied the request: The Rollout "shop" is invalid: spec.revisionHistoryLimit: Invalid value: -1: must be' in text
        for kind in ("AnalysisTemplate", "ClusterAnalysisTemplate", "AnalysisRun"):
            assert "interval" in refused(kubectl, an(kind, bad)), kind
            assert refused(kubectl, an(kind, metric())) == "", kind
        assert "Experiment is not served yet" in refused(kubectl, an("Experiment", {"templates": [], "duration": "1m"}))
        code, text = apply(kubectl, shop())
        assert code == 0
        assert 'Warning: spec.strategy.canary.canaryService: Invalid value: "shop-canary": service "shop-canary" not found' in text
        kubectl("delete", "rollout", "shop", "-n", "default")
        assert refusals(sandbox) == []
        told = log.read_text()
        assert 'Rollout refused: The Rollout "shop" is invalid' in told
        assert (" ERROR " in told, "Traceback" in told) == (False, False)


def test_what_was_wrong_before_can_be_changed_scaled_and_deleted(sandbox: Cluster, kubectl: Tool, tmp_path: Path) -> None:
    kubectl("delete", "validatingwebhookconfiguration", NAME, "--ignore-not-found")
    assert apply(kubectl, shop(name="old", revisionHistoryLimit=-1))[0] == 0
    with serving(sandbox, kubectl, tmp_path):
        code, text = apply(kubectl, shop(name="old", revisionHistoryLimit=-1, replicas=2))
        assert (code, "Warning: spec.revisionHistoryLimit" in text) == (0, True), text
        assert apply(kubectl, shop(name="old", revisionHistoryLimit=-2))[0] != 0
        kubectl("label", "rollout", "old", "-n", "default", "team=shop")
        kubectl("scale", "rollout", "old", "-n", "default", "--replicas=1")
        kubectl("delete", "rollout", "old", "-n", "default")


def test_when_nobody_answers_everything_is_let_in(sandbox: Cluster, kubectl: Tool, tmp_path: Path) -> None:
    with serving(sandbox, kubectl, tmp_path):
        assert refused(kubectl, shop(**WRONG))
    assert apply(kubectl, shop(**WRONG))[0] == 0
    kubectl("delete", "rollout", "shop", "-n", "default")


def test_a_certificate_that_somebody_broke_is_made_anew_and_trusted(sandbox: Cluster, kubectl: Tool, tmp_path: Path) -> None:
    with serving(sandbox, kubectl, tmp_path):
        first = bundle(kubectl)
    kubectl("patch", "secret", NAME, "-n", HOME, "--type=merge", "-p", '{"data": {"tls.crt": "bm9uZQ=="}}')
    with serving(sandbox, kubectl, tmp_path):
        second = bundle(kubectl)
        assert base64.b64decode(second).endswith(base64.b64decode(first))
        assert second != first


def test_with_roles_only_it_says_which_right_is_missing_or_serves_a_certificate_of_others(
    sandbox: Cluster, kubectl: Tool, tmp_path: Path
) -> None:
    kubectl("delete", "validatingwebhookconfiguration", NAME, "--ignore-not-found")
    kubectl("delete", "clusterrolebinding", "rollouts-controller", NAME, "--ignore-not-found")
    installed(kubectl, "namespace")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    arguments = ("--namespaced", "--admission", "--admission-address", "127.0.0.1", "--admission-port", port)
    told = f"may not .*get, patch ValidatingWebhookConfiguration {NAME} of the cluster"
    with pytest.raises(AssertionError, match=told), controller(sandbox, tmp_path, *arguments):
        pass
    made = issue(("localhost",), datetime.now(UTC))
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "given"}, "type": "kubernetes.io/tls", "data": made.data()}
    kubectl("apply", "-n", HOME, "-f", "-", stdin=yaml.safe_dump(secret))
    with controller(sandbox, tmp_path, *arguments, "--admission-secret=given") as log:
        eventually(lambda: f"serves the certificate of Secret {HOME}/given" in log.read_text(), what="it is served")
        asking = ssl.create_default_context(cadata=made.authorities.decode())
        with socket.create_connection(("127.0.0.1", int(port))) as plain, asking.wrap_socket(plain, server_hostname="localhost"):
            pass
        assert "validatingwebhookconfigurations" not in " ".join(refusals(sandbox))


def test_when_the_port_is_taken_the_controller_works_all_the_same(sandbox: Cluster, kubectl: Tool, tmp_path: Path) -> None:
    installed(kubectl, "cluster-webhook")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        arguments = ("--admission", "--admission-address", "127.0.0.1", "--admission-port", str(taken.getsockname()[1]))
        with controller(sandbox, tmp_path, *arguments) as log:
            eventually(lambda: "the webhook cannot be served" in log.read_text(), what="it is told")
            assert apply(kubectl, shop(name="free"))[0] == 0
            path = "jsonpath={.status.observedGeneration}"
            eventually(lambda: kubectl("get", "rollout", "free", "-n", "default", "-o", path), what="it is looked after")
            kubectl("delete", "rollout", "free", "-n", "default")
