"""What the API server refuses in workloads, services and other built-in kinds.

Owns the essential rules, in the words of the real server. Must not: check metadata or types. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from kube.selectors import selects
from sandbox.apiserver.core import without
from sandbox.apiserver.failures import FieldError, duplicate, forbidden_field, invalid, required, unsupported
from sandbox.apiserver.naming import label_errors, name_errors
from sandbox.apiserver.validation_network import (
    endpoint_slice_errors,
    ingress_errors,
    service_errors,
)

Object: TypeAlias = Mapping[str, Any]
Check: TypeAlias = Callable[[Object, Object | None], list[FieldError]]

_IMMUTABLE = "field is immutable"
_MUTABLE_POD_FIELDS = ("activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds", "nodeName", "schedulingGates")


def selector_errors(selector: Any, path: str) -> list[FieldError]:
    """Return what is wrong with a label selector."""
    errors = label_errors(f"{path}.matchLabels", (selector or {}).get("matchLabels"))
    for index, item in enumerate((selector or {}).get("matchExpressions") or ()):
        where, operator = f"{path}.matchExpressions[{index}]", item.get("operator")
        if operator in ("In", "NotIn") and not item.get("values"):
            errors.append(required(f"{where}.values", "must be specified when `operator` is 'In' or 'NotIn'"))
        elif operator in ("Exists", "DoesNotExist") and item.get("values"):
            errors.append(forbidden_field(f"{where}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"))
        elif operator not in ("In", "NotIn", "Exists", "DoesNotExist"):
            errors.append(invalid(f"{where}.operator", operator, "not a valid selector operator"))
    return errors


def pod_spec_errors(spec: Object, path: str) -> list[FieldError]:
    """Return what is wrong with a pod spec."""
    errors = [] if spec.get("containers") else [required(f"{path}.containers")]
    volumes = {volume.get("name") for volume in spec.get("volumes") or ()}
    seen: set[str] = set()
    for group in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(group) or ()):
            errors += _container_errors(container, f"{path}.{group}[{index}]", volumes, seen)
    for index, volume in enumerate(spec.get("volumes") or ()):
        if not volume.get("name"):
            errors.append(required(f"{path}.volumes[{index}].name"))
    if spec.get("restartPolicy") not in ("Always", "OnFailure", "Never"):
        errors.append(unsupported(f"{path}.restartPolicy", spec.get("restartPolicy"), ("Always", "Never", "OnFailure")))
    return errors


def _container_errors(container: Object, path: str, volumes: set[Any], seen: set[str]) -> Iterable[FieldError]:
    name = container.get("name")
    if not name:
        yield required(f"{path}.name")
    else:
        yield from name_errors(f"{path}.name", name, label=True)
        if name in seen:
            yield duplicate(f"{path}.name", name)
        seen.add(name)
    if not container.get("image"):
        yield required(f"{path}.image")
    for index, mount in enumerate(container.get("volumeMounts") or ()):
        if mount.get("name") not in volumes:
            yield FieldError(f"{path}.volumeMounts[{index}].name", "FieldValueNotFound", f'Not found: "{mount.get("name")}"')
    for index, port in enumerate(container.get("ports") or ()):
        if not 0 < port.get("containerPort", 0) < 65536:
            yield invalid(
                f"{path}.ports[{index}].containerPort", port.get("containerPort", 0), "must be between 1 and 65535, inclusive"
            )
    for index, variable in enumerate(container.get("env") or ()):
        if not variable.get("name"):
            yield required(f"{path}.env[{index}].name")


def _pod_errors(new: Object, old: Object | None) -> list[FieldError]:
    if old is None:
        return pod_spec_errors(new["spec"], "spec")
    if _fixed_part(new["spec"]) != _fixed_part(old["spec"]):
        detail = (
            "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
            "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
            "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
        )
        return [forbidden_field("spec", detail)]
    if old["spec"].get("nodeName") and new["spec"].get("nodeName") != old["spec"]["nodeName"]:
        return [forbidden_field("spec.nodeName", "may not be changed once set")]
    return []


def _fixed_part(spec: Object) -> Object:
    kept = without(spec, *_MUTABLE_POD_FIELDS, "containers", "initContainers", "ephemeralContainers")
    for group in ("containers", "initContainers"):
        kept[group] = [without(container, "image", "imagePullPolicy", "resources") for container in spec.get(group) or ()]
    return kept


def _template_errors(spec: Object, path: str, policies: tuple[str, ...]) -> list[FieldError]:
    template = spec.get("template") or {}
    errors = label_errors(f"{path}.metadata.labels", (template.get("metadata") or {}).get("labels"))
    errors += pod_spec_errors(template.get("spec") or {}, f"{path}.spec")
    policy = (template.get("spec") or {}).get("restartPolicy")
    if policy not in policies:
        errors.append(unsupported(f"{path}.spec.restartPolicy", policy, policies))
    return errors


def _workload_errors(new: Object, old: Object | None) -> list[FieldError]:
    spec = new["spec"]
    errors = []
    if spec.get("replicas", 0) < 0:
        errors.append(invalid("spec.replicas", spec["replicas"], "must be greater than or equal to 0"))
    selector = spec.get("selector")
    if not selector:
        errors.append(required("spec.selector"))
    elif not (selector.get("matchLabels") or selector.get("matchExpressions")):
        errors.append(invalid("spec.selector", selector, f"empty selector is invalid for {new['kind'].lower()}"))
    errors += (broken := selector_errors(selector, "spec.selector"))
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
    if selector and not broken and not selects(selector, labels):
        errors.append(invalid("spec.template.metadata.labels", labels or None, "`selector` does not match template `labels`"))
    if old is not None and selector != old["spec"].get("selector"):
        errors.append(invalid("spec.selector", selector, _IMMUTABLE))
    return errors + _template_errors(spec, "spec.template", ("Always",))


def _job_errors(new: Object, old: Object | None) -> list[FieldError]:
    spec = new["spec"]
    errors = [
        invalid(f"spec.{name}", spec[name], "must be greater than or equal to 0")
        for name in ("parallelism", "completions", "backoffLimit", "activeDeadlineSeconds", "ttlSecondsAfterFinished")
        if spec.get(name) is not None and spec[name] < 0
    ]
    if old is not None:
        errors += [
            invalid(f"spec.{name}", spec.get(name), _IMMUTABLE)
            for name in ("selector", "template", "completionMode")
            if spec.get(name) != old["spec"].get(name) and not (name == "template" and old["spec"].get("suspend"))
        ]
    return errors + _template_errors(spec, "spec.template", ("OnFailure", "Never"))


def _cron_job_errors(new: Object, old: Object | None) -> list[FieldError]:
    spec = new["spec"]
    errors = [] if spec.get("schedule") else [required("spec.schedule")]
    if spec.get("concurrencyPolicy") not in ("Allow", "Forbid", "Replace"):
        errors.append(unsupported("spec.concurrencyPolicy", spec.get("concurrencyPolicy"), ("Allow", "Forbid", "Replace")))
    return errors + _template_errors(spec["jobTemplate"]["spec"], "spec.jobTemplate.spec.template", ("OnFailure", "Never"))


def _budget_errors(new: Object, old: Object | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    errors = selector_errors(spec.get("selector"), "spec.selector")
    if spec.get("minAvailable") is not None and spec.get("maxUnavailable") is not None:
        errors.append(invalid("spec", spec, "minAvailable and maxUnavailable cannot be both set"))
    return errors


def _frozen_data_errors(new: Object, old: Object | None) -> list[FieldError]:
    errors: list[FieldError] = []
    if old is None:
        return errors
    if new["kind"] == "Secret" and new.get("type") != old.get("type"):
        errors.append(invalid("type", new.get("type"), _IMMUTABLE))
    if old.get("immutable"):
        if not new.get("immutable"):
            errors.append(forbidden_field("immutable", "field is immutable when `immutable` is set"))
        errors += [
            forbidden_field(name, "field is immutable when `immutable` is set")
            for name in ("data", "binaryData")
            if new.get(name) != old.get(name)
        ]
    return errors


def _lease_errors(new: Object, old: Object | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    duration, transitions = spec.get("leaseDurationSeconds"), spec.get("leaseTransitions")
    errors = [] if duration is None or duration > 0 else [invalid("spec.leaseDurationSeconds", duration, "must be greater than 0")]
    if transitions is not None and transitions < 0:
        errors.append(invalid("spec.leaseTransitions", transitions, "must be greater than or equal to 0"))
    return errors


def _binding_errors(new: Object, old: Object | None) -> list[FieldError]:
    reference = new.get("roleRef") or {}
    errors = [] if reference.get("name") else [required("roleRef.name")]
    if old is not None and reference != old.get("roleRef"):
        errors.append(invalid("roleRef", reference, "cannot change roleRef"))
    return errors


def _event_errors(new: Object, old: Object | None) -> list[FieldError]:
    involved, place = new.get("involvedObject") or {}, new["metadata"].get("namespace")
    expected = involved.get("namespace") or "default"
    if place != expected:
        return [invalid("involvedObject.namespace", involved.get("namespace", ""), "does not match event.namespace")]
    return []


def _autoscaler_errors(new: Object, old: Object | None) -> list[FieldError]:
    spec = new["spec"]
    errors = (
        []
        if spec.get("maxReplicas", 0) > 0
        else [invalid("spec.maxReplicas", spec.get("maxReplicas", 0), "must be greater than 0")]
    )
    target = spec.get("scaleTargetRef") or {}
    return errors + [required(f"spec.scaleTargetRef.{name}") for name in ("kind", "name") if not target.get(name)]


VALIDATORS: Mapping[str, Check] = {
    "Pod": _pod_errors,
    "Deployment": _workload_errors,
    "ReplicaSet": _workload_errors,
    "StatefulSet": _workload_errors,
    "DaemonSet": _workload_errors,
    "Job": _job_errors,
    "CronJob": _cron_job_errors,
    "Service": service_errors,
    "Ingress": ingress_errors,
    "EndpointSlice": endpoint_slice_errors,
    "PodDisruptionBudget": _budget_errors,
    "ConfigMap": _frozen_data_errors,
    "Secret": _frozen_data_errors,
    "Lease": _lease_errors,
    "RoleBinding": _binding_errors,
    "ClusterRoleBinding": _binding_errors,
    "Event": _event_errors,
    "HorizontalPodAutoscaler": _autoscaler_errors,
}
