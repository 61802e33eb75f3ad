"""Deletion: what goes at once, what waits, and for whom."""

from __future__ import annotations

import pytest
from apiserver_harness import CONFIG_MAPS, DEPLOYMENTS, PODS, Api, FrozenClock, config_map, deployment, pod

from sandbox.apiserver.server import ApiServer

NAMESPACES = "/api/v1/namespaces"
BUDGETS = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"


@pytest.fixture
def api() -> Api:
    return Api(ApiServer(clock=FrozenClock()))


async def test_an_object_without_finalizers_is_gone_at_once(api: Api) -> None:
    made = await api.create(CONFIG_MAPS, config_map("a"))

    gone = await api.delete(f"{CONFIG_MAPS}/a")

    assert (gone["status"], gone["details.uid"]) == ("Success", made["metadata.uid"])
    assert (await api.get(f"{CONFIG_MAPS}/a")).status == 404


async def test_a_finalizer_holds_an_object_until_it_is_taken_off(api: Api) -> None:
    await api.create(CONFIG_MAPS, {"metadata": {"name": "a", "finalizers": ["shop.io/clean"]}})
    path = f"{CONFIG_MAPS}/a"

    held = await api.delete(path)
    assert held["metadata.deletionTimestamp"] == "2026-01-01T00:00:00Z"
    assert (await api.delete(path))["metadata.resourceVersion"] == held["metadata.resourceVersion"], "asking twice changes nothing"
    refused = await api.patch(path, {"metadata": {"finalizers": ["shop.io/clean", "shop.io/more"]}})
    assert "no new finalizers can be added" in refused.message

    await api.patch(path, {"metadata": {"finalizers": None}})
    assert (await api.get(path)).status == 404


@pytest.mark.parametrize(
    ("policy", "finalizers"),
    [pytest.param("Foreground", ["foregroundDeletion"], id="foreground"), pytest.param("Orphan", ["orphan"], id="orphan")],
)
async def test_a_propagation_policy_leaves_its_finalizer_to_the_garbage_collector(
    api: Api, policy: str, finalizers: list[str]
) -> None:
    await api.create(DEPLOYMENTS, deployment("web"))

    held = await api.delete(f"{DEPLOYMENTS}/web", {"propagationPolicy": policy})

    assert held["metadata.finalizers"] == finalizers
    assert held["metadata.generation"] == 2


async def test_background_deletion_removes_the_owner_at_once(api: Api) -> None:
    await api.create(DEPLOYMENTS, deployment("web"))

    await api.delete(f"{DEPLOYMENTS}/web", propagationPolicy="Background")

    assert (await api.get(f"{DEPLOYMENTS}/web")).status == 404
    assert (await api.delete(f"{DEPLOYMENTS}/web", propagationPolicy="Sideways")).status == 422


async def test_a_pod_on_a_node_gets_its_grace_and_goes_when_the_agent_says_so(api: Api) -> None:
    await api.create(PODS, pod("p", nodeName="n1", terminationGracePeriodSeconds=20))

    held = await api.delete(f"{PODS}/p")
    assert (held["metadata.deletionTimestamp"], held["metadata.deletionGracePeriodSeconds"]) == ("2026-01-01T00:00:20Z", 20)
    shorter = await api.delete(f"{PODS}/p", gracePeriodSeconds="5")
    assert shorter["metadata.deletionGracePeriodSeconds"] == 5
    longer = await api.delete(f"{PODS}/p", gracePeriodSeconds="60")
    assert longer["metadata.deletionGracePeriodSeconds"] == 5

    await api.delete(f"{PODS}/p", gracePeriodSeconds="0")
    assert (await api.get(f"{PODS}/p")).status == 404


async def test_a_pod_that_no_node_runs_goes_at_once(api: Api) -> None:
    await api.create(PODS, pod("p"))

    await api.delete(f"{PODS}/p")

    assert (await api.get(f"{PODS}/p")).status == 404


@pytest.mark.parametrize("precondition", [{"uid": "another"}, {"resourceVersion": "1"}])
async def test_a_deletion_meant_for_another_object_conflicts(api: Api, precondition: dict[str, str]) -> None:
    await api.create(CONFIG_MAPS, config_map("a"))

    refused = await api.delete(f"{CONFIG_MAPS}/a", {"preconditions": precondition})

    assert refused.status == 409
    assert "in the precondition" in refused.message
    assert (await api.get(f"{CONFIG_MAPS}/a")).status == 200


async def test_a_collection_is_deleted_as_far_as_its_selector_goes(api: Api) -> None:
    for name in "abc":
        await api.create(PODS, pod(name))

    await api.delete(PODS, labelSelector="app in (a, b)")

    assert await api.names(PODS) == ["c"]


async def test_a_namespace_closes_for_new_content_and_goes_when_it_is_finalized(api: Api) -> None:
    made = await api.create(NAMESPACES, {"metadata": {"name": "shop"}})
    assert made["status.phase"] == "Active"
    assert (await api.get(f"{NAMESPACES}/shop/serviceaccounts/default")).status == 200

    closing = await api.delete(f"{NAMESPACES}/shop")
    assert closing["status.phase"] == "Terminating"
    refused = await api.create(f"{NAMESPACES}/shop/configmaps", config_map("late"))
    assert (refused.status, refused["details.causes.0.reason"]) == (403, "NamespaceTerminating")

    finalized = await api.replace(f"{NAMESPACES}/shop/finalize", {**closing.body, "spec": {"finalizers": []}})
    assert finalized.status == 200
    assert (await api.get(f"{NAMESPACES}/shop")).status == 404


def budget(*, allowed: int, observed: int = 1) -> dict[str, object]:
    status = {"disruptionsAllowed": allowed, "observedGeneration": observed, "currentHealthy": 2, "desiredHealthy": 2}
    return {"metadata": {"name": "b"}, "spec": {"selector": {"matchLabels": {"app": "p"}}, "minAvailable": 1}, "status": status}


@pytest.mark.parametrize(
    ("allowed", "observed", "answer"),
    [
        pytest.param(1, 1, 201, id="one disruption is left"),
        pytest.param(0, 1, 429, id="the budget is used up"),
        pytest.param(1, 0, 429, id="the budget was not looked at yet"),
    ],
)
async def test_an_eviction_asks_the_budget(api: Api, allowed: int, observed: int, answer: int) -> None:
    await api.create(PODS, pod("p"))
    ready = [{"type": "Ready", "status": "True"}]
    await api.patch(f"{PODS}/p/status", {"status": {"phase": "Running", "conditions": ready}})
    await api.create(BUDGETS, budget(allowed=allowed))
    await api.patch(f"{BUDGETS}/b/status", {"status": budget(allowed=allowed, observed=observed)["status"]})

    got = await api.create(f"{PODS}/p/eviction", {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p"}})

    assert got.status == answer
    assert (await api.get(f"{PODS}/p")).status == (404 if answer == 201 else 200)
    left = (await api.get(f"{BUDGETS}/b"))["status.disruptionsAllowed"]
    assert left == (allowed - 1 if answer == 201 else allowed)
    if answer == 429:
        assert got.message == "Cannot evict pod as it would violate the pod's disruption budget."


async def test_a_pod_is_bound_once(api: Api) -> None:
    await api.create(PODS, pod("p"))
    binding = {"target": {"kind": "Node", "name": "n1"}}

    assert (await api.create(f"{PODS}/p/binding", binding)).status == 201
    assert (await api.get(f"{PODS}/p"))["spec.nodeName"] == "n1"
    assert (await api.create(f"{PODS}/p/binding", binding)).status == 409
