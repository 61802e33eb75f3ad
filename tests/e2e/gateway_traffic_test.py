"""Real requests through a real Envoy: who answers is what the objects say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from gateway_harness import App, ask, running_apps, running_gateway

from sandbox.gateway.gateway import Gateway
from sandbox.gateway.world import World
from sandbox.load.generator import LoadGenerator
from sandbox.load.wire import Target
from tests.gateway_objects import (
    OWN,
    canary_ingress,
    destination,
    destination_rule,
    endpoints,
    ingress,
    path,
    pod,
    service,
    virtual_service,
)

STABLE, CANARY = f"{OWN}.81.1", f"{OWN}.81.2"


def world(weight: int = 0, **annotations: Any) -> World:
    """One web shop: a stable and a canary Service, an Ingress with its canary, and a mesh Service with two subsets."""
    return World(
        services=(service("web", f"{OWN}.181.1"), service("web-canary", f"{OWN}.181.2"), service("api", f"{OWN}.181.3")),
        slices=(endpoints("web", [STABLE]), endpoints("web-canary", [CANARY]), endpoints("api", [STABLE, CANARY])),
        pods=(pod(STABLE, version="1"), pod(CANARY, version="2")),
        ingresses=(ingress("web", path("web")), canary_ingress("web-canary", path("web-canary"), weight=weight, **annotations)),
        virtual_services=(
            virtual_service(
                "api",
                {"route": [destination("api", 100 - weight, subset="stable"), destination("api", weight, subset="canary")]},
                hosts=["api"],
            ),
        ),
        destination_rules=(destination_rule("api", "api", stable={"version": "1"}, canary={"version": "2"}),),
    )


@pytest.fixture
async def stable() -> AsyncIterator[App]:
    app = App("stable", STABLE)
    async with running_apps(app):
        yield app


@pytest.fixture
async def canary() -> AsyncIterator[App]:
    app = App("canary", CANARY)
    async with running_apps(app):
        yield app


@pytest.fixture
async def gateway(tmp_path: Path, stable: App, canary: App) -> AsyncIterator[Gateway]:
    async with running_gateway(tmp_path) as found:
        yield found


async def serve(gateway: Gateway, objects: World) -> None:
    gateway.apply(objects)
    await gateway.confirmed()


async def test_a_canary_gets_its_share(gateway: Gateway) -> None:
    """20 % of 2,000 requests, within five standard deviations."""
    await serve(gateway, world(20))
    answers = await ask(f"http://{gateway.ingress}/", 2000)
    assert 310 < answers[200, "canary"] < 490
    assert answers.total() == answers[200, "canary"] + answers[200, "stable"]


@pytest.mark.parametrize(
    ("headers", "who"),
    [
        pytest.param({}, "stable", id="the weight decides when nothing else does"),
        pytest.param({"x_canary": "always"}, "canary", id="the header says always"),
        pytest.param({"x_canary": "never", "cookie": "user=always"}, "stable", id="the header beats the cookie"),
        pytest.param(
            {"x_canary": "perhaps", "cookie": "user=always"}, "canary", id="a header that says neither leaves it to the cookie"
        ),
        pytest.param({"cookie": "a=b; user=always; c=d"}, "canary", id="the cookie among others"),
        pytest.param({"cookie": "xuser=always"}, "stable", id="a cookie whose name only ends so"),
        pytest.param({"cookie": "user=alwaysx"}, "stable", id="a cookie whose value only starts so"),
    ],
)
async def test_header_then_cookie_then_weight(gateway: Gateway, headers: dict[str, str], who: str) -> None:
    await serve(gateway, world(0, by_header="X-Canary", by_cookie="user"))
    assert await ask(f"http://{gateway.ingress}/", 20, **headers) == {(200, who): 20}


async def test_never_beats_a_weight_of_hundred(gateway: Gateway) -> None:
    await serve(gateway, world(100, by_header="x-canary", by_cookie="user"))
    assert await ask(f"http://{gateway.ingress}/", 20, x_canary="never") == {(200, "stable"): 20}
    assert await ask(f"http://{gateway.ingress}/", 20, cookie="user=never") == {(200, "stable"): 20}
    assert await ask(f"http://{gateway.ingress}/", 20) == {(200, "canary"): 20}


async def test_a_service_address_follows_the_virtual_service(gateway: Gateway) -> None:
    """As a sidecar would: by address and by name, whatever Host is sent to the address."""
    await serve(gateway, world(30))
    by_address = await ask(f"http://{OWN}.181.3/", 1000)
    by_name = await ask("http://api.shop.svc.cluster.local/", 1000, proxy=f"http://{gateway.proxy}")
    for answers in (by_address, by_name):
        assert 225 < answers[200, "canary"] < 375
        assert answers.total() == answers[200, "canary"] + answers[200, "stable"]


@pytest.mark.parametrize(
    "url",
    ["http://web.shop/", "http://web.shop:80/", "http://web.shop.svc/", "http://web/", f"http://{OWN}.181.1/"],
    ids=["namespace", "port", "svc", "name alone", "address"],
)
async def test_every_name_of_a_service_leads_to_it(gateway: Gateway, url: str) -> None:
    await serve(gateway, world())
    assert await ask(url, proxy=f"http://{gateway.proxy}") == {(200, "stable"): 1}


@pytest.mark.parametrize("url", ["http://example.com/", "http://web.shop:81/", "http://nobody.shop/", "http://127.0.0.1/"])
async def test_names_outside_the_cluster_are_refused(gateway: Gateway, url: str) -> None:
    await serve(gateway, world())
    ((status, text),) = await ask(url, proxy=f"http://{gateway.proxy}")
    assert status == 403
    assert "names of the cluster only" in text


async def test_no_request_is_lost_in_a_hundred_weight_changes(gateway: Gateway, stable: App, canary: App) -> None:
    """Each change is in force before the next, requests are under way all the time, nobody retries."""
    stable.delay_seconds = canary.delay_seconds = 0.005
    await serve(gateway, world(0))
    targets = [Target(url=f"http://{gateway.ingress}/", host="shop.test"), Target(url=f"http://{OWN}.181.3/")]
    async with LoadGenerator(targets[0], rps=150) as ingress_load, LoadGenerator(targets[1], rps=150) as mesh_load:
        for step in range(100):
            await serve(gateway, world(step % 10 * 11))
            await gateway.settle()
            before = ingress_load.answered + mesh_load.answered
            while ingress_load.answered + mesh_load.answered < before + 3:
                await ingress_load.progress()
        found = [await load.stop() for load in (ingress_load, mesh_load)]
    for one in found:
        assert one.lost == 0
        assert one.statuses == {200: one.sent}
        assert set(one.versions) == {"stable", "canary"}
        assert one.sent > 100


async def test_a_pod_that_is_going_away_is_left_before_it_is_gone(gateway: Gateway, stable: App, canary: App) -> None:
    """Requests under way finish on the old pod, new ones go to the other; the pod may then close its connections."""
    stable.delay_seconds = 0.2
    await serve(gateway, world())
    slow = asyncio.create_task(ask(f"http://{gateway.ingress}/"))
    await stable.asked.wait()
    moved = World(services=world().services, slices=(endpoints("web", [CANARY]),), ingresses=(ingress("web", path("web")),))
    await serve(gateway, moved)
    assert await ask(f"http://{gateway.ingress}/", 20) == {(200, "canary"): 20}
    assert await slow == {(200, "stable"): 1}


async def test_bad_objects_leave_the_good_ones_served(gateway: Gateway) -> None:
    """An Ingress of a foreign class, one without paths, and a VirtualService full of nonsense."""
    good = world()
    bad = World(
        services=good.services,
        slices=good.slices,
        pods=good.pods,
        ingresses=(*good.ingresses, ingress("bad", host="other.test", rules=[{"host": "a b"}, {"host": "shop.test"}, "x"])),
        virtual_services=(virtual_service("bad", {"match": [{"uri": {"regex": "("}}], "route": [destination("nobody")]}),),
    )
    await serve(gateway, bad)
    assert await ask(f"http://{gateway.ingress}/", 5) == {(200, "stable"): 5}
    assert {problem.about for problem in gateway.problems} == {"Ingress shop/bad", "VirtualService shop/bad"}


async def test_a_killed_envoy_comes_back_as_it_was(gateway: Gateway) -> None:
    await serve(gateway, world(100))
    pid = gateway.envoy.pid
    assert pid is not None
    gateway.envoy.kill()
    await gateway.envoy.started(2)
    await gateway.confirmed()
    assert gateway.envoy.pid != pid
    assert await ask(f"http://{gateway.ingress}/", 5) == {(200, "canary"): 5}


@pytest.mark.usefixtures("stable", "canary")
async def test_the_next_gateway_in_a_folder_serves_what_the_last_one_did_before_it_knows_the_cluster(tmp_path: Path) -> None:
    """After a crash nobody meets a gateway that listens and knows no route."""
    async with running_gateway(tmp_path) as first:
        await serve(first, world(100))
    second = Gateway(tmp_path, first.settings)
    try:
        await second.start()
        assert await ask(f"http://{second.ingress}/", 5) == {(200, "canary"): 5}
        assert await ask(f"http://{OWN}.181.1/") == {(200, "stable"): 1}
        await serve(second, world(0))
        assert await ask(f"http://{second.ingress}/", 5) == {(200, "stable"): 5}
    finally:
        await second.stop()


@pytest.mark.usefixtures("stable", "canary")
async def test_what_cannot_be_taken_up_again_does_not_keep_the_next_gateway_from_starting(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as first:
        await serve(first, world())
    (tmp_path / "clusters.json").write_text('{"version_info":')
    second = Gateway(tmp_path, first.settings)
    try:
        await second.start()
        await serve(second, world())
        assert await ask(f"http://{second.ingress}/") == {(200, "stable"): 1}
    finally:
        await second.stop()


@pytest.mark.parametrize("left", ["127.0.0.1:9", ""])
async def test_the_admin_address_of_an_envoy_killed_at_its_start_does_not_keep_the_next_gateway_from_starting(
    tmp_path: Path, left: str
) -> None:
    (tmp_path / "admin-address").write_text(left)
    async with running_gateway(tmp_path) as gateway:
        await gateway.confirmed()


async def test_an_address_that_somebody_else_has_takes_nothing_else_with_it(gateway: Gateway) -> None:
    """Two gateways never share an address: the later one leaves it out and says so."""
    async with running_apps(App("squatter", f"{OWN}.181.1", 80)):
        await serve(gateway, world())
        assert [problem.about for problem in gateway.problems] == [f"{OWN}.181.1:80"]
        assert await ask(f"http://{OWN}.181.1/") == {(200, "squatter"): 1}
        assert await ask("http://web.shop/", proxy=f"http://{gateway.proxy}") == {(200, "stable"): 1}
    await serve(gateway, world())
    assert await ask(f"http://{OWN}.181.1/") == {(200, "stable"): 1}
