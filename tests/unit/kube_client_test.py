"""The client: what it sends for each verb, what it makes of refusals, and when it asks again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from kube_fakes import WIDGET, LoopClock, ScriptedTransport, Sent, Steady, listing, ok, refusal, widget

from kube import errors
from kube.client import JSON_PATCH, Client
from kube.kinds import POD, ObjectRef
from kube.transport import Response

A = ObjectRef(WIDGET, "shop", "a")
PATH = "/apis/shop.example/v1/namespaces/shop/widgets"
pytestmark = pytest.mark.looptime


def client_of(*answers: Any) -> tuple[Client, ScriptedTransport]:
    transport = ScriptedTransport(answers)
    return Client(transport, field_manager="me", clock=LoopClock(), random=Steady()), transport  # type: ignore[arg-type]


MERGE = {"content-type": "application/merge-patch+json"}
JSON = {"content-type": "application/json"}
OPTIONS = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
EVICTION = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p", "namespace": "shop"}}


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        pytest.param(lambda c: c.get(WIDGET, "shop", "a"), Sent("GET", f"{PATH}/a", {}, {}, None), id="get"),
        pytest.param(
            lambda c: c.create(WIDGET, {"metadata": {"name": "a", "namespace": "shop"}}, dry_run=True),
            Sent(
                "POST",
                PATH,
                {"fieldManager": "me", "dryRun": "All"},
                JSON,
                {"apiVersion": "shop.example/v1", "kind": "Widget", "metadata": {"name": "a", "namespace": "shop"}},
            ),
            id="create without persisting",
        ),
        pytest.param(
            lambda c: c.patch(A, {"spec": {"x": 1}}),
            Sent("PATCH", f"{PATH}/a", {"fieldManager": "me"}, MERGE, {"spec": {"x": 1}}),
            id="a patch is a merge patch",
        ),
        pytest.param(
            lambda c: c.patch(A, {"status": {}, "metadata": {"labels": {"l": "1"}}}, subresource="status", version="7", uid="u"),
            Sent(
                "PATCH",
                f"{PATH}/a/status",
                {"fieldManager": "me"},
                MERGE,
                {"status": {}, "metadata": {"labels": {"l": "1"}, "resourceVersion": "7", "uid": "u"}},
            ),
            id="preconditions travel inside the patch",
        ),
        pytest.param(
            lambda c: c.apply(WIDGET, {"metadata": {"name": "a", "namespace": "shop"}}, force=True),
            Sent(
                "PATCH",
                f"{PATH}/a",
                {"fieldManager": "me", "force": "true"},
                {"content-type": "application/apply-patch+yaml"},
                {"apiVersion": "shop.example/v1", "kind": "Widget", "metadata": {"name": "a", "namespace": "shop"}},
            ),
            id="server-side apply",
        ),
        pytest.param(
            lambda c: c.replace(WIDGET, widget("a", "7")),
            Sent("PUT", f"{PATH}/a", {"fieldManager": "me"}, JSON, widget("a", "7")),
            id="replace",
        ),
        pytest.param(
            lambda c: c.delete(A, uid="u", grace_seconds=0),
            Sent("DELETE", f"{PATH}/a", {}, JSON, {**OPTIONS, "preconditions": {"uid": "u"}, "gracePeriodSeconds": 0}),
            id="delete only that one",
        ),
        pytest.param(
            lambda c: c.evict(ObjectRef(POD, "shop", "p"), uid="u"),
            Sent(
                "POST",
                "/api/v1/namespaces/shop/pods/p/eviction",
                {},
                JSON,
                {**EVICTION, "deleteOptions": {"preconditions": {"uid": "u"}}},
            ),
            id="evict only that one",
        ),
    ],
)
async def test_a_verb_sends_what_the_api_defines(call: Callable[[Client], Any], expected: Sent) -> None:
    client, transport = client_of(ok(widget("a")))
    await call(client)
    assert transport.sent == [expected]


@pytest.mark.parametrize(
    ("answer", "kind", "text"),
    [
        pytest.param(refusal(400, "BadRequest"), errors.BadRequest, "no", id="bad request"),
        pytest.param(refusal(401, "Unauthorized"), errors.Unauthorized, "no", id="unauthorized"),
        pytest.param(refusal(403, "Forbidden"), errors.Forbidden, "no", id="forbidden"),
        pytest.param(refusal(404, "NotFound"), errors.NotFound, "no", id="not found"),
        pytest.param(Response(404, {}, b"404 page not found"), errors.NotFound, "install its definition", id="a kind not served"),
        pytest.param(refusal(409, "AlreadyExists"), errors.AlreadyExists, "no", id="already exists"),
        pytest.param(refusal(409, "Conflict"), errors.Conflict, "no", id="conflict"),
        pytest.param(refusal(410, "Expired"), errors.Gone, "no", id="expired"),
        pytest.param(refusal(422, "Invalid"), errors.Invalid, "no", id="invalid"),
        pytest.param(
            refusal(422, "Invalid", details={"causes": [{"field": "metadata.uid"}]}),
            errors.Conflict,
            "no",
            id="an invalid uid is a conflict",
        ),
        pytest.param(refusal(500, "InternalError"), errors.ServerError, "no", id="server error"),
        pytest.param(Response(502, {}, b"<html>bad gateway"), errors.ServerError, "<html>bad gateway", id="a proxy's page"),
        pytest.param(Response(503, {}, b""), errors.ServerError, "check the address and proxies", id="a proxy without a word"),
        pytest.param(Response(302, {}, b""), errors.ApiError, "HTTP 302", id="a redirect is not followed"),
        pytest.param(Response(200, {}, b"<html>login"), errors.BadAnswer, "<html>login", id="a page instead of JSON"),
        pytest.param(Response(200, {}, b"[1]"), errors.BadAnswer, "[1]", id="an array instead of an object"),
    ],
)
async def test_a_refusal_becomes_an_error_that_names_the_request(answer: Response, kind: type[Exception], text: str) -> None:
    client, _ = client_of(answer)
    with pytest.raises(kind) as caught:
        await client.get(WIDGET, "shop", "a")
    assert type(caught.value) is kind
    assert f"GET {PATH}/a" in str(caught.value)
    assert text in str(caught.value)


def get(client: Client) -> Any:
    return client.get(WIDGET, "shop", "a")


def create(client: Client) -> Any:
    return client.create(WIDGET, widget("a"))


REFUSED = errors.Unreachable("refused", maybe_applied=False)
BROKEN = errors.Unreachable("reset")
SLOW = refusal(429, "TooManyRequests", retry_after="2")


@pytest.mark.parametrize(
    ("call", "failures", "requests"),
    [
        pytest.param(get, [SLOW], 2, id="429 is waited out"),
        pytest.param(create, [SLOW], 2, id="429 on create too: nothing was done"),
        pytest.param(get, [BROKEN, BROKEN], 3, id="a reset of a read"),
        pytest.param(create, [REFUSED], 2, id="a create that never left"),
        pytest.param(lambda c: c.patch(A, {}), [BROKEN], 2, id="a merge patch can be repeated"),
    ],
)
async def test_what_can_do_no_harm_is_asked_again(call: Callable[[Client], Any], failures: list[Any], requests: int) -> None:
    client, transport = client_of(*failures, ok(widget("a")))
    assert (await call(client))["metadata"]["name"] == "a"
    assert len(transport.sent) == requests
    assert client.retries == requests - 1


@pytest.mark.parametrize(
    ("call", "failure"),
    [
        pytest.param(create, BROKEN, id="a create that may have arrived"),
        pytest.param(lambda c: c.patch(A, [], content_type=JSON_PATCH), BROKEN, id="a JSON patch that may have arrived"),
        pytest.param(lambda c: c.evict(ObjectRef(POD, "shop", "p")), SLOW, id="an eviction that a budget forbids"),
        pytest.param(get, refusal(429, retry_after="60"), id="a server that wants a minute"),
        pytest.param(get, refusal(500), id="an internal error"),
    ],
)
async def test_what_could_do_harm_or_take_long_is_left_to_the_caller(call: Callable[[Client], Any], failure: Any) -> None:
    client, transport = client_of(failure)
    with pytest.raises(errors.ApiError):
        await call(client)
    assert len(transport.sent) == 1


async def test_it_gives_up_after_a_few_attempts() -> None:
    client, transport = client_of(*[REFUSED] * 10)
    with pytest.raises(errors.Unreachable):
        await get(client)
    assert len(transport.sent) == 4


async def test_the_server_s_wish_to_wait_is_honoured() -> None:
    client, _ = client_of(SLOW, ok(widget("a")))
    clock = LoopClock()
    before = clock.monotonic()
    await get(client)
    assert clock.monotonic() - before == pytest.approx(2.0)


@pytest.mark.parametrize("told", ["nan", "inf", "-inf", "1e999", "soon", "Mon, 99 Foo 2026 00:00:00 GMT"])
async def test_a_retry_after_that_nobody_could_wait_for_counts_as_none(told: str) -> None:
    client, _ = client_of(refusal(422, retry_after=told))
    with pytest.raises(errors.ApiError) as caught:
        await get(client)
    assert caught.value.retry_after_seconds is None


def test_a_wait_in_a_status_that_is_no_number_counts_as_none() -> None:
    status = {"reason": "TooManyRequests", "details": {"retryAfterSeconds": "soon"}}
    assert errors.error_of_status(status, code=429, request="GET /x").retry_after_seconds is None


async def test_a_retry_after_is_kept_on_the_error() -> None:
    client, _ = client_of(refusal(429, retry_after="60"))
    with pytest.raises(errors.TooManyRequests) as caught:
        await get(client)
    assert caught.value.retry_after_seconds == 60


async def test_a_list_is_fetched_in_pages() -> None:
    bare = {"metadata": {"name": "c", "namespace": "shop"}}
    client, transport = client_of(listing(widget("a"), widget("b"), token="next"), listing(bare, version="11"))
    found = await client.list(WIDGET, "shop", label_selector="l=1")
    assert [item["metadata"]["name"] for item in found.items] == ["a", "b", "c"]
    assert found.items[2]["kind"] == "Widget"
    assert found.resource_version == "11"
    assert [sent.query for sent in transport.sent] == [
        {"labelSelector": "l=1", "limit": "500"},
        {"labelSelector": "l=1", "limit": "500", "continue": "next"},
    ]


async def test_a_page_that_expired_restarts_the_list_in_one_piece() -> None:
    client, transport = client_of(listing(widget("a"), token="next"), refusal(410, "Expired"), listing(widget("b"), version="20"))
    found = await client.list(WIDGET)
    assert [item["metadata"]["name"] for item in found.items] == ["b"]
    assert transport.sent[2].query == {}


async def test_a_list_of_nothing_may_hold_null() -> None:
    client, _ = client_of(ok({"kind": "WidgetList", "metadata": {}, "items": None}))
    assert (await client.list(WIDGET)).items == []


async def test_an_address_without_a_namespace_is_refused_before_it_becomes_a_collection() -> None:
    client, transport = client_of()
    with pytest.raises(ValueError, match="does not address one object"):
        await client.delete(ObjectRef(WIDGET, "", "a"))
    assert transport.sent == []
