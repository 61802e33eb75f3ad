"""What the API server fills into pods and pod templates.

Owns the defaults of `PodSpec`. Hashes of templates and comparisons by controllers rest on them. Must not: validate. Changes its
arguments, which are private copies.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sandbox.apiserver.resources import Body

_MODE = 420  # 0644
_NODE_TAINTS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")


def fill(target: Body, **values: Any) -> None:
    """Set what is missing or null."""
    for name, value in values.items():
        if target.get(name) is None:
            target[name] = value


def default_template(template: Body) -> None:
    """Complete a pod template."""
    template.setdefault("metadata", {})
    default_pod_spec(template.setdefault("spec", {}))


def default_pod(pod: Body) -> None:
    """Complete a pod."""
    spec = pod.setdefault("spec", {})
    default_pod_spec(spec)
    fill(spec, enableServiceLinks=True)
    for container in _containers(spec):
        resources = container["resources"]
        for name, amount in (resources.get("limits") or {}).items():
            resources.setdefault("requests", {}).setdefault(name, amount)


def admit_pod(pod: Body) -> None:
    """Add what admission does: account, priority, and patience with nodes that are gone. Nobody owns these fields."""
    spec = pod["spec"]
    fill(spec, priority=0, preemptionPolicy="PreemptLowerPriority", serviceAccountName="default")
    spec["serviceAccount"] = spec["serviceAccountName"]
    tolerated = spec.get("tolerations") or []
    for key in _NODE_TAINTS:
        if not any(_tolerates(toleration, key) for toleration in tolerated):
            tolerated = [*tolerated, {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}]
    spec["tolerations"] = tolerated


def _tolerates(toleration: Body, key: str) -> bool:
    return toleration.get("key") in (key, None, "") and toleration.get("effect") in ("NoExecute", None, "")


def quality_of(spec: Body) -> str:
    """Return the quality-of-service class that the resources of a pod earn."""
    demands = [container["resources"] for container in _containers(spec)]
    if not any(demand.get("limits") or demand.get("requests") for demand in demands):
        return "BestEffort"
    sure = all(
        {"cpu", "memory"} <= set(demand.get("limits") or ()) and demand.get("requests") == demand["limits"] for demand in demands
    )
    return "Guaranteed" if sure else "Burstable"


def default_pod_spec(spec: Body) -> None:
    """Complete what a pod and a template share."""
    fill(spec, restartPolicy="Always", terminationGracePeriodSeconds=30, dnsPolicy="ClusterFirst")
    fill(spec, securityContext={}, schedulerName="default-scheduler")
    account = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if account:
        spec["serviceAccountName"] = spec["serviceAccount"] = account
    for container in _containers(spec):
        _default_container(container, host_network=bool(spec.get("hostNetwork")))
    for volume in spec.get("volumes") or ():
        _default_volume(volume)


def _containers(spec: Body) -> Iterable[Body]:
    yield from spec.get("initContainers") or ()
    yield from spec.get("containers") or ()


def _default_container(container: Body, *, host_network: bool) -> None:
    fill(container, resources={}, terminationMessagePath="/dev/termination-log", terminationMessagePolicy="File")
    fill(container, imagePullPolicy=_pull_policy(str(container.get("image", ""))))
    for port in container.get("ports") or ():
        fill(port, protocol="TCP")
        if host_network:
            fill(port, hostPort=port.get("containerPort"))
    for name in _PROBES:
        if container.get(name):
            _default_probe(container[name])
    for hook in (container.get("lifecycle") or {}).values():
        if isinstance(hook, dict):
            _default_http(hook)
    for variable in container.get("env") or ():
        reference = (variable.get("valueFrom") or {}).get("fieldRef")
        if reference:
            fill(reference, apiVersion="v1")


def _pull_policy(image: str) -> str:
    name = image.rsplit("/", 1)[-1]
    latest = "@" not in name and (":" not in name or name.endswith(":latest"))
    return "Always" if latest else "IfNotPresent"


def _default_probe(probe: Body) -> None:
    fill(probe, timeoutSeconds=1, periodSeconds=10, successThreshold=1, failureThreshold=3)
    _default_http(probe)
    if probe.get("grpc"):
        fill(probe["grpc"], service="")


def _default_http(handler: Body) -> None:
    if handler.get("httpGet"):
        fill(handler["httpGet"], path="/", scheme="HTTP")


def _default_volume(volume: Body) -> None:
    if set(volume) <= {"name"}:
        volume["emptyDir"] = {}
    for source in ("secret", "configMap", "downwardAPI", "projected"):
        if isinstance(volume.get(source), dict):
            fill(volume[source], defaultMode=_MODE)
    if volume.get("hostPath"):
        fill(volume["hostPath"], type="")
    for source in (volume.get("projected") or {}).get("sources") or ():
        if source.get("serviceAccountToken"):
            fill(source["serviceAccountToken"], expirationSeconds=3600)
    for item in (volume.get("downwardAPI") or {}).get("items") or ():
        if item.get("fieldRef"):
            fill(item["fieldRef"], apiVersion="v1")
