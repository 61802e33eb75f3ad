"""What ingress-nginx gets to see: the canary Ingress, exactly."""

from __future__ import annotations

from typing import Any

import pytest
from router_scenarios import applied, ingress, objects_of, path, rollout, spec_for

from kube.kinds import INGRESS, ObjectRef
from kube.objects import Object
from kube.plan import Create, Patch
from routers.base import InvalidRouting, Objects, RoutingError, Split
from routers.nginx import Nginx, canary_name

CANARY = ObjectRef(INGRESS, "demo", "shop-web-canary")
WEB = {"stableIngress": "web"}
P = "nginx.ingress.kubernetes.io"


def steered(split: Split, *objs: Object, config: dict[str, Any] = WEB, **more: Any) -> Objects:
    """Return the objects after the router has written a split."""
    objects = objects_of(*(objs or (ingress(),)))
    return applied(objects, Nginx().desired(spec_for(config, **more), split, objects))


def test_the_canary_ingress_copies_host_tls_and_class_and_only_the_path_to_the_stable_service() -> None:
    stable = ingress(annotations={"kubernetes.io/ingress.class": "nginx", f"{P}/rewrite-target": "/"})
    objects = objects_of(stable)
    assert Nginx().desired(spec_for(WEB), Split(canary=25), objects) == [
        Create(
            kind=INGRESS,
            body={
                "apiVersion": "networking.k8s.io/v1",
                "kind": "Ingress",
                "metadata": {
                    "name": "shop-web-canary",
                    "namespace": "demo",
                    "annotations": {"kubernetes.io/ingress.class": "nginx", f"{P}/canary": "true", f"{P}/canary-weight": "25"},
                    "ownerReferences": [
                        {
                            "apiVersion": "argoproj.io/v1alpha1",
                            "kind": "Rollout",
                            "name": "shop",
                            "uid": "uid-shop",
                            "controller": True,
                            "blockOwnerDeletion": True,
                        }
                    ],
                },
                "spec": {
                    "rules": [{"host": "shop.example", "http": {"paths": [path("shop-canary")]}}],
                    "ingressClassName": "nginx",
                    "tls": [{"hosts": ["shop.example"], "secretName": "shop-tls"}],
                },
            },
        )
    ]


def test_a_new_weight_is_one_annotation_and_nothing_else() -> None:
    objects = steered(Split(canary=0))
    assert Nginx().desired(spec_for(WEB), Split(canary=40), objects) == [
        Patch(ref=CANARY, patch={"metadata": {"annotations": {f"{P}/canary-weight": "40"}}})
    ]


def test_after_promotion_the_canary_ingress_stays_at_zero() -> None:
    objects = steered(Split(canary=100))
    objects = applied(objects, Nginx().desired(spec_for(WEB), Split(canary=0), objects))
    assert objects.by_ref[CANARY]["metadata"]["annotations"][f"{P}/canary-weight"] == "0"


def test_annotations_of_others_on_the_canary_ingress_stay() -> None:
    objects = steered(Split(canary=0))
    noted = [Patch(ref=CANARY, patch={"metadata": {"annotations": {"example/note": "mine"}}, "spec": {"defaultBackend": {}}})]
    objects = applied(objects, noted)
    objects = applied(objects, Nginx().desired(spec_for(WEB), Split(canary=9), objects))
    assert objects.by_ref[CANARY]["metadata"]["annotations"]["example/note"] == "mine"
    assert objects.by_ref[CANARY]["spec"]["defaultBackend"] == {}


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        pytest.param(
            {"additionalIngressAnnotations": {"canary-by-cookie": "tester"}}, {f"{P}/canary-by-cookie": "tester"}, id="prefixed"
        ),
        pytest.param(
            {"additionalIngressAnnotations": {f"{P}/canary-by-header": "x"}},
            {f"{P}/canary-by-header": "x"},
            id="prefix not doubled",
        ),
        pytest.param({"canaryIngressAnnotations": {"example/note": "mine"}}, {"example/note": "mine"}, id="verbatim"),
        pytest.param(
            {"canaryIngressAnnotations": {f"{P}/canary-weight": "77"}}, {f"{P}/canary-weight": "5"}, id="the weight is ours"
        ),
        pytest.param({"annotationPrefix": "own.example"}, {"own.example/canary-weight": "5"}, id="own prefix"),
    ],
)
def test_annotations_of_the_spec_reach_the_canary_ingress(config: dict[str, Any], expected: dict[str, str]) -> None:
    annotations = steered(Split(canary=5), config=WEB | config).by_ref[CANARY]["metadata"]["annotations"]
    assert expected.items() <= annotations.items()


