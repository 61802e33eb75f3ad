"""A canary with a traffic router: who is sent where while versions, pods and routes change."""

from __future__ import annotations

import copy
from datetime import timedelta
from typing import Any

import pytest

from kube.kinds import DESTINATION_RULE, INGRESS, POD, REPLICA_SET, ROLLOUT, SERVICE, VIRTUAL_SERVICE
from kube.objects import annotations_of, format_time, name_of
from kube.plan import Patch
from rollouts.rollout.snapshot import ReplicaSet
from tests.model import World, ref
from tests.shops import INGRESS_YAML, ISTIO, NGINX, SERVICES, istio_shop, nginx_shop, routed_rollout


def mesh_weight(world: World) -> int:
    route = world.get(VIRTUAL_SERVICE, "shop")["spec"]["http"][0]["route"]
    return int(next(one["weight"] for one in route if one["destination"]["subset"] == "canary"))


def subset(world: World, name: str) -> str | None:
    subsets = world.get(DESTINATION_RULE, "shop")["spec"]["subsets"]
    labels = next(one["labels"] for one in subsets if one["name"] == name)
    found = [one for one in world.all(REPLICA_SET) if ReplicaSet(one).hash == labels.get("rollouts-pod-template-hash")]
    return str(found[0]["spec"]["template"]["spec"]["containers"][0]["image"]) if found else None


def resume(world: World) -> None:
    world.patch_status({"pauseConditions": None})
    world.settle()


def test_users_move_step_by_step_and_end_on_the_new_version() -> None:
    world = nginx_shop([{"setWeight": 10}, {"pause": {}}, {"setWeight": 50}, {"pause": {}}])
    assert world.selected("shop") == world.selected("shop-canary") == "shop:1"
    world.set_image("shop:2")
    world.settle()
    assert (world.weight(), world.sizes()) == (10, {"shop:1": 10, "shop:2": 1})
    assert world.selected("shop-canary") == "shop:2"
    weights = world.status()["canary"]["weights"]
    assert (weights["canary"]["weight"], weights["canary"]["serviceName"]) == (10, "shop-canary")
    assert (weights["stable"]["weight"], weights["stable"]["serviceName"]) == (90, "shop")
    resume(world)
    assert (world.weight(), world.sizes()) == (50, {"shop:1": 10, "shop:2": 5})
    resume(world)
    assert world.weight() == 0
    assert world.selected("shop") == "shop:2"
    assert world.sizes() == {"shop:1": 10, "shop:2": 10}, "the old pods stay for their scale-down delay"
    assert world.status()["phase"] == "Healthy"
    world.wait(31)
    assert world.sizes() == {"shop:1": 0, "shop:2": 10}


def test_no_user_is_sent_to_pods_that_are_not_there() -> None:
    """At every moment: weight only with available pods, and the old pods stay until nobody is sent to them."""
    world = nginx_shop([{"setWeight": 20}, {"pause": {}}, {"setWeight": 60}])
    world.ready_after = timedelta(seconds=5)

    def watch() -> None:
        if not world.weight():
            return
        image = world.selected("shop-canary")
        ready = [one for one in world.all(REPLICA_SET) if world._image(one) == image and ReplicaSet(one).available]
        assert ready, f"{world.weight()} is sent to {image}, which has no available pod"

    world.set_image("shop:2")
    for _ in range(5):
        world.settle(watch=watch)
        world.wait(5)
    world.set_image("shop:3")
    for _ in range(5):
        world.settle(watch=watch)
        world.wait(5)
    world.patch_status({"pauseConditions": None})
    for _ in range(20):
        world.settle(watch=watch)
        world.wait(5)
    assert world.sizes() == {"shop:1": 0, "shop:2": 0, "shop:3": 10}


