"""Cases of subresources: the status apart from the spec, and the scale of what can be scaled.

Owns the table. Must not: send anything.
"""

from __future__ import annotations

from differential_objects import config_map, deployment_status, pod, rollout, workload
from differential_requests import JSON, MERGE, STRATEGIC, Case, Ref, case, create, delete, get, patch, replace

MAP = "configmaps/a"

STATUS: tuple[Case, ...] = (
    case(
        "a status write leaves the spec alone",
        create("deployments", workload()),
        patch("deployments/web/status", {"spec": {"replicas": 7}, "status": {"replicas": 2, "observedGeneration": 1}}),
    ),
    case(
        "a spec write leaves the status alone",
        create("deployments", workload()),
        patch("deployments/web/status", deployment_status()),
        patch("deployments/web", {"spec": {"replicas": 7}, "status": {"replicas": 9}}),
    ),
    case("a status on a new object is dropped", create("deployments", {**workload(), "status": {"replicas": 3}})),
    case("a status on a new custom object is dropped", create("rollouts", {**rollout(), "status": {"phase": "Healthy"}})),
    case(
        "the status of a custom object leaves the spec alone",
        create("rollouts", rollout()),
        patch("rollouts/web/status", {"spec": {"replicas": 7}, "status": {"phase": "Healthy", "canary": {}}}),
    ),
    case(
        "a status write leaves labels of a custom object alone",
        create("rollouts", rollout()),
        patch("rollouts/web/status", {"metadata": {"labels": {"a": "b"}}, "status": {"phase": "Healthy"}}),
    ),
    case(
        "a status write can change labels of a built-in",
        create("deployments", workload()),
        patch("deployments/web/status", {"metadata": {"labels": {"a": "b"}}, "status": {"replicas": 1}}),
    ),
    case(
        "a whole status is replaced",
        create("rollouts", rollout(), save="made"),
        replace(
            "rollouts/web/status",
            {
                **rollout(),
                "status": {"phase": "Progressing"},
                "metadata": {"name": "web", "resourceVersion": Ref("made.metadata.resourceVersion")},
            },
        ),
    ),
    case(
        "replacing a custom status without a version is refused",
        create("rollouts", rollout()),
        replace("rollouts/web/status", {**rollout(), "status": {"phase": "Progressing"}}),
    ),
    case(
        "replacing a custom object without a version is refused",
        create("rollouts", rollout()),
        replace("rollouts/web", rollout(replicas=3)),
    ),
    case(
        "a status that is taken away",
        create("rollouts", rollout()),
        patch("rollouts/web/status", {"status": {"phase": "Healthy"}}),
        patch("rollouts/web/status", {"status": None}),
    ),
    case("status of what has none is not found", create("configmaps", config_map()), patch(MAP + "/status", {"status": {}})),
    case(
        "a generation is raised by a spec alone",
        create("rollouts", rollout()),
        patch("rollouts/web", {"metadata": {"annotations": {"a": "b"}}}),
        patch("rollouts/web/status", {"status": {"phase": "Healthy"}}),
        patch("rollouts/web", {"spec": {"replicas": 5}}),
    ),
    case(
        "a generation of a workload is raised by a spec alone",
        create("deployments", workload()),
        patch("deployments/web", {"metadata": {"annotations": {"a": "b"}}}),
        patch("deployments/web", {"spec": {"replicas": 5}}),
        patch("deployments/web", {"spec": {"replicas": 5}}),
    ),
    case("a pod's status can be read by its subresource", create("pods", pod()), get("pods/a/status")),
    case(
        "a pod's status is written as a node agent does",
        create("pods", pod()),
        patch("pods/a/status", {"status": {"phase": "Running", "podIP": "10.1.2.3", "podIPs": [{"ip": "10.1.2.3"}]}}, STRATEGIC),
    ),
    case("an object can be read by its status path", create("rollouts", rollout()), get("rollouts/web/status")),
)

SCALING: tuple[Case, ...] = (
    case("the scale of a deployment", create("deployments", workload(replicas=3)), get("deployments/web/scale")),
    case("the scale of a replica set", create("replicasets", workload("ReplicaSet", replicas=3)), get("replicasets/web/scale")),
    case(
        "the scale of a rollout",
        create("rollouts", rollout()),
        patch("rollouts/web/status", {"status": {"HPAReplicas": 2, "selector": "app=web"}}),
        get("rollouts/web/scale"),
    ),
    case("the scale of a rollout without a status", create("rollouts", rollout()), get("rollouts/web/scale")),
    case(
        "a scale is patched",
        create("deployments", workload()),
        patch("deployments/web/scale", {"spec": {"replicas": 4}}),
        get("deployments/web"),
    ),
    case(
        "a scale of a rollout is patched",
        create("rollouts", rollout()),
        patch("rollouts/web/scale", {"spec": {"replicas": 4}}),
        get("rollouts/web"),
    ),
    case(
        "a scale is replaced",
        create("deployments", workload(), save="made"),
        replace(
            "deployments/web/scale",
            {
                "apiVersion": "autoscaling/v1",
                "kind": "Scale",
                "metadata": {"name": "web", "namespace": "{ns}"},
                "spec": {"replicas": 6},
            },
        ),
    ),
    case(
        "a scale with an old version is a conflict",
        create("deployments", workload(), save="made"),
        patch("deployments/web", {"spec": {"replicas": 2}}),
        replace(
            "deployments/web/scale",
            {
                "apiVersion": "autoscaling/v1",
                "kind": "Scale",
                "metadata": {"name": "web", "namespace": "{ns}", "resourceVersion": Ref("made.metadata.resourceVersion")},
                "spec": {"replicas": 6},
            },
        ),
    ),
    case(
        "a negative scale is refused", create("deployments", workload()), patch("deployments/web/scale", {"spec": {"replicas": -1}})
    ),
    case(
        "a negative scale of a rollout is refused",
        create("rollouts", rollout()),
        patch("rollouts/web/scale", {"spec": {"replicas": -1}}),
    ),
    case(
        "a scale of a wrong type is refused",
        create("deployments", workload()),
        patch("deployments/web/scale", {"spec": {"replicas": "many"}}),
    ),
    case(
        "a scale by JSON patch",
        create("deployments", workload()),
        patch("deployments/web/scale", [{"op": "replace", "path": "/spec/replicas", "value": 5}], JSON),
    ),
    case(
        "a scale by strategic patch",
        create("deployments", workload()),
        patch("deployments/web/scale", {"spec": {"replicas": 5}}, STRATEGIC),
    ),
    case(
        "a scale of something missing",
        get("deployments/web/scale"),
        patch("deployments/web/scale", {"spec": {"replicas": 5}}, MERGE),
    ),
    case("a scale of what has none", create("configmaps", config_map()), get(MAP + "/scale")),
    case("a scale cannot be deleted", create("deployments", workload()), delete("deployments/web/scale")),
)
