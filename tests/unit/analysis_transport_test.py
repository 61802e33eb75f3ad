"""Carrying measurements over HTTP, against a server that behaves as scripted."""

from __future__ import annotations

import asyncio
import gc
import gzip
import shutil
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest
from aiohttp import web

from analysis.addresses import is_denied
from analysis.credentials import Credentials, CredentialsRefused, TokenRequest
from analysis.providers.base import HttpRequest, HttpResponse, TransportError
from analysis.transport import HttpTransport, TransportOptions
from tests.scripted_server import Script, Server, a_status, answers, serving

QUICK = TransportOptions(first_retry_seconds=0.001)


@asynccontextmanager
async def a_transport(options: TransportOptions = QUICK) -> AsyncIterator[HttpTransport]:
    transport = HttpTransport(options)
    try:
        yield transport
    finally:
        await transport.close()


OK = a_status(200, "fine")


async def test_a_request_arrives_as_it_was_made() -> None:
    async with serving(answers(OK)) as server, a_transport() as transport:
        request = HttpRequest(
            method="POST", url=f"{server.url}/q?a=1", params={"b": "2 3"}, headers=(("X-Scope-OrgID", "t"),), form={"query": "up"}
        )
        response = await transport.send(request)
    assert (response.status, response.body, response.truncated) == (200, b"fine", False)
    method, path, headers, body = server.seen[0]
    assert (method, path, body) == ("POST", "/q?a=1&b=2+3", "query=up")
    assert headers["x-scope-orgid"] == "t"
    assert headers["content-type"] == "application/x-www-form-urlencoded"


async def test_a_connection_is_used_again() -> None:
    async with serving(answers(OK)) as server, a_transport() as transport:
        for _ in range(3):
            await transport.send(HttpRequest(method="GET", url=server.url))
    assert len(server.peers) == 1


@pytest.mark.parametrize(
    ("responses", "request_fields", "status", "sent"),
    [
        pytest.param([a_status(503), a_status(429), OK], {}, 200, 3, id="429 and 503 are tried again"),
        pytest.param([a_status(503)], {}, 503, 4, id="a few times only, then the answer counts"),
        pytest.param([a_status(500), OK], {}, 500, 1, id="a 500 is an answer"),
        pytest.param([a_status(503), OK], {"method": "POST", "idempotent": False}, 503, 1, id="a POST of the user is sent once"),
        pytest.param([a_status(429, **{"Retry-After": "3600"}), OK], {}, 429, 1, id="a wait beyond the timeout is not begun"),
        pytest.param([a_status(429, **{"Retry-After": "0"}), OK], {}, 200, 2, id="a wait that fits is"),
        pytest.param(
            [a_status(405), OK], {"method": "POST", "form": {"query": "up"}}, 200, 2, id="a query refused as POST goes as GET"
        ),
    ],
)
async def test_busy_servers_are_asked_again_within_the_timeout(
    responses: Sequence[Any], request_fields: dict[str, Any], status: int, sent: int
) -> None:
    async with serving(answers(*responses)) as server, a_transport() as transport:
        response = await transport.send(HttpRequest(**{"method": "GET", "url": server.url, **request_fields}))
    assert (response.status, len(server.seen)) == (status, sent)


async def test_a_query_that_goes_as_get_keeps_its_parameters() -> None:
    async with serving(answers(a_status(405), OK)) as server, a_transport() as transport:
        await transport.send(HttpRequest(method="POST", url=f"{server.url}/q", form={"query": "a b"}))
    assert server.seen[1][:2] == ("GET", "/q?query=a+b")


def a_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_nobody_there_is_said_with_the_address_and_nothing_secret() -> None:
    port = a_free_port()
    async with a_transport() as transport:
        with pytest.raises(TransportError) as caught:
            await transport.send(HttpRequest(method="GET", url=f"http://bob:hunter22@127.0.0.1:{port}/private?token=hunter23"))
    assert f"cannot connect to http://127.0.0.1:{port}" in str(caught.value)
    assert "check the address" in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert "private" not in str(caught.value)


