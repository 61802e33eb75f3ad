"""What Istio gets to see: weights, subsets, and the routes that steps put on top."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from router_scenarios import (
    HEADER,
    MIRROR,
    OTHERS_ROUTE,
    SUBSETS,
    applied,
    both,
    destination_rule,
    objects_of,
    spec_for,
    subset,
    to,
    virtual_service,
)

from kube.kinds import DESTINATION_RULE, VIRTUAL_SERVICE, ObjectRef
from kube.objects import Object
from kube.plan import Patch
from routers.base import Destination, InvalidRouting, MirrorRoute, Objects, RoutingError, RoutingSpec, Split
from routers.istio import Istio

SHARED = Path(__file__).parents[3] / "shared"
SHOP = {"virtualService": {"name": "shop"}}
VS, DR = ObjectRef(VIRTUAL_SERVICE, "demo", "shop"), ObjectRef(DESTINATION_RULE, "demo", "shop")
HASH = "rollouts-pod-template-hash"


def steered(split: Split, *objs: Object, spec: RoutingSpec | None = None) -> Objects:
    """Return the objects after the router has written a split."""
    objects = objects_of(*objs)
    return applied(objects, Istio().desired(spec or spec_for(SHOP), split, objects))


def http(objects: Objects, ref: ObjectRef = VS) -> list[Any]:
    """Return the HTTP routes of a VirtualService."""
    return list(objects.by_ref[ref]["spec"]["http"])


def weights(route: dict[str, Any]) -> list[int]:
    """Return the weights of a route's destinations."""
    return [entry.get("weight", 0) for entry in route["route"]]


def by_subset(**more: Any) -> RoutingSpec:
    """Return a spec that tells versions apart by subsets alone."""
    known: dict[str, Any] = {"stable_service": None, "canary_service": None, "stable_hash": "aaa", "canary_hash": "bbb"}
    return spec_for({**SHOP, "destinationRule": SUBSETS}, **(known | more))


def subset_routes(*more: dict[str, Any]) -> list[dict[str, Any]]:
    """Return one route to both subsets, and to what is given."""
    return [{"name": "main", "route": [to("shop", 100, subset="stable"), to("shop", 0, subset="canary"), *more]}]


def test_a_weight_is_one_patch_tied_to_the_version_it_was_made_from() -> None:
    objects = objects_of(virtual_service(http=[{"name": "main", "route": both(), "timeout": "5s"}]))
    route = [to("shop-stable", 75), to("shop-canary", 25)]
    assert Istio().desired(spec_for(SHOP), Split(canary=25), objects) == [
        Patch(ref=VS, patch={"spec": {"http": [{"name": "main", "route": route, "timeout": "5s"}]}}, version="1")
    ]


def test_a_host_may_be_written_in_full_and_a_weight_left_out() -> None:
    route = [to("shop-stable.demo.svc.cluster.local"), to("shop-canary.demo.svc")]
    objects = objects_of(virtual_service(http=[{"route": route}]))
    assert Istio().observed(spec_for(SHOP), objects) is None
    objects = applied(objects, Istio().desired(spec_for(SHOP), Split(canary=0), objects))
    assert weights(http(objects)[0]) == [100, 0]


def test_a_third_backend_keeps_its_weight_which_comes_off_stables() -> None:
    objects = steered(Split(canary=20), virtual_service(http=[{"route": [*both(), to("legacy", 30)]}]))
    assert weights(http(objects)[0]) == [50, 20, 30]
    objects = applied(objects, Istio().desired(spec_for(SHOP), Split(canary=100), objects))
    assert weights(http(objects)[0]) == [0, 100, 30]


def test_an_experiment_is_added_as_a_host_and_removed_when_it_ends() -> None:
    routes = [{"route": [*both(), to("legacy", 10)]}]
    trial = Destination(service="trial", pod_hash="ccc", weight=15)
    named = Destination(service="shop-6c8f4-2-1-b", pod_hash="ddd", weight=5)
    objects = steered(Split(canary=20, additional=(trial, named)), virtual_service(http=routes))
    assert http(objects)[0]["route"] == [
        to("shop-stable", 50),
        to("shop-canary", 20),
        to("legacy", 10),
        to("shop-6c8f4-2-1-b", 5),
        to("trial", 15),
    ]
    objects = applied(objects, Istio().desired(spec_for(SHOP), Split(canary=20), objects))
    assert http(objects)[0]["route"] == [to("shop-stable", 70), to("shop-canary", 20), to("legacy", 10)]