def test_abort_moves_users_first_and_pods_after_their_delay() -> None:
    world = nginx_shop([{"setWeight": 40}, {"pause": {}}])
    world.set_image("shop:2")
    world.settle()
    world.log.clear()
    world.patch_status({"abort": True})
    world.reconcile()
    assert isinstance(world.log[0], Patch)
    assert world.log[0].ref == ref(INGRESS, "shop-web-canary")
    assert world.weight() == 0
    world.settle()
    assert world.sizes()["shop:2"] == 4
    world.wait(31)
    assert world.sizes() == {"shop:1": 10, "shop:2": 0}
    assert world.selected("shop-canary") == "shop:1"


def test_abort_does_not_wait_for_a_canary_that_is_gone() -> None:
    world = nginx_shop([{"setWeight": 40}, {"pause": {}}])
    world.set_image("shop:2")
    world.settle()
    for one in world.all(REPLICA_SET):
        if world._image(one) == "shop:2":
            world.edit(REPLICA_SET, name_of(one), {"status": {"availableReplicas": 0, "readyReplicas": 0}})
    world.reconcile()
    assert world.weight() == 0


def test_with_abort_delay_0_the_canary_stays_for_ever() -> None:
    world = nginx_shop([{"setWeight": 40}, {"pause": {}}], abortScaleDownDelaySeconds=0)
    world.set_image("shop:2")
    world.settle()
    world.patch_status({"abort": True})
    world.settle()
    world.wait(3600)
    assert world.sizes()["shop:2"] == 4


def test_a_smaller_weight_moves_users_before_pods_go() -> None:
    world = nginx_shop([{"setWeight": 60}, {"pause": {}}, {"setWeight": 20}, {"pause": {}}])
    world.set_image("shop:2")
    world.settle()
    world.log.clear()
    world.patch_status({"pauseConditions": None})
    world.settle()
    order = [write.ref.kind for write in world.log if isinstance(write, Patch) and write.ref.kind in (INGRESS, REPLICA_SET)]
    assert order == [INGRESS, REPLICA_SET]
    assert (world.weight(), world.sizes()["shop:2"]) == (20, 2)


@pytest.mark.parametrize(
    ("scale", "pods"),
    [
        pytest.param({"replicas": 3}, 3, id="a number"),
        pytest.param({"weight": 25}, 3, id="a share, rounded up"),
        pytest.param({"matchTrafficWeight": True}, 1, id="the traffic's share"),
    ],
)
def test_set_canary_scale_decides_about_pods_not_users(scale: dict[str, Any], pods: int) -> None:
    world = nginx_shop([{"setCanaryScale": scale}, {"setWeight": 10}, {"pause": {}}])
    world.set_image("shop:2")
    world.settle()
    assert (world.weight(), world.sizes()["shop:2"]) == (10, pods)


def test_min_pods_lifts_a_small_canary() -> None:
    world = nginx_shop([{"setWeight": 1}, {"pause": {}}], minPodsPerReplicaSet=2)
    world.set_image("shop:2")
    world.settle()
    assert world.sizes()["shop:2"] == 2


def test_dynamic_stable_scale_moves_pods_after_users_in_both_directions() -> None:
    world = nginx_shop([{"setWeight": 40}, {"pause": {}}, {"setWeight": 80}, {"pause": {}}], dynamicStableScale=True)
    world.set_image("shop:2")
    world.settle()
    assert (world.weight(), world.sizes()) == (40, {"shop:1": 6, "shop:2": 4})
    resume(world)
    assert (world.weight(), world.sizes()) == (80, {"shop:1": 2, "shop:2": 8})

    def watch() -> None:
        stable = next(ReplicaSet(one) for one in world.all(REPLICA_SET) if world._image(one) == "shop:1")
        assert stable.available * 10 >= 100 - world.weight(), f"{stable.available} stable pods for {100 - world.weight()}%"

    world.ready_after = timedelta(seconds=5)
    world.patch_status({"abort": True})
    world.settle(watch=watch)
    world.wait(30)
    assert (world.weight(), world.sizes()) == (0, {"shop:1": 10, "shop:2": 0})


