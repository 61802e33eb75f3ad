"""Specs that make no sense, on a whole cluster: said once with where and why, nothing shipped, and mended by mending them."""

from __future__ import annotations

from typing import Any

import pytest
from rollout_harness import Cluster, running

from kube.kinds import CORE_EVENT, INGRESS, REPLICA_SET, ROLLOUT, SERVICE, ObjectRef
from kube.objects import name_of
from tests.model import merge
from tests.shops import INGRESS_YAML, NGINX, SERVICES, routed_rollout

pytestmark = pytest.mark.looptime

STEPS: list[dict[str, Any]] = [{"setWeight": 20}, {"pause": {}}]
GOOD = routed_rollout(STEPS, NGINX, replicas=2)


def canary(**fields: Any) -> dict[str, Any]:
    """Return a change of the strategy."""
    return {"spec": {"strategy": {"canary": fields}}}


def labels(**fields: Any) -> dict[str, Any]:
    """Return a change of the template's labels."""
    return {"spec": {"template": {"metadata": {"labels": fields}}}}


NOTHING: dict[str, Any] = {"spec": {"strategy": {"blueGreen": None}}}
BAD_SPECS = [
    pytest.param(labels(app="cart"), labels(app="shop"), "spec.selector does not match", id="a selector for other pods"),
    pytest.param({"spec": {"strategy": {"blueGreen": {"activeService": "shop"}}}}, NOTHING, "blueGreen", id="two strategies"),
    pytest.param({"spec": {"strategy": None}}, {"spec": GOOD["spec"]}, "spec.strategy", id="no strategy"),
    pytest.param(canary(steps=[{"setWeight": 120}]), canary(steps=STEPS), "steps[0].setWeight", id="a weight above all"),
    pytest.param(canary(steps=[{"setWeight": -1}]), canary(steps=STEPS), "steps[0].setWeight", id="a weight below none"),
    pytest.param(canary(steps=[{}]), canary(steps=STEPS), "steps[0]", id="a step that does nothing"),
    pytest.param(
        canary(steps=[{"setWeight": 5, "pause": {}}]), canary(steps=STEPS), "exactly one thing", id="a step that does two things"
    ),
    pytest.param(
        canary(steps=[{"pause": {"duration": "soon"}}]), canary(steps=STEPS), "pause.duration", id="a duration that is none"
    ),
    pytest.param(canary(maxSurge="many"), canary(maxSurge=1), "maxSurge", id="a share that is none"),
    pytest.param({"spec": {"replicas": -1}}, {"spec": {"replicas": 2}}, "spec.replicas", id="fewer pods than none"),
    pytest.param(canary(trafficRouting={"nginx": None}), canary(trafficRouting=NGINX["trafficRouting"]), "router", id="no router"),
]


async def invalid(cluster: Cluster) -> list[str]:
    """Return the messages of the `InvalidSpec` condition."""
    return [one["message"] for one in (await cluster.status()).get("conditions") or () if one["type"] == "InvalidSpec"]


@pytest.mark.parametrize(("mistake", "mended", "text"), BAD_SPECS)
async def test_a_bad_spec_is_told_once_ships_nothing_and_goes_on_when_it_is_mended(
    mistake: dict[str, Any], mended: dict[str, Any], text: str
) -> None:
    async with running(ready_after=1) as cluster:
        await cluster.apply(f"{SERVICES}---{INGRESS_YAML}")
        await cluster.put(merge(GOOD, mistake))
        await cluster.phase("Degraded")
        [message] = await invalid(cluster)
        assert text in message
        await cluster.settled(seconds=60)
        told = [one for one in await cluster.all(CORE_EVENT) if one["reason"] == "InvalidSpec"]
        assert [(one["type"], one.get("count", 1)) for one in told] == [("Warning", 1)]
        assert text in told[0]["message"]
        assert await cluster.all(REPLICA_SET) == []
        await cluster.patch(ROLLOUT, "shop", mended)
        await cluster.phase("Healthy")
        assert await invalid(cluster) == []
        assert await cluster.sizes() == {"shop:1": 2}


@pytest.mark.parametrize(("mistake", "mended", "text"), BAD_SPECS)
async def test_a_spec_that_goes_bad_in_mid_update_moves_nobody_and_goes_on_when_it_is_mended(
    mistake: dict[str, Any], mended: dict[str, Any], text: str
) -> None:
    async with running(ready_after=1) as cluster:
        await cluster.apply(f"{SERVICES}---{INGRESS_YAML}")
        await cluster.put(GOOD)
        await cluster.phase("Healthy")
        await cluster.set_image("shop:2")
        await cluster.phase("Paused")
        route, sizes = await cluster.get(INGRESS, "shop-web-canary"), await cluster.sizes()
        await cluster.patch(ROLLOUT, "shop", mistake)
        await cluster.phase("Degraded")
        assert text in (await invalid(cluster))[0]
        await cluster.settled(seconds=30)
        assert await cluster.get(INGRESS, "shop-web-canary") == route, "nobody is moved"
        assert await cluster.sizes() == sizes, "no pod goes"
        await cluster.patch(ROLLOUT, "shop", mended)
        await cluster.until(lambda status: status.get("phase") in ("Paused", "Healthy"))
        assert await invalid(cluster) == []


async def test_a_rollout_deleted_in_mid_update_takes_its_route_along_and_leaves_the_services_usable() -> None:
    async with running(ready_after=1) as cluster:
        await cluster.apply(f"{SERVICES}---{INGRESS_YAML}")
        await cluster.put(GOOD)
        await cluster.phase("Healthy")
        await cluster.set_image("shop:2")
        await cluster.phase("Paused")
        await cluster.client.delete(ObjectRef(ROLLOUT, "default", "shop"))
        await cluster.settled(seconds=30)
        assert [name_of(one) for one in await cluster.all(INGRESS)] == ["web"], "the canary's Ingress went with it"
        assert await cluster.all(REPLICA_SET) == []
        for service in await cluster.all(SERVICE):
            assert service["spec"]["selector"] == {"app": "shop"}, "whoever takes over finds them as they were"
        await cluster.put(GOOD)
        await cluster.phase("Healthy")
        assert await cluster.sizes() == {"shop:1": 2}
