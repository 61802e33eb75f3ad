"""VirtualServices, DestinationRules and Gateways: who answers, in the mesh and at the gateway."""

from __future__ import annotations

from typing import Any

import pytest

from kube.objects import Object
from sandbox.gateway.catalog import resolve_host
from sandbox.gateway.istio_changes import seconds
from sandbox.gateway.translate import Configuration, translate
from sandbox.gateway.world import Settings, Socket, World
from tests.gateway_objects import destination, destination_rule, endpoints, metadata, pod, service, virtual_service
from tests.gateway_picker import answers, route_for

SETTINGS = Settings(ingress=Socket("127.0.0.1", 8080), proxy=Socket("127.0.0.1", 8081))
WEB = "web.shop.svc.cluster.local:80"
OLD, NEW = "127.10.0.1", "127.10.0.2"
RULE = destination_rule("web", "web", stable={"version": "1"}, canary={"version": "2"})


def configured(*virtual_services: Object, gateways: tuple[Object, ...] = (), rules: tuple[Object, ...] = (RULE,)) -> Configuration:
    """The configuration of these VirtualServices over the Services `web` (two versions) and `web-canary`."""
    world = World(
        services=(
            service("web", "127.96.0.1"),
            service("web-canary", "127.96.0.2"),
            service("db", "127.96.0.3", port=5432, port_name="tcp"),
        ),
        slices=(endpoints("web", [OLD, NEW]), endpoints("web-canary", [NEW]), endpoints("db", [OLD], port_name="tcp")),
        pods=(pod(OLD, version="1"), pod(NEW, version="2")),
        virtual_services=virtual_services,
        destination_rules=rules,
        gateways=gateways,
    )
    return translate(world, SETTINGS)


def gateway(*hosts: str, protocol: str = "HTTP") -> Object:
    """A Gateway `edge` of one server."""
    return {
        "kind": "Gateway",
        "metadata": metadata("edge"),
        "spec": {"servers": [{"port": {"number": 80, "protocol": protocol}, "hosts": list(hosts)}]},
    }


def addresses(configuration: Configuration, cluster: str) -> list[str]:
    """Where a cluster's endpoints are."""
    (group,) = configuration.clusters[cluster]["load_assignment"]["endpoints"]
    return [one["endpoint"]["address"]["socket_address"]["address"] for one in group["lb_endpoints"]]


@pytest.mark.parametrize(
    ("route", "who"),
    [
        pytest.param([destination("web")], {"web": 100}, id="one destination has all"),
        pytest.param([destination("web", 0)], {"web": 100}, id="whatever its weight"),
        pytest.param([destination("web", 80), destination("web-canary", 20)], {"web": 80, "web-canary": 20}, id="two hosts"),
        pytest.param(
            [destination("web", 95, subset="stable"), destination("web", 5, subset="canary")],
            {"web/stable": 95, "web/canary": 5},
            id="two subsets",
        ),
        pytest.param([destination("web", 100), destination("web-canary", 0)], {"web": 100}, id="no weight is nobody"),
        pytest.param([destination("web.shop.svc.cluster.local", 100)], {"web": 100}, id="by its full name"),
        pytest.param([destination("web", 0), destination("web-canary", 0)], 503, id="no weight at all is refused"),
    ],
)
def test_weights(route: list[Any], who: dict[str, int] | int) -> None:
    """By the Service's address and by its names alike."""
    found = configured(virtual_service("web", {"route": route}))
    assert answers(found, "mesh", WEB) == who
    assert answers(found, "names", "web.shop") == who
    assert answers(found, "names", "web.shop.svc.cluster.local:80") == who


def test_subsets_are_the_pods_with_all_the_labels() -> None:
    rule = destination_rule("web", "web", canary={"version": "2", "app": "web"}, stable={"version": "1"})
    found = configured(rules=(rule,))
    assert addresses(found, "outbound|80|stable|web.shop.svc.cluster.local") == [OLD]
    assert addresses(found, "outbound|80|canary|web.shop.svc.cluster.local") == []
    assert addresses(found, "outbound|80||web.shop.svc.cluster.local") == [OLD, NEW]