def test_promote_full_goes_over_at_once_when_all_pods_are_there() -> None:
    world = nginx_shop([{"setWeight": 10}, {"pause": {}}, {"setWeight": 50}, {"pause": {}}])
    world.set_image("shop:2")
    world.settle()
    world.ready_after = timedelta(seconds=5)
    world.patch_status({"promoteFull": True})
    world.settle()
    assert world.weight() == 10, "not before the pods are there"
    world.wait(40)
    assert world.status()["phase"] == "Healthy"
    assert world.selected("shop") == "shop:2"


def test_a_weight_somebody_else_changed_is_put_right() -> None:
    world = nginx_shop([{"setWeight": 40}, {"pause": {}}])
    world.set_image("shop:2")
    world.settle()
    world.edit(INGRESS, "shop-web-canary", {"metadata": {"annotations": {"nginx.ingress.kubernetes.io/canary-weight": "7"}}})
    world.settle()
    assert world.weight() == 40


def test_a_missing_service_is_an_invalid_spec_until_it_appears() -> None:
    world = World()
    world.apply(INGRESS_YAML)
    world.put(routed_rollout([], NGINX))
    world.settle()
    assert 'service "shop" not found' in world.status()["message"]
    assert world.sizes() == {}
    world.apply(SERVICES)
    world.settle()
    assert world.status()["phase"] == "Healthy"


def test_a_missing_ingress_is_an_invalid_spec_until_it_appears() -> None:
    world = World()
    world.apply(SERVICES)
    world.put(routed_rollout([], NGINX))
    world.settle()
    assert "web" in world.status()["message"]
    world.apply(INGRESS_YAML)
    world.settle()
    assert world.status()["phase"] == "Healthy"


def test_another_rollouts_service_is_refused() -> None:
    world = nginx_shop([])
    other = routed_rollout([], NGINX)
    other["metadata"]["name"] = "thief"
    world.put(other)
    world.settle("thief")
    assert 'managed by another Rollout ("shop")' in world.status("thief")["message"]


def test_max_traffic_weight_is_the_whole() -> None:
    world = nginx_shop(
        [{"setWeight": 25}, {"pause": {}}], trafficRouting={"nginx": {"stableIngress": "web"}, "maxTrafficWeight": 1000}
    )
    world.set_image("shop:2")
    world.settle()
    annotations = annotations_of(world.get(INGRESS, "shop-web-canary"))
    assert annotations["nginx.ingress.kubernetes.io/canary-weight-total"] == "1000"
    assert (world.weight(), world.sizes()["shop:2"]) == (25, 1)


# -- Istio -----------------------------------------------------------------------------------------------------------------------


def test_subsets_stand_for_versions_even_before_any_update() -> None:
    world = istio_shop([{"setWeight": 5}, {"pause": {}}])
    assert subset(world, "stable") == subset(world, "canary") == "shop:1"


def test_a_subset_split_follows_the_steps_and_ends_on_the_new_version() -> None:
    match_traffic = {"setCanaryScale": {"matchTrafficWeight": True}}
    world = istio_shop([match_traffic, {"setWeight": 5}, {"pause": {}}, {"setWeight": 60}, {"pause": {}}])
    world.set_image("shop:2")
    world.settle()
    assert (mesh_weight(world), world.sizes()) == (5, {"shop:1": 10, "shop:2": 1})
    assert (subset(world, "stable"), subset(world, "canary")) == ("shop:1", "shop:2")
    resume(world)
    assert (mesh_weight(world), world.sizes()["shop:2"]) == (60, 6)
    resume(world)
    assert mesh_weight(world) == 0
    assert subset(world, "stable") == subset(world, "canary") == "shop:2"
    world.wait(31)
    assert world.sizes() == {"shop:1": 0, "shop:2": 10}


