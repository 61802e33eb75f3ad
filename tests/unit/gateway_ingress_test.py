"""Ingresses and canary Ingresses: who answers, by ingress-nginx's rules."""

from __future__ import annotations

from typing import Any

import pytest

from kube.objects import Object
from sandbox.gateway.translate import Configuration, translate
from sandbox.gateway.world import Settings, Socket, World
from tests.gateway_objects import canary_ingress, endpoints, ingress, path, service
from tests.gateway_picker import answers, route_for

SETTINGS = Settings(ingress=Socket("127.0.0.1", 8080), proxy=Socket("127.0.0.1", 8081))
STABLE, CANARY = {"web": 100}, {"web-canary": 100}


def configured(*ingresses: Object, empty: str = "") -> Configuration:
    """The configuration of these Ingresses over three Services; `empty` names one without endpoints."""
    names = ("web", "web-canary", "api", "other-canary")
    slices = tuple(endpoints(name, ["127.10.0.1"]) for name in names if name != empty)
    return translate(World(services=tuple(service(name) for name in names), slices=slices, ingresses=ingresses), SETTINGS)


def with_canary(**annotations: Any) -> Configuration:
    """A web shop and its canary."""
    return configured(ingress("web", path("web")), canary_ingress("canary", path("web-canary"), **annotations))


@pytest.mark.parametrize(
    ("annotations", "headers", "who"),
    [
        pytest.param({}, {}, STABLE, id="without a policy nobody goes to the canary"),
        pytest.param({"weight": 20}, {}, {"web": 80, "web-canary": 20}, id="a weight is out of 100"),
        pytest.param({"weight": 25, "weight_total": 1000}, {}, {"web": 975, "web-canary": 25}, id="or out of a larger total"),
        pytest.param({"weight": 20, "weight_total": 50}, {}, {"web": 80, "web-canary": 20}, id="a total below 100 does not count"),
        pytest.param({"weight": 20, "weight_total": 100}, {}, {"web": 80, "web-canary": 20}, id="a total of 100 is the usual one"),
        pytest.param({"weight": 100}, {}, CANARY, id="100 is everybody"),
        pytest.param({"weight": 150}, {}, CANARY, id="more than all is all"),
        pytest.param({"weight": "-3"}, {}, STABLE, id="a negative weight is none"),
        pytest.param({"weight": "half"}, {}, STABLE, id="text is no weight"),
        pytest.param({"by_header": "X-Try"}, {"x-try": "always"}, CANARY, id="the header says always, in any letters"),
        pytest.param({"by_header": "x-try", "weight": 100}, {"x-try": "never"}, STABLE, id="the header says never"),
        pytest.param({"by_header": "x-try"}, {"x-try": "yes"}, STABLE, id="other values say nothing"),
        pytest.param(
            {"by_header": "x-try", "weight": 30}, {"x-try": "yes"}, {"web": 70, "web-canary": 30}, id="so the weight decides"
        ),
        pytest.param({"by_header": "x-try", "by_header_value": "me"}, {"x-try": "me"}, CANARY, id="the header has the value"),
        pytest.param(
            {"by_header": "x-try", "by_header_value": "me"}, {"x-try": "always"}, STABLE, id="a value switches always off"
        ),
        pytest.param(
            {"by_header": "x-try", "by_header_value": "me", "weight": 100},
            {"x-try": "never"},
            CANARY,
            id="a value switches never off",
        ),
        pytest.param(
            {"by_header": "x-try", "by_header_pattern": "^v[0-9]+$"}, {"x-try": "v12"}, CANARY, id="the header fits the pattern"
        ),
        pytest.param(
            {"by_header": "x-try", "by_header_pattern": "eu|us"}, {"x-try": "de-eu-1"}, CANARY, id="a pattern fits anywhere"
        ),
        pytest.param(
            {"by_header": "x-try", "by_header_pattern": "^v[0-9]+$"},
            {"x-try": "always"},
            STABLE,
            id="a pattern switches always off",
        ),
        pytest.param(
            {"by_header": "x-try", "by_header_value": "me", "by_header_pattern": ".*"},
            {"x-try": "you"},
            STABLE,
            id="a value beats a pattern",
        ),
        pytest.param(
            {"by_header": "x-try", "by_header_pattern": "(?=x)"}, {"x-try": "always"}, CANARY, id="a broken pattern is as none"
        ),
        pytest.param({"by_header_value": "me"}, {"x-try": "me"}, STABLE, id="a value without a header name says nothing"),
        pytest.param({"by_cookie": "try"}, {"cookie": "try=always"}, CANARY, id="the cookie says always"),
        pytest.param({"by_cookie": "try", "weight": 100}, {"cookie": "a=1; try=never"}, STABLE, id="the cookie says never"),
        pytest.param({"by_cookie": "try"}, {"cookie": "retry=always"}, STABLE, id="another cookie says nothing"),
        pytest.param({"by_cookie": "a.b"}, {"cookie": "axb=always"}, STABLE, id="a dot in a cookie's name is a dot"),
        pytest.param(
            {"by_header": "x-try", "by_cookie": "try"},
            {"x-try": "never", "cookie": "try=always"},
            STABLE,
            id="the header beats the cookie",
        ),
        pytest.param(
            {"by_header": "x-try", "by_header_value": "me", "by_cookie": "try", "weight": 100},
            {"x-try": "you", "cookie": "try=never"},
            STABLE,
            id="a header that does not match leaves it to the cookie",
        ),
    ],
)
def test_header_cookie_weight(annotations: dict[str, Any], headers: dict[str, str], who: dict[str, int]) -> None:
    assert answers(with_canary(**annotations), "ingress", "shop.test", headers=headers) == who


