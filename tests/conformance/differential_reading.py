"""Cases of reading: lists, selectors, pages, watches, tables, and forms of answers.

Owns the table. Must not: send anything.
"""

from __future__ import annotations

from differential_objects import config_map, job, pod, rollout, service, workload
from differential_requests import (
    METADATA,
    METADATA_LIST,
    STRATEGIC,
    TABLE,
    Ask,
    Case,
    Ref,
    case,
    create,
    delete,
    get,
    patch,
    watch,
)

MAPS = "configmaps"
THREE: tuple[Ask, ...] = (
    create(MAPS, config_map("a", x="1", meta={"labels": {"tier": "web", "env": "test"}})),
    create(MAPS, config_map("b", x="2", meta={"labels": {"tier": "data", "env": "test"}})),
    create(MAPS, config_map("c", x="3", meta={"labels": {"tier": "web"}})),
)


def selected(title: str, selector: str) -> Case:
    """Return a case of a label selector."""
    return case(title, *THREE, get(MAPS, labelSelector=selector))


LISTING: tuple[Case, ...] = (
    case("a list is in order of names", *reversed(THREE), get(MAPS)),
    case("an empty list", get(MAPS), get("pods"), get("rollouts")),
    case("a list of custom objects", create("rollouts", rollout()), get("rollouts")),
    case("something missing", get("configmaps/nothing"), get("rollouts/nothing"), get("deployments/nothing")),
    selected("label selector: equal", "tier=web"),
    selected("label selector: double equal", "tier==web"),
    selected("label selector: not equal", "tier!=web"),
    selected("label selector: several", "tier=web,env=test"),
    selected("label selector: in", "tier in (web, data)"),
    selected("label selector: notin", "env notin (test)"),
    selected("label selector: there", "env"),
    selected("label selector: not there", "!env"),
    selected("label selector: empty value", "env="),
    selected("label selector: broken", "tier=(web"),
    selected("label selector: bad key", "-tier=web"),
    selected("label selector: bad value", "tier=we b"),
    selected("label selector: no operator", "tier web"),
    case("field selector: name", *THREE, get(MAPS, fieldSelector="metadata.name=b")),
    case("field selector: not the name", *THREE, get(MAPS, fieldSelector="metadata.name!=b")),
    case("field selector: namespace", *THREE, get(MAPS, fieldSelector="metadata.namespace={ns}")),
    case("field selector: unknown field", *THREE, get(MAPS, fieldSelector="data.x=1")),
    case("field selector: broken", get(MAPS, fieldSelector="metadata.name")),
    case("field selector: unknown field of a custom object", get("rollouts", fieldSelector="spec.replicas=2")),
    case(
        "field selector: phase of pods",
        create("pods", pod()),
        create("pods", pod("b")),
        patch("pods/b/status", {"status": {"phase": "Running"}}, STRATEGIC),
        get("pods", fieldSelector="status.phase=Running"),
    ),
    case(
        "field selector: node of pods",
        create("pods", pod(nodeName="here")),
        create("pods", pod("b")),
        get("pods", fieldSelector="spec.nodeName=here"),
    ),
    case(
        "field selector: type of secrets",
        create("secrets", {"metadata": {"name": "a"}, "type": "shop.io/key"}),
        get("secrets", fieldSelector="type=shop.io/key"),
    ),
    case(
        "field selector: involved object of events",
        create(
            "events",
            {
                "metadata": {"name": "a"},
                "involvedObject": {"kind": "Pod", "name": "web", "namespace": "{ns}"},
                "reason": "Started",
                "type": "Normal",
            },
        ),
        get("events", fieldSelector="involvedObject.name=web,reason=Started"),
        get("events", fieldSelector="involvedObject.name=other"),
    ),
    case("pages", *THREE, get(MAPS, limit=2, save="page"), get(MAPS, limit=2, after=Ref("page.metadata.continue"))),
    case(
        "pages with a selector",
        *THREE,
        get(MAPS, limit=1, labelSelector="tier=web", save="page"),
        get(MAPS, limit=1, labelSelector="tier=web", after=Ref("page.metadata.continue")),
    ),
    case(
        "a page stays at its version",
        *THREE,
        get(MAPS, limit=1, save="page"),
        delete("configmaps/b"),
        create(MAPS, config_map("bb")),
        get(MAPS, after=Ref("page.metadata.continue")),
    ),
    case("a broken continue is refused", *THREE, get(MAPS, limit=2, after="nonsense")),
    case(
        "continue with a version is refused",
        *THREE,
        get(MAPS, limit=1, save="page"),
        get(MAPS, resourceVersion="1", after=Ref("page.metadata.continue")),
    ),
    case("a limit that is no number", get(MAPS, limit="many")),
    case("a version that is no number", get(MAPS, resourceVersion="soon")),
    case("a version of the future", get(MAPS, resourceVersion="99999999")),
    case("a version match without a version is refused", get(MAPS, resourceVersionMatch="Exact")),
    case("an unknown version match is refused", get(MAPS, resourceVersion="1", resourceVersionMatch="About")),
    case(
        "exactly a version",
        create(MAPS, config_map("a"), save="first"),
        create(MAPS, config_map("b")),
        get(MAPS, resourceVersion=Ref("first.metadata.resourceVersion"), resourceVersionMatch="Exact"),
    ),
    case(
        "not older than a version",
        create(MAPS, config_map("a"), save="first"),
        create(MAPS, config_map("b")),
        get(MAPS, resourceVersion=Ref("first.metadata.resourceVersion"), resourceVersionMatch="NotOlderThan"),
    ),
    case(
        "an object at a version",
        create(MAPS, config_map("a"), save="first"),
        get("configmaps/a", resourceVersion=Ref("first.metadata.resourceVersion")),
    ),
    case("metadata alone", *THREE, get("configmaps/a", accept=METADATA), get(MAPS, accept=METADATA_LIST)),
    case(
        "metadata of custom objects alone",
        create("rollouts", rollout()),
        get("rollouts/web", accept=METADATA),
        get("rollouts", accept=METADATA_LIST),
    ),
    case("a form that there is not", get(MAPS, accept="application/xml")),
    case("any form will do", get(MAPS, accept="*/*")),
    case("YAML", create(MAPS, config_map("a", x="1")), get("configmaps/nothing", accept="application/yaml")),
)