@pytest.mark.parametrize(
    ("match", "headers", "at", "hit"),
    [
        pytest.param({"headers": {"x-user": {"exact": "me"}}}, {"x-user": "me"}, "/", True, id="a header's value"),
        pytest.param({"headers": {"x-user": {"exact": "me"}}}, {"x-user": "you"}, "/", False, id="another value"),
        pytest.param({"headers": {"X-User": {"prefix": "m"}}}, {"x-user": "me"}, "/", True, id="a header's beginning"),
        pytest.param({"headers": {"x-user": {"regex": "m.*"}}}, {"x-user": "me"}, "/", True, id="an expression"),
        pytest.param(
            {"headers": {"x-user": {"regex": "m"}}}, {"x-user": "me"}, "/", False, id="an expression fits the whole value"
        ),
        pytest.param({"headers": {"x-user": {}}}, {"x-user": "any"}, "/", True, id="that the header is there"),
        pytest.param({"headers": {"x-user": {}}}, {}, "/", False, id="that it is not"),
        pytest.param({"headers": {"a": {"exact": "1"}, "b": {"exact": "2"}}}, {"a": "1"}, "/", False, id="all headers of a match"),
        pytest.param(
            {"withoutHeaders": {"x-user": {"exact": "me"}}}, {"x-user": "me"}, "/", False, id="a header that must not be so"
        ),
        pytest.param({"uri": {"prefix": "/api"}}, {}, "/apis", True, id="a path's beginning, letter by letter"),
        pytest.param({"uri": {"exact": "/api"}}, {}, "/api/x", False, id="an exact path"),
        pytest.param({"uri": {"regex": "/v[12]"}}, {}, "/v2", True, id="a path by expression"),
        pytest.param({"method": {"exact": "POST"}}, {}, "/", False, id="another method"),
        pytest.param({"authority": {"prefix": "web"}}, {}, "/", True, id="the Host"),
        pytest.param({"port": 81}, {}, "/", False, id="another port"),
        pytest.param({"gateways": ["edge"]}, {}, "/", False, id="another way in"),
        pytest.param({"sourceLabels": {"app": "x"}}, {}, "/", False, id="who calls is not known"),
    ],
)
def test_matches(match: dict[str, Any], headers: dict[str, str], at: str, hit: bool) -> None:
    special = {"match": [match], "route": [destination("web-canary")]}
    found = configured(virtual_service("web", special, {"route": [destination("web")]}))
    assert answers(found, "mesh", WEB, at, headers) == ({"web-canary": 100} if hit else {"web": 100})


def test_any_of_several_matches_will_do_and_the_first_route_wins() -> None:
    either = {
        "match": [{"headers": {"a": {"exact": "1"}}}, {"headers": {"b": {"exact": "1"}}}],
        "route": [destination("web-canary")],
    }
    found = configured(virtual_service("web", either, {"route": [destination("web")]}))
    assert [answers(found, "mesh", WEB, headers=sent) for sent in ({"a": "1"}, {"b": "1"}, {})] == [
        {"web-canary": 100},
        {"web-canary": 100},
        {"web": 100},
    ]


def test_no_match_is_404() -> None:
    found = configured(virtual_service("web", {"match": [{"uri": {"exact": "/x"}}], "route": [destination("web")]}))
    assert answers(found, "mesh", WEB, "/y") == 404


@pytest.mark.parametrize(
    ("mirror", "wanted"),
    [
        pytest.param({"mirror": {"host": "web-canary"}}, 1_000_000, id="all, unless told otherwise"),
        pytest.param({"mirror": {"host": "web-canary"}, "mirrorPercentage": {"value": 12.5}}, 125_000, id="a percentage"),
        pytest.param({"mirror": {"host": "web-canary"}, "mirrorPercentage": {"value": 0}}, 0, id="none"),
        pytest.param(
            {"mirrors": [{"destination": {"host": "web-canary"}, "percentage": {"value": 5}}]}, 50_000, id="the newer list"
        ),
    ],
)
def test_mirrors(mirror: dict[str, Any], wanted: int) -> None:
    found = route_for(configured(virtual_service("web", {"route": [destination("web")], **mirror})), "mesh", WEB)
    assert found is not None
    (policy,) = found["route"]["request_mirror_policies"]
    assert policy["cluster"] == "outbound|80||web-canary.shop.svc.cluster.local"
    assert policy["runtime_fraction"]["default_value"] == {"numerator": wanted, "denominator": "MILLION"}


@pytest.mark.parametrize(
    ("route", "says"),
    [
        pytest.param([destination("nobody")], "no Service nobody", id="an unknown host"),
        pytest.param([destination("web", subset="gone")], "no subset 'gone'", id="an unknown subset"),
        pytest.param([destination("web", port=81)], "port 81", id="an unknown port"),
    ],
)
def test_a_destination_that_is_not_there_is_said(route: list[Any], says: str) -> None:
    found = configured(virtual_service("web", {"route": route}))
    assert any(says in problem.message for problem in found.problems)


def test_a_route_that_cannot_be_read_answers_503_and_leaves_the_others() -> None:
    bad = {"name": "bad", "match": [{"uri": {"prefix": "/bad"}}], "route": [destination("web")], "timeout": "soon"}
    found = configured(virtual_service("web", bad, {"route": [destination("web")]}))
    assert (answers(found, "mesh", WEB, "/bad"), answers(found, "mesh", WEB, "/")) == (503, {"web": 100})
    assert "http route bad" in found.problems[0].message