def test_a_canary_without_ready_endpoints_is_passed_over() -> None:
    found = configured(ingress("web", path("web")), canary_ingress("canary", path("web-canary"), weight=100), empty="web-canary")
    assert answers(found, "ingress", "shop.test") == STABLE


def test_only_the_oldest_canary_counts() -> None:
    late = canary_ingress("a-late", path("other-canary"), age=9, weight=50)
    found = configured(ingress("web", path("web")), canary_ingress("z-early", path("web-canary"), age=3, weight=20), late)
    assert answers(found, "ingress", "shop.test") == {"web": 80, "web-canary": 20}
    assert [problem.about for problem in found.problems] == ["Ingress shop/a-late"]


def test_a_canary_takes_its_share_on_every_path_to_the_same_backend() -> None:
    found = configured(
        ingress("web", path("web", "/a"), path("web", "/b"), path("api", "/c")),
        canary_ingress("canary", path("web-canary", "/a"), weight=100),
    )
    assert [answers(found, "ingress", "shop.test", at) for at in ("/a", "/b", "/c")] == [CANARY, CANARY, {"api": 100}]


@pytest.mark.parametrize(
    "canary",
    [
        pytest.param(canary_ingress("canary", path("web-canary"), host="other.test", weight=100), id="another host"),
        pytest.param(canary_ingress("canary", path("web-canary", "/x"), weight=100), id="another path"),
        pytest.param(canary_ingress("canary", path("web-canary", kind="Exact"), weight=100), id="another path type"),
        pytest.param(canary_ingress("canary", path("web"), weight=100), id="the same backend"),
    ],
)
def test_a_canary_that_fits_nothing_has_no_effect_and_says_so(canary: Object) -> None:
    found = configured(ingress("web", path("web")), canary)
    assert answers(found, "ingress", "shop.test") == STABLE
    assert "no effect" in found.problems[0].message


