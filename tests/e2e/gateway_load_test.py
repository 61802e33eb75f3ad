"""The load generator against real sockets: every request is sent once, and how it ended is told exactly."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from gateway_harness import App, running_apps

from sandbox.gateway.gateway import free_port
from sandbox.load.generator import LoadGenerator
from sandbox.load.result import Second, Snapshot
from sandbox.load.running import run
from sandbox.load.wire import Connection, Target
from tests.gateway_objects import OWN

ADDRESS = f"{OWN}.83.1"


@pytest.fixture
async def app() -> AsyncIterator[App]:
    found = App("v1", ADDRESS)
    async with running_apps(found):
        yield found


async def loaded(target: Target, until: Callable[[LoadGenerator], bool], *, rps: float = 500) -> Snapshot:
    """Send until a condition holds."""
    async with LoadGenerator(target, rps=rps) as load:
        while not until(load):
            await load.progress()
        return await load.stop()


async def test_every_answer_is_counted_by_version_and_status(app: App) -> None:
    found = await loaded(Target(url=f"http://{ADDRESS}:8080/"), lambda load: load.answered >= 100)
    assert (found.versions, found.statuses) == ({"v1": found.sent}, {200: found.sent})
    assert found.lost == 0
    assert len(app.heads) == found.sent
    assert 0 < found.latency_p50 <= found.latency_p95 <= found.latency_p99


async def test_connections_are_kept_open(app: App) -> None:
    """One after the other, so that one connection does."""
    connection = Connection(Target(url=f"http://{ADDRESS}:8080/"), timeout_seconds=5)
    for _ in range(20):
        await connection.ask()
    assert app.connections == 1
    await connection.closed()


async def test_an_application_s_errors_are_answers_a_gateway_s_are_losses(app: App) -> None:
    app.status = 500
    found = await loaded(Target(url=f"http://{ADDRESS}:8080/"), lambda load: load.answered >= 10)
    assert (found.statuses, found.lost) == ({500: found.sent}, 0)
    app.status = 503
    found = await loaded(Target(url=f"http://{ADDRESS}:8080/"), lambda load: load.answered >= 10)
    assert (found.statuses, found.lost) == ({503: found.sent}, found.sent)


async def test_nobody_listening_is_a_failure_to_connect() -> None:
    target = Target(url=f"http://127.0.0.1:{free_port()}/")
    found = await loaded(target, lambda load: load.snapshot().lost >= 5)
    assert found.failures == {"connect": found.sent}
    assert found.lost == found.sent


async def test_a_connection_cut_under_a_request_is_a_reset_and_not_tried_again() -> None:
    requests = 0

    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        await reader.readuntil(b"\r\n\r\n")
        requests += 1
        writer.close()

    server = await asyncio.start_server(cut, ADDRESS, 8090)
    async with server:
        found = await loaded(Target(url=f"http://{ADDRESS}:8090/"), lambda load: load.snapshot().lost >= 5)
    assert found.failures == {"reset": found.sent}
    assert requests == found.sent


async def test_an_answer_that_takes_too_long_is_a_timeout(app: App) -> None:
    app.delay_seconds = 30
    connection = Connection(Target(url=f"http://{ADDRESS}:8080/"), timeout_seconds=0.05)
    assert await connection.ask() == "timeout"
    await connection.closed()


async def test_requests_due_while_all_connections_are_busy_are_counted(app: App) -> None:
    app.delay_seconds = 30
    async with LoadGenerator(Target(url=f"http://{ADDRESS}:8080/"), rps=1000, connections=2, timeout_seconds=0.2) as load:
        await load.progress()
        found = await load.stop()
    assert found.failures["overload"] > 0
    assert found.failures["timeout"] >= 2


@pytest.mark.parametrize(
    ("raw", "body"),
    [
        pytest.param(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi", b"hi", id="with a length"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nh\r\n1;x=y\r\ni\r\n0\r\nt: v\r\n\r\n", b"hi", id="in chunks"
        ),
        pytest.param(b"HTTP/1.0 200 OK\r\n\r\nhi", b"hi", id="until the connection is closed"),
        pytest.param(b"HTTP/1.1 204 No Content\r\n\r\n", b"", id="without a body"),
    ],
)
async def test_bodies_of_every_form_are_read(raw: bytes, body: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(raw)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, ADDRESS, 8091)
    connection = Connection(Target(url=f"http://{ADDRESS}:8091/"), timeout_seconds=5)
    async with server:
        answer = await connection.ask()
    await connection.closed()
    assert not isinstance(answer, str)
    assert answer.body == body


async def test_each_second_is_reported_once(app: App) -> None:
    stop, seen = asyncio.Event(), list[Second]()

    def take(second: Second) -> None:
        seen.append(second)
        if len(seen) == 2:
            stop.set()

    found = await run(Target(url=f"http://{ADDRESS}:8080/"), rps=100, stop=stop, on_second=take)
    assert len({second.epoch for second in seen}) == 2
    assert sum(second.answered for second in found.seconds) == found.sent
