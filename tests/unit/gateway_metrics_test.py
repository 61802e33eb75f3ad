"""Metrics: what people's queries find, from the proxy's account of requests and from pods' own pages."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kube.objects import Object
from sandbox.metrics.exposition import BadExposition, Exposed, parse, relabelled
from sandbox.metrics.prometheus import cluster_objects, configuration
from sandbox.metrics.relay import page
from sandbox.metrics.requests import Requests, Workload
from sandbox.metrics.targets import Target, targets_of, workload_of
from tests.gateway_objects import endpoints, metadata, pod

WEB = Workload(name="web", namespace="shop", app="web", version="v2", pod_hash="abc", pod="web-abc-1")


def line(**more: Any) -> bytes:
    """A line of the access log."""
    entry = {
        "k": "mesh",
        "m": "GET",
        "s": 200,
        "f": "-",
        "d": 1500,
        "u": 1000,
        "c": "outbound|80||web.shop.svc.cluster.local",
        "h": "127.10.0.1:8080",
        "r": {"gateway": "mesh", "virtual_service": "shop/web"},
    }
    return json.dumps({**entry, **more}).encode()


def counted(*lines: bytes) -> dict[str, dict[str, float]]:
    """The metrics after these lines: by name, then by labels."""
    requests = Requests({"127.10.0.1": WEB}.get)
    for one in lines:
        requests.record(one)
    found: dict[str, dict[str, float]] = {}
    for sample in parse(requests.expose()).lines:
        found.setdefault(sample.name, {})[sample.labels] = float(sample.rest)
    return found


def total(found: dict[str, dict[str, float]], name: str, *having: str) -> float:
    """The sum over series that have all these labels."""
    return sum(value for labels, value in found.get(name, {}).items() if all(one in labels for one in having))


def test_istio_counts_by_destination_and_code() -> None:
    found = counted(line(), line(), line(s=500))
    source = 'reporter="source"'
    assert total(found, "istio_requests_total", source, 'destination_service="web.shop.svc.cluster.local"') == 3
    assert total(found, "istio_requests_total", source, 'response_code="500"', 'destination_version="v2"') == 1
    assert total(found, "istio_requests_total", 'reporter="destination"', 'destination_workload="web"') == 3
    assert total(found, "istio_requests_total", source, 'rollouts_pod_template_hash="abc"', 'source_workload="unknown"') == 3


def test_istio_durations_are_milliseconds() -> None:
    found = counted(line(d=700), line(d=30_000))
    source = 'reporter="source"'
    assert total(found, "istio_request_duration_milliseconds_bucket", source, 'le="1"') == 1
    assert total(found, "istio_request_duration_milliseconds_bucket", source, 'le="50"') == 2
    assert total(found, "istio_request_duration_milliseconds_sum", source) == pytest.approx(30.7)
    assert total(found, "istio_request_duration_milliseconds_count", source) == 2


def test_a_request_that_reached_no_pod_is_counted_by_its_caller_only() -> None:
    found = counted(line(s=503, h=None, f="UH"))
    assert total(found, "istio_requests_total", 'reporter="source"', 'response_code="503"', 'response_flags="UH"') == 1
    assert total(found, "istio_requests_total", 'reporter="destination"') == 0


def test_requests_of_a_gateway_have_it_as_their_source() -> None:
    found = counted(line(r={"gateway": "istio-system/edge"}))
    assert total(found, "istio_requests_total", 'source_workload="istio-ingressgateway"', 'reporter="source"') == 1


NGINX = {"namespace": "shop", "ingress": "web", "service": "web", "host": "shop.test", "path": "/", "port": "80"}


def test_nginx_counts_by_ingress_and_tells_the_canary() -> None:
    canary = line(r=NGINX, c="outbound|80||web-canary.shop.svc.cluster.local", s=502)
    found = counted(line(r=NGINX), canary, line(r={**NGINX, "host": "*"}))
    name = "nginx_ingress_controller_requests"
    assert total(found, name, 'ingress="web"', 'namespace="shop"', 'exported_service="web"') == 3
    assert total(found, name, 'canary="shop-web-canary-80"', 'status="502"') == 1
    assert total(found, name, 'host="_"', 'path="/"', 'method="GET"') == 1
    assert total(found, "nginx_ingress_controller_request_duration_seconds_bucket", 'le="0.005"') == 3
    assert total(found, "nginx_ingress_controller_response_duration_seconds_sum") == pytest.approx(0.003)


def test_nginx_requests_are_not_the_mesh_s() -> None:
    """There is no sidecar at ingress-nginx; the pod's own still sees them."""
    found = counted(line(r=NGINX))
    assert total(found, "istio_requests_total", 'reporter="source"') == 0
    assert total(found, "istio_requests_total", 'reporter="destination"', 'source_workload="ingress-nginx"') == 1


@pytest.mark.parametrize("bad", [b"", b"not json\n", b"[]\n", b"{}\n", b"null\n"])
def test_lines_that_are_no_requests_are_passed_over(bad: bytes) -> None:
    requests = Requests(lambda address: None)
    requests.record(bad)
    assert requests.unread == 1
    assert parse(requests.expose()).lines == ()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        pytest.param("a 1", 'a{pod="p"} 1', id="no labels"),
        pytest.param('a{x="y"} 2.5', 'a{pod="p",x="y"} 2.5', id="own labels stay"),
        pytest.param('a{x="y",} 1', 'a{pod="p",x="y"} 1', id="a comma at the end"),
        pytest.param(
            'a{pod="mine",x="y"} 1', 'a{pod="p",exported_pod="mine",x="y"} 1', id="a label of ours is kept under another name"
        ),
        pytest.param('a{xpod="mine"} 1', 'a{pod="p",xpod="mine"} 1', id="a label that only ends like ours"),
        pytest.param('a{x="pod=\\"q\\", }"} 1', 'a{pod="p",x="pod=\\"q\\", }"} 1', id="quotes and braces in a value"),
        pytest.param("a NaN 1700000000000", 'a{pod="p"} NaN 1700000000000', id="a time"),
        pytest.param("a +Inf", 'a{pod="p"} +Inf', id="infinity"),
    ],
)
def test_samples_get_the_pod_s_labels(text: str, wanted: str) -> None:
    assert list(relabelled(parse(text), {"pod": "p"})) == [wanted]


