"""The resources that are served from the start.

Owns their names, scopes, subresources and strategies. Must not: implement a strategy; see defaults*.py and validation.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from sandbox.apiserver.allocating import prepare_definition, prepare_job, prepare_namespace, prepare_pod, prepare_service
from sandbox.apiserver.autoscalers import to_first, to_second
from sandbox.apiserver.builtin_types import build_schemas, type_name
from sandbox.apiserver.columns import builtin_columns
from sandbox.apiserver.defaults import DEFAULTS
from sandbox.apiserver.definitions import complete_definition, definition_errors
from sandbox.apiserver.events import to_new_form, to_old_form
from sandbox.apiserver.resources import METADATA_FIELDS, Resource, Scale, Strategy
from sandbox.apiserver.validation import VALIDATORS

_SPEC = Strategy(generation="spec")
_DEPLOYMENT = Strategy(generation="spec", status_keeps_labels=True, watched_annotations=True)
_FREE = Strategy(free_name=True)
_STATUS = frozenset({"status"})
_SCALED = frozenset({"status", "scale"})
_EVENT_FIELDS = METADATA_FIELDS | {
    "type",
    "reason",
    "reportingComponent",
    "source.component",
    "source",
    "involvedObject.kind",
    "involvedObject.namespace",
    "involvedObject.name",
    "involvedObject.uid",
    "involvedObject.apiVersion",
    "involvedObject.resourceVersion",
    "involvedObject.fieldPath",
}
_POD_FIELDS = METADATA_FIELDS | {
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.schedulerName",
    "spec.serviceAccountName",
    "spec.hostNetwork",
    "status.phase",
    "status.podIP",
    "status.nominatedNodeName",
}


def _core() -> Iterable[Resource]:
    def one(kind: str, plural: str, *short: str, **more: object) -> Resource:
        return Resource(group="", version="v1", kind=kind, plural=plural, short_names=short, **more)  # type: ignore[arg-type]

    yield one(
        "Namespace",
        "namespaces",
        "ns",
        namespaced=False,
        subresources=frozenset({"status", "finalize"}),
        strategy=Strategy(name_is_label=True, initial_status={"phase": "Active"}),
        field_labels=METADATA_FIELDS | {"status.phase"},
    )
    yield one("Node", "nodes", "no", namespaced=False, subresources=_STATUS, field_labels=METADATA_FIELDS | {"spec.unschedulable"})
    yield one(
        "Pod",
        "pods",
        "po",
        categories=("all",),
        strategy=Strategy(graceful=True, generation="spec"),
        field_labels=_POD_FIELDS,
        subresources=frozenset(
            {"status", "eviction", "binding", "log", "exec", "attach", "portforward", "ephemeralcontainers", "resize"}
        ),
    )
    yield one(
        "Service",
        "services",
        "svc",
        categories=("all",),
        subresources=_STATUS,
        strategy=Strategy(name_is_label=True, made_by_update=True),
        field_labels=METADATA_FIELDS | {"spec.clusterIP", "spec.type"},
    )
    yield one("Endpoints", "endpoints", "ep")
    yield one("Secret", "secrets", field_labels=METADATA_FIELDS | {"type"})
    yield one("ConfigMap", "configmaps", "cm")
    yield one("Event", "events", "ev", field_labels=_EVENT_FIELDS)
    yield one("ServiceAccount", "serviceaccounts", "sa", subresources=frozenset({"token"}))
    yield one(
        "PersistentVolumeClaim",
        "persistentvolumeclaims",
        "pvc",
        subresources=_STATUS,
        strategy=Strategy(initial_status={"phase": "Pending"}),
    )
    yield one("PersistentVolume", "persistentvolumes", "pv", namespaced=False, subresources=_STATUS)
    yield one("ResourceQuota", "resourcequotas", "quota", subresources=_STATUS)
    yield one("LimitRange", "limitranges", "limits")


def _workloads() -> Iterable[Resource]:
    for kind, plural, short, subresources in (
        ("Deployment", "deployments", "deploy", _SCALED),
        ("ReplicaSet", "replicasets", "rs", _SCALED),
        ("StatefulSet", "statefulsets", "sts", _SCALED),
        ("DaemonSet", "daemonsets", "ds", _STATUS),
    ):
        yield Resource(
            group="apps",
            version="v1",
            kind=kind,
            plural=plural,
            short_names=(short,),
            categories=("all",),
            subresources=subresources,
            strategy=_DEPLOYMENT if kind == "Deployment" else _SPEC,
            scale=Scale() if subresources is _SCALED else None,
            field_labels=METADATA_FIELDS | ({"status.replicas"} if kind == "ReplicaSet" else set()),
        )
    yield Resource(group="apps", version="v1", kind="ControllerRevision", plural="controllerrevisions")
    for kind, plural, short in (("Job", "jobs", ""), ("CronJob", "cronjobs", "cj")):
        yield Resource(
            group="batch",
            version="v1",
            kind=kind,
            plural=plural,
            short_names=(short,) if short else (),
            categories=("all",),
            subresources=_STATUS,
            strategy=_SPEC,
            field_labels=METADATA_FIELDS | {"status.successful"},
        )
    autoscaler = Resource(
        group="autoscaling",
        version="v2",
        kind="HorizontalPodAutoscaler",
        plural="horizontalpodautoscalers",
        short_names=("hpa",),
        categories=("all",),
        subresources=_STATUS,
    )
    yield autoscaler
    yield replace(autoscaler, version="v1", storage_version="autoscaling/v2", to_storage=to_second, from_storage=to_first)
    yield Resource(
        group="policy",
        version="v1",
        kind="PodDisruptionBudget",
        plural="poddisruptionbudgets",
        short_names=("pdb",),
        subresources=_STATUS,
        strategy=_SPEC,
    )


def _networking() -> Iterable[Resource]:
    group = "networking.k8s.io"
    yield Resource(
        group=group, version="v1", kind="Ingress", plural="ingresses", short_names=("ing",), subresources=_STATUS, strategy=_SPEC
    )
    yield Resource(group=group, version="v1", kind="IngressClass", plural="ingressclasses", namespaced=False, strategy=_SPEC)
    yield Resource(
        group=group, version="v1", kind="NetworkPolicy", plural="networkpolicies", short_names=("netpol",), strategy=_SPEC
    )
    yield Resource(
        group="discovery.k8s.io", version="v1", kind="EndpointSlice", plural="endpointslices", strategy=Strategy(generation="any")
    )
    yield Resource(group="coordination.k8s.io", version="v1", kind="Lease", plural="leases", strategy=Strategy(made_by_update=True))


def _rest() -> Iterable[Resource]:
    yield Resource(
        group="events.k8s.io",
        version="v1",
        kind="Event",
        plural="events",
        short_names=("ev",),
        store="events",
        storage_version="v1",
        field_labels=_EVENT_FIELDS,
        to_storage=to_old_form,
        from_storage=to_new_form,
    )
    group = "rbac.authorization.k8s.io"
    for kind, plural in (("Role", "roles"), ("RoleBinding", "rolebindings")):
        yield Resource(group=group, version="v1", kind=kind, plural=plural, strategy=_FREE)
        yield Resource(
            group=group, version="v1", kind="Cluster" + kind, plural="cluster" + plural, namespaced=False, strategy=_FREE
        )
    yield Resource(
        group="storage.k8s.io", version="v1", kind="StorageClass", plural="storageclasses", short_names=("sc",), namespaced=False
    )
    yield Resource(
        group="scheduling.k8s.io",
        version="v1",
        kind="PriorityClass",
        plural="priorityclasses",
        short_names=("pc",),
        namespaced=False,
        strategy=Strategy(generation="any"),
    )


def _extensions() -> Iterable[Resource]:
    group = "admissionregistration.k8s.io"
    for kind, plural in (
        ("ValidatingWebhookConfiguration", "validatingwebhookconfigurations"),
        ("MutatingWebhookConfiguration", "mutatingwebhookconfigurations"),
    ):
        yield Resource(
            group=group,
            version="v1",
            kind=kind,
            plural=plural,
            namespaced=False,
            strategy=Strategy(generation="any"),
            categories=("api-extensions",),
        )
    yield Resource(
        group="apiregistration.k8s.io",
        version="v1",
        kind="APIService",
        plural="apiservices",
        namespaced=False,
        subresources=_STATUS,
        categories=("api-extensions",),
    )
    yield Resource(
        group="apiextensions.k8s.io",
        version="v1",
        kind="CustomResourceDefinition",
        plural="customresourcedefinitions",
        short_names=("crd", "crds"),
        categories=("api-extensions",),
        namespaced=False,
        subresources=_STATUS,
        strategy=replace(_SPEC, free_finalizers=True),
    )
    for kind in ("SelfSubjectAccessReview", "SubjectAccessReview", "SelfSubjectRulesReview"):
        yield Resource(
            group="authorization.k8s.io", version="v1", kind=kind, plural=kind.lower() + "s", namespaced=False, verbs=("create",)
        )
    for kind in ("TokenReview", "SelfSubjectReview"):
        yield Resource(
            group="authentication.k8s.io", version="v1", kind=kind, plural=kind.lower() + "s", namespaced=False, verbs=("create",)
        )


_PREPARE = {"Service": prepare_service, "Job": prepare_job, "Pod": prepare_pod, "Namespace": prepare_namespace}


def _strategy(resource: Resource) -> Strategy:
    """Return the strategy of a resource with its defaults and checks."""
    if resource.kind == "CustomResourceDefinition":
        return replace(resource.strategy, default=complete_definition, validate=definition_errors, prepare=prepare_definition)
    found = resource.strategy
    if resource.kind in DEFAULTS:
        found = replace(found, default=DEFAULTS[resource.kind])
    if resource.kind in VALIDATORS:
        found = replace(found, validate=VALIDATORS[resource.kind])
    return replace(found, prepare=_PREPARE.get(resource.kind))


def builtin_resources() -> list[Resource]:
    """Return every built-in resource, completed with its store."""
    found = [*_core(), *_workloads(), *_networking(), *_rest(), *_extensions()]
    schemas = build_schemas()
    return [
        replace(
            resource,
            strategy=_strategy(resource),
            schema=schemas[type_name(resource)],
            columns=builtin_columns(resource.kind),
            singular=resource.kind.lower(),
            store=resource.store or resource.resource_name,
            storage_version=resource.storage_version or resource.api_version,
        )
        for resource in found
    ]