async def test_a_server_that_comes_up_late_is_reached() -> None:
    port, attempts = a_free_port(), 0
    started = asyncio.Event()
    runner = web.AppRunner(web.Application())
    await runner.setup()

    def jitter() -> float:
        nonlocal attempts
        attempts += 1
        return 0.5

    async def start() -> None:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        started.set()

    async with a_transport(TransportOptions(first_retry_seconds=0.05, maximum_attempts=10)) as plain:
        transport = HttpTransport(plain.options, jitter)
        sending = asyncio.create_task(
            transport.send(HttpRequest(method="GET", url=f"http://127.0.0.1:{port}/", timeout_seconds=20))
        )
        await start()
        await started.wait()
        assert (await sending).status == 404
        await transport.close()
    await runner.cleanup()


async def test_a_server_that_does_not_answer_is_given_up_after_the_timeout() -> None:
    release = asyncio.Event()

    async def hang(_: web.Request) -> web.StreamResponse:
        await release.wait()
        return web.Response()

    async with serving(hang) as server, a_transport() as transport:
        with pytest.raises(TransportError, match=r"no complete answer from http://127\.0\.0\.1:\d+ within 0\.2 s"):
            await transport.send(HttpRequest(method="GET", url=server.url, timeout_seconds=0.2))
        release.set()


async def test_an_answer_that_never_ends_is_given_up_after_the_timeout() -> None:
    async def trickle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x")
            await asyncio.sleep(0.01)

    async with serving(trickle) as server, a_transport() as transport:
        with pytest.raises(TransportError, match="no complete answer"):
            await transport.send(HttpRequest(method="GET", url=server.url, timeout_seconds=0.2))


@pytest.mark.parametrize("encoding", [pytest.param("identity", id="plain"), pytest.param("gzip", id="a compressed bomb")])
async def test_an_answer_is_cut_at_the_limit(encoding: str) -> None:
    body = b"x" * 100_000
    packed = gzip.compress(body) if encoding == "gzip" else body
    script = answers(lambda: web.Response(body=packed, headers={"Content-Encoding": encoding}))
    async with serving(script) as server, a_transport(TransportOptions(maximum_body_bytes=1000)) as transport:
        response = await transport.send(HttpRequest(method="GET", url=server.url))
    assert (len(response.body), response.truncated) == (1000, True)


async def test_a_connection_that_breaks_off_is_an_error_with_a_text() -> None:
    async def break_off(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"half")
        assert request.transport is not None
        request.transport.close()
        return response

    async with serving(break_off) as server, a_transport() as transport:
        with pytest.raises(TransportError, match=r"GET to http://127\.0\.0\.1:\d+ failed"):
            await transport.send(HttpRequest(method="GET", url=server.url))


async def test_redirects_on_the_same_host_are_followed() -> None:
    script = answers(a_status(302, Location="/there?x=1"), OK)
    async with serving(script) as server, a_transport() as transport:
        response = await transport.send(HttpRequest(method="GET", url=f"{server.url}/here", headers=(("X-Token", "t"),)))
    assert response.status == 200
    assert [path for _, path, _, _ in server.seen] == ["/here", "/there?x=1"]
    assert server.headers("x-token") == ["t", "t"]


@pytest.mark.parametrize(
    ("status", "method", "body"),
    [
        pytest.param(303, "GET", "", id="303 becomes GET"),
        pytest.param(302, "GET", "", id="302 becomes GET"),
        pytest.param(307, "POST", "data", id="307 is sent again"),
    ],
)
async def test_a_redirected_post(status: int, method: str, body: str) -> None:
    async with serving(answers(a_status(status, Location="/there"), OK)) as server, a_transport() as transport:
        await transport.send(HttpRequest(method="POST", url=server.url, body=b"data", idempotent=False))
    assert (server.seen[1][0], server.seen[1][3]) == (method, body)