def test_somebodys_edit_in_mid_step_is_not_taken_for_reached_and_is_mended() -> None:
    objects = steered(Split(canary=20), virtual_service(http=[{"route": both()}]))
    edited = applied(
        objects, [Patch(ref=VS, patch={"spec": {"http": [{"route": [to("shop-stable", 50), to("shop-canary", 20)]}]}})]
    )
    assert Istio().observed(spec_for(SHOP), edited) is None
    reset = applied(objects, [Patch(ref=VS, patch={"spec": {"http": [{"route": both()}]}})])
    assert Istio().observed(spec_for(SHOP), reset) == Split(canary=0)
    for seen in (edited, reset):
        mended = applied(seen, Istio().desired(spec_for(SHOP), Split(canary=20), seen))
        assert Istio().observed(spec_for(SHOP), mended) == Split(canary=20)


def test_a_header_route_goes_on_top_with_everything_to_the_canary() -> None:
    objects = steered(
        Split(canary=20, header_routes=(HEADER,)),
        virtual_service(http=[OTHERS_ROUTE, {"name": "main", "route": both()}]),
        spec=main(),
    )
    assert [route["name"] for route in http(objects)] == ["by-header", "others", "main"]
    assert http(objects)[0] == {
        "name": "by-header",
        "match": [{"headers": {"x-canary": {"exact": "yes"}}}],
        "route": [to("shop-canary", 100)],
    }


def main(**more: Any) -> RoutingSpec:
    """Return a spec that steers the route `main`."""
    return spec_for({"virtualService": {"name": "shop", "routes": ["main"]}}, **more)


def test_a_mirror_route_keeps_the_split_and_copies_to_the_canary() -> None:
    objects = steered(
        Split(canary=20, mirror_routes=(MIRROR,)), virtual_service(http=[{"name": "main", "route": both()}]), spec=main()
    )
    assert http(objects)[0] == {
        "name": "mirrored",
        "match": [{"method": {"exact": "GET"}, "uri": {"prefix": "/shop"}}],
        "route": [to("shop-stable", 80), to("shop-canary", 20)],
        "mirror": {"host": "shop-canary"},
        "mirrorPercentage": {"value": 35},
    }


def test_managed_routes_are_in_the_order_of_managed_routes_and_go_when_no_longer_wanted() -> None:
    shop = virtual_service(http=[{"name": "main", "route": both()}])
    objects = steered(Split(canary=20, header_routes=(HEADER,), mirror_routes=(MIRROR,)), shop, spec=main())
    assert [route["name"] for route in http(objects)] == ["mirrored", "by-header", "main"]
    turned = main(managed_routes=("by-header", "mirrored"))
    objects = applied(objects, Istio().desired(turned, Split(canary=20, header_routes=(HEADER,), mirror_routes=(MIRROR,)), objects))
    assert [route["name"] for route in http(objects)] == ["by-header", "mirrored", "main"]
    objects = applied(objects, Istio().desired(main(), Split(canary=0), objects))
    assert http(objects) == [{"name": "main", "route": both()}]


def test_on_a_shared_host_a_header_route_takes_only_the_requests_of_the_steered_route() -> None:
    """Otherwise the canary would get everybody's requests that carry the header."""
    shop = {
        "name": "main",
        "match": [{"uri": {"prefix": "/shop"}}, {"uri": {"exact": "/"}}],
        "rewrite": {"uri": "/"},
        "route": both(),
    }
    objects = steered(Split(canary=0, header_routes=(HEADER,)), virtual_service(http=[OTHERS_ROUTE, shop]), spec=main())
    wanted = {"x-canary": {"exact": "yes"}}
    assert http(objects)[0]["match"] == [
        {"uri": {"prefix": "/shop"}, "headers": wanted},
        {"uri": {"exact": "/"}, "headers": wanted},
    ]
    assert http(objects)[0]["rewrite"] == {"uri": "/"}