def test_the_total_is_written_when_the_spec_has_one_and_goes_when_it_is_taken_out() -> None:
    owner = rollout(maxTrafficWeight=1000)
    objects = steered(Split(canary=5, total=1000), owner=owner)
    assert objects.by_ref[CANARY]["metadata"]["annotations"][f"{P}/canary-weight-total"] == "1000"
    assert Nginx().observed(spec_for(WEB), objects) == Split(canary=5, total=1000)
    objects = applied(objects, Nginx().desired(spec_for(WEB), Split(canary=5), objects))
    assert f"{P}/canary-weight-total" not in objects.by_ref[CANARY]["metadata"]["annotations"]


@pytest.mark.parametrize(
    ("config", "keys"),
    [
        pytest.param(
            {"additionalIngressAnnotations": {"canary-by-header": "x-beta", "canary-by-header-value": "yes"}},
            [f"{P}/canary-by-header", f"{P}/canary-by-header-value"],
            id="a header that steered users",
        ),
        pytest.param({"additionalIngressAnnotations": {"affinity": "cookie"}}, [f"{P}/affinity"], id="one that steered nobody"),
        pytest.param(
            {"canaryIngressAnnotations": {"example/note": "ours", f"{P}/canary-by-cookie": "beta"}},
            ["example/note", f"{P}/canary-by-cookie"],
            id="verbatim ones",
        ),
        pytest.param(
            {"annotationPrefix": "own.example", "additionalIngressAnnotations": {"canary-by-cookie": "beta"}},
            ["own.example/canary", "own.example/canary-weight", "own.example/canary-by-cookie"],
            id="all of another prefix",
        ),
    ],
)
@pytest.mark.parametrize("weight", [0, 30])
def test_annotations_that_are_taken_out_of_the_spec_go_and_those_of_others_stay(
    config: dict[str, Any], keys: list[str], weight: int
) -> None:
    noted = Patch(ref=CANARY, patch={"metadata": {"annotations": {"example/mine": "stays", f"{P}/proxy-body-size": "8m"}}})
    objects = applied(steered(Split(canary=weight), config=WEB | config), [noted])
    before = dict(objects.by_ref[CANARY]["metadata"]["annotations"])
    assert set(keys) <= set(before)
    objects = applied(objects, Nginx().desired(spec_for(WEB), Split(canary=weight), objects))
    assert objects.by_ref[CANARY]["metadata"]["annotations"] == {
        f"{P}/canary": "true",
        f"{P}/canary-weight": str(weight),
        "example/mine": "stays",
        f"{P}/proxy-body-size": "8m",
    }
    assert Nginx().desired(spec_for(WEB), Split(canary=weight), objects) == []


def test_the_class_annotation_goes_when_the_stable_ingress_has_it_no_more() -> None:
    objects = steered(Split(canary=5), ingress(annotations={"kubernetes.io/ingress.class": "inner"}))
    stable = ObjectRef(INGRESS, "demo", "web")
    objects = applied(objects, [Patch(ref=stable, patch={"metadata": {"annotations": None}})])
    objects = applied(objects, Nginx().desired(spec_for(WEB), Split(canary=5), objects))
    assert "kubernetes.io/ingress.class" not in objects.by_ref[CANARY]["metadata"]["annotations"]


def test_a_changed_stable_ingress_changes_the_canarys_rules() -> None:
    objects = steered(Split(canary=5))
    stable = ObjectRef(INGRESS, "demo", "web")
    rules = [{"host": "new.example", "http": {"paths": [path("shop-stable")]}}]
    objects = applied(objects, [Patch(ref=stable, patch={"spec": {"tls": None, "rules": rules}})])
    assert Nginx().desired(spec_for(WEB), Split(canary=5), objects) == [
        Patch(
            ref=CANARY,
            patch={"spec": {"rules": [{"host": "new.example", "http": {"paths": [path("shop-canary")]}}], "tls": None}},
        )
    ]