def test_what_a_subset_means_never_changes_together_with_its_weight() -> None:
    world = istio_shop([{"setWeight": 40}, {"pause": {}}])

    def watch() -> None:
        if mesh_weight(world):
            image = subset(world, "canary")
            ready = [one for one in world.all(REPLICA_SET) if world._image(one) == image and ReplicaSet(one).available]
            assert ready, f"{mesh_weight(world)} goes to subset canary, which selects {image}"

    world.ready_after = timedelta(seconds=5)
    for image in ("shop:2", "shop:3"):
        world.set_image(image)
        for _ in range(6):
            world.settle(watch=watch)
            world.wait(5)
        for plan in world.plans:
            kinds = [write.ref.kind for stage in plan.stages for write in stage.writes if isinstance(write, Patch)]
            assert not {VIRTUAL_SERVICE, DESTINATION_RULE} <= set(kinds)
    assert (mesh_weight(world), subset(world, "canary")) == (40, "shop:3")
    assert world.sizes() == {"shop:1": 10, "shop:2": 0, "shop:3": 4}


def test_a_header_route_is_set_by_its_step_and_gone_after_promotion() -> None:
    match = [{"headerName": "x-canary", "headerValue": {"exact": "yes"}}]
    routing = copy.deepcopy(ISTIO["trafficRouting"])
    routing["managedRoutes"] = [{"name": "for-testers"}]
    steps: list[dict[str, Any]] = [
        {"setCanaryScale": {"replicas": 1}},
        {"setHeaderRoute": {"name": "for-testers", "match": match}},
        {"pause": {}},
        {"setWeight": 50},
        {"pause": {}},
    ]
    world = istio_shop(steps, trafficRouting=routing)
    world.set_image("shop:2")
    world.settle()
    names = [one.get("name") for one in world.get(VIRTUAL_SERVICE, "shop")["spec"]["http"]]
    assert names == ["for-testers", "primary"]
    assert world.status()["currentStepIndex"] == 2
    resume(world)
    resume(world)
    assert [one.get("name") for one in world.get(VIRTUAL_SERVICE, "shop")["spec"]["http"]] == ["primary"]
    assert world.status()["phase"] == "Healthy"


def test_a_step_the_router_cannot_do_is_refused_clearly() -> None:
    match = [{"headerName": "x", "headerValue": {"exact": "1"}}]
    routing = {"nginx": {"stableIngress": "web"}, "managedRoutes": [{"name": "r"}]}
    world = nginx_shop([{"setHeaderRoute": {"name": "r", "match": match}}], trafficRouting=routing)
    assert "setHeaderRoute" in world.status()["message"]
    assert world.status()["phase"] == "Degraded"


def test_deleting_mid_update_does_nothing_more() -> None:
    world = nginx_shop([{"setWeight": 40}, {"pause": {}}])
    world.set_image("shop:2")
    world.settle()
    world.edit(ROLLOUT, "shop", {"metadata": {"deletionTimestamp": "2026-03-01T12:00:00Z"}})
    plan = world.plan()
    assert (plan.stages, plan.status) == ((), None)


def test_scale_down_delay_revision_limit_keeps_only_the_youngest_old_version() -> None:
    world = nginx_shop([], scaleDownDelaySeconds=600, scaleDownDelayRevisionLimit=1)
    for number in (2, 3):
        world.set_image(f"shop:{number}")
        world.settle()
    assert world.sizes() == {"shop:1": 0, "shop:2": 10, "shop:3": 10}


def test_the_services_hash_is_written_once() -> None:
    world = nginx_shop([])
    patches = [write for write in world.log if isinstance(write, Patch) and write.ref.kind == SERVICE]
    assert len(patches) == 2


def test_a_missing_ingress_is_named_once_with_its_field() -> None:
    world = World()
    world.apply(SERVICES)
    world.put(routed_rollout([], NGINX))
    world.settle()
    field = "spec.strategy.canary.trafficRouting.nginx.stableIngress"
    assert f'{field}: Invalid value: "web": Ingress default/web not found' in world.status()["message"]
    assert world.status()["message"].count("trafficRouting.nginx") == 1


def test_every_change_of_a_routers_object_is_told() -> None:
    world = nginx_shop([{"setWeight": 40}, {"pause": {}}])
    world.set_image("shop:2")
    world.settle()
    assert "CreatingCanaryIngress: Creating canary ingress `shop-web-canary`" in world.events
    assert "PatchingCanaryIngress: Updating Ingress `shop-web-canary` to desiredWeight '40'" in world.events
    mesh = istio_shop([{"setWeight": 40}, {"pause": {}}])
    mesh.set_image("shop:2")
    mesh.settle()
    assert "UpdatedDestinationRule: DestinationRule `shop` subsets updated" in mesh.events
    assert "Updated VirtualService: VirtualService `shop` set to desiredWeight '40'" in mesh.events