def test_a_mirror_step_that_repeats_the_routes_own_path_is_recognised_by_the_step() -> None:
    shop = virtual_service(http=[{"name": "main", "match": [{"uri": {"prefix": "/shop"}}], "route": both()}])
    step = {"name": MIRROR.name, "match": list(MIRROR.match), "percentage": MIRROR.percentage}
    owner = {"metadata": {"name": "shop"}, "spec": {"strategy": {"canary": {"steps": [{"setMirrorRoute": step}]}}}}
    objects = steered(Split(canary=5, mirror_routes=(MIRROR,)), shop, spec=main(owner=owner))
    assert Istio().observed(main(owner=owner), objects) == Split(canary=5, mirror_routes=(MIRROR,))


def test_a_managed_route_that_somebody_edited_shows_no_split() -> None:
    objects = steered(
        Split(canary=5, header_routes=(HEADER,)), virtual_service(http=[{"name": "main", "route": both()}]), spec=main()
    )
    routes = http(objects)
    routes[0] = {**routes[0], "route": [to("shop-stable", 100)]}
    assert Istio().observed(main(), applied(objects, [Patch(ref=VS, patch={"spec": {"http": routes}})])) is None


def test_the_subsets_select_the_versions_beside_their_other_labels() -> None:
    objects = steered(Split(canary=5), virtual_service(http=subset_routes()), destination_rule(), spec=by_subset())
    rule = objects.by_ref[DR]
    assert rule["spec"]["subsets"] == [
        {"name": "stable", "labels": {"app": "shop", HASH: "aaa"}},
        {"name": "canary", "labels": {"app": "shop", HASH: "bbb"}},
        {"name": "legacy", "labels": {"version": "v0"}},
    ]
    assert rule["metadata"]["annotations"] == {"argo-rollouts.argoproj.io/managed-by-rollouts": "shop"}


def test_an_unknown_hash_leaves_a_subset_alone_and_an_empty_one_frees_it() -> None:
    objects = steered(Split(canary=5), virtual_service(http=subset_routes()), destination_rule(), spec=by_subset())
    assert Istio().desired(by_subset(stable_hash=None, canary_hash=None), Split(canary=5), objects) == []
    freed = applied(objects, Istio().desired(by_subset(canary_hash=""), Split(canary=5), objects))
    assert freed.by_ref[DR]["spec"]["subsets"][1] == subset("canary")


def test_an_experiments_subset_is_named_after_its_service_and_goes_with_it() -> None:
    trial = Destination(service="trial", pod_hash="ccc", weight=5)
    shop, rule = virtual_service(http=subset_routes()), destination_rule()
    objects = steered(Split(canary=5, additional=(trial,)), shop, rule, spec=by_subset())
    assert objects.by_ref[DR]["spec"]["subsets"][3] == {"name": "trial", "labels": {HASH: "ccc"}}
    objects = applied(objects, Istio().desired(by_subset(), Split(canary=5), objects))
    assert [one["name"] for one in objects.by_ref[DR]["spec"]["subsets"]] == ["stable", "canary", "legacy"]


def test_two_rollouts_that_share_a_destination_rule_do_not_take_turns_writing_it() -> None:
    objects = steered(Split(canary=5), virtual_service(http=subset_routes()), destination_rule(), spec=by_subset())
    marked = {"metadata": {"annotations": {"argo-rollouts.argoproj.io/managed-by-rollouts": "cart"}}}
    objects = applied(objects, [Patch(ref=DR, patch=marked)])
    assert Istio().desired(by_subset(), Split(canary=5), objects) == []


def test_deleting_the_rollout_leaves_no_trace_in_other_peoples_objects() -> None:
    shop, rule = virtual_service(http=subset_routes()), destination_rule()
    trial = Destination(service="trial", pod_hash="ccc", weight=0)
    wanted = Split(canary=0, additional=(trial,), header_routes=(HEADER,))
    objects = steered(wanted, shop, rule, spec=by_subset())
    objects = applied(objects, Istio().cleaned(by_subset(), objects))
    assert objects.by_ref[DR]["spec"] == rule["spec"]
    assert objects.by_ref[DR]["metadata"]["annotations"] == {}
    assert [route["name"] for route in http(objects)] == ["main"]


