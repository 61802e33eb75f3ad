"""How long reading, writing and judging one Rollout takes, and how large the CRDs are: `python bench/models.py`.

Prints figures; judges nothing. Must not: be imported.
"""

from __future__ import annotations

import json
import timeit
from collections.abc import Callable
from typing import Any

from crds.manifests import custom_resource_definitions
from crds.rollout import Rollout
from rollouts.rollout.validation import validate

ROUNDS = 2_000


def a_rollout() -> dict[str, Any]:
    """Return a Rollout as they are in practice: routed, four steps, background analysis, a status."""
    labels = {"app": "web"}
    weights = {"weight": 40, "serviceName": "web-canary", "podTemplateHash": "6d8f7c"}
    condition = {"status": "True", "reason": "ok", "message": "ok", "lastUpdateTime": "x", "lastTransitionTime": "x"}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": "web", "namespace": "shop", "uid": "1", "resourceVersion": "2", "labels": labels},
        "spec": {
            "replicas": 10,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "web", "image": "web:1"}]}},
            "strategy": {
                "canary": {
                    "canaryService": "web-canary",
                    "stableService": "web-stable",
                    "trafficRouting": {"nginx": {"stableIngress": "web"}},
                    "analysis": {"templates": [{"templateName": "success-rate"}], "args": [{"name": "service", "value": "web"}]},
                    "steps": [{"setWeight": 20}, {"pause": {"duration": "5m"}}, {"setWeight": 40}, {"pause": {}}],
                }
            },
        },
        "status": {
            "phase": "Progressing",
            "stableRS": "5b7c9d",
            "HPAReplicas": 10,
            "conditions": [{"type": kind, **condition} for kind in ("Available", "Progressing", "Healthy", "Completed")],
            "canary": {"weights": {"canary": weights, "stable": weights}},
        },
    }


def microseconds(action: Callable[[], object]) -> float:
    """Return the best of five rounds, for one call."""
    action()
    return min(timeit.repeat(action, number=ROUNDS, repeat=5)) / ROUNDS * 1e6


def main() -> None:
    """Print one line for each figure."""
    raw = a_rollout()
    model = Rollout.model_validate(raw, by_alias=True, by_name=False)
    print(f"read one Rollout     {microseconds(lambda: Rollout.model_validate(raw, by_alias=True, by_name=False)):7.1f} us")
    print(f"write it back        {microseconds(model.dump):7.1f} us")
    print(f"judge its spec       {microseconds(lambda: validate(raw)):7.1f} us")
    for crd in custom_resource_definitions():
        print(f"{crd['metadata']['name']:<45}{len(json.dumps(crd, separators=(',', ':'))) / 1024:7.1f} KiB")


if __name__ == "__main__":
    main()
