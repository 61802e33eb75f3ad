"""Services, their endpoints and names: who is reached, and where is listened."""

from __future__ import annotations

from typing import Any

import pytest

from kube.objects import Object
from sandbox.gateway.catalog import ClusterId
from sandbox.gateway.translate import Configuration, translate
from sandbox.gateway.world import Settings, Socket, World
from tests.gateway_objects import endpoints, metadata, pod, pod_name, service
from tests.gateway_picker import answers

SETTINGS = Settings(ingress=Socket("127.0.0.1", 8080), proxy=Socket("127.0.0.1", 8081))
CLUSTER = "outbound|80||web.shop.svc.cluster.local"


def configured(*slices: Object, services: tuple[Object, ...] = (), pods: tuple[Object, ...] = (), **settings: Any) -> Configuration:
    """The configuration of a Service `web` with these EndpointSlices."""
    world = World(services=services or (service("web", "127.96.0.1"),), slices=slices, pods=pods)
    wanted = Settings(ingress=SETTINGS.ingress, proxy=SETTINGS.proxy, **settings)
    return translate(world, wanted)


def reached(configuration: Configuration, cluster: str = CLUSTER) -> list[str]:
    """The addresses behind a cluster."""
    (group,) = configuration.clusters[cluster]["load_assignment"]["endpoints"]
    found = [one["endpoint"]["address"]["socket_address"] for one in group["lb_endpoints"]]
    return [f"{one['address']}:{one['port_value']}" for one in found]


@pytest.mark.parametrize(
    ("conditions", "there"),
    [
        pytest.param({"ready": True}, True, id="ready"),
        pytest.param({"ready": False}, False, id="not ready"),
        pytest.param({"ready": False, "serving": True, "terminating": True}, False, id="on its way out, though it still serves"),
        pytest.param({"ready": True, "terminating": True}, False, id="on its way out"),
    ],
)
def test_only_ready_endpoints_that_stay_are_reached(conditions: dict[str, Any], there: bool) -> None:
    assert reached(configured(endpoints("web", ["127.10.0.1"], **conditions))) == (["127.10.0.1:8080"] if there else [])


def test_a_pod_being_deleted_is_left_before_its_slice_says_so() -> None:
    going = {**pod("127.10.0.1"), "metadata": metadata(pod_name("127.10.0.1"), deletionTimestamp="2024-01-01T00:00:00Z")}
    found = configured(endpoints("web", ["127.10.0.1", "127.10.0.2"]), pods=(going, pod("127.10.0.2")))
    assert reached(found) == ["127.10.0.2:8080"]


def test_several_slices_are_one_set() -> None:
    found = configured(endpoints("web", ["127.10.0.2"]), endpoints("web", ["127.10.0.1", "127.10.0.2"]))
    assert reached(found) == ["127.10.0.1:8080", "127.10.0.2:8080"]


def test_ports_are_joined_by_name() -> None:
    ports = [{"name": "http", "port": 80}, {"name": "admin", "port": 9000}]
    found = configured(
        endpoints("web", ["127.10.0.1"], port=8080),
        endpoints("web", ["127.10.0.1"], port=9999, port_name="admin"),
        services=(service("web", "127.96.0.1", ports=ports),),
    )
    assert reached(found) == ["127.10.0.1:8080"]
    assert reached(found, "outbound|9000||web.shop.svc.cluster.local") == ["127.10.0.1:9999"]


def test_every_service_port_is_listened_on_at_its_own_address() -> None:
    found = configured(
        services=(service("web", "127.96.0.1"), service("api", "127.96.0.2", port=8080), service("headless", "None"))
    )
    assert set(found.listeners) == {"ingress", "names", "127.96.0.1:80", "127.96.0.2:8080"}


def test_nothing_is_listened_on_outside_loopback() -> None:
    found = configured(services=(service("web", "10.0.0.1"), service("wild", "0.0.0.0")))
    assert set(found.listeners) == {"ingress", "names"}
    assert all("not a loopback address" in problem.message for problem in found.problems)


def test_ports_that_may_not_be_bound_are_reached_by_name_only() -> None:
    found = configured(endpoints("web", ["127.10.0.1"]), lowest_port=1024)
    assert "127.96.0.1:80" not in found.listeners
    assert answers(found, "names", "web.shop") == {"web": 100}
    assert "need privileges" in found.problems[0].message


@pytest.mark.parametrize(
    ("host", "who"),
    [
        pytest.param("web", {"web": 100}, id="the name alone, when only one namespace has it"),
        pytest.param("web.shop", {"web": 100}, id="with namespace"),
        pytest.param("web.shop.svc.cluster.local:80", {"web": 100}, id="in full"),
        pytest.param("api", 403, id="a name that two namespaces have"),
        pytest.param("api.back", {"api": 100}, id="until the namespace is said"),
        pytest.param("prom.shop:9090", {"prom": 100}, id="with its port"),
        pytest.param("prom.shop", 403, id="80 is not its port"),
        pytest.param("example.com", 403, id="a name outside"),
    ],
)
def test_names(host: str, who: dict[str, int] | int) -> None:
    services = (service("web"), service("api"), service("api", namespace="back"), service("prom", port=9090))
    assert answers(configured(services=services), "names", host) == who


@pytest.mark.parametrize(
    ("name", "spec", "filters"),
    [
        pytest.param("http", {}, ["http"], id="http by its name"),
        pytest.param("http-admin", {}, ["http"], id="http by the beginning of its name"),
        pytest.param("tcp-db", {}, ["tcp"], id="tcp by its name"),
        pytest.param("", {}, ["http", "tcp"], id="without a name, by what is said first"),
        pytest.param("https", {}, ["tcp"], id="https is passed on as it is"),
        pytest.param("x", {"appProtocol": "http"}, ["http"], id="appProtocol beats the name"),
    ],
)
def test_what_is_spoken_on_a_port(name: str, spec: dict[str, str], filters: list[str]) -> None:
    found = configured(services=(service("web", "127.96.0.1", ports=[{"name": name, "port": 80, **spec}]),))
    chains = found.listeners["127.96.0.1:80"]["filter_chains"]
    assert [chain["filters"][0]["name"] for chain in chains] == filters


@pytest.mark.parametrize("cluster", [ClusterId("shop", "web", 80), ClusterId("shop", "web", 8080, "canary")])
def test_the_name_of_a_cluster_can_be_read_back(cluster: ClusterId) -> None:
    assert ClusterId.parse(cluster.name()) == cluster


def test_a_foreign_name_is_no_cluster() -> None:
    assert ClusterId.parse("-") is None
