"""Cases of paths and methods that there are not, and of what discovery says.

Owns the table. Must not: send anything.
"""

from __future__ import annotations

from differential_objects import config_map, pod, rollout
from differential_requests import Ask, Case, case, create, delete, get, patch, replace

REFUSING: tuple[Case, ...] = (
    case("a resource that there is not", get("/api/v1/namespaces/{ns}/nothings"), get("/apis/apps/v1/namespaces/{ns}/nothings")),
    case("a group that there is not", get("/apis/nothing.io/v1/namespaces/{ns}/things"), get("/apis/nothing.io/v1")),
    case("a version that there is not", get("/apis/apps/v9/namespaces/{ns}/deployments"), get("/api/v9/pods")),
    case("a custom version that there is not", get("/apis/argoproj.io/v9/namespaces/{ns}/rollouts")),
    case("a custom resource that there is not", get("/apis/argoproj.io/v1alpha1/namespaces/{ns}/nothings")),
    case(
        "a subresource that there is not",
        create("configmaps", config_map()),
        get("configmaps/a/nothing"),
        create("rollouts", rollout()),
        get("rollouts/web/nothing"),
    ),
    case("a namespace for what has none", get("/api/v1/namespaces/{ns}/nodes"), get("/api/v1/namespaces/{ns}/namespaces")),
    case(
        "no namespace for what has one",
        get("/api/v1/configmaps/a"),
        create("/api/v1/configmaps", config_map()),
        create("/apis/argoproj.io/v1alpha1/rollouts", rollout()),
    ),
    case("putting a collection", replace("configmaps", config_map()), patch("configmaps", {})),
    case("putting a collection of custom objects", replace("rollouts", rollout()), patch("rollouts", {})),
    case("a method that there is not", Ask(method="OPTIONS", path="configmaps")),
    case("deleting a status", create("rollouts", rollout()), delete("rollouts/web/status")),
    case("creating a status", create("rollouts", rollout()), create("rollouts/web/status", rollout())),
    case("deleting an eviction", create("pods", pod()), delete("pods/a/eviction"), get("pods/a/eviction")),
    case("a body that is no JSON", create("configmaps", "{"), create("configmaps", "x"), create("configmaps", "{'a': 1}")),
    case("a body that is no object", create("configmaps", []), create("configmaps", "7")),
    case(
        "no body", Ask(method="POST", path="configmaps"), create("configmaps", config_map()), Ask(method="PUT", path="configmaps/a")
    ),
    case("a custom body that is no JSON", create("rollouts", "{"), create("rollouts", "x")),
    case("a custom body that is no object", create("rollouts", [])),
    case("a body of text", Ask(method="POST", path="configmaps", body="x", content_type="text/plain")),
    case("a body of an unknown type", Ask(method="POST", path="configmaps", body="x", content_type="application/xml")),
    case(
        "a body in YAML",
        Ask(
            method="POST",
            path="configmaps",
            content_type="application/yaml",
            body="apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  x: 'yes'\n  z: '1'\n",
        ),
    ),
    case(
        "custom kinds of another kind",
        create("rollouts", {**rollout(), "kind": "Experiment"}),
        create("rollouts", {**rollout(), "apiVersion": "v1"}),
    ),
    case(
        "metadata of a wrong type",
        create("configmaps", {"metadata": "a"}),
        create("rollouts", {**rollout(), "metadata": "a"}),
        create("configmaps", {"metadata": {"name": 7}}),
        create("configmaps", {"metadata": {"name": "a", "labels": {"a": 1}}}),
        create("rollouts", {**rollout(), "metadata": {"name": "a", "labels": {"a": 1}}}),
    ),
    case(
        "values of wrong types",
        create("configmaps", {"metadata": {"name": "a"}, "data": {"x": 1}}),
        create("services", {"metadata": {"name": "a"}, "spec": {"ports": [{"port": "http"}]}}),
        create("pods", {"metadata": {"name": "a"}, "spec": {"containers": "none"}}),
        create("pods", {"metadata": {"name": "a"}, "spec": {"containers": ["main"]}}),
        create("pods", {"metadata": {"name": "a"}, "spec": {"hostNetwork": "yes", "containers": [{"name": "a", "tty": 1}]}}),
        create("deployments", {"metadata": {"name": "a"}, "spec": {"replicas": 1.5}}),
        create("deployments", {"metadata": {"name": "a"}, "spec": {"replicas": {}}}),
    ),
    case(
        "names that cannot be",
        *(create("configmaps", config_map(name)) for name in ("A", "a_b", "-a", "a-", "a..b", "a/b", "a b", "x" * 254)),
    ),
    case(
        "names of services that cannot be",
        *(
            create("services", {"metadata": {"name": name}, "spec": {"ports": [{"port": 80}]}})
            for name in ("A", "1a", "a.b", "-a", "x" * 64)
        ),
    ),
    case("names of rollouts that cannot be", *(create("rollouts", rollout(name)) for name in ("A", "a_b", "x" * 254))),
    case(
        "labels that cannot be",
        *(
            create("configmaps", config_map(meta={"labels": labels}))
            for labels in (
                {"a b": "1"},
                {"a/b/c": "1"},
                {"A.io/b": "1"},
                {"a": "b c"},
                {"a": "x" * 64},
                {"x" * 64: "a"},
                {"": "1"},
                {"a": "-"},
            )
        ),
    ),
    case(
        "annotations that cannot be",
        *(create("configmaps", config_map(meta={"annotations": {key: "1"}})) for key in ("a b", "a/b/c", "")),
    ),
    case("annotations that are too long", create("configmaps", config_map(meta={"annotations": {"a": "x" * 262145}}))),
    case(
        "owners that cannot be",
        *(
            create("configmaps", config_map(meta={"ownerReferences": owners}))
            for owners in (
                [{"apiVersion": "v1", "kind": "ConfigMap", "name": "", "uid": "u"}],
                [{"apiVersion": "", "kind": "", "name": "o", "uid": ""}],
                [{"apiVersion": "v1", "kind": "Event", "name": "o", "uid": "u"}],
                [
                    {"apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": "u", "controller": True},
                    {"apiVersion": "v1", "kind": "ConfigMap", "name": "p", "uid": "v", "controller": True},
                ],
            )
        ),
    ),
    case(
        "finalizers that cannot be",
        create("configmaps", config_map(meta={"finalizers": ["hold"]})),
        create("configmaps", config_map(meta={"finalizers": ["a b/c"]})),
        create("configmaps", config_map(meta={"finalizers": ["orphan", "foregroundDeletion"]})),
    ),
    case("several things at once", create("configmaps", config_map("A", meta={"labels": {"a": "-"}, "finalizers": ["hold"]}))),
)