@pytest.mark.parametrize("text", ["<html>", "a", "a one", "a{x=y} 1", 'a{x="y} 1', "1a 2", "a 1 2 3"])
def test_what_is_no_exposition_counts_for_nothing(text: str) -> None:
    with pytest.raises(BadExposition):
        parse(f"good 1\n{text}\n")


def target(uid: str = "u", *, asked_for: bool = False, services: tuple[str, ...] = ("web",)) -> Target:
    """A pod that is to be scraped."""
    return Target(
        uid=uid, url="http://127.10.0.1/", labels=tuple({"pod": uid, "service": one} for one in services), asked_for=asked_for
    )


@pytest.mark.parametrize(
    ("one", "known", "up"),
    [
        pytest.param(target(), set(), [], id="a pod that never showed metrics has none"),
        pytest.param(target(), {"u"}, ['up{pod="u",service="web"} 0'], id="one that did is down"),
        pytest.param(target(asked_for=True), set(), ['up{pod="u",service="web"} 0'], id="one that says it has some is down"),
    ],
)
def test_up_for_a_pod_that_does_not_answer(one: Target, known: set[str], up: list[str]) -> None:
    assert page([(one, None)], known=known).splitlines()[1:] == up


def test_a_pod_of_two_services_is_there_for_both() -> None:
    exposed = parse("# HELP a text\n# TYPE a counter\na 1\n")
    found = page([(target(services=("web", "web-canary")), exposed)], known=set()).splitlines()
    assert 'a{pod="u",service="web"} 1' in found
    assert 'a{pod="u",service="web-canary"} 1' in found
    assert found.count("# TYPE a counter") == 1


def test_metrics_of_a_page_are_typed_once() -> None:
    exposed: Exposed = parse("# TYPE a counter\na 1\n")
    found = page([(target("x"), exposed), (target("y"), exposed)], known=set())
    assert found.count("# TYPE a counter") == 1


def a_pod(annotations: dict[str, str] | None = None, **status: Any) -> Object:
    """A running pod of a Rollout, with two ports."""
    made = dict(pod("127.10.0.1", app="web", rollouts_pod_template_hash="abc", version="v2"))
    owner = {"kind": "ReplicaSet", "name": "web-abc", "controller": True}
    made["metadata"] = {**made["metadata"], "annotations": annotations or {}, "ownerReferences": [owner]}
    ports = [{"containerPort": 53, "protocol": "UDP"}, {"containerPort": 8080}, {"containerPort": 9000}]
    return {**made, "spec": {"containers": [{"name": "app", "ports": ports}]}, "status": {**made["status"], **status}}


@pytest.mark.parametrize(
    ("made", "urls"),
    [
        pytest.param(a_pod(), ["http://127.10.0.1:8080/metrics"], id="the first TCP port"),
        pytest.param(
            a_pod({"prometheus.io/port": "9000", "prometheus.io/path": "stats"}),
            ["http://127.10.0.1:9000/stats"],
            id="as annotated",
        ),
        pytest.param(a_pod({"prometheus.io/scrape": "false"}), [], id="not wanted"),
        pytest.param(a_pod(phase="Pending"), [], id="not running"),
        pytest.param(a_pod(podIP=""), [], id="without an address"),
    ],
)
def test_targets(made: Object, urls: list[str]) -> None:
    assert [one.url for one in targets_of([made], [])] == urls


def test_targets_carry_the_labels_people_query_by() -> None:
    (found,) = targets_of([a_pod()], [endpoints("web", ["127.10.0.1"]), endpoints("web-canary", ["127.10.0.1"], ready=False)])
    assert [one["service"] for one in found.labels] == ["web", "web-canary"]
    first = found.labels[0]
    assert (first["namespace"], first["app"], first["rollouts_pod_template_hash"]) == ("shop", "web", "abc")
    assert first["pod"] == "pod-127-10-0-1"


def test_a_workload_is_the_set_s_owner() -> None:
    assert workload_of(a_pod()) == Workload(
        name="web", namespace="shop", app="web", version="v2", pod_hash="abc", pod="pod-127-10-0-1"
    )


def test_a_bare_pod_is_its_own_workload() -> None:
    found = workload_of({"metadata": metadata("lonely")})
    assert (found.name, found.app, found.version) == ("lonely", "lonely", "latest")


def test_prometheus_has_two_fixed_targets_and_keeps_their_labels() -> None:
    found = json.loads(configuration(1234, 0.5))
    assert found["global"]["scrape_interval"] == "500ms"
    assert [job["metrics_path"] for job in found["scrape_configs"]] == ["/pods", "/gateway"]
    assert all(job["honor_labels"] and job["static_configs"][0]["targets"] == ["127.0.0.1:1234"] for job in found["scrape_configs"])


def test_prometheus_is_a_service_where_templates_look_for_it() -> None:
    made = cluster_objects("127.0.0.1", 1234)
    services = [body for kind, body in made if kind.name == "Service"]
    assert [one["metadata"]["namespace"] for one in services] == ["monitoring", "istio-system"]
    assert all(one["spec"]["ports"][0]["port"] == 9090 and "selector" not in one["spec"] for one in services)