def test_a_dotted_name_is_first_a_name_and_then_a_namespace() -> None:
    here, there = (
        virtual_service("shop.edge", http=[{"route": both()}]),
        virtual_service(namespace="edge", http=[{"route": both()}]),
    )
    spec = spec_for({"virtualService": {"name": "shop.edge"}})
    for objs, name in (((here, there), "VirtualService demo/shop.edge"), ((there,), "VirtualService edge/shop")):
        (write,) = Istio().desired(spec, Split(canary=5), objects_of(*objs))
        assert str(write.ref) == name


def test_an_experiment_is_reached_from_another_namespace_by_its_full_name() -> None:
    trial = Destination(service="trial", pod_hash="ccc", weight=5)
    spec = spec_for({"virtualService": {"name": "shop.edge"}})
    objects = steered(Split(canary=0, additional=(trial,)), virtual_service(namespace="edge", http=[{"route": both()}]), spec=spec)
    routes = http(objects, ObjectRef(VIRTUAL_SERVICE, "edge", "shop"))
    assert routes[0]["route"][2] == to("trial.demo.svc.cluster.local", 5)


def test_virtual_services_that_differ_show_no_split() -> None:
    spec = spec_for({"virtualServices": [{"name": "shop"}, {"name": "edge"}]})
    objects = steered(
        Split(canary=5), virtual_service(http=[{"route": both()}]), virtual_service("edge", tcp=[{"route": both()}]), spec=spec
    )
    assert Istio().observed(spec, objects) == Split(canary=5)
    edited = applied(objects, [Patch(ref=VS, patch={"spec": {"http": [{"route": both()}]}})])
    assert Istio().observed(spec, edited) is None


ONE, TWO = [{"route": both()}], [{"name": "a", "route": both()}, {"name": "b", "route": both()}]


@pytest.mark.parametrize(
    ("config", "routes", "text"),
    [
        pytest.param({}, {"http": ONE}, "name the VirtualService", id="no virtual service named"),
        pytest.param(SHOP | {"virtualServices": [{"name": "shop"}]}, {"http": ONE}, "either virtualService or", id="both ways"),
        pytest.param({"virtualServices": [{"name": "shop"}] * 2}, {"http": ONE}, "named once", id="named twice"),
        pytest.param({"virtualService": {"name": "gone"}}, {"http": ONE}, "VirtualService demo/gone not found", id="missing"),
        pytest.param(SHOP, {"http": TWO}, "must have exactly one route", id="several routes, none named"),
        pytest.param(SHOP, {}, "has no HTTP, TLS or TCP route", id="no route at all"),
        pytest.param(
            {"virtualService": {"name": "shop", "routes": ["c"]}},
            {"http": TWO},
            "HTTP Route 'c' is not found in the defined Virtual Service. Its HTTP routes are named a, b.",
            id="unknown route, with those there are",
        ),
        pytest.param(
            {"virtualService": {"name": "shop", "routes": ["c"]}},
            {"http": ONE},
            "HTTP Route 'c' is not found in the defined Virtual Service. None of its HTTP routes has a name",
            id="named route, but routes have no names",
        ),
        pytest.param(
            {"virtualService": {"name": "shop", "tlsRoutes": [{"port": 1}]}},
            {"tls": ONE},
            "No matching TLS routes",
            id="unknown TLS port",
        ),
        pytest.param(
            {"virtualService": {"name": "shop", "tlsRoutes": [{}]}}, {"tls": ONE}, "No matching TLS", id="empty TLS selection"
        ),
        pytest.param(
            {"virtualService": {"name": "shop", "tcpRoutes": [{"port": 1}]}},
            {"tcp": ONE},
            "No matching TCP routes",
            id="unknown TCP port",
        ),
        pytest.param(SHOP, {"http": [{"route": [to("shop-stable")]}]}, "Canary Service 'shop-canary' not found", id="no canary"),
        pytest.param(SHOP, {"http": [{"route": [to("shop-canary")]}]}, "Stable Service 'shop-stable' not found", id="no stable"),
        pytest.param(SHOP, {"tcp": [{"route": [to("cart")]}]}, "not found in route", id="a foreign TCP route alone"),
        pytest.param(
            {"virtualService": {"name": "shop", "routes": ["by-header"]}}, {"http": ONE}, "in managedRoutes and", id="managed"
        ),
        pytest.param(
            SHOP | {"destinationRule": SUBSETS}, {"http": subset_routes()}, "DestinationRule demo/shop not found", id="no rule"
        ),
        pytest.param(
            SHOP | {"destinationRule": {"name": "shop"}},
            {"http": subset_routes()},
            "must be two subsets",
            id="subsets without names",
        ),
    ],
)
def test_a_spec_that_cannot_work_is_refused(config: dict[str, Any], routes: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidRouting, match=text):
        Istio().validate(spec_for(config), objects_of(virtual_service(**routes)))