@pytest.mark.parametrize(
    "location",
    [
        pytest.param("http://localhost:{port}/x", id="another name"),
        pytest.param("http://127.0.0.1:1/x", id="another port"),
        pytest.param("http://169.254.169.254/latest", id="the metadata service"),
    ],
)
async def test_redirects_elsewhere_are_not_followed(location: str) -> None:
    async def redirect(request: web.Request) -> web.StreamResponse:
        return a_status(302, Location=location.format(port=request.url.port))()

    async with serving(redirect) as server, a_transport() as transport:
        with pytest.raises(TransportError, match="which is not followed; put that address into the metric"):
            await transport.send(HttpRequest(method="GET", url=server.url))
    assert len(server.seen) == 1


async def test_a_circle_of_redirects_ends() -> None:
    async with serving(answers(a_status(302, Location="/again"))) as server, a_transport() as transport:
        with pytest.raises(TransportError, match="redirects in a circle"):
            await transport.send(HttpRequest(method="GET", url=server.url))
    assert len(server.seen) == 11


async def test_cookies_of_one_metric_are_not_sent_with_the_next() -> None:
    async with serving(answers(a_status(200, **{"Set-Cookie": "session=1"}))) as server, a_transport() as transport:
        for _ in range(2):
            await transport.send(HttpRequest(method="GET", url=server.url))
    assert server.headers("cookie") == [None, None]


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("http://169.254.169.254/latest/meta-data", id="the metadata address"),
        pytest.param("http://[fe80::1]/", id="link-local"),
        pytest.param("http://[::ffff:169.254.169.254]/", id="as IPv4 in IPv6"),
        pytest.param("http://metadata.google.internal/", id="a metadata name"),
        pytest.param("http://metadata.google.internal./", id="with the dot of the root"),
        pytest.param("http://2852039166/", id="as one number"),
        pytest.param("http://0xA9FEA9FE/", id="in hexadecimal"),
    ],
)
async def test_metadata_addresses_are_refused(url: str) -> None:
    async with a_transport() as transport:
        with pytest.raises(TransportError, match="link-local or metadata address"):
            await transport.send(HttpRequest(method="GET", url=url, timeout_seconds=2))


@pytest.mark.parametrize(
    ("address", "denied"),
    [
        pytest.param("169.254.0.1", True, id="IPv4 link-local"),
        pytest.param("fe80::1%eth0", True, id="IPv6 link-local with its zone"),
        pytest.param("fd00:ec2::254", True, id="a cloud's IPv6"),
        pytest.param("127.0.0.1", False, id="loopback"),
        pytest.param("10.0.0.1", False, id="private"),
        pytest.param("prometheus", False, id="a name"),
    ],
)
def test_denied_addresses(address: str, denied: bool) -> None:
    assert is_denied(address) is denied


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("", id="nothing"),
        pytest.param("prometheus:9090", id="no scheme"),
        pytest.param("file:///etc/passwd", id="a file"),
        pytest.param("http://", id="no host"),
        pytest.param("http://[", id="broken"),
        pytest.param("http://a:b:c/", id="a port that is none"),
    ],
)
async def test_what_is_no_address_is_refused(url: str) -> None:
    async with a_transport() as transport:
        with pytest.raises(TransportError, match="address"):
            await transport.send(HttpRequest(method="GET", url=url))


async def test_a_header_that_http_does_not_allow_is_refused_without_showing_it() -> None:
    async with serving(answers(OK)) as server, a_transport() as transport:
        with pytest.raises(TransportError) as caught:
            await transport.send(HttpRequest(method="GET", url=server.url, headers=(("X-Key", "hunter2\n"),)))
    assert "hunter2" not in str(caught.value)


async def test_basic_authentication() -> None:
    async with serving(answers(OK)) as server, a_transport() as transport:
        request = HttpRequest(
            method="GET", url=server.url, authentication={"basicAuth": {"username": "u", "password": "pässword"}, "oauth2": {}}
        )
        await transport.send(request)
    assert server.headers("authorization") == ["Basic dTpww6Rzc3dvcmQ="]