WATCHING: tuple[Case, ...] = (
    case(
        "a watch from a version",
        create(MAPS, config_map("a"), save="first"),
        create(MAPS, config_map("b")),
        patch("configmaps/a", {"data": {"x": "1"}}),
        delete("configmaps/b"),
        watch(MAPS, events=3, resourceVersion=Ref("first.metadata.resourceVersion")),
    ),
    case(
        "a watch from now begins with what is there",
        create(MAPS, config_map("a")),
        create(MAPS, config_map("b")),
        watch(MAPS, events=2),
    ),
    case("a watch from version 0", create(MAPS, config_map("a")), watch(MAPS, events=1, resourceVersion="0")),
    case(
        "a watch of one name",
        create(MAPS, config_map("a"), save="first"),
        create(MAPS, config_map("b")),
        patch("configmaps/b", {"data": {"x": "1"}}),
        watch(MAPS, events=2, fieldSelector="metadata.name=b", resourceVersion=Ref("first.metadata.resourceVersion")),
    ),
    case(
        "a watch on the path of an object",
        create(MAPS, config_map("a"), save="first"),
        patch("configmaps/a", {"data": {"x": "1"}}),
        watch("configmaps/a", events=1, resourceVersion=Ref("first.metadata.resourceVersion")),
    ),
    case(
        "a watch with a selector sees comings and goings",
        create(MAPS, config_map("z"), save="first"),
        create(MAPS, config_map("a", meta={"labels": {"a": "1"}})),
        patch("configmaps/a", {"data": {"x": "1"}}),
        patch("configmaps/a", {"metadata": {"labels": {"a": "2"}}}),
        patch("configmaps/a", {"metadata": {"labels": {"a": "1"}}}),
        delete("configmaps/a"),
        watch(MAPS, events=5, labelSelector="a=1", resourceVersion=Ref("first.metadata.resourceVersion")),
    ),
    case(
        "a watch of custom objects",
        create("rollouts", rollout(), save="first"),
        patch("rollouts/web/status", {"status": {"phase": "Healthy"}}),
        delete("rollouts/web"),
        watch("rollouts", events=2, resourceVersion=Ref("first.metadata.resourceVersion")),
    ),
    case(
        "a watch of a deletion with finalizers",
        create(MAPS, config_map("a", meta={"finalizers": ["a.io/b"]}), save="first"),
        delete("configmaps/a"),
        patch("configmaps/a", {"metadata": {"finalizers": None}}),
        watch(MAPS, events=2, resourceVersion=Ref("first.metadata.resourceVersion")),
    ),
    case("a watch of metadata alone", create(MAPS, config_map("a", x="1")), watch(MAPS, events=1, accept=METADATA)),
    case(
        "a watch of tables",
        create(MAPS, config_map("a", x="1")),
        create(MAPS, config_map("b")),
        watch(MAPS, events=2, accept=TABLE),
    ),
    case(
        "a watch-list marks the end of what is there",
        create(MAPS, config_map("a")),
        watch(MAPS, events=2, sendInitialEvents="true", resourceVersionMatch="NotOlderThan", allowWatchBookmarks="true"),
    ),
    case(
        "a watch-list of custom objects",
        create("rollouts", rollout()),
        watch("rollouts", events=2, sendInitialEvents="true", resourceVersionMatch="NotOlderThan", allowWatchBookmarks="true"),
    ),
    case("a watch-list without a version match is refused", watch(MAPS, events=1, sendInitialEvents="true")),
    case(
        "a watch-list without bookmarks",
        create(MAPS, config_map("a")),
        watch(MAPS, events=1, sendInitialEvents="true", resourceVersionMatch="NotOlderThan"),
    ),
    case("a version match on a watch is refused", watch(MAPS, events=1, resourceVersionMatch="NotOlderThan", resourceVersion="1")),
    case("a watch from a version that is no number", watch(MAPS, events=1, resourceVersion="soon")),
    case("a watch with a broken selector", watch(MAPS, events=1, labelSelector="tier=(web")),
    case("a watch ends when its time is over", Ask(method="GET", path=MAPS, query={"watch": "true", "timeoutSeconds": "1"})),
    case(
        "bookmarks come before a watch ends",
        create(MAPS, config_map("a"), save="first"),
        watch(
            MAPS, events=1, allowWatchBookmarks="true", timeoutSeconds="2", resourceVersion=Ref("first.metadata.resourceVersion")
        ),
    ),
)

