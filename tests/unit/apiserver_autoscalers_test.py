"""HorizontalPodAutoscalers in both versions of their API, which are one object."""

from __future__ import annotations

import pytest
from apiserver_harness import MERGE, Api, FrozenClock

from sandbox.apiserver.server import ApiServer

V1 = "/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers"
V2 = "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers"
TARGET = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "shop"}


@pytest.fixture
def api() -> Api:
    return Api(ApiServer(clock=FrozenClock()))


async def test_what_is_made_in_the_first_version_is_read_in_the_second(api: Api) -> None:
    spec = {"scaleTargetRef": TARGET, "maxReplicas": 5, "targetCPUUtilizationPercentage": 60}
    made = await api.create(V1, {"metadata": {"name": "shop"}, "spec": spec})

    assert made["apiVersion"] == "autoscaling/v1"
    assert made["spec"] == {**spec, "minReplicas": 1}
    cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 60}}
    assert (await api.get(f"{V2}/shop"))["spec"] == {
        "scaleTargetRef": TARGET,
        "minReplicas": 1,
        "maxReplicas": 5,
        "metrics": [{"type": "Resource", "resource": cpu}],
    }


async def test_without_a_target_the_share_of_cpu_is_eighty_percent(api: Api) -> None:
    made = await api.create(V1, {"metadata": {"name": "shop"}, "spec": {"scaleTargetRef": TARGET, "maxReplicas": 5}})

    assert made["spec.targetCPUUtilizationPercentage"] == 80


async def test_a_change_in_the_first_version_keeps_what_only_the_second_can_say(api: Api) -> None:
    memory = {"type": "Resource", "resource": {"name": "memory", "target": {"type": "Utilization", "averageUtilization": 70}}}
    behavior = {"scaleDown": {"stabilizationWindowSeconds": 5}}
    spec = {"scaleTargetRef": TARGET, "maxReplicas": 5, "metrics": [memory], "behavior": behavior}
    await api.create(V2, {"metadata": {"name": "shop"}, "spec": spec})

    await api.patch(f"{V1}/shop", {"spec": {"maxReplicas": 9}}, MERGE)

    after = await api.get(f"{V2}/shop")
    assert after["spec"] == {**spec, "minReplicas": 1, "maxReplicas": 9}
    assert "annotations" not in after["metadata"]