@pytest.mark.parametrize(
    ("config", "more", "text"),
    [
        pytest.param({}, {}, "name the Ingress", id="no ingress named"),
        pytest.param({"stableIngress": "web", "stableIngresses": ["web"]}, {}, "either stableIngress or", id="both ways"),
        pytest.param({"stableIngress": "gone"}, {}, "Ingress demo/gone not found", id="missing ingress"),
        pytest.param(WEB, {"stable_service": None}, "stableService", id="no stable service"),
        pytest.param(WEB, {"canary_service": None}, "canaryService", id="no canary service"),
        pytest.param(WEB, {"canary_service": "shop-stable"}, "must be different", id="one service for both"),
        pytest.param(WEB, {"stable_service": "other"}, "ingress `web` has no rules using service other backend", id="no path"),
    ],
)
def test_a_spec_that_cannot_work_is_refused(config: dict[str, Any], more: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidRouting, match=text):
        Nginx().validate(spec_for(config, **more), objects_of(ingress()))


@pytest.mark.parametrize(
    "owners",
    [
        pytest.param([], id="nobody's"),
        pytest.param([{"kind": "Rollout", "name": "cart", "uid": "uid-cart", "controller": True}], id="another rollout's"),
        pytest.param([{"kind": "Rollout", "name": "shop", "uid": "uid-shop"}], id="ours but not controlled"),
    ],
)
def test_an_ingress_of_that_name_that_is_not_ours_is_left_alone(owners: list[Any]) -> None:
    taken = ingress("shop-web-canary", ownerReferences=owners, annotations={f"{P}/canary": "true", f"{P}/canary-weight": "5"})
    objects = objects_of(ingress(), taken)
    with pytest.raises(RoutingError, match="controlled by different object"):
        Nginx().desired(spec_for(WEB), Split(canary=5), objects)
    assert Nginx().observed(spec_for(WEB), objects) is None


def test_a_canary_ingress_left_behind_by_a_rollout_deleted_alone_is_taken_over_with_its_weight_set() -> None:
    objects = applied(steered(Split(canary=40)), [Patch(ref=CANARY, patch={"metadata": {"ownerReferences": []}})])
    assert Nginx().observed(spec_for(WEB), objects) is None
    writes = Nginx().desired(spec_for(WEB), Split(canary=0), objects)
    assert [type(write) for write in writes] == [Patch]
    objects = applied(objects, writes)
    assert Nginx().observed(spec_for(WEB), objects) == Split(canary=0)
    assert Nginx().desired(spec_for(WEB), Split(canary=0), objects) == []


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param({f"{P}/canary": "false"}, id="switched off"),
        pytest.param({f"{P}/canary-weight": "much"}, id="not a number"),
        pytest.param({f"{P}/canary-weight": None}, id="weight removed"),
    ],
)
def test_an_edited_canary_ingress_is_not_taken_for_reached_and_is_mended(edit: dict[str, Any]) -> None:
    objects = applied(steered(Split(canary=5)), [Patch(ref=CANARY, patch={"metadata": {"annotations": edit}})])
    assert Nginx().observed(spec_for(WEB), objects) is None
    objects = applied(objects, Nginx().desired(spec_for(WEB), Split(canary=5), objects))
    assert Nginx().observed(spec_for(WEB), objects) == Split(canary=5)


def test_ingresses_that_differ_show_no_split() -> None:
    spec = spec_for({"stableIngresses": ["web", "inner"]})
    objects = objects_of(ingress(), ingress("inner"))
    objects = applied(objects, Nginx().desired(spec, Split(canary=5), objects))
    objects = applied(objects, [Patch(ref=CANARY, patch={"metadata": {"annotations": {f"{P}/canary-weight": "6"}}})])
    assert Nginx().observed(spec, objects) is None


def test_long_names_are_cut_to_what_kubernetes_takes() -> None:
    name = canary_name("r" * 200, "i" * 100)
    assert len(name) == 253
    assert name.endswith("i-canary")


def test_two_ingresses_whose_canaries_would_share_a_name_are_refused() -> None:
    long = "i" * 260
    with pytest.raises(InvalidRouting, match="share one canary"):
        Nginx().validate(spec_for({"stableIngresses": [long + "a", long + "b"]}), Objects())