@pytest.mark.parametrize(
    ("authentication", "text"),
    [
        pytest.param({"sigv4": {"region": "eu"}}, "sigv4 is not served yet", id="sigv4"),
        pytest.param({"basicAuth": {"username": "u"}, "oauth2": {"clientId": "c"}}, "several of basicAuth, oauth2", id="two kinds"),
        pytest.param({"oauth2": {"clientId": "c"}}, "needs tokenUrl, clientId and clientSecret", id="half an OAuth2"),
    ],
)
async def test_authentication_that_cannot_be_carried_out_is_refused(authentication: Any, text: str) -> None:
    async with serving(answers(OK)) as server, a_transport() as transport:
        with pytest.raises(TransportError, match=text):
            await transport.send(HttpRequest(method="GET", url=server.url, authentication=authentication))
    assert server.seen == []


def oauth2(server: Server, **fields: Any) -> HttpRequest:
    block = {"tokenUrl": f"{server.url}/token", "clientId": "me", "clientSecret": "hunter2", "scopes": ["read", "query"], **fields}
    return HttpRequest(method="GET", url=f"{server.url}/data", authentication={"oauth2": block})


def a_token_server(*tokens: dict[str, Any], token_status: int = 200, in_form: bool = False, refuse: Sequence[str] = ()) -> Script:
    left = list(tokens)

    async def script(request: web.Request) -> web.StreamResponse:
        if request.path == "/token":
            if in_form and "client_secret" not in await request.post():
                return web.Response(status=401)
            return web.json_response(left.pop(0) if len(left) > 1 else left[0], status=token_status)
        return web.Response(status=401 if request.headers.get("Authorization") in refuse else 200)

    return script


async def test_a_token_is_fetched_once_and_used_again() -> None:
    async with serving(a_token_server({"access_token": "t1", "expires_in": 3600})) as server, a_transport() as transport:
        for _ in range(3):
            assert (await transport.send(oauth2(server))).status == 200
        assert transport.known_secrets() == ("t1",)
    assert [path for _, path, _, _ in server.seen] == ["/token", "/data", "/data", "/data"]
    assert server.seen[0][3] == "grant_type=client_credentials&scope=read+query"
    assert server.headers("authorization") == ["Basic bWU6aHVudGVyMg==", *["Bearer t1"] * 3]


@pytest.mark.parametrize(
    ("script", "paths"),
    [
        pytest.param(
            a_token_server({"access_token": "t1", "expires_in": 5}, {"access_token": "t2"}),
            ["/token", "/data", "/token", "/data"],
            id="one about to expire is fetched anew",
        ),
        pytest.param(
            a_token_server({"access_token": "t1"}, {"access_token": "t2"}, refuse=["Bearer t1"]),
            ["/token", "/data", "/token", "/data", "/data"],
            id="one that is refused is fetched anew",
        ),
        pytest.param(
            a_token_server({"access_token": "t1"}, in_form=True),
            ["/token", "/token", "/data", "/data"],
            id="a server that wants the client in the form",
        ),
    ],
)
async def test_tokens_are_renewed(script: Script, paths: list[str]) -> None:
    async with serving(script) as server, a_transport() as transport:
        for _ in range(2):
            assert (await transport.send(oauth2(server))).status == 200
    assert [path for _, path, _, _ in server.seen] == paths


async def test_many_measurements_at_once_ask_for_one_token() -> None:
    async with serving(a_token_server({"access_token": "t1"})) as server, a_transport() as transport:
        await asyncio.gather(*(transport.send(oauth2(server)) for _ in range(5)))
    assert [path for _, path, _, _ in server.seen].count("/token") == 1


@pytest.mark.parametrize(
    ("script", "text"),
    [
        pytest.param(a_token_server({"error": "hunter2"}, token_status=401), "it answered 401; check tokenUrl", id="refused"),
        pytest.param(a_token_server({"error": "x"}, token_status=500), "it answered 500", id="broken"),
        pytest.param(a_token_server({"token": "hunter2"}), "has no access_token", id="no token in the answer"),
        pytest.param(a_token_server({"access_token": 7}), "access_token is not a text", id="a token that is no text"),
    ],
)
async def test_a_token_that_is_not_given_is_said_without_secrets(script: Script, text: str) -> None:
    async with serving(script) as server, a_transport() as transport:
        with pytest.raises(TransportError, match=text) as caught:
            await transport.send(oauth2(server))
    assert "hunter2" not in str(caught.value)
    assert "/data" not in [path for _, path, _, _ in server.seen]


