"""Both clients over a real socket: pooling, credentials, silence, cuts, and what they make of them."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from kube_fakes import WIDGET, line, widget

from kube.client import Client
from kube.config import Connection, connect
from kube.errors import ApiError, Conflict, NotFound, Unreachable
from kube.informer import Informer
from kube.kinds import ObjectRef
from kube.lines import lines
from kube.quick import QuickClient
from kube.transport import Stream

A = ObjectRef(WIDGET, "shop", "a")
Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(handler: Handler, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Serve on a free port of this machine; yields the URL."""
    runner = web.ServerRunner(web.Server(handler), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    port = runner.addresses[0][1]
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def client_of(connection: Connection) -> AsyncIterator[Client]:
    client = Client(connect(connection))
    try:
        yield client
    finally:
        await client.close()


async def answer_widget(request: web.BaseRequest) -> web.StreamResponse:
    return web.json_response(widget("a"))


async def test_many_requests_share_few_connections() -> None:
    peers: set[Any] = set()

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        assert request.transport is not None
        peers.add(request.transport.get_extra_info("peername"))
        return web.json_response(widget("a"))

    async with serving(handler) as url, client_of(Connection(server=url)) as client:
        for _ in range(20):
            await client.get(WIDGET, "shop", "a")
    assert len(peers) == 1


async def test_a_path_prefix_of_the_server_is_kept_and_queries_are_encoded() -> None:
    seen: list[str] = []

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        seen.append(str(request.rel_url))
        return web.json_response({"kind": "WidgetList", "metadata": {}, "items": []})

    async with serving(handler) as url, client_of(Connection(server=f"{url}/k8s/clusters/c-1/")) as client:
        await client.list(WIDGET, "shop", label_selector="a in (b,c)")
    assert seen[0].startswith("/k8s/clusters/c-1/apis/shop.example/v1/namespaces/shop/widgets?")
    assert "%20in" in seen[0] or "+in" in seen[0]


async def test_a_refused_token_is_read_again_once(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("old")
    seen: list[str] = []

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        seen.append(request.headers["authorization"])
        if seen[-1] != "Bearer new":
            file.write_text("new")
            return web.Response(status=401)
        return web.json_response(widget("a"))

    async with serving(handler) as url, client_of(Connection(server=url, token_file=str(file))) as client:
        assert (await client.get(WIDGET, "shop", "a"))["kind"] == "Widget"
    assert seen == ["Bearer old", "Bearer new"]


async def test_a_watch_that_is_refused_goes_on_with_a_token_that_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("old")
    known = "Bearer old"
    seen: list[str] = []
    watched = asyncio.Event()

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        nonlocal known
        if "watch" not in request.rel_url.query:
            return web.json_response({"kind": "WidgetList", "metadata": {"resourceVersion": "1"}, "items": []})
        seen.append(request.headers["authorization"])
        if known == "Bearer old":  # expires between the list and the watch
            file.write_text("new")
            known = "Bearer new"
        if seen[-1] != known:
            return web.Response(status=401)
        watched.set()
        stream = web.StreamResponse()
        await stream.prepare(request)
        await asyncio.Event().wait()
        return stream

    async with serving(handler) as url, client_of(Connection(server=url, token_file=str(file))) as client:
        informer = asyncio.create_task(Informer(client, WIDGET).run())
        async with asyncio.timeout(20):
            await watched.wait()
        informer.cancel()
        await asyncio.gather(informer, return_exceptions=True)
    assert seen == ["Bearer old", "Bearer new"]


async def test_a_redirect_is_not_followed_so_that_credentials_go_nowhere_else() -> None:
    asked: list[str] = []

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        asked.append(request.path)
        raise web.HTTPFound("/elsewhere")

    async with serving(handler) as url, client_of(Connection(server=url, token="t")) as client:
        with pytest.raises(ApiError, match="HTTP 302"):
            await client.get(WIDGET, "shop", "a")
    assert len(asked) == 1


async def free_port() -> int:
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return port


async def test_nobody_listening_means_that_nothing_was_applied() -> None:
    connection = Connection(server=f"http://127.0.0.1:{await free_port()}")
    transport = connect(connection)
    with pytest.raises(Unreachable) as caught:
        await transport.request("POST", "/x", body=b"{}")
    assert not caught.value.maybe_applied
    with pytest.raises(Unreachable), QuickClient(connection) as quick:
        await asyncio.to_thread(quick.get, WIDGET, "shop", "a")
    await transport.close()


async def test_a_connection_cut_before_the_answer_means_that_it_may_have_been_applied() -> None:
    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        await request.read()
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    async with serving(handler) as url:
        transport = connect(Connection(server=url))
        with pytest.raises(Unreachable) as caught:
            await transport.request("POST", "/x", body=b"{}")
        assert caught.value.maybe_applied
        await transport.close()


async def test_a_server_that_does_not_answer_is_given_up() -> None:
    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        await asyncio.sleep(30)
        return web.Response()

    async with serving(handler) as url:
        transport = connect(Connection(server=url))
        with pytest.raises(Unreachable):
            await transport.request("GET", "/x", timeout_seconds=0.05)
        await transport.close()


def streaming(*chunks: bytes, cut: bool = False) -> Handler:
    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for chunk in chunks:
            await response.write(chunk)
        if cut:
            assert request.transport is not None
            request.transport.close()
            return response
        await asyncio.sleep(30)
        return response

    return handler


async def read_into(found: list[bytes], opened: AbstractAsyncContextManager[Stream]) -> None:
    async with opened as stream:
        async for batch in lines(stream.chunks()):
            found += batch


async def test_a_watch_has_no_limit_of_line_or_total_time_but_one_of_silence() -> None:
    huge = line("ADDED", widget("huge", data="x" * 5_000_000))
    found: list[bytes] = []
    async with serving(streaming(huge, b'{"cut')) as url:
        transport = connect(Connection(server=url))
        with pytest.raises(Unreachable, match="nothing came for"):
            await read_into(found, transport.stream("/x", idle_seconds=0.3))
        await transport.close()
    assert [len(one) for one in found] == [len(huge) - 1]


async def test_a_watch_that_is_cut_says_so() -> None:
    async with serving(streaming(b"{", cut=True)) as url:
        transport = connect(Connection(server=url))
        with pytest.raises(Unreachable, match="broke"):
            await read_into([], transport.stream("/x"))
        await transport.close()


async def test_an_informer_follows_a_real_stream_over_a_cut() -> None:
    watched: list[str] = []

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        if "watch" not in request.query:
            return web.json_response({"kind": "WidgetList", "metadata": {"resourceVersion": "10"}, "items": []})
        watched.append(request.query["resourceVersion"])
        event = line("ADDED", widget(f"w{len(watched)}", str(10 + len(watched))))
        return await streaming(event, cut=len(watched) < 3)(request)

    async with serving(handler) as url, client_of(Connection(server=url)) as client:
        informer = Informer(client, WIDGET)
        third = asyncio.Event()
        informer.on_change(lambda old, new: third.set() if new and new["metadata"]["name"] == "w3" else None)
        task = asyncio.create_task(informer.run())
        async with asyncio.timeout(30):
            await third.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert watched == ["10", "11", "12"]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A certificate for the name `api.cluster`, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    file = folder / "both.pem"
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    make += [
        "-subj",
        "/CN=api.cluster",
        "-addext",
        "subjectAltName=DNS:api.cluster",
        "-keyout",
        str(folder / "key"),
        "-out",
        str(file),
    ]
    try:
        subprocess.run(make, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    return file.read_bytes() + (folder / "key").read_bytes()


def server_tls(folder: Path, pem: bytes) -> ssl.SSLContext:
    file = folder / "server.pem"
    file.write_bytes(pem)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=pem.decode())
    tls.load_cert_chain(file)
    tls.verify_mode = ssl.CERT_REQUIRED
    return tls


async def test_tls_checks_the_wanted_name_and_shows_the_client_certificate(certificate: bytes, tmp_path: Path) -> None:
    pem = certificate
    async with serving(answer_widget, tls=server_tls(tmp_path, pem)) as url:
        identity = {"client_certificate": pem, "client_key": pem}
        good = Connection(server=url, ca_data=pem, tls_server_name="api.cluster", **identity)  # type: ignore[arg-type]
        async with client_of(good) as client:
            assert (await client.get(WIDGET, "shop", "a"))["kind"] == "Widget"
        with QuickClient(good) as quick:
            assert (await asyncio.to_thread(quick.get, WIDGET, "shop", "a"))["kind"] == "Widget"
        wrong_name = Connection(server=url, ca_data=pem, **identity)  # type: ignore[arg-type]
        with pytest.raises(Unreachable), QuickClient(wrong_name) as quick:
            await asyncio.to_thread(quick.get, WIDGET, "shop", "a")


async def test_the_quick_client_has_the_same_verbs_and_errors() -> None:
    seen: list[tuple[str, str]] = []

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        seen.append((request.method, request.path.rsplit("/", 1)[-1]))
        if request.method == "DELETE":
            return web.json_response({"kind": "Status", "code": 409, "reason": "Conflict", "message": "uid"}, status=409)
        if request.path.endswith("none"):
            return web.Response(status=404, text="404 page not found")
        return web.json_response(widget("a"))

    def use(url: str) -> None:
        with QuickClient(Connection(server=url, token="t")) as quick:
            assert quick.get(WIDGET, "shop", "a")["kind"] == "Widget"
            quick.patch(A, {"spec": {}}, subresource="status")
            with pytest.raises(Conflict, match="uid"):
                quick.delete(A, uid="u")
            with pytest.raises(NotFound, match="404 page not found"):
                quick.read("/none")

    async with serving(handler) as url:
        await asyncio.to_thread(use, url)
    assert seen == [("GET", "a"), ("PATCH", "status"), ("DELETE", "a"), ("GET", "none")]


async def test_the_quick_client_streams_lines() -> None:
    def use(url: str) -> list[bytes]:
        with QuickClient(Connection(server=url)) as quick, quick.lines("/x", idle_seconds=5) as found:
            return [next(found), next(found)]

    async with serving(streaming(b"one\nt", b"wo\n")) as url:
        assert await asyncio.to_thread(use, url) == [b"one", b"two"]


async def test_the_quick_client_survives_a_server_that_closed_the_kept_connection() -> None:
    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        response = web.json_response(widget("a"))
        await response.prepare(request)
        await response.write_eof()
        assert request.transport is not None
        asyncio.get_running_loop().call_soon(request.transport.close)
        return response

    def use(url: str) -> None:
        with QuickClient(Connection(server=url)) as quick:
            for _ in range(3):
                assert quick.get(WIDGET, "shop", "a")["kind"] == "Widget"

    async with serving(handler) as url:
        await asyncio.to_thread(use, url)