def test_a_missing_subset_is_named() -> None:
    objects = objects_of(virtual_service(http=subset_routes()), destination_rule(subset("stable")))
    with pytest.raises(InvalidRouting, match="Canary subset 'canary' not found in DestinationRule demo/shop"):
        Istio().validate(by_subset(), objects)


@pytest.mark.parametrize(
    ("missing", "reason"),
    [
        pytest.param(VS, "VirtualServiceNotFound", id="virtual service"),
        pytest.param(DR, "DestinationRuleNotFound", id="destination rule"),
    ],
)
def test_an_object_that_disappears_has_its_own_reason(missing: ObjectRef, reason: str) -> None:
    objects = objects_of(virtual_service(http=subset_routes()), destination_rule())
    rest = Objects({ref: obj for ref, obj in objects.by_ref.items() if ref != missing})
    with pytest.raises(RoutingError) as error:
        Istio().desired(by_subset(), Split(canary=5), rest)
    assert error.value.reason == reason


@pytest.mark.parametrize(
    ("split", "text"),
    [
        pytest.param(Split(canary=5, total=1000), "maxTrafficWeight", id="weights out of more than 100"),
        pytest.param(
            Split(canary=5, mirror_routes=(MirrorRoute(name="x", match=({},)),)), "add its name to managedRoutes", id="unmanaged"
        ),
        pytest.param(Split(canary=5, mirror_routes=(MirrorRoute(name="mirrored", match=()),)), "without a match", id="no match"),
        pytest.param(Split(canary=5, mirror_routes=(MIRROR, MIRROR)), "set twice", id="twice"),
    ],
)
def test_a_split_that_cannot_be_is_refused(split: Split, text: str) -> None:
    with pytest.raises(InvalidRouting, match=text):
        steered(split, virtual_service(http=ONE))


def test_a_header_route_without_an_http_route_is_refused() -> None:
    with pytest.raises(InvalidRouting, match="need an HTTP route"):
        steered(Split(canary=5, header_routes=(HEADER,)), virtual_service(tcp=ONE))


@pytest.mark.skipif(not SHARED.exists(), reason="the acceptance manifests are not here")
def test_the_acceptance_manifest_with_a_subset_split_is_steered() -> None:
    documents = [
        document
        for document in yaml.safe_load_all((SHARED / "acceptance/rollouts/03-canary-istio-subset-split.yaml").read_text())
        if document
    ]
    found = {document["kind"]: document for document in documents}
    for document in documents:
        document["metadata"].setdefault("namespace", "default")
    canary = found["Rollout"]["spec"]["strategy"]["canary"]
    spec = RoutingSpec(
        owner=found["Rollout"],
        namespace="default",
        stable_service=canary.get("stableService"),
        canary_service=canary.get("canaryService"),
        config=canary["trafficRouting"]["istio"],
        stable_hash="aaa",
        canary_hash="bbb",
    )
    objects = objects_of(found["VirtualService"], found["DestinationRule"])
    Istio().validate(spec, objects)
    assert Istio().observed(spec, applied(objects, Istio().desired(spec, Split(canary=5), objects))) == Split(canary=5)
