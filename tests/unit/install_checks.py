"""What must be true of manifests that install the controller, whoever rendered them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from install_manifests import Manifest, container, of_kind, the

CLUSTER_KINDS = ("Namespace", "CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding", "ValidatingWebhookConfiguration")


def loose_ends(manifests: Sequence[Manifest]) -> Iterator[str]:
    """Yield what refers to something that is not there."""
    yield from _selectors(manifests)
    yield from _ports(manifests)
    yield from _accounts(manifests)
    yield from _roles(manifests)
    yield from _placed(manifests)
    yield from _webhooks(manifests)


def _labels(manifests: Sequence[Manifest]) -> dict[str, str]:
    found = the(manifests, "Deployment")["spec"]["template"]["metadata"]["labels"]
    assert isinstance(found, dict)
    return found


def _title(manifest: Manifest) -> str:
    return f"{manifest['kind']} {manifest['metadata']['name']}"


def _selectors(manifests: Sequence[Manifest]) -> Iterator[str]:
    pods = _labels(manifests)
    for one in of_kind(manifests, "Deployment", "PodDisruptionBudget"):
        if not one["spec"]["selector"]["matchLabels"].items() <= pods.items():
            yield f"{_title(one)} selects no pod"
    for one in of_kind(manifests, "Service"):
        if not one["spec"]["selector"].items() <= pods.items():
            yield f"{_title(one)} selects no pod"
    for one in of_kind(manifests, "ServiceMonitor"):
        wanted = one["spec"]["selector"]["matchLabels"].items()
        services = [each for each in of_kind(manifests, "Service") if wanted <= each["metadata"]["labels"].items()]
        ports = {port["name"] for each in services for port in each["spec"]["ports"]}
        if len(services) != 1 or any(end["port"] not in ports for end in one["spec"]["endpoints"]):
            yield f"{_title(one)} selects no port of one Service"


def _ports(manifests: Sequence[Manifest]) -> Iterator[str]:
    known = {port["name"] for port in container(manifests)["ports"]}
    for one in of_kind(manifests, "Service"):
        for port in one["spec"]["ports"]:
            if port["targetPort"] not in known:
                yield f"{_title(one)} leads to port {port['targetPort']}, which the container does not name"
    for probe in ("livenessProbe", "readinessProbe"):
        if container(manifests)[probe]["httpGet"]["port"] not in known:
            yield f"{probe} asks a port that the container does not name"


def _accounts(manifests: Sequence[Manifest]) -> Iterator[str]:
    deployment, account = the(manifests, "Deployment"), the(manifests, "ServiceAccount")
    if deployment["spec"]["template"]["spec"]["serviceAccountName"] != account["metadata"]["name"]:
        yield "the Deployment runs under an account that is not there"
    wanted = {"kind": "ServiceAccount", "name": account["metadata"]["name"], "namespace": account["metadata"]["namespace"]}
    for one in of_kind(manifests, "RoleBinding", "ClusterRoleBinding"):
        if one["subjects"] != [wanted]:
            yield f"{_title(one)} is not for the controller's account"


def _roles(manifests: Sequence[Manifest]) -> Iterator[str]:
    known = {_place(one) for one in of_kind(manifests, "Role", "ClusterRole")}
    for one in of_kind(manifests, "RoleBinding", "ClusterRoleBinding"):
        ref = one["roleRef"]
        namespace = one["metadata"].get("namespace", "") if ref["kind"] == "Role" else ""
        if (ref["kind"], namespace, ref["name"]) not in known:
            yield f"{_title(one)} binds a role that is not there"


def _place(one: Manifest) -> tuple[str, str, str]:
    return one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"]


def _placed(manifests: Sequence[Manifest]) -> Iterator[str]:
    home = the(manifests, "Deployment")["metadata"]["namespace"]
    for one in manifests:
        namespace = one["metadata"].get("namespace", "")
        if bool(namespace) == (one["kind"] in CLUSTER_KINDS):
            yield f"{_title(one)} is in namespace {namespace!r}"
        if one["kind"] in ("ServiceAccount", "Service", "PodDisruptionBudget", "ServiceMonitor") and namespace != home:
            yield f"{_title(one)} is not where the Deployment is"


def _webhooks(manifests: Sequence[Manifest]) -> Iterator[str]:
    services = {_place(one)[1:]: one["spec"]["ports"] for one in of_kind(manifests, "Service")}
    for configuration in of_kind(manifests, "ValidatingWebhookConfiguration"):
        for hook in configuration["webhooks"]:
            where: dict[str, Any] = hook["clientConfig"]["service"]
            ports = services.get((where["namespace"], where["name"]), [])
            if where["port"] not in [port["port"] for port in ports]:
                yield f"webhook {hook['name']} leads nowhere"
