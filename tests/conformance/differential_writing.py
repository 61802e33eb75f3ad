"""Cases of writing: create, replace, patches of all kinds, dry run, preconditions.

Owns the table. Must not: send anything.
"""

from __future__ import annotations

from differential_objects import config_map, container, pod, rollout, service, workload
from differential_requests import JSON, STRATEGIC, Case, Ref, case, create, get, patch, replace

MAP = "configmaps/a"

CREATING: tuple[Case, ...] = (
    case("an object comes back as it was made", create("configmaps", config_map(x="1")), get(MAP)),
    case("kind and apiVersion may be left out", create("configmaps", {"metadata": {"name": "a"}, "data": {"x": "1"}})),
    case("a name that is taken is refused", create("configmaps", config_map()), create("configmaps", config_map())),
    case("generateName makes a name", create("configmaps", {"metadata": {"generateName": "made-"}}), get("configmaps")),
    case("a name goes before generateName", create("configmaps", config_map("a", meta={"generateName": "made-"})), get(MAP)),
    case("neither name nor generateName is refused", create("configmaps", {"data": {"x": "1"}})),
    case("a version on a new object is refused", create("configmaps", config_map(meta={"resourceVersion": "7"}))),
    case("a uid on a new object is replaced", create("configmaps", config_map(meta={"uid": "mine"}))),
    case(
        "times and generation of a new object are the server's",
        create("configmaps", config_map(meta={"creationTimestamp": "2020-01-01T00:00:00Z", "generation": 9, "selfLink": "/x"})),
    ),
    case("another namespace than the path's is refused", create("configmaps", config_map(meta={"namespace": "other"}))),
    case("a namespace that is not there is refused", create("/api/v1/namespaces/nowhere-at-all/configmaps", config_map())),
    case("another kind than the path's is refused", create("configmaps", {**config_map(), "kind": "Secret"})),
    case("another version than the path's is refused", create("configmaps", {**config_map(), "apiVersion": "v2"})),
    case("a name on the path of a collection is refused", create(MAP, config_map())),
    case("dry run makes nothing", create("configmaps", config_map(x="1"), dryRun="All"), get(MAP)),
    case("another dry run than All is refused", create("configmaps", config_map(), dryRun="Some")),
    case("unknown fields are told as a warning", create("configmaps", {**config_map(), "dta": {}})),
    case("unknown fields are refused when asked", create("configmaps", {**config_map(), "dta": {}}, fieldValidation="Strict")),
    case("unknown fields are dropped when asked", create("configmaps", {**config_map(), "dta": {}}, fieldValidation="Ignore")),
    case("another field validation is refused", create("configmaps", config_map(), fieldValidation="Harsh")),
    case(
        "unknown fields deep in a workload are told",
        create(
            "deployments",
            workload(
                template={
                    "metadata": {"labels": {"app": "web"}},
                    "spec": {"containers": [container(imagePullPolice="Always")], "restart": "no"},
                },
                replcas=2,
            ),
        ),
    ),
    case("a field manager is recorded", create("configmaps", config_map(x="1"), fieldManager="someone")),
    case(
        "owners, finalizers, labels and annotations are kept",
        create(
            "configmaps",
            config_map(
                meta={
                    "labels": {"a": "b"},
                    "annotations": {"c": "d"},
                    "finalizers": ["shop.io/hold"],
                    "ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": "u", "controller": True}],
                }
            ),
        ),
    ),
    case("empty labels are kept as they are", create("configmaps", config_map(meta={"labels": {}, "annotations": {}}))),
    case("a null in an object is as if it were not there", create("configmaps", {**config_map(), "data": None})),
)

REPLACING: tuple[Case, ...] = (
    case(
        "a replaced object has what was sent and nothing else",
        create("configmaps", config_map(x="1", meta={"labels": {"a": "b"}})),
        replace(MAP, config_map(y="2")),
        get(MAP),
    ),
    case("what is as it was keeps its version", create("configmaps", config_map(x="1")), replace(MAP, config_map(x="1"))),
    case(
        "an old version is a conflict",
        create("configmaps", config_map(x="1"), save="first"),
        replace(MAP, config_map(x="2")),
        replace(MAP, config_map(x="3", meta={"resourceVersion": Ref("first.metadata.resourceVersion")})),
    ),
    case(
        "the present version is taken",
        create("configmaps", config_map(x="1"), save="first"),
        replace(MAP, config_map(x="3", meta={"resourceVersion": Ref("first.metadata.resourceVersion")})),
    ),
    case(
        "a version that is no number is refused",
        create("configmaps", config_map()),
        replace(MAP, config_map(x="3", meta={"resourceVersion": "soon"})),
    ),
    case(
        "another uid is a conflict",
        create("configmaps", config_map()),
        replace(MAP, config_map(x="3", meta={"uid": "00000000-0000-4000-8000-000000000000"})),
    ),
    case("another name than the path's is refused", create("configmaps", config_map()), replace(MAP, config_map("b"))),
    case("a missing object is not made", replace(MAP, config_map())),
    case("a missing object with a version is not found", replace(MAP, config_map(meta={"resourceVersion": "1"}))),
    case("a workload cannot be replaced into being", replace("deployments/web", workload())),
    case("a lease is made by replacing it", replace("leases/leader", {"metadata": {"name": "leader"}, "spec": {}})),
    case("a service is not made by replacing it", replace("services/web", service())),
    case(
        "dry run changes nothing", create("configmaps", config_map(x="1")), replace(MAP, config_map(x="2"), dryRun="All"), get(MAP)
    ),
    case(
        "ownership goes to who replaced it",
        create("configmaps", config_map(x="1", y="1"), fieldManager="one"),
        replace(MAP, config_map(x="1", y="2", z="3"), fieldManager="two"),
    ),
    case(
        "the owner of labels is who set them",
        create("configmaps", config_map(meta={"labels": {"a": "1"}}), fieldManager="one"),
        replace(MAP, config_map(meta={"labels": {"a": "1", "b": "2"}, "annotations": {"c": "3"}}), fieldManager="two"),
    ),
    case(
        "managedFields may be emptied",
        create("configmaps", config_map(x="1")),
        replace(MAP, config_map(x="1", meta={"managedFields": [{}]})),
        replace(MAP, config_map(x="2")),
    ),
)

