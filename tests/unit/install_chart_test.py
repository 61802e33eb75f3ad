"""What the Helm chart installs: the same as config/, chosen by values; wrong values are refused."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from install_checks import loose_ends
from install_manifests import ROOT, Manifest, container, kubectl, of_kind, overlay, parsed, the

import rollouts.app
from crds.manifests import custom_resource_definitions
from rollouts import tracing
from tests.helm_chart import CHART, Helm

pytestmark = pytest.mark.long


def rendered(helm: Helm, **values: Any) -> list[Manifest]:
    """What would be installed with these values."""
    return parsed(helm.rendered(values))


ALL: dict[str, Any] = {"webhook": {"enabled": True}, "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}}}
TEAMS: dict[str, Any] = {
    "namespaces": ["team-a", "team-b"],
    "webhook": {
        "enabled": True,
        "secret": "rollouts-webhook",
        "annotations": {"cert-manager.io/inject-ca-from": "argo-rollouts/rollouts-webhook"},
    },
}
VALUES = [
    pytest.param({}, id="nothing chosen"),
    pytest.param(ALL, id="everything"),
    pytest.param({"namespaces": ["team-a", "team-b"]}, id="two namespaces"),
    pytest.param({"namespaces": ["team-a"], "webhook": {"enabled": True, "secret": "given"}}, id="a webhook with Roles only"),
    pytest.param({"serviceAccount": {"name": "shop"}, "podLabels": {"team": "shop"}}, id="another account"),
]


@pytest.mark.parametrize("values", VALUES)
def test_everything_that_is_referred_to_is_rendered(helm: Helm, values: dict[str, Any]) -> None:
    assert list(loose_ends(rendered(helm, **values))) == []


@pytest.mark.parametrize("values", VALUES)
def test_the_controller_knows_its_flags(helm: Helm, values: dict[str, Any]) -> None:
    known = {option for parameter in rollouts.app.command.params for option in parameter.opts}
    arguments = container(rendered(helm, **values))["args"] or []
    assert {one.partition("=")[0] for one in arguments} <= known


def test_without_choices_the_pods_are_those_of_the_kustomization(helm: Helm) -> None:
    kubectl()
    ours = the(rendered(helm), "Deployment")["spec"]["template"]["spec"]
    theirs = the(overlay("cluster"), "Deployment")["spec"]["template"]["spec"]
    [process], [other] = ours["containers"], theirs["containers"]
    assert {**process, "args": [], "imagePullPolicy": ""} == {**other, "imagePullPolicy": ""}
    assert {**ours, "containers": []} == {**theirs, "containers": []}


@pytest.mark.parametrize(
    ("values", "name"),
    [
        pytest.param({}, "cluster", id="the whole cluster"),
        pytest.param({"webhook": {"enabled": True}}, "cluster-webhook", id="with the webhook"),
        pytest.param(
            {"namespaces": ["team-a", "team-b"], "rbac": {"create": True, "aggregate": False}}, "namespaces", id="two namespaces"
        ),
        pytest.param({**TEAMS, "rbac": {"create": True, "aggregate": False}}, "namespaces-webhook", id="two with the webhook"),
    ],
)
def test_the_rights_are_those_of_the_kustomization(helm: Helm, values: dict[str, Any], name: str) -> None:
    kubectl()

    def rights(manifests: list[Manifest]) -> dict[tuple[str, str, str], Any]:
        roles = of_kind(manifests, "Role", "ClusterRole")
        return {(one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"]): one["rules"] for one in roles}

    assert rights(rendered(helm, **values)) == rights(overlay(name))


def test_the_webhook_is_that_of_the_kustomization(helm: Helm) -> None:
    kubectl()
    kind = "ValidatingWebhookConfiguration"
    found = the(rendered(helm, webhook={"enabled": True}), kind)["webhooks"]
    assert found == the(overlay("cluster-webhook"), kind)["webhooks"]


def test_with_roles_only_the_webhook_is_that_of_the_kustomization(helm: Helm) -> None:
    kubectl()
    kind, wanted = "ValidatingWebhookConfiguration", overlay("namespaces-webhook")
    found = rendered(helm, **TEAMS)
    assert the(found, kind)["webhooks"] == the(wanted, kind)["webhooks"]
    assert the(found, kind)["metadata"]["annotations"] == the(wanted, kind)["metadata"]["annotations"]
    assert {"--admission", "--admission-secret=rollouts-webhook"} <= set(container(found)["args"])


def test_the_authority_can_be_given_in_the_values(helm: Helm) -> None:
    found = rendered(helm, webhook={"enabled": True, "secret": "given", "caBundle": "Zm9v"})
    assert the(found, "ValidatingWebhookConfiguration")["webhooks"][0]["clientConfig"]["caBundle"] == "Zm9v"


def test_the_definitions_are_those_of_the_package_and_outlive_the_release(helm: Helm) -> None:
    found = {one["metadata"]["name"]: one for one in of_kind(rendered(helm), "CustomResourceDefinition")}
    wanted = {one["metadata"]["name"]: one for one in custom_resource_definitions()}
    assert {name: one["spec"] for name, one in found.items()} == {name: one["spec"] for name, one in wanted.items()}
    assert {one["metadata"]["annotations"]["helm.sh/resource-policy"] for one in found.values()} == {"keep"}
    assert not of_kind(rendered(helm, crds={"install": False}), "CustomResourceDefinition")


COLLECTOR = {"name": "OTEL_EXPORTER_OTLP_ENDPOINT", "value": "http://collector.observability:4318"}


def test_traces_are_asked_for_by_the_environment(helm: Helm) -> None:
    share = {"name": "OTEL_TRACES_SAMPLER_ARG", "value": "0.1"}
    token = {"name": "OTEL_EXPORTER_OTLP_HEADERS", "valueFrom": {"secretKeyRef": {"name": "collector", "key": "headers"}}}
    process = container(rendered(helm, env=[COLLECTOR, share, token]))
    assert process["env"][1:] == [COLLECTOR, share, token]
    assert tracing.is_asked_for({one["name"]: one.get("value", "") for one in process["env"]}, asked=None)


def test_the_values_show_how_traces_are_asked_for() -> None:
    lines = (CHART / "values.yaml").read_text().splitlines()
    shown = [line.removeprefix("# ") for line in lines if line.startswith(("# - name:", "#   value:"))]
    assert yaml.safe_load("\n".join(shown)) == [COLLECTOR]


@pytest.mark.parametrize(
    ("values", "told"),
    [
        pytest.param({"env": [{"name": "OTEL_TRACES_SAMPLER_ARG", "value": 0.1}]}, "env", id="a number in the environment"),
        pytest.param({"replica": 2}, "replica", id="a misspelt value"),
        pytest.param({"image": {"tag": "latest"}}, "tag", id="an image that is not pinned"),
        pytest.param({"namespaces": ["Team A"]}, "namespaces", id="a namespace that cannot be"),
        pytest.param({"replicas": "two"}, "replicas", id="a number that is none"),
        pytest.param({"flags": ["loglevel=debug"]}, "flags", id="a flag that is none"),
        pytest.param({"flags": ["--healthzPort=9000"]}, "flags", id="a port that the probes would not know"),
        pytest.param({"namespaces": ["team-a"], "webhook": {"enabled": True}}, "webhook.secret", id="a webhook of some namespaces"),
    ],
)
def test_wrong_values_are_refused_by_name(helm: Helm, values: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        helm.rendered(values)


def test_the_chart_has_the_version_of_the_package(helm: Helm) -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    version = next(line.split('"')[1] for line in (ROOT / "pyproject.toml").read_text().splitlines() if line.startswith("version"))
    assert chart["version"] == chart["appVersion"] == version
    assert container(rendered(helm))["image"].endswith(f":{version}")