def test_the_oldest_virtual_service_speaks_for_a_host() -> None:
    late = virtual_service("a", {"route": [destination("web-canary")]}, age=5)
    found = configured(late, virtual_service("b", {"route": [destination("web", subset="stable")]}, age=1))
    assert answers(found, "mesh", WEB) == {"web/stable": 100}
    assert found.problems[0].about == "VirtualService shop/a"


@pytest.mark.parametrize(
    ("hosts", "offered", "asked", "who"),
    [
        pytest.param(["a.test"], ["a.test"], "a.test", {"web": 100}, id="the same host"),
        pytest.param(["a.test"], ["*"], "a.test", {"web": 100}, id="a Gateway for all"),
        pytest.param(["a.b.test"], ["*.b.test"], "a.b.test", {"web": 100}, id="a Gateway for a domain"),
        pytest.param(["*.b.test"], ["x.b.test"], "x.b.test", {"web": 100}, id="the Gateway is narrower"),
        pytest.param(["*.b.test"], ["x.b.test"], "y.b.test", 404, id="and only that"),
        pytest.param(["a.test"], ["shop/a.test"], "a.test", {"web": 100}, id="a Gateway's host with its namespace"),
        pytest.param(["a.test"], ["b.test"], "a.test", 404, id="a host the Gateway does not have"),
    ],
)
def test_gateway_hosts(hosts: list[str], offered: list[str], asked: str, who: dict[str, int] | int) -> None:
    edge = virtual_service("web", {"route": [destination("web")]}, hosts=hosts, gateways=["edge"])
    assert answers(configured(edge, gateways=(gateway(*offered),)), "ingress", asked) == who


def test_routes_of_a_gateway_do_not_count_in_the_mesh() -> None:
    edge = virtual_service("web", {"route": [destination("web-canary")]}, hosts=["web", "a.test"], gateways=["shop/edge"])
    found = configured(edge, gateways=(gateway("*"),))
    assert answers(found, "mesh", WEB) == {"web": 100}
    assert answers(found, "ingress", "a.test") == {"web-canary": 100}


@pytest.mark.parametrize(
    ("gateways", "says"),
    [
        pytest.param((), "it is not there", id="no such Gateway"),
        pytest.param((gateway("*", protocol="HTTPS"),), "plain HTTP only", id="HTTPS"),
    ],
)
def test_a_gateway_that_cannot_serve_is_said(gateways: tuple[Object, ...], says: str) -> None:
    edge = virtual_service("web", {"route": [destination("web")]}, hosts=["a.test"], gateways=["edge"])
    found = configured(edge, gateways=gateways)
    assert any(says in problem.message for problem in found.problems)


def test_tcp_connections_are_divided_too() -> None:
    spec: dict[str, Any] = {"tcp": [{"match": [{"port": 5432}], "route": [destination("db", 90), destination("web", 10, port=80)]}]}
    found = configured(virtual_service("db", hosts=["db"], **spec))
    (chain,) = found.listeners["127.96.0.3:5432"]["filter_chains"]
    clusters = chain["filters"][0]["typed_config"]["weighted_clusters"]["clusters"]
    assert [(one["name"], one["weight"]) for one in clusters] == [
        ("outbound|5432||db.shop.svc.cluster.local", 90),
        ("outbound|80||web.shop.svc.cluster.local", 10),
    ]


def test_tls_connections_go_by_server_name() -> None:
    tls = [{"match": [{"port": 5432, "sniHosts": ["db.test"]}], "route": [destination("web", port=80)]}]
    found = configured(virtual_service("db", hosts=["db"], tls=tls))
    first, last = found.listeners["127.96.0.3:5432"]["filter_chains"]
    assert first["filter_chain_match"] == {"server_names": ["db.test"]}
    assert "filter_chain_match" not in last


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("5s", "5s"), ("0.5s", "0.5s"), ("200ms", "0.2s"), ("1m30s", "90s"), ("1h", "3600s"), ("", ""), (None, "")],
)
def test_durations(text: str | None, wanted: str) -> None:
    assert seconds(text) == wanted


@pytest.mark.parametrize("text", ["5", "soon", "-1s", "s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        seconds(text)


@pytest.mark.parametrize(
    ("host", "key"),
    [
        ("web", ("shop", "web")),
        ("web.other", ("other", "web")),
        ("web.other.svc", ("other", "web")),
        ("web.other.svc.cluster.local", ("other", "web")),
        ("www.example.com", None),
        ("*", None),
    ],
)
def test_hosts_are_read_as_istio_does(host: str, key: tuple[str, str] | None) -> None:
    assert resolve_host(host, "shop", "cluster.local") == key
