"""Where no EndpointSlice tells of a Service's pods, its selector does."""

from __future__ import annotations

from typing import Any

import pytest

from kube.objects import Object
from sandbox.gateway.selected import with_selected
from tests.gateway_objects import NS, endpoints, service

LABELS = {"app": "web"}


def pod(address: str, *, ready: bool = True, deleting: bool = False, phase: str = "Running", **labels: str) -> Object:
    metadata: dict[str, Any] = {"name": f"pod-{address}", "namespace": NS, "labels": labels or LABELS}
    if deleting:
        metadata["deletionTimestamp"] = "2024-01-01T00:00:00Z"
    containers = [{"name": "web", "ports": [{"name": "http", "containerPort": 8080}]}]
    conditions = [{"type": "Ready", "status": str(ready)}]
    return {
        "metadata": metadata,
        "spec": {"containers": containers},
        "status": {"podIP": address, "phase": phase, "conditions": conditions},
    }


def answering(slices: tuple[Object, ...]) -> dict[str, int]:
    """Return who is ready, with the port."""
    return {
        endpoint["addresses"][0]: piece["ports"][0]["port"]
        for piece in slices
        for endpoint in piece["endpoints"]
        if endpoint["conditions"]["ready"]
    }


WEB = service("web", selector=LABELS)


@pytest.mark.parametrize(
    ("pods", "ready"),
    [
        pytest.param([pod("127.9.0.1"), pod("127.9.0.2")], {"127.9.0.1": 8080, "127.9.0.2": 8080}, id="all that it selects"),
        pytest.param([pod("127.9.0.1", app="other")], {}, id="nobody else's"),
        pytest.param([pod("127.9.0.1", ready=False)], {}, id="none that is not ready"),
        pytest.param([pod("127.9.0.1", deleting=True)], {}, id="none that is going"),
        pytest.param([pod("127.9.0.1", phase="Failed")], {}, id="none that has ended"),
        pytest.param([pod("10.0.0.1")], {}, id="none that is on another machine"),
    ],
)
def test_a_service_without_slices_has_the_pods_that_its_selector_finds(pods: list[Object], ready: dict[str, int]) -> None:
    assert answering(with_selected([], services=[WEB], pods=pods)) == ready


def test_a_slice_that_tells_of_pods_is_believed_even_if_the_selector_finds_more() -> None:
    told = endpoints("web", ["127.9.0.1"])
    assert with_selected([told], services=[WEB], pods=[pod("127.9.0.1"), pod("127.9.0.2")]) == (told,)


def test_an_empty_slice_tells_nothing() -> None:
    found = with_selected([endpoints("web", [])], services=[WEB], pods=[pod("127.9.0.1")])
    assert answering(found) == {"127.9.0.1": 8080}


def test_a_named_port_is_looked_up_in_the_pod() -> None:
    named = service("web", selector=LABELS)
    named["spec"]["ports"][0]["targetPort"] = "http"
    assert answering(with_selected([], services=[named], pods=[pod("127.9.0.1")])) == {"127.9.0.1": 8080}


def test_a_service_that_publishes_what_is_not_ready_has_it() -> None:
    eager = service("web", selector=LABELS, publishNotReadyAddresses=True)
    assert answering(with_selected([], services=[eager], pods=[pod("127.9.0.1", ready=False)])) == {"127.9.0.1": 8080}


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(service("web"), id="without a selector"),
        pytest.param(service("web", selector=LABELS, type="ExternalName"), id="that leads out of the cluster"),
        pytest.param({**WEB, "spec": {"selector": "nonsense", "ports": []}}, id="that cannot be read"),
    ],
)
def test_a_service_gets_nothing(other: Object) -> None:
    assert with_selected([], services=[other], pods=[pod("127.9.0.1")]) == ()