@pytest.mark.parametrize(
    ("threshold", "index"),
    [
        pytest.param(None, 0, id="without a threshold all pods are waited for"),
        pytest.param({"type": "Percent", "value": 80}, 1, id="80 percent are there"),
        pytest.param({"type": "Percent", "value": 81}, 0, id="81 percent are not"),
        pytest.param({"type": "Pods", "value": 4}, 1, id="4 pods are there"),
    ],
)
def test_a_step_goes_on_when_enough_of_its_pods_are_there(threshold: dict[str, Any] | None, index: int) -> None:
    canary: dict[str, Any] = {"replicaProgressThreshold": threshold} if threshold else {}
    world = nginx_shop([{"setWeight": 50}, {"pause": {}}], **canary)
    world.ready_after = timedelta(hours=1)
    world.set_image("shop:2")
    world.settle()
    waiting = [pod for pod in world.all(POD) if not World._ready(pod)]
    for pod in waiting[:4]:
        ready = {"type": "Ready", "status": "True", "lastTransitionTime": format_time(world.now)}
        world.edit(POD, name_of(pod), {"status": {"phase": "Running", "conditions": [ready]}})
    world.play_pods()
    world.settle()
    assert (len(waiting), world.status()["currentStepIndex"], world.weight()) == (5, index, 50 if index else 0)


def edits_of_the_service(world: World) -> None:
    for number in range(3):
        world.edit(SERVICE, "shop", {"metadata": {"labels": {"edited": str(number)}}})
        world.settle()


def test_an_ingress_of_somebody_else_is_told_once_while_the_stable_version_is_looked_after() -> None:
    world = nginx_shop([{"setWeight": 10}, {"pause": {}}])
    [canary] = [name_of(one) for one in world.all(INGRESS) if name_of(one).endswith("-canary")]
    world.edit(
        INGRESS, canary, {"metadata": {"ownerReferences": None, "annotations": {"nginx.ingress.kubernetes.io/canary": None}}}
    )
    world.settle()
    edits_of_the_service(world)
    [told] = [event for event in world.events if f"canary ingress `{canary}` controlled" in event]
    assert told.startswith("InvalidSpec: ")


def test_a_step_that_the_router_cannot_take_is_told_once_and_until_it_can() -> None:
    match = [{"headerName": "tester", "headerValue": {"exact": "yes"}}]
    mesh = {**ISTIO["trafficRouting"]["istio"], "virtualService": {"name": "shop"}}
    routing = {"managedRoutes": [{"name": "for-testers"}], "istio": mesh}
    steps: list[dict[str, Any]] = [{"setWeight": 10}, {"setHeaderRoute": {"name": "for-testers", "match": match}}, {"pause": {}}]
    world = istio_shop(steps, trafficRouting=routing)
    http = world.get(VIRTUAL_SERVICE, "shop")["spec"]["http"]
    world.edit(VIRTUAL_SERVICE, "shop", {"spec": {"http": None, "tcp": [{"route": http[0]["route"]}]}})
    world.set_image("shop:2")
    world.settle()
    edits_of_the_service(world)
    [told] = [event for event in world.events if "setHeaderRoute" in event]
    [refused] = [one for one in world.status()["conditions"] if one["type"] == "TrafficRoutingRefused"]
    assert told == f"{refused['reason']}: {refused['message']}"

    world.edit(VIRTUAL_SERVICE, "shop", {"spec": {"http": http, "tcp": None}})
    world.settle()
    assert "TrafficRoutingRefused" not in [one["type"] for one in world.status()["conditions"]]
    assert world.get(VIRTUAL_SERVICE, "shop")["spec"]["http"][0]["name"] == "for-testers"
    assert world.status()["phase"] == "Paused"
