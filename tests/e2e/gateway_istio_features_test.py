"""What a VirtualService changes about requests, seen from the application behind a real Envoy."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from gateway_harness import App, ask, running_apps, running_gateway

from kube.objects import Object
from sandbox.gateway.gateway import Gateway
from sandbox.gateway.world import World
from tests.gateway_objects import OWN, destination, endpoints, service, virtual_service

MAIN, OTHER = f"{OWN}.86.1", f"{OWN}.86.2"
WEB, DB = f"{OWN}.186.1", f"{OWN}.186.2"


@pytest.fixture
async def apps() -> AsyncIterator[tuple[App, App]]:
    main, other = App("main", MAIN), App("other", OTHER)
    async with running_apps(main, other):
        yield main, other


@pytest.fixture
def lines() -> list[bytes]:
    return []


@pytest.fixture
async def gateway(apps: tuple[App, App], tmp_path: Path, lines: list[bytes]) -> AsyncIterator[Gateway]:
    async with running_gateway(tmp_path, lines) as found:
        yield found


async def serve(gateway: Gateway, *virtual_services: Object) -> None:
    """Serve `web` and `db`, a port of no declared protocol, with these VirtualServices."""
    services = (service("web", WEB), service("other"), service("db", DB, port=5432, port_name=""))
    slices = (endpoints("web", [MAIN]), endpoints("other", [OTHER]), endpoints("db", [OTHER], port_name=""))
    gateway.apply(World(services=services, slices=slices, virtual_services=virtual_services))
    await gateway.confirmed()


async def test_a_mirror_gets_a_copy_of_each_request_and_its_answers_are_dropped(gateway: Gateway, apps: tuple[App, App]) -> None:
    main, other = apps
    other.status = 500
    await serve(gateway, virtual_service("web", {"route": [destination("web")], "mirror": {"host": "other"}}))
    assert await ask(f"http://{WEB}/copy", 10) == {(200, "main"): 10}
    async with asyncio.timeout(5):
        while len(other.heads) < 10:
            other.asked.clear()
            await other.asked.wait()
    assert all(head.startswith("GET /copy ") for head in other.heads)
    assert len(main.heads) == 10


async def test_a_request_reaches_the_application_as_the_route_says(gateway: Gateway, apps: tuple[App, App]) -> None:
    route = {
        "match": [{"uri": {"prefix": "/old"}}],
        "rewrite": {"uri": "/new", "authority": "inner.test"},
        "headers": {"request": {"set": {"x-added": "100%"}, "remove": ["x-secret"]}},
        "route": [destination("web")],
    }
    await serve(gateway, virtual_service("web", route))
    assert await ask(f"http://{WEB}/old/page", x_secret="s", x_added="mine") == {(200, "main"): 1}
    head = apps[0].heads[0].lower()
    assert head.startswith("get /new/page http/1.1\r\nhost: inner.test\r\n")
    assert "x-added: 100%\r\n" in head
    assert "mine" not in head
    assert "x-secret" not in head
    assert "x-rollouts" not in head


async def test_the_listener_s_own_header_cannot_be_forged(gateway: Gateway) -> None:
    await serve(gateway)
    assert await ask(f"http://{WEB}/", x_rollouts_service="other.shop.svc.cluster.local:80") == {(200, "main"): 1}


async def test_without_a_declared_protocol_http_is_recognised_and_anything_else_passes(gateway: Gateway) -> None:
    """The application answers HTTP only, so the plain connection is one that says its first line slowly."""
    await serve(gateway, virtual_service("db", {"match": [{"uri": {"exact": "/no"}}], "route": [destination("web")]}, hosts=["db"]))
    assert await ask(f"http://{DB}:5432/no") == {(200, "main"): 1}
    assert await ask(f"http://{DB}:5432/other") == {(404, ""): 1}
    reader, writer = await asyncio.open_connection(DB, 5432)
    writer.write(b"\x16raw bytes\r\n\r\n")
    assert await reader.readuntil(b"\r\n\r\nother") == b"HTTP/1.1 200 X\r\ncontent-length: 5\r\nx-version: other\r\n\r\nother"
    writer.close()
    await writer.wait_closed()


async def test_the_proxy_tunnels_to_names_of_the_cluster_only(gateway: Gateway) -> None:
    await serve(gateway)
    answers = Counter[str]()
    for name in ("db.shop:5432", "example.com:443"):
        reader, writer = await asyncio.open_connection(gateway.proxy.address, gateway.proxy.port)
        writer.write(f"CONNECT {name} HTTP/1.1\r\nhost: {name}\r\n\r\n".encode())
        answers[(await reader.readuntil(b"\r\n")).decode().split()[1]] += 1
        writer.close()
        await writer.wait_closed()
    assert answers == {"200": 1, "403": 1}


async def test_the_account_of_requests_is_envoy_s_own_count(tmp_path: Path, apps: tuple[App, App]) -> None:
    """Metrics are counted from the access log: no request may be missing there, or twice, when Envoy is stopped."""
    lines: list[bytes] = []
    async with running_gateway(tmp_path, lines) as gateway:
        await serve(gateway)
        await ask(f"http://{WEB}/", 150)
        apps[0].status = 500
        await ask(f"http://{WEB}/", 50)
        counted = await gateway.stats("cluster.outbound.*web.shop.*external.upstream_rq_[0-9]+$")
    statuses = Counter(json.loads(line)["s"] for line in lines)
    assert statuses == {200: 150, 500: 50}
    assert {name.rpartition("_")[2]: value for name, value in counted.items()} == {"200": 150, "500": 50}
