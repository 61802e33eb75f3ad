"""Asking a scripted Prometheus over HTTP: what is sent, what is kept, and the one sentence when it goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from aiohttp import web

from analysis.history.answers import Answer, HistoryError
from analysis.history.client import Address, History
from tests.scripted_server import Server, a_status, answers, serving

SECRET = "s3cr3t-token"


def envelope(kind: str, result: Any, **more: Any) -> Callable[[], web.Response]:
    return lambda: web.json_response({"status": "success", "data": {"resultType": kind, "result": result}, **more})


async def ask(*script: Callable[[], web.StreamResponse], path: str = "", **address: Any) -> tuple[Answer, Server]:
    async with serving(answers(*script)) as server:
        return await asyncio.to_thread(_instant, Address(url=server.url + path, **address)), server


def _instant(address: Address) -> Answer:
    with History(address) as history:
        return history.instant("up", at_ms=1_500)


@pytest.mark.parametrize(
    ("kind", "result"),
    [
        pytest.param("vector", [{"metric": {"job": "a"}, "value": [1.5, "NaN"]}], id="vector"),
        pytest.param("scalar", [1.5, "2"], id="scalar"),
        pytest.param("string", [1.5, "text"], id="string"),
    ],
)
async def test_the_result_keeps_its_type(kind: str, result: Any) -> None:
    answer, _ = await ask(envelope(kind, result))
    assert (answer.kind, answer.result) == (kind, result)


async def test_warnings_are_kept() -> None:
    answer, _ = await ask(envelope("vector", [], warnings=["a store is missing"]))
    assert answer.warnings == ("a store is missing",)


async def test_times_are_exact_and_the_server_knows_the_time_limit() -> None:
    _, server = await ask(envelope("vector", []), path="/prom/?tenant=a", timeout_seconds=7)
    method, path, _, _ = server.seen[0]
    assert (method, path) == ("GET", "/prom/api/v1/query?tenant=a&query=up&time=1.500&timeout=7s")


async def test_credentials_of_the_address_become_basic_auth_and_headers_are_sent() -> None:
    async with serving(answers(envelope("vector", []))) as server:
        url = server.url.replace("//", "//user:pass%21@")
        await asyncio.to_thread(_instant, Address(url=url, headers={"X-Scope-OrgID": "team"}))
    assert server.headers("authorization") == ["Basic dXNlcjpwYXNzIQ=="]
    assert server.headers("x-scope-orgid") == ["team"]


async def test_a_long_range_is_asked_for_in_parts_and_comes_back_as_one_matrix() -> None:
    async def script(request: web.Request) -> web.Response:
        at = [float(request.query[bound]) for bound in ("start", "end")]
        names = ["b", "a"] if at[0] == 0 else ["a"]
        result = [{"metric": {"pod": name}, "values": [[one, "1"] for one in at]} for name in names]
        return envelope("matrix", result, warnings=["slow"])()

    async with serving(script) as server:

        def asked() -> Answer:
            with History(Address(url=server.url)) as history:
                return history.range("up", start_ms=0, end_ms=7_000_000, step_ms=500)

        answer = await asyncio.to_thread(asked)
    assert [(one["metric"]["pod"], [at for at, _ in one["values"]]) for one in answer.result] == [
        ("a", [0, 4999.5, 5000, 7000]),
        ("b", [0, 4999.5]),
    ]
    assert answer.warnings == ("slow",)
    assert "start=0&end=4999.500&step=0.500" in server.seen[0][1]


def refused(kind: str, text: str) -> Callable[[], web.Response]:
    return lambda: web.json_response({"status": "error", "errorType": kind, "error": text}, status=400)


def a_redirect() -> web.Response:
    return web.Response(status=302, headers={"Location": "https://login.example/sign-in?token=x"})


@pytest.mark.parametrize(
    ("script", "says"),
    [
        pytest.param(refused("bad_data", "parse error"), "refuses the query: bad_data: parse error", id="a wrong query"),
        pytest.param(
            lambda: web.json_response({"status": "error", "error": "too slow"}),
            "refuses the query: error: too slow",
            id="200, error",
        ),
        pytest.param(
            lambda: web.Response(text="<html>Sign in</html>", content_type="text/html"),
            "does not answer like Prometheus but with text/html: <html>Sign in</html>; is the address right?",
            id="200 with HTML",
        ),
        pytest.param(a_status(502, "<h1>Bad gateway</h1>"), "answered 502: text/plain: <h1>Bad gateway</h1>", id="a broken proxy"),
        pytest.param(a_status(503, "busy"), "answered 503", id="busy, for every try"),
        pytest.param(a_status(429), "asked too much; try again later", id="429"),
        pytest.param(a_status(401), "give them with --header 'Authorization: Bearer TOKEN'", id="401"),
        pytest.param(a_status(404), "a path such as /prometheus may be missing", id="404"),
        pytest.param(a_redirect, "redirects to https://login.example; give that as --address", id="a redirect, not followed"),
        pytest.param(envelope("vector", None, data=7), "answered in an unknown form", id="no data"),
        pytest.param(refused("bad_data", f"no tenant {SECRET}"), "no tenant *****", id="an error that repeats the token"),
    ],
)
async def test_an_error_is_one_sentence_that_names_the_server_and_no_secret(
    script: Callable[[], web.StreamResponse], says: str
) -> None:
    with pytest.raises(HistoryError) as error:
        await ask(script, headers={"Authorization": f"Bearer {SECRET}"})
    assert str(error.value).startswith("Prometheus at http://127.0.0.1:")
    assert says in str(error.value)
    assert SECRET not in str(error.value)
    assert "\n" not in str(error.value)


async def test_a_busy_server_is_asked_again() -> None:
    answer, server = await ask(a_status(503), envelope("scalar", [1, "1"]))
    assert (answer.kind, len(server.seen)) == ("scalar", 2)


async def test_a_server_that_does_not_answer_in_time_is_given_up() -> None:
    released = asyncio.Event()

    async def never(_: web.Request) -> web.Response:
        await released.wait()
        return web.Response()

    async with serving(never) as server:
        with pytest.raises(HistoryError, match=r"no complete answer within 0.2 s; ask for less, or give a longer --timeout"):
            await asyncio.to_thread(_instant, Address(url=server.url, timeout_seconds=0.2))
        released.set()


async def test_an_answer_that_trickles_is_given_up_too() -> None:
    """The library's own limit is between two bytes: without ours, a byte now and then keeps it waiting for ever."""
    ticks: Iterator[float] = iter([0.0, *(100.0 for _ in range(1000))])

    def asked(url: str) -> None:
        with History(Address(url=url, timeout_seconds=10), clock=lambda: next(ticks)) as history:
            history.instant("up", at_ms=0)

    async with serving(answers(envelope("vector", []))) as server:
        with pytest.raises(HistoryError, match="no complete answer within 10 s"):
            await asyncio.to_thread(asked, server.url)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        pytest.param("prometheus:9090", "must read like http://prometheus.monitoring:9090", id="no scheme"),
        pytest.param("http://[", "must read like", id="no URL at all"),
        pytest.param(f"http://user:{SECRET}@127.0.0.1:1/?key=v", "at http://127.0.0.1:1 cannot be reached", id="nobody listens"),
    ],
)
def test_an_address_that_leads_nowhere_is_told_without_its_credentials(url: str, says: str) -> None:
    with pytest.raises(HistoryError) as error:
        _instant(Address(url=url))
    assert says in str(error.value)
    assert SECRET not in str(error.value)
    assert "key=v" not in str(error.value)