def held_by(root: object) -> list[object]:
    """Return everything that an object keeps alive, code aside."""
    found, left = {id(root): root}, [root]
    while left:
        for one in gc.get_referents(left.pop()):
            if id(one) not in found and not isinstance(one, type | ModuleType | FunctionType):
                found[id(one)] = one
                left.append(one)
    return list(found.values())


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        pytest.param(HttpResponse(403, {}, b""), [], id="refused"),
        pytest.param(HttpResponse(200, {}, b'{"access_token": "t1"}'), ["t1"], id="given"),
    ],
)
async def test_nothing_is_kept_of_who_asked_for_a_token(answer: HttpResponse, kept: list[str]) -> None:
    credentials = Credentials()

    async def fetch(request: TokenRequest) -> HttpResponse:
        return answer

    for number in range(20):
        block = {"tokenUrl": "http://sso/token", "clientId": "me", "clientSecret": f"hunter{number}"}
        with suppress(CredentialsRefused):
            await credentials.header(HttpRequest(method="GET", url="http://x/", authentication={"oauth2": block}), fetch)
    held = held_by(credentials)
    assert not [one for one in held if isinstance(one, str) and "hunter" in one]
    assert not [one for one in held if isinstance(one, asyncio.Lock)]
    assert set(credentials.known_tokens()) == set(kept)


async def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(answers(OK)) as proxy, a_transport() as transport:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "")
        response = await transport.send(HttpRequest(method="GET", url="http://prometheus.invalid/api"))
    assert response.status == 200
    assert proxy.headers("host") == ["prometheus.invalid"]


async def test_few_connections_are_kept_open() -> None:
    async with serving(answers(OK)) as server, a_transport(TransportOptions(maximum_clients=2)) as transport:
        for user in "abcde":
            request = HttpRequest(method="GET", url=server.url, authentication={"basicAuth": {"username": user, "password": "p"}})
            assert (await transport.send(request)).status == 200
        assert len(transport._pools) == 2


async def test_urls_and_headers_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(answers(OK)) as server, a_transport() as transport:
        with caplog.at_level("DEBUG"):
            await transport.send(HttpRequest(method="GET", url=f"{server.url}/?key=hunter2", headers=(("X-Key", "hunter2"),)))
    assert len(server.seen) == 1
    assert "hunter2" not in caplog.text


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that nobody trusts, with its key in the same file."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("tls")
    command = (
        f"req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 -keyout {folder}/key"
    )
    subprocess.run([openssl, *command.split(), "-out", f"{folder}/certificate"], check=True, capture_output=True)
    both = folder / "both.pem"
    both.write_text((folder / "certificate").read_text() + (folder / "key").read_text())
    return both


def tls_of(certificate: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return context


async def test_an_unknown_certificate_is_refused_with_advice(certificate: Path) -> None:
    async with serving(answers(OK), tls=tls_of(certificate)) as server, a_transport() as transport:
        with pytest.raises(TransportError, match="trust its certificate with SSL_CERT_FILE, or set insecure: true"):
            await transport.send(HttpRequest(method="GET", url=server.url))
    assert server.seen == []


async def test_an_insecure_metric_accepts_any_certificate_for_itself_alone(certificate: Path) -> None:
    async with serving(answers(OK), tls=tls_of(certificate)) as server, a_transport() as transport:
        assert (await transport.send(HttpRequest(method="GET", url=server.url, insecure=True))).status == 200
        with pytest.raises(TransportError, match="certificate"):
            await transport.send(HttpRequest(method="GET", url=server.url))


async def test_certificates_of_the_environment_are_trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with serving(answers(OK), tls=tls_of(certificate)) as server, a_transport() as transport:
        assert (await transport.send(HttpRequest(method="GET", url=server.url))).status == 200