@pytest.mark.parametrize(
    ("at", "who"),
    [
        pytest.param("/shop", {"web": 100}, id="a prefix itself"),
        pytest.param("/shop/cart", {"web": 100}, id="below a prefix"),
        pytest.param("/shopping", 404, id="a prefix ends at a slash"),
        pytest.param("/shop/exact", {"api": 100}, id="an exact path beats a prefix"),
        pytest.param("/shop/exact/x", {"web": 100}, id="an exact path is only itself"),
        pytest.param("/shop/cart/x", {"web-canary": 100}, id="the longest prefix wins"),
        pytest.param("/impl-and-more", {"api": 100}, id="ImplementationSpecific is a plain prefix"),
    ],
)
def test_paths(at: str, who: dict[str, int] | int) -> None:
    rules = [path("web", "/shop"), path("api", "/shop/exact", kind="Exact"), path("web-canary", "/shop/cart/x/")]
    found = configured(ingress("web", *rules, path("api", "/impl", kind="ImplementationSpecific")))
    assert answers(found, "ingress", "shop.test", at) == who


def test_the_oldest_ingress_owns_a_path() -> None:
    found = configured(ingress("a", path("api"), age=5), ingress("b", path("web"), age=1))
    assert answers(found, "ingress", "shop.test") == STABLE


@pytest.mark.parametrize(
    ("host", "who"),
    [("shop.test", {"web": 100}), ("a.shop.test", {"api": 100}), ("else.test", {"web-canary": 100})],
    ids=["the host itself", "a wildcard", "no host is any host"],
)
def test_hosts(host: str, who: dict[str, int]) -> None:
    found = configured(
        ingress("web", path("web")), ingress("wild", path("api"), host="*.shop.test"), ingress("any", path("web-canary"), host="")
    )
    assert answers(found, "ingress", host) == who


def test_a_default_backend_takes_what_no_path_does() -> None:
    backend = path("api")["backend"]
    found = configured(ingress("web", path("web", "/shop"), defaultBackend=backend))
    assert answers(found, "ingress", "shop.test", "/shop") == STABLE
    assert answers(found, "ingress", "shop.test", "/other") == {"api": 100}
    assert answers(found, "ingress", "any.test", "/shop") == {"api": 100}


@pytest.mark.parametrize(
    ("odd", "says"),
    [
        pytest.param(ingress("odd", rules=[{"host": "shop.test"}]), "no http paths", id="a rule without http"),
        pytest.param(
            ingress("odd", {"path": "/", "backend": {"resource": {"kind": "Bucket", "name": "b"}}}),
            "only Service backends",
            id="a resource",
        ),
        pytest.param(ingress("odd", path("nobody")), "Service nobody with port 80 is not there", id="an unknown Service"),
        pytest.param(ingress("odd", path("web", port=81)), "port 81 is not there", id="an unknown port"),
        pytest.param(ingress("odd", path("web", port="https")), "port https is not there", id="an unknown port name"),
        pytest.param(ingress("odd", path("web"), ingressClassName="alb"), "class 'alb' is not served", id="another class"),
        pytest.param(ingress("odd", path("web", "shop")), "must start with /", id="a path without slash"),
        pytest.param(ingress("odd", path("web"), host="a b"), "not a host name", id="a host with a space"),
        pytest.param(ingress("odd", rules="x"), "cannot be read", id="rules that are text"),
    ],
)
def test_what_is_left_out_is_said_and_takes_nothing_with_it(odd: Object, says: str) -> None:
    found = configured(odd, ingress("good", path("web"), host="good.test"))
    (problem,) = found.problems
    assert problem.about == "Ingress shop/odd"
    assert says in problem.message
    assert answers(found, "ingress", "good.test") == STABLE


def test_a_backend_that_is_not_there_answers_503() -> None:
    assert answers(configured(ingress("web", path("nobody"))), "ingress", "shop.test") == 503


def test_a_port_may_be_given_by_name() -> None:
    assert answers(configured(ingress("web", path("web", port="http"))), "ingress", "shop.test") == STABLE


def test_requests_are_labelled_by_their_main_ingress() -> None:
    """Also those that the canary answers, as ingress-nginx does."""
    found = route_for(with_canary(by_header="x-try"), "ingress", "shop.test", headers={"x-try": "always"})
    assert found is not None
    labels = found["metadata"]["filter_metadata"]["rollouts.gateway"]
    assert (labels["ingress"], labels["service"], labels["host"], labels["path"]) == ("web", "web", "shop.test", "/")