TABLES: tuple[Case, ...] = (
    case("config maps as a table", *THREE, get(MAPS, accept=TABLE), get("configmaps/a", accept=TABLE)),
    case("a table without objects", *THREE, get(MAPS, accept=TABLE, includeObject="None")),
    case("a table with whole objects", create(MAPS, config_map("a")), get(MAPS, accept=TABLE, includeObject="Object")),
    case("a table of nothing", get(MAPS, accept=TABLE), get("rollouts", accept=TABLE)),
    case(
        "rollouts as a table",
        create("rollouts", rollout()),
        patch(
            "rollouts/web/status", {"status": {"HPAReplicas": 2, "updatedReplicas": 1, "readyReplicas": 2, "availableReplicas": 2}}
        ),
        get("rollouts", accept=TABLE),
    ),
    case(
        "analysis runs as a table",
        create(
            "analysisruns",
            {
                "apiVersion": "argoproj.io/v1alpha1",
                "kind": "AnalysisRun",
                "metadata": {"name": "a"},
                "spec": {"metrics": [{"name": "a", "provider": {"prometheus": {"query": "1"}}}]},
            },
        ),
        patch("analysisruns/a/status", {"status": {"phase": "Running"}}),
        get("analysisruns", accept=TABLE),
    ),
    case(
        "deployments as a table",
        create("deployments", workload(replicas=3)),
        patch(
            "deployments/web/status", {"status": {"replicas": 3, "readyReplicas": 2, "updatedReplicas": 3, "availableReplicas": 2}}
        ),
        get("deployments", accept=TABLE),
    ),
    case(
        "replica sets as a table",
        create("replicasets", workload("ReplicaSet", replicas=3)),
        patch("replicasets/web/status", {"status": {"replicas": 3, "readyReplicas": 2}}),
        get("replicasets", accept=TABLE),
    ),
    case(
        "pods as a table",
        create("pods", pod()),
        get("pods", accept=TABLE),
        patch(
            "pods/a/status",
            {
                "status": {
                    "phase": "Running",
                    "podIP": "10.1.2.3",
                    "podIPs": [{"ip": "10.1.2.3"}],
                    "startTime": "2026-01-01T00:00:00Z",
                    "conditions": [{"type": "Ready", "status": "True"}],
                    "containerStatuses": [
                        {
                            "name": "main",
                            "ready": True,
                            "restartCount": 2,
                            "image": "shop:1",
                            "imageID": "",
                            "started": True,
                            "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
                        }
                    ],
                }
            },
            STRATEGIC,
        ),
        get("pods", accept=TABLE),
    ),
    case(
        "waiting pods as a table",
        create("pods", pod()),
        patch(
            "pods/a/status",
            {
                "status": {
                    "containerStatuses": [
                        {
                            "name": "main",
                            "ready": False,
                            "restartCount": 0,
                            "image": "shop:1",
                            "imageID": "",
                            "state": {"waiting": {"reason": "ImagePullBackOff"}},
                        }
                    ]
                }
            },
            STRATEGIC,
        ),
        get("pods", accept=TABLE),
    ),
    case(
        "services as a table",
        create("services", service()),
        create("services", service("none", clusterIP="None")),
        get("services", accept=TABLE),
    ),
    case("jobs as a table", create("jobs", job()), get("jobs", accept=TABLE)),
    case(
        "secrets as a table",
        create("secrets", {"metadata": {"name": "a"}, "stringData": {"x": "1", "y": "2"}}),
        get("secrets", accept=TABLE),
    ),
    case("namespaces as a table", get("/api/v1/namespaces/{ns}", accept=TABLE)),
    case(
        "ingresses, leases, budgets, autoscalers, slices and events as tables",
        *(
            get(plural, accept=TABLE)
            for plural in (
                "ingresses",
                "leases",
                "poddisruptionbudgets",
                "horizontalpodautoscalers",
                "endpointslices",
                "events",
                "statefulsets",
                "daemonsets",
                "cronjobs",
                "endpoints",
                "roles",
                "rolebindings",
            )
        ),
    ),
    case(
        "mesh routes as a table",
        create(
            "virtualservices",
            {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {"name": "a"}, "spec": {"hosts": ["a"]}},
        ),
        get("virtualservices", accept=TABLE),
    ),
)
