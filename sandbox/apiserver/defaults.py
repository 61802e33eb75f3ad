"""What the API server fills into the other built-in kinds.

Owns their defaults. Must not: validate, or look at other objects. Changes its arguments, which are private copies.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping

from sandbox.apiserver.autoscalers import cpu_target
from sandbox.apiserver.defaults_pods import default_pod, default_template, fill
from sandbox.apiserver.resources import Body


def _namespace(obj: Body) -> None:
    name = obj["metadata"].get("name")
    labels = obj["metadata"].setdefault("labels", {})
    if name:
        labels["kubernetes.io/metadata.name"] = name
    obj.setdefault("spec", {})


def _deployment(obj: Body) -> None:
    spec = obj.setdefault("spec", {})
    fill(spec, replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600, strategy={})
    fill(spec["strategy"], type="RollingUpdate")
    if spec["strategy"]["type"] == "RollingUpdate":
        fill(spec["strategy"], rollingUpdate={})
        fill(spec["strategy"]["rollingUpdate"], maxUnavailable="25%", maxSurge="25%")
    default_template(spec.setdefault("template", {}))


def _replica_set(obj: Body) -> None:
    spec = obj.setdefault("spec", {})
    fill(spec, replicas=1)
    default_template(spec.setdefault("template", {}))


def _stateful_set(obj: Body) -> None:
    spec = obj.setdefault("spec", {})
    fill(spec, replicas=1, revisionHistoryLimit=10, podManagementPolicy="OrderedReady", updateStrategy={})
    fill(spec, persistentVolumeClaimRetentionPolicy={})
    fill(spec["persistentVolumeClaimRetentionPolicy"], whenDeleted="Retain", whenScaled="Retain")
    fill(spec["updateStrategy"], type="RollingUpdate")
    if spec["updateStrategy"]["type"] == "RollingUpdate":
        fill(spec["updateStrategy"], rollingUpdate={})
        fill(spec["updateStrategy"]["rollingUpdate"], partition=0)
    default_template(spec.setdefault("template", {}))


def _daemon_set(obj: Body) -> None:
    spec = obj.setdefault("spec", {})
    fill(spec, revisionHistoryLimit=10, updateStrategy={})
    fill(spec["updateStrategy"], type="RollingUpdate")
    if spec["updateStrategy"]["type"] == "RollingUpdate":
        fill(spec["updateStrategy"], rollingUpdate={})
        fill(spec["updateStrategy"]["rollingUpdate"], maxUnavailable=1, maxSurge=0)
    default_template(spec.setdefault("template", {}))


def _job_spec(spec: Body) -> None:
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec["completions"] = 1
    fill(spec, parallelism=1, backoffLimit=6, completionMode="NonIndexed", suspend=False)
    fill(spec, podReplacementPolicy="Failed" if spec.get("podFailurePolicy") else "TerminatingOrFailed")
    template = spec.setdefault("template", {})
    asked = (template.get("spec") or {}).get("restartPolicy")
    default_template(template)
    if asked is None:
        template["spec"]["restartPolicy"] = "Always"  # and is refused, as by the real server


def _job(obj: Body) -> None:
    spec = obj.setdefault("spec", {})
    fill(spec, manualSelector=False)
    _job_spec(spec)
    labels = (spec["template"].get("metadata") or {}).get("labels")
    if labels and not obj["metadata"].get("labels"):
        obj["metadata"]["labels"] = dict(labels)


def _cron_job(obj: Body) -> None:
    spec = obj.setdefault("spec", {})
    fill(spec, concurrencyPolicy="Allow", suspend=False, successfulJobsHistoryLimit=3, failedJobsHistoryLimit=1)
    template = spec.setdefault("jobTemplate", {})
    job = template.setdefault("spec", {})
    default_template(job.setdefault("template", {}))


def _service(obj: Body) -> None:
    spec = obj.setdefault("spec", {})
    fill(spec, type="ClusterIP", sessionAffinity="None")
    for port in spec.get("ports") or ():
        fill(port, protocol="TCP")
        fill(port, targetPort=port.get("port"))
    if spec["sessionAffinity"] == "ClientIP":
        fill(spec, sessionAffinityConfig={"clientIP": {"timeoutSeconds": 10800}})
    if spec["type"] in ("NodePort", "LoadBalancer"):
        fill(spec, externalTrafficPolicy="Cluster")
    if spec["type"] == "LoadBalancer":
        fill(spec, allocateLoadBalancerNodePorts=True)
    if spec["type"] != "ExternalName":
        fill(spec, internalTrafficPolicy="Cluster")


def _endpoints(obj: Body) -> None:
    for subset in obj.get("subsets") or ():
        for port in subset.get("ports") or ():
            fill(port, protocol="TCP")


def _endpoint_slice(obj: Body) -> None:
    for port in obj.get("ports") or ():
        fill(port, name="", protocol="TCP")


def _secret(obj: Body) -> None:
    fill(obj, type="Opaque")
    plain = obj.pop("stringData", None) or {}
    if plain:
        encoded = {key: base64.b64encode(str(value).encode()).decode() for key, value in plain.items()}
        obj["data"] = {**(obj.get("data") or {}), **encoded}


def _autoscaler(obj: Body) -> None:
    spec = obj.setdefault("spec", {})
    fill(spec, minReplicas=1)
    if not spec.get("metrics"):
        spec["metrics"] = [cpu_target(80)]


def _network_policy(obj: Body) -> None:
    spec = obj.setdefault("spec", {})
    fill(spec, podSelector={})
    fill(spec, policyTypes=["Ingress", "Egress"] if spec.get("egress") else ["Ingress"])
    for rule in [*(spec.get("ingress") or ()), *(spec.get("egress") or ())]:
        for port in rule.get("ports") or ():
            fill(port, protocol="TCP")


def _claim(obj: Body) -> None:
    fill(obj.setdefault("spec", {}), volumeMode="Filesystem")


def _volume(obj: Body) -> None:
    fill(obj.setdefault("spec", {}), volumeMode="Filesystem", persistentVolumeReclaimPolicy="Retain")


def _storage_class(obj: Body) -> None:
    fill(obj, reclaimPolicy="Delete", volumeBindingMode="Immediate")


def _role_binding(obj: Body) -> None:
    if isinstance(obj.get("roleRef"), dict):
        fill(obj["roleRef"], apiGroup="rbac.authorization.k8s.io")
    for subject in obj.get("subjects") or ():
        if subject.get("kind") in ("User", "Group"):
            fill(subject, apiGroup="rbac.authorization.k8s.io")


def _webhooks(obj: Body) -> None:
    for hook in obj.get("webhooks") or ():
        fill(hook, failurePolicy="Fail", matchPolicy="Equivalent", timeoutSeconds=10, namespaceSelector={}, objectSelector={})
        if obj["kind"] == "MutatingWebhookConfiguration":
            fill(hook, reinvocationPolicy="Never")
        for rule in hook.get("rules") or ():
            fill(rule, scope="*")
        service = (hook.get("clientConfig") or {}).get("service")
        if service:
            fill(service, port=443)


def _priority_class(obj: Body) -> None:
    fill(obj, preemptionPolicy="PreemptLowerPriority")


DEFAULTS: Mapping[str, Callable[[Body], None]] = {
    "Namespace": _namespace,
    "Pod": default_pod,
    "Deployment": _deployment,
    "ReplicaSet": _replica_set,
    "StatefulSet": _stateful_set,
    "DaemonSet": _daemon_set,
    "Job": _job,
    "CronJob": _cron_job,
    "Service": _service,
    "Endpoints": _endpoints,
    "EndpointSlice": _endpoint_slice,
    "Secret": _secret,
    "HorizontalPodAutoscaler": _autoscaler,
    "NetworkPolicy": _network_policy,
    "PersistentVolumeClaim": _claim,
    "PersistentVolume": _volume,
    "StorageClass": _storage_class,
    "RoleBinding": _role_binding,
    "ClusterRoleBinding": _role_binding,
    "ValidatingWebhookConfiguration": _webhooks,
    "MutatingWebhookConfiguration": _webhooks,
    "PriorityClass": _priority_class,
}