PATCHING: tuple[Case, ...] = (
    case(
        "a merge patch sets and takes away",
        create("configmaps", config_map(x="1", y="2")),
        patch(MAP, {"data": {"x": None, "z": "3"}}),
        get(MAP),
    ),
    case(
        "a merge patch replaces lists",
        create("pods", pod(meta={"finalizers": ["a.io/b", "c.io/d"]})),
        patch("pods/a", {"metadata": {"finalizers": ["e.io/f"]}}),
    ),
    case(
        "a merge patch that changes nothing keeps the version",
        create("configmaps", config_map(x="1")),
        patch(MAP, {"data": {"x": "1"}}),
    ),
    case("an empty merge patch changes nothing", create("configmaps", config_map(x="1")), patch(MAP, {})),
    case(
        "a merge patch with an old version is a conflict",
        create("configmaps", config_map(x="1"), save="first"),
        patch(MAP, {"data": {"x": "2"}}),
        patch(MAP, {"data": {"x": "3"}, "metadata": {"resourceVersion": Ref("first.metadata.resourceVersion")}}),
    ),
    case(
        "a merge patch with another uid is a conflict",
        create("configmaps", config_map()),
        patch(MAP, {"metadata": {"uid": "00000000-0000-4000-8000-000000000000"}, "data": {"x": "1"}}),
    ),
    case("a merge patch cannot rename", create("configmaps", config_map()), patch(MAP, {"metadata": {"name": "b"}})),
    case(
        "a merge patch cannot move to another namespace",
        create("configmaps", config_map()),
        patch(MAP, {"metadata": {"namespace": "other"}}),
    ),
    case("a merge patch cannot change the kind", create("configmaps", config_map()), patch(MAP, {"kind": "Secret"})),
    case("a merge patch of a wrong type is refused", create("configmaps", config_map()), patch(MAP, {"data": ["x"]})),
    case("a merge patch that is a list is refused", create("configmaps", config_map()), patch(MAP, ["x"])),
    case("a merge patch that is no JSON is refused", create("configmaps", config_map()), patch(MAP, "{")),
    case("an empty patch body is refused", create("configmaps", config_map()), patch(MAP, "")),
    case("a merge patch of something missing", patch(MAP, {"data": {"x": "1"}})),
    case(
        "a merge patch in dry run",
        create("configmaps", config_map(x="1")),
        patch(MAP, {"data": {"x": "2"}}, dryRun="All"),
        get(MAP),
    ),
    case("a patch with unknown fields is told", create("configmaps", config_map(x="1")), patch(MAP, {"dta": {"x": "2"}})),
    case(
        "a strict patch with unknown fields is refused",
        create("configmaps", config_map(x="1")),
        patch(MAP, {"dta": {"x": "2"}}, fieldValidation="Strict"),
    ),
    case(
        "a JSON patch adds, replaces, tests, moves, copies and removes",
        create("configmaps", config_map(x="1", y="2")),
        patch(
            MAP,
            [
                {"op": "test", "path": "/data/x", "value": "1"},
                {"op": "replace", "path": "/data/x", "value": "3"},
                {"op": "add", "path": "/data/z", "value": "4"},
                {"op": "move", "from": "/data/y", "path": "/data/w"},
                {"op": "copy", "from": "/data/w", "path": "/data/v"},
                {"op": "remove", "path": "/data/z"},
            ],
            JSON,
        ),
    ),
    case(
        "a JSON patch whose test fails is refused",
        create("configmaps", config_map(x="1")),
        patch(MAP, [{"op": "test", "path": "/data/x", "value": "2"}], JSON),
    ),
    case(
        "a JSON patch removing what is not there is refused",
        create("configmaps", config_map(x="1")),
        patch(MAP, [{"op": "remove", "path": "/data/y"}], JSON),
    ),
    case(
        "a JSON patch replacing what is not there is refused",
        create("configmaps", config_map(x="1")),
        patch(MAP, [{"op": "replace", "path": "/data/y", "value": "1"}], JSON),
    ),
    case(
        "a JSON patch into nothing is refused",
        create("configmaps", config_map(x="1")),
        patch(MAP, [{"op": "add", "path": "/metadata/labels/a", "value": "b"}], JSON),
    ),
    case(
        "a JSON patch with a test of the version",
        create("configmaps", config_map(x="1"), save="first"),
        patch(
            MAP,
            [
                {"op": "test", "path": "/metadata/resourceVersion", "value": Ref("first.metadata.resourceVersion")},
                {"op": "add", "path": "/data/y", "value": "2"},
            ],
            JSON,
        ),
    ),
    case(
        "a JSON patch with an unknown operation is refused",
        create("configmaps", config_map(x="1")),
        patch(MAP, [{"op": "increase", "path": "/data/x", "value": "2"}], JSON),
    ),
    case("a JSON patch that is an object is refused", create("configmaps", config_map(x="1")), patch(MAP, {"op": "add"}, JSON)),
    case(
        "a JSON patch to the end of a list",
        create("pods", pod(meta={"finalizers": ["a.io/b"]})),
        patch("pods/a", [{"op": "add", "path": "/metadata/finalizers/-", "value": "c.io/d"}], JSON),
    ),
    case(
        "a JSON patch of an escaped key",
        create("configmaps", config_map(meta={"annotations": {"a.io/b": "1"}})),
        patch(MAP, [{"op": "remove", "path": "/metadata/annotations/a.io~1b"}], JSON),
    ),
    case(
        "a strategic patch merges containers by name",
        create("deployments", workload()),
        patch(
            "deployments/web",
            {
                "spec": {
                    "template": {"spec": {"containers": [{"name": "main", "image": "shop:2"}, {"name": "side", "image": "side:1"}]}}
                }
            },
            STRATEGIC,
        ),
    ),
    case(
        "a strategic patch deletes a container",
        create(
            "deployments",
            workload(template={"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container(), container("side")]}}),
        ),
        patch(
            "deployments/web", {"spec": {"template": {"spec": {"containers": [{"name": "side", "$patch": "delete"}]}}}}, STRATEGIC
        ),
    ),
    case(
        "a strategic patch replaces where told",
        create("pods", pod()),
        patch("pods/a", {"metadata": {"labels": {"$patch": "replace", "b": "c"}}}, STRATEGIC),
    ),
    case(
        "a strategic patch of ports merges by port",
        create("services", service(ports=[{"name": "a", "port": 80}, {"name": "b", "port": 81}])),
        patch("services/web", {"spec": {"ports": [{"port": 81, "targetPort": 8081}]}}, STRATEGIC),
    ),
    case(
        "a strategic patch adds finalizers as a set",
        create("configmaps", config_map(meta={"finalizers": ["a.io/b"]})),
        patch(MAP, {"metadata": {"finalizers": ["c.io/d"]}}, STRATEGIC),
    ),
    case(
        "a strategic patch removes a finalizer",
        create("configmaps", config_map(meta={"finalizers": ["a.io/b", "c.io/d"]})),
        patch(MAP, {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a.io/b"]}}, STRATEGIC),
    ),
    case(
        "a strategic patch sets the order of env",
        create(
            "deployments",
            workload(
                template={
                    "metadata": {"labels": {"app": "web"}},
                    "spec": {"containers": [container(env=[{"name": "A", "value": "1"}, {"name": "B", "value": "2"}])]},
                }
            ),
        ),
        patch(
            "deployments/web",
            {
                "spec": {
                    "template": {
                        "spec": {
                            "containers": [
                                {
                                    "name": "main",
                                    "env": [{"name": "C", "value": "3"}],
                                    "$setElementOrder/env": [{"name": "C"}, {"name": "A"}, {"name": "B"}],
                                }
                            ],
                            "$setElementOrder/containers": [{"name": "main"}],
                        }
                    }
                }
            },
            STRATEGIC,
        ),
    ),
    case(
        "a strategic patch of conditions merges by type",
        create("pods", pod()),
        patch("pods/a/status", {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}, STRATEGIC),
        patch("pods/a/status", {"status": {"conditions": [{"type": "shop.io/open", "status": "False"}]}}, STRATEGIC),
    ),
    case(
        "a strategic patch of a custom object is refused",
        create("rollouts", rollout()),
        patch("rollouts/web", {"spec": {"replicas": 3}}, STRATEGIC),
    ),
    case(
        "a patch without a known content type is refused",
        create("configmaps", config_map()),
        patch(MAP, {"data": {"x": "1"}}, "application/json"),
    ),
    case("a patch of text is refused", create("configmaps", config_map()), patch(MAP, "x", "text/plain")),
    case(
        "a patch of a custom object without a known content type is refused",
        create("rollouts", rollout()),
        patch("rollouts/web", {"spec": {"replicas": 3}}, "application/json"),
    ),
)
