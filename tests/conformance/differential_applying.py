"""Cases of server-side apply: several managers, conflicts, force, lists and maps, ownership.

Owns the table. Must not: send anything.
"""

from __future__ import annotations

import json
from typing import Any

from differential_objects import config_map, container, pod, rollout, service, workload
from differential_requests import APPLY, STRATEGIC, Ask, Case, apply, case, create, delete, get, patch, replace

MAP = "configmaps/a"
LAST_APPLIED = json.dumps(
    {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "annotations": {}}, "data": {"x": "1"}}
)
WEB = "deployments/web"


def web(*containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """Return what a manager wants of the Deployment web: containers and nothing else, unless given."""
    template = {"template": {"spec": {"containers": list(containers)}}} if containers else {}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {**template, **spec}}


APPLYING: tuple[Case, ...] = (
    case("an applied object is made", apply(MAP, config_map(x="1"), "one"), get(MAP)),
    case("applying the same again changes nothing", apply(MAP, config_map(x="1"), "one"), apply(MAP, config_map(x="1"), "one")),
    case("what is no longer applied goes", apply(MAP, config_map(x="1", y="2"), "one"), apply(MAP, config_map(x="1"), "one")),
    case(
        "what others own stays",
        apply(MAP, config_map(x="1"), "one"),
        apply(MAP, config_map(y="2"), "two"),
        apply(MAP, config_map(), "one"),
    ),
    case(
        "two managers may want the same",
        apply(MAP, config_map(x="1"), "one"),
        apply(MAP, config_map(x="1"), "two"),
        apply(MAP, config_map(), "one"),
    ),
    case("a conflict names the manager and the field", apply(MAP, config_map(x="1"), "one"), apply(MAP, config_map(x="2"), "two")),
    case("conflicts with several fields", apply(MAP, config_map(x="1", y="1"), "one"), apply(MAP, config_map(x="2", y="2"), "two")),
    case(
        "conflicts with several managers",
        apply(MAP, config_map(x="1"), "one"),
        apply(MAP, config_map(y="1"), "two"),
        apply(MAP, config_map(x="2", y="2"), "three"),
    ),
    case(
        "a conflict with who updated",
        create("configmaps", config_map(x="1"), fieldManager="one"),
        apply(MAP, config_map(x="2"), "two"),
    ),
    case(
        "force takes what others own", apply(MAP, config_map(x="1", y="1"), "one"), apply(MAP, config_map(x="2"), "two", force=True)
    ),
    case("an update takes what others applied", apply(MAP, config_map(x="1", y="1"), "one"), patch(MAP, {"data": {"x": "2"}})),
    case(
        "applying over an update of the same value", create("configmaps", config_map(x="1")), apply(MAP, config_map(x="1"), "one")
    ),
    case("without a manager it is refused", Ask(method="PATCH", path=MAP, body=config_map(x="1"), content_type=APPLY)),
    case("a manager with a strange name is refused", apply(MAP, config_map(x="1"), "one\ttwo")),
    case("a manager with a name too long is refused", apply(MAP, config_map(x="1"), "m" * 130)),
    case("force on another patch is refused", create("configmaps", config_map()), patch(MAP, {}, force="true")),
    case(
        "managedFields in what is applied are refused",
        apply(MAP, config_map(x="1", meta={"managedFields": [{"manager": "x"}]}), "one"),
    ),
    case("apply without kind is refused", apply(MAP, {"metadata": {"name": "a"}, "data": {"x": "1"}}, "one")),
    case("apply without name takes the path's", apply(MAP, {"apiVersion": "v1", "kind": "ConfigMap", "data": {"x": "1"}}, "one")),
    case("apply with another name is refused", apply(MAP, config_map("b", x="1"), "one")),
    case("apply with another kind is refused", apply(MAP, {**config_map(x="1"), "kind": "Secret"}, "one")),
    case("apply with an unknown field", apply(MAP, {**config_map(x="1"), "dta": {}}, "one")),
    case("apply with an unknown field, strictly", apply(MAP, {**config_map(x="1"), "dta": {}}, "one", fieldValidation="Strict")),
    case("apply with a wrong type is refused", apply(MAP, {**config_map(), "data": ["x"]}, "one")),
    case(
        "apply with another uid is refused",
        apply(MAP, config_map(x="1"), "one"),
        apply(MAP, config_map(x="2", meta={"uid": "00000000-0000-4000-8000-000000000000"}), "one"),
    ),
    case(
        "apply with a version to something missing is refused", apply(MAP, config_map(x="1", meta={"resourceVersion": "1"}), "one")
    ),
    case(
        "apply with a uid to something missing is refused",
        apply(MAP, config_map(x="1", meta={"uid": "00000000-0000-4000-8000-000000000000"}), "one"),
    ),
    case(
        "apply with an old version is a conflict",
        apply(MAP, config_map(x="1"), "one"),
        apply(MAP, config_map(x="2", meta={"resourceVersion": "1"}), "one"),
    ),
    case("apply in dry run", apply(MAP, config_map(x="1"), "one"), apply(MAP, config_map(x="2"), "one", dryRun="All"), get(MAP)),
    case("apply makes nothing in dry run", apply(MAP, config_map(x="1"), "one", dryRun="All"), get(MAP)),
    case(
        "apply as YAML",
        Ask(
            method="PATCH",
            path=MAP,
            content_type=APPLY,
            query={"fieldManager": "one"},
            body="apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  x: '1'\n",
        ),
    ),
    case(
        "apply of broken YAML is refused",
        Ask(method="PATCH", path=MAP, content_type=APPLY, query={"fieldManager": "one"}, body="a: ["),
    ),
    case(
        "labels and annotations have owners of their own",
        apply(MAP, config_map(meta={"labels": {"a": "1"}}), "one"),
        apply(MAP, config_map(meta={"labels": {"b": "2"}, "annotations": {"c": "3"}}), "two"),
        apply(MAP, config_map(), "one"),
    ),
    case(
        "finalizers are a set",
        apply(MAP, config_map(meta={"finalizers": ["a.io/b"]}), "one"),
        apply(MAP, config_map(meta={"finalizers": ["c.io/d"]}), "two"),
        apply(MAP, config_map(), "one"),
    ),
    case(
        "containers belong to who applies them",
        apply(WEB, workload(), "one"),
        apply(WEB, web(container("side", image="side:1")), "two"),
        apply(WEB, web(container("main", image="shop:2")), "three"),
        apply(WEB, web(), "two"),
    ),
    case(
        "an image is taken over by force",
        apply(WEB, workload(), "one"),
        apply(WEB, web(container("main", image="shop:2")), "two", force=True),
        apply(WEB, workload(), "one"),
    ),
    case(
        "environment variables merge by name",
        apply(WEB, web(container(env=[{"name": "A", "value": "1"}]), selector={"matchLabels": {"app": "web"}}), "one"),
        apply(WEB, workload(), "base"),
        apply(WEB, web({"name": "main", "env": [{"name": "B", "value": "2"}]}), "two"),
    ),
    case(
        "ports merge by port and protocol",
        apply("services/web", service(ports=[{"port": 80, "protocol": "TCP", "name": "http"}]), "one"),
        apply(
            "services/web",
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": "web"},
                "spec": {"ports": [{"port": 443, "protocol": "TCP", "name": "https"}]},
            },
            "two",
        ),
    ),
    case(
        "a duplicate port is refused",
        apply(
            "services/web",
            service(ports=[{"port": 80, "protocol": "TCP", "name": "a"}, {"port": 80, "protocol": "TCP", "name": "b"}]),
            "one",
        ),
    ),
    case("a duplicate container is refused", apply(WEB, web(container(), container()), "one")),
    case(
        "the selector of a Service has one owner",
        apply("services/web", service(), "one"),
        apply(
            "services/web",
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {"selector": {"version": "2"}}},
            "two",
        ),
    ),
    case(
        "defaults that the server fills in have no owner who applies",
        apply(WEB, workload(), "one"),
        patch(WEB, {"spec": {"replicas": 4}}),
        apply(WEB, workload(), "one"),
    ),
    case(
        "replicas can be given to another manager",
        apply(WEB, workload(replicas=3), "one"),
        patch(f"{WEB}/scale", {"spec": {"replicas": 5}}, fieldManager="scaler"),
        apply(WEB, workload(replicas=3), "one"),
        apply(WEB, workload(), "one"),
    ),
    case(
        "the status is applied apart",
        create("pods", pod()),
        Ask(
            method="PATCH",
            path="pods/a/status",
            content_type=APPLY,
            query={"fieldManager": "agent"},
            body={
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": "a"},
                "status": {"conditions": [{"type": "Ready", "status": "True"}]},
            },
        ),
    ),
    case(
        "the status of a rollout is applied apart",
        create("rollouts", rollout()),
        Ask(
            method="PATCH",
            path="rollouts/web/status",
            content_type=APPLY,
            query={"fieldManager": "agent"},
            body={
                "apiVersion": "argoproj.io/v1alpha1",
                "kind": "Rollout",
                "metadata": {"name": "web"},
                "status": {"phase": "Healthy"},
            },
        ),
    ),
    case(
        "lists of custom objects are replaced",
        apply("rollouts/web", rollout(), "one"),
        apply(
            "rollouts/web",
            {
                "apiVersion": "argoproj.io/v1alpha1",
                "kind": "Rollout",
                "metadata": {"name": "web"},
                "spec": {"strategy": {"canary": {"steps": [{"setWeight": 50}]}}},
            },
            "two",
        ),
        apply(
            "rollouts/web",
            {
                "apiVersion": "argoproj.io/v1alpha1",
                "kind": "Rollout",
                "metadata": {"name": "web"},
                "spec": {"strategy": {"canary": {"steps": [{"setWeight": 50}]}}},
            },
            "two",
            force=True,
        ),
    ),
    case(
        "a custom object gives up a field",
        apply("rollouts/web", rollout(minReadySeconds=5), "one"),
        apply("rollouts/web", rollout(), "one"),
    ),
    case("a null in what is applied", apply(MAP, {**config_map(), "data": {"x": None}}, "one")),
    case(
        "client-side apply goes on as server-side apply",
        create(
            "configmaps",
            config_map(
                x="1",
                meta={"annotations": {"kubectl.kubernetes.io/last-applied-configuration": LAST_APPLIED}},
            ),
            fieldManager="kubectl-client-side-apply",
        ),
        apply(MAP, config_map(x="2"), "kubectl"),
    ),
    case(
        "an applied object is replaced by someone",
        apply(MAP, config_map(x="1", y="2"), "one"),
        replace(MAP, config_map(x="1"), fieldManager="two"),
    ),
    case(
        "an object that nobody owns stays so under updates",
        create("configmaps", config_map()),
        patch(MAP, {"data": {"x": "1"}}),
        patch(MAP, {"data": {"y": "1"}}),
    ),
    case(
        "apply to what nobody owns",
        create("configmaps", config_map(x="1")),
        patch(MAP, {"metadata": {"managedFields": [{}]}}),
        apply(MAP, config_map(x="2"), "one"),
    ),
    case(
        "an emptied list of managers",
        create("configmaps", config_map(x="1")),
        patch(MAP, {"metadata": {"managedFields": []}}),
        patch(MAP, {"data": {"x": "2"}}),
    ),
    case(
        "a manager is removed by hand",
        apply(MAP, config_map(x="1"), "one"),
        patch(
            MAP,
            {
                "metadata": {
                    "managedFields": [
                        {
                            "manager": "new",
                            "operation": "Apply",
                            "apiVersion": "v1",
                            "time": "2026-01-01T00:00:00Z",
                            "fieldsType": "FieldsV1",
                            "fieldsV1": {"f:data": {"f:x": {}}},
                        }
                    ]
                }
            },
        ),
    ),
    case(
        "broken managedFields are refused",
        create("configmaps", config_map(x="1")),
        patch(
            MAP,
            {
                "metadata": {
                    "managedFields": [
                        {"manager": "new", "operation": "Nothing", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": {}}
                    ]
                }
            },
        ),
    ),
    case(
        "applied and deleted and applied again",
        apply(MAP, config_map(x="1"), "one"),
        delete(MAP),
        apply(MAP, config_map(x="2"), "two"),
    ),
    case(
        "a strategic patch after an apply",
        apply(WEB, workload(), "one"),
        patch(
            WEB,
            {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "shop:2"}]}}}},
            STRATEGIC,
            fieldManager="set-image",
        ),
    ),
)
