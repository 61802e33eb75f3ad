"""Cases of deleting and evicting: finalizers, propagation, preconditions, grace, budgets, collections.

Owns the table. Must not: send anything.
"""

from __future__ import annotations

from typing import Any

from differential_objects import budget, config_map, job, pod, rollout, service, workload
from differential_requests import JSON, Case, Ref, case, create, delete, get, patch, replace

MAP = "configmaps/a"
HELD = config_map(meta={"finalizers": ["shop.io/hold"]})
NOWHERE = "00000000-0000-4000-8000-000000000000"


def options(**given: Any) -> dict[str, Any]:
    """Return DeleteOptions."""
    return {"apiVersion": "v1", "kind": "DeleteOptions", **given}


def eviction(name: str = "a", **more: Any) -> dict[str, Any]:
    """Return an Eviction of a pod."""
    return {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}, **more}


def running(name: str = "a") -> dict[str, Any]:
    """Return the status of a pod that runs and is ready."""
    return {"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}


DELETING: tuple[Case, ...] = (
    case("a deleted object is gone", create("configmaps", config_map(x="1")), delete(MAP), get(MAP)),
    case("a deleted custom object is gone", create("rollouts", rollout()), delete("rollouts/web"), get("rollouts/web")),
    case("a deleted workload is gone", create("deployments", workload()), delete("deployments/web"), get("deployments/web")),
    case("a deleted service is gone", create("services", service()), delete("services/web"), get("services/web")),
    case("deleting what is not there", delete(MAP), delete("rollouts/web")),
    case("deleting twice", create("configmaps", config_map()), delete(MAP), delete(MAP)),
    case(
        "a finalizer keeps an object until it is taken away",
        create("configmaps", HELD),
        delete(MAP),
        get(MAP),
        patch(MAP, {"metadata": {"finalizers": None}}),
        get(MAP),
    ),
    case("deleting twice what waits for a finalizer", create("configmaps", HELD), delete(MAP), delete(MAP)),
    case(
        "no finalizer can be added to what is going",
        create("configmaps", HELD),
        delete(MAP),
        patch(MAP, {"metadata": {"finalizers": ["shop.io/hold", "shop.io/more"]}}),
    ),
    case("what is going can still be changed", create("configmaps", HELD), delete(MAP), patch(MAP, {"data": {"x": "2"}})),
    case(
        "what is going can be made again only when gone",
        create("configmaps", HELD),
        delete(MAP),
        create("configmaps", config_map()),
    ),
    case(
        "one of two finalizers goes",
        create("rollouts", rollout(meta={"finalizers": ["a.io/b", "c.io/d"]})),
        delete("rollouts/web"),
        patch("rollouts/web", [{"op": "remove", "path": "/metadata/finalizers/0"}], JSON),
        patch("rollouts/web", [{"op": "remove", "path": "/metadata/finalizers/0"}], JSON),
        get("rollouts/web"),
    ),
    case("the last finalizer goes by replacing", create("configmaps", HELD), delete(MAP), replace(MAP, config_map()), get(MAP)),
    case(
        "foreground deletion waits for dependents",
        create("replicasets", workload("ReplicaSet")),
        delete("replicasets/web", options(propagationPolicy="Foreground")),
        get("replicasets/web"),
    ),
    case(
        "orphaning waits for the garbage collector",
        create("replicasets", workload("ReplicaSet")),
        delete("replicasets/web", options(propagationPolicy="Orphan")),
        get("replicasets/web"),
    ),
    case(
        "background deletion does not wait",
        create("replicasets", workload("ReplicaSet")),
        delete("replicasets/web", options(propagationPolicy="Background")),
        get("replicasets/web"),
    ),
    case(
        "a propagation in the query",
        create("rollouts", rollout()),
        delete("rollouts/web", propagationPolicy="Foreground"),
        get("rollouts/web"),
    ),
    case(
        "an unknown propagation is refused", create("configmaps", config_map()), delete(MAP, options(propagationPolicy="Sideways"))
    ),
    case(
        "orphanDependents beside a propagation is refused",
        create("configmaps", config_map()),
        delete(MAP, options(propagationPolicy="Background", orphanDependents=True)),
    ),
    case(
        "orphanDependents", create("replicasets", workload("ReplicaSet")), delete("replicasets/web", options(orphanDependents=True))
    ),
    case("jobs are orphaned unless told otherwise", create("jobs", job()), delete("jobs/once"), get("jobs/once")),
    case(
        "a uid that fits",
        create("configmaps", config_map(), save="made"),
        delete(MAP, options(preconditions={"uid": Ref("made.metadata.uid")})),
        get(MAP),
    ),
    case(
        "a uid that does not fit is a conflict",
        create("configmaps", config_map()),
        delete(MAP, options(preconditions={"uid": NOWHERE})),
    ),
    case(
        "a uid that does not fit a custom object is a conflict",
        create("rollouts", rollout()),
        delete("rollouts/web", options(preconditions={"uid": NOWHERE})),
    ),
    case(
        "a version that fits",
        create("configmaps", config_map(), save="made"),
        delete(MAP, options(preconditions={"resourceVersion": Ref("made.metadata.resourceVersion")})),
    ),
    case(
        "a version that does not fit is a conflict",
        create("configmaps", config_map(), save="made"),
        patch(MAP, {"data": {"x": "1"}}),
        delete(MAP, options(preconditions={"resourceVersion": Ref("made.metadata.resourceVersion")})),
    ),
    case("dry run deletes nothing", create("configmaps", config_map()), delete(MAP, dryRun="All"), get(MAP)),
    case(
        "dry run in the options deletes nothing", create("configmaps", config_map()), delete(MAP, options(dryRun=["All"])), get(MAP)
    ),
    case(
        "options that are no DeleteOptions are refused",
        create("configmaps", config_map()),
        delete(MAP, {"apiVersion": "v1", "kind": "Pod"}),
    ),
    case("options without a kind", create("configmaps", config_map()), delete(MAP, {"propagationPolicy": "Background"})),
    case("options that are no JSON are refused", create("configmaps", config_map()), delete(MAP, "{")),
    case("a pod without a node is gone at once", create("pods", pod()), delete("pods/a"), get("pods/a")),
    case(
        "a pod on a node ends gracefully",
        create("pods", pod(nodeName="here")),
        delete("pods/a"),
        get("pods/a"),
        delete("pods/a", options(gracePeriodSeconds=0)),
        get("pods/a"),
    ),
    case(
        "a shorter grace counts",
        create("pods", pod(nodeName="here")),
        delete("pods/a", gracePeriodSeconds=20),
        delete("pods/a", gracePeriodSeconds=10),
        delete("pods/a", gracePeriodSeconds=15),
    ),
    case("a negative grace of a deletion", create("pods", pod(nodeName="here")), delete("pods/a", gracePeriodSeconds=-5)),
    case("the pod's own grace", create("pods", pod(nodeName="here", terminationGracePeriodSeconds=7)), delete("pods/a")),
    case(
        "a pod that has ended is gone at once",
        create("pods", pod(nodeName="here")),
        patch("pods/a/status", {"status": {"phase": "Succeeded"}}),
        delete("pods/a"),
        get("pods/a"),
    ),
    case(
        "a collection is deleted by selector",
        create("configmaps", config_map("a", meta={"labels": {"a": "1"}})),
        create("configmaps", config_map("b")),
        delete("configmaps", labelSelector="a=1"),
        get("configmaps"),
    ),
    case(
        "a collection of custom objects is deleted",
        create("rollouts", rollout("a")),
        create("rollouts", rollout("b")),
        delete("rollouts"),
        get("rollouts"),
    ),
    case("an empty collection is deleted", delete("configmaps", labelSelector="a=1")),
    case(
        "a collection with finalizers",
        create("configmaps", HELD),
        create("configmaps", config_map("b")),
        delete("configmaps"),
        get("configmaps"),
    ),
)

EVICTING: tuple[Case, ...] = (
    case("a pod without a budget is evicted", create("pods", pod()), create("pods/a/eviction", eviction()), get("pods/a")),
    case("an eviction of something missing", create("pods/a/eviction", eviction())),
    case("an eviction with another name is refused", create("pods", pod()), create("pods/a/eviction", eviction("b"))),
    case(
        "an eviction without a name",
        create("pods", pod()),
        create("pods/a/eviction", {"apiVersion": "policy/v1", "kind": "Eviction"}),
    ),
    case(
        "an eviction in dry run",
        create("pods", pod()),
        create("pods/a/eviction", eviction(deleteOptions={"dryRun": ["All"]})),
        get("pods/a"),
    ),
    case(
        "an eviction with a grace",
        create("pods", pod(nodeName="here")),
        create("pods/a/eviction", eviction(deleteOptions={"gracePeriodSeconds": 5})),
        get("pods/a"),
    ),
    case(
        "an eviction with a uid that does not fit",
        create("pods", pod()),
        create("pods/a/eviction", eviction(deleteOptions={"preconditions": {"uid": NOWHERE}})),
    ),
    case(
        "a budget that nobody has looked at yet",
        create("poddisruptionbudgets", budget()),
        create("pods", pod(nodeName="here")),
        patch("pods/a/status", running()),
        create("pods/a/eviction", eviction()),
        get("pods/a"),
    ),
    case(
        "a budget that is used up",
        create("poddisruptionbudgets", budget()),
        create("pods", pod(nodeName="here")),
        patch("pods/a/status", running()),
        patch(
            "poddisruptionbudgets/web/status",
            {
                "status": {
                    "observedGeneration": 1,
                    "disruptionsAllowed": 0,
                    "currentHealthy": 1,
                    "desiredHealthy": 1,
                    "expectedPods": 1,
                }
            },
        ),
        create("pods/a/eviction", eviction()),
        get("pods/a"),
    ),
    case(
        "a budget that allows one",
        create("poddisruptionbudgets", budget()),
        create("pods", pod(nodeName="here")),
        patch("pods/a/status", running()),
        patch(
            "poddisruptionbudgets/web/status",
            {
                "status": {
                    "observedGeneration": 1,
                    "disruptionsAllowed": 1,
                    "currentHealthy": 2,
                    "desiredHealthy": 1,
                    "expectedPods": 2,
                }
            },
        ),
        create("pods/a/eviction", eviction()),
        get("pods/a"),
        get("poddisruptionbudgets/web"),
    ),
    case(
        "a pod that is not ready under a budget that is used up",
        create("poddisruptionbudgets", budget()),
        create("pods", pod(nodeName="here")),
        patch("pods/a/status", {"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "False"}]}}),
        patch(
            "poddisruptionbudgets/web/status",
            {
                "status": {
                    "observedGeneration": 1,
                    "disruptionsAllowed": 0,
                    "currentHealthy": 0,
                    "desiredHealthy": 1,
                    "expectedPods": 1,
                }
            },
        ),
        create("pods/a/eviction", eviction()),
    ),
    case(
        "a pod that is not ready and may always go",
        create("poddisruptionbudgets", budget(minAvailable=1, unhealthyPodEvictionPolicy="AlwaysAllow")),
        create("pods", pod(nodeName="here")),
        patch("pods/a/status", {"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "False"}]}}),
        create("pods/a/eviction", eviction()),
    ),
    case(
        "a pending pod needs no budget",
        create("poddisruptionbudgets", budget()),
        create("pods", pod(nodeName="here")),
        create("pods/a/eviction", eviction()),
    ),
    case(
        "a pod that has ended needs no budget",
        create("poddisruptionbudgets", budget()),
        create("pods", pod(nodeName="here")),
        patch("pods/a/status", {"status": {"phase": "Failed"}}),
        create("pods/a/eviction", eviction()),
    ),
    case(
        "two budgets are too many",
        create("poddisruptionbudgets", budget()),
        create("poddisruptionbudgets", budget("other")),
        create("pods", pod(nodeName="here")),
        patch("pods/a/status", running()),
        create("pods/a/eviction", eviction()),
    ),
)

BINDING: tuple[Case, ...] = (
    case(
        "a pod gets its node",
        create("pods", pod()),
        create(
            "pods/a/binding",
            {
                "apiVersion": "v1",
                "kind": "Binding",
                "metadata": {"name": "a"},
                "target": {"apiVersion": "v1", "kind": "Node", "name": "here"},
            },
        ),
        get("pods/a"),
    ),
    case(
        "a pod keeps its node",
        create("pods", pod(nodeName="here")),
        create(
            "pods/a/binding",
            {
                "apiVersion": "v1",
                "kind": "Binding",
                "metadata": {"name": "a"},
                "target": {"apiVersion": "v1", "kind": "Node", "name": "there"},
            },
        ),
    ),
)
