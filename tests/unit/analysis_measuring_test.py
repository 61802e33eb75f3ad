"""Taking a measurement: Secrets, the request, the verdict, and texts that never show a secret."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.providers import served
from analysis.providers.base import HttpRequest, HttpResponse, TransportError
from analysis.redaction import Redactor
from analysis.run.perform import Measurer
from analysis.run.phases import Phase
from analysis.run.snapshot import Measure, Measured, Skipped, Unmeasurable
from kube.clock import SystemClock
from kube.errors import ApiError, NotFound
from kube.kinds import Kind
from kube.objects import Object
from kube.plan import Effect

TOKEN = {"name": "token", "valueFrom": {"secretKeyRef": {"name": "creds", "key": "token"}}}


@dataclass(slots=True)
class Secrets:
    """The Secrets of a cluster; `error` makes reading them fail."""

    data: Mapping[str, str] = field(default_factory=dict)
    error: ApiError | None = None
    asked: list[tuple[str, str, str]] = field(default_factory=list)

    async def get(self, kind: Kind, namespace: str, name: str) -> Object:
        self.asked.append((kind.name, namespace, name))
        if self.error:
            raise self.error
        return {"data": {key: base64.b64encode(value.encode()).decode() for key, value in self.data.items()}}


@dataclass(slots=True)
class Wire:
    """A transport that answers from a function."""

    answer: Callable[[HttpRequest], HttpResponse]
    sent: list[HttpRequest] = field(default_factory=list)
    tokens: tuple[str, ...] = ()

    async def send(self, request: HttpRequest) -> HttpResponse:
        self.sent.append(request)
        return self.answer(request)

    def known_secrets(self) -> tuple[str, ...]:
        return self.tokens


def a_body(text: str, status: int = 200) -> Callable[[HttpRequest], HttpResponse]:
    return lambda _: HttpResponse(status, {}, text.encode())


def web(**fields: Any) -> dict[str, Any]:
    conditions: dict[str, Any] = {key: fields.pop(key) for key in ("successCondition", "failureCondition") if key in fields}
    return {"name": "m", "provider": {"web": {"url": "http://checks/", **fields}}, **conditions}


async def measure(
    wire: Wire, metric: Mapping[str, Any], *arguments: Any, secrets: Secrets | None = None
) -> Measured | Skipped | Unmeasurable:
    measurer = Measurer(secrets or Secrets(), wire, served(), SystemClock())
    request = Measure(namespace="shop", metric=metric, arguments=arguments, number=1)
    return await measurer(("shop", "run"), Effect("measure/m/1", request))


async def a_measurement(*args: Any, **kwargs: Any) -> Measured:
    answer = await measure(*args, **kwargs)
    assert isinstance(answer, Measured)
    return answer


@pytest.mark.parametrize(
    ("body", "conditions", "phase"),
    [
        pytest.param('{"n": 1}', {"successCondition": "result.n == 1"}, "Successful", id="success holds"),
        pytest.param('{"n": 2}', {"successCondition": "result.n == 1"}, "Failed", id="success alone does not hold"),
        pytest.param('{"n": 2}', {"failureCondition": "result.n == 1"}, "Successful", id="failure alone does not hold"),
        pytest.param(
            '{"n": 2}', {"successCondition": "result.n < 1", "failureCondition": "result.n > 3"}, "Inconclusive", id="neither holds"
        ),
        pytest.param('{"n": 2}', {}, "Successful", id="no condition"),
        pytest.param('{"n": 2}', {"successCondition": "result.n"}, "Error", id="not a yes or no"),
        pytest.param("[]", {"successCondition": "result[0] > 1"}, "Error", id="the trap: an empty result is an error"),
    ],
)
async def test_the_answer_is_judged(body: str, conditions: dict[str, str], phase: str) -> None:
    measured = await a_measurement(Wire(a_body(body)), web(**conditions))
    assert measured.phase == phase
    assert measured.value == body.replace(" ", "")
    assert bool(measured.message) == (phase == "Error")


@pytest.mark.parametrize(
    ("result", "phase", "message"),
    [
        pytest.param([], "Error", "metric result is nil or empty: no data returned from the metric provider", id="no series"),
        pytest.param([{"metric": {}, "value": [1, "NaN"]}], "Failed", "", id="0/0 is a value, so the condition is false"),
        pytest.param([{"metric": {}, "value": [1, "0.96"]}], "Successful", "", id="a good rate"),
    ],
)
async def test_no_data_is_an_error_and_not_a_number_is_a_failure(result: list[Any], phase: str, message: str) -> None:
    body = json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}})
    prometheus = {"address": "http://prometheus", "query": "rate"}
    metric = {"name": "rate", "provider": {"prometheus": prometheus}, "successCondition": "result[0] >= 0.95"}
    measured = await a_measurement(Wire(a_body(body)), metric)
    assert measured.phase == phase
    assert message in measured.message


async def test_arguments_and_secrets_fill_the_request() -> None:
    wire, secrets = Wire(a_body("{}")), Secrets({"token": 'to"ken'})
    metric = web(url="http://{{args.host}}/", headers=[{"key": "Authorization", "value": "Bearer {{ args.token }}"}])
    await measure(wire, metric, {"name": "host", "value": "checks"}, TOKEN, secrets=secrets)
    (request,) = wire.sent
    assert (request.url, request.headers) == ("http://checks/", (("Authorization", 'Bearer to"ken'),))
    assert secrets.asked == [("Secret", "shop", "creds")], "from the namespace of the run"


async def test_secrets_are_read_anew_for_every_measurement() -> None:
    wire, secrets = Wire(a_body("{}")), Secrets({"token": "one"})
    await measure(wire, web(url="http://x/{{args.token}}"), TOKEN, secrets=secrets)
    secrets.data = {"token": "two"}
    await measure(wire, web(url="http://x/{{args.token}}"), TOKEN, secrets=secrets)
    assert [request.url for request in wire.sent] == ["http://x/one", "http://x/two"]


@pytest.mark.parametrize(
    ("secrets", "text"),
    [
        pytest.param(Secrets(error=NotFound("gone", status=404)), 'secrets "creds" not found in namespace shop', id="no Secret"),
        pytest.param(Secrets({"other": "x"}), "key 'token' does not exist in secret 'creds'", id="no such key"),
    ],
)
async def test_a_secret_that_is_not_there_can_never_be_measured(secrets: Secrets, text: str) -> None:
    answer = await measure(Wire(a_body("{}")), web(), TOKEN, secrets=secrets)
    assert answer == Unmeasurable(f"Unable to resolve metric arguments: {text}")


async def test_a_server_that_does_not_give_the_secret_now_is_an_error_to_try_again() -> None:
    secrets = Secrets(error=ApiError("the server is busy", status=503))
    measured = await a_measurement(Wire(a_body("{}")), web(), TOKEN, secrets=secrets)
    assert (measured.phase, measured.message) == (
        Phase.ERROR,
        "cannot read the secrets of the metric's arguments: the server is busy",
    )


@pytest.mark.parametrize(
    ("metric", "text"),
    [
        pytest.param(web(method="DELETE"), "use GET, POST or PUT", id="what the provider refuses"),
        pytest.param(web(timeoutSeconds="{{args.x}}"), "check the types of its fields", id="a field of the wrong type"),
    ],
)
async def test_a_metric_without_a_request_is_an_error(metric: Any, text: str) -> None:
    measured = await a_measurement(Wire(a_body("{}")), metric, {"name": "x", "value": "soon"})
    assert measured.phase is Phase.ERROR
    assert text in measured.message


async def test_no_answer_is_an_error_with_the_transport_s_text() -> None:
    def nobody(_: HttpRequest) -> HttpResponse:
        raise TransportError("cannot connect to http://checks")

    measured = await a_measurement(Wire(nobody), web())
    assert (measured.phase, measured.message) == (Phase.ERROR, "cannot connect to http://checks")


async def test_tokens_that_the_transport_got_are_hidden_too() -> None:
    measured = await a_measurement(Wire(a_body('"token tok-12345"'), tokens=("tok-12345",)), web())
    assert measured.value == '"token *****"'


async def test_credentials_in_clear_text_are_hidden_too() -> None:
    metric = web(
        authentication={"basicAuth": {"username": "u", "password": "letmein-9"}},
        headers=[{"key": "X-Api-Key", "value": "key-77777"}],
    )
    measured = await a_measurement(Wire(a_body("letmein-9 and key-77777", 500)), metric)
    assert "letmein-9" not in measured.message
    assert "key-77777" not in measured.message


async def test_an_error_of_a_condition_that_holds_a_secret_shows_nothing_of_it() -> None:
    secrets = Secrets({"token": "sesame') == nonsense"})
    measured = await a_measurement(Wire(a_body("1")), web(successCondition="result == '{{args.token}}'"), TOKEN, secrets=secrets)
    assert measured.phase is Phase.ERROR
    assert "sesame" not in measured.message
    assert "nonsense" not in measured.message


async def test_a_secret_at_the_edge_of_what_is_shown_is_hidden_before_the_text_is_cut() -> None:
    secrets = Secrets({"token": "sesame-open-please"})
    for padding in range(180, 205):
        body = "x" * padding + "sesame-open-please" + "y" * 300
        measured = await a_measurement(Wire(a_body(body, 500)), web(url="http://x/{{args.token}}"), TOKEN, secrets=secrets)
        assert "ses" not in measured.message
    for padding in range(95, 125):
        body = f'{{"t": "{"x" * padding}sesame-open-please"}}'
        metric = web(url="http://x/{{args.token}}", successCondition="result.t > 1")
        measured = await a_measurement(Wire(a_body(body)), metric, TOKEN, secrets=secrets)
        assert measured.phase is Phase.ERROR
        assert "ses" not in measured.message.partition("the result is")[2]


LONG = "".join(f"{number:04x}" for number in range(7000, 7425))
"""1,700 characters, no piece of which comes twice."""


@pytest.mark.parametrize(
    ("answer", "tokens"),
    [
        pytest.param(a_body(json.dumps({"t": LONG * 60})), (), id="in a value"),
        pytest.param(a_body(json.dumps({"t": LONG * 60})), (LONG,), id="an access token in a value"),
        pytest.param(a_body(LONG * 700, 500), (), id="in the text of an error"),
        pytest.param(a_body(LONG * 700), (), id="in an answer that cannot be read"),
    ],
)
async def test_a_long_secret_that_comes_often_is_hidden_where_the_text_is_cut_too(
    answer: Callable[[HttpRequest], HttpResponse], tokens: tuple[str, ...]
) -> None:
    secrets = Secrets({"token": "other" if tokens else LONG})
    measured = await a_measurement(Wire(answer, tokens=tokens), web(jsonPath="{$.t}"), TOKEN, secrets=secrets)
    shown = measured.value + measured.message
    assert "*****" in shown
    assert not [at for at in range(0, len(LONG), 4) if LONG[at : at + 8] in shown]


async def test_errors_are_logged_without_secrets(caplog: pytest.LogCaptureFixture) -> None:
    secrets = Secrets({"token": "sesame-open"})
    with caplog.at_level(logging.DEBUG):
        await measure(Wire(a_body("no sesame-open here", 403)), web(url="http://x/{{args.token}}"), TOKEN, secrets=secrets)
    assert "measurement measure/m/1 failed: received non 2xx response code: 403" in caplog.text
    assert "sesame" not in caplog.text


async def test_only_so_many_measurements_are_under_way_at_once() -> None:
    under_way, most = 0, 0

    class Slow(Wire):
        async def send(self, request: HttpRequest) -> HttpResponse:
            nonlocal under_way, most
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0)
            under_way -= 1
            return HttpResponse(200, {}, b"{}")

    measurer = Measurer(Secrets(), Slow(a_body("")), served(), SystemClock(), concurrency=3)
    request = Measure(namespace="shop", metric=web(), arguments=(), number=1)
    await asyncio.gather(*(measurer(("shop", "run"), Effect(f"measure/m/{number}", request)) for number in range(20)))
    assert most == 3


@pytest.mark.parametrize(
    ("secret", "text", "shown"),
    [
        pytest.param("p@ss", "was p@ss.", "was *****.", id="as it is"),
        pytest.param("p@ss", "GET /?k=p%40ss", "GET /?k=*****", id="percent-encoded"),
        pytest.param("a b", "k=a+b&l=a%20b", "k=*****&l=*****", id="blanks in a query"),
        pytest.param('a"b', r'{"k":"a\"b"}', '{"k":"*****"}', id="in JSON"),
        pytest.param("a<b", r'"a\u003cb"', '"*****"', id="in JSON as Go writes it"),
        pytest.param("pass\n", "was pass", "was *****", id="without its line end"),
        pytest.param("pä", r"'p\xe4' p%C3%A4", "'*****' *****", id="beyond ASCII"),
        pytest.param("secret", "c2VjcmV0", "*****", id="in base64"),
        pytest.param("hunter2hunter2", "Basic Ym9iOmh1bnRlcjJodW50ZXIy", "Basic Ym9iO*****", id="in base64 behind a user"),
        pytest.param("a?>~b", "YT8-fmI YT8%2BfmI%3D", "***** *****%3D", id="in base64 that fits a URL"),
        pytest.param("p w/", "OnArdyUyRg==", "O*****==", id="in the base64 of what a form would hold"),
        pytest.param("sesame-open", r"c2VzYW1l\nLW9wZW4=", "*****=", id="in base64 over two lines"),
        pytest.param("a&b", "a&amp;b a&#38;b", "***** *****", id="in HTML"),
        pytest.param("a b", "k=a%2520b", "k=*****", id="percent-encoded twice"),
        pytest.param('a"b', r'"{\"k\":\"a\\\"b\"}"', r'"{\"k\":\"*****\"}"', id="in JSON within JSON"),
        pytest.param("abc", "abcabc", "**********", id="twice"),
        pytest.param("", "nothing", "nothing", id="an empty one hides nothing"),
    ],
)
def test_a_secret_is_found_in_every_spelling(secret: str, text: str, shown: str) -> None:
    assert Redactor.of([secret]).text(text) == shown


@settings(deadline=None)
@given(before=st.binary(max_size=4), secret=st.text(min_size=3, max_size=12), after=st.binary(max_size=4), safe=st.booleans())
def test_no_neighbour_makes_base64_show_a_secret(before: bytes, secret: str, after: bytes, safe: bool) -> None:
    encode = base64.urlsafe_b64encode if safe else base64.b64encode
    shown = Redactor.of([secret]).text(f"<{encode(before + secret.encode() + after).decode()}>")
    assert not secret.strip() or "*****" in shown


def test_the_longer_of_two_secrets_is_hidden_whole() -> None:
    assert Redactor.of(["pass", "password"]).text("password pass") == "***** *****"


def test_a_very_long_secret_is_hidden() -> None:
    secret = "k" * 5000
    assert Redactor.of([secret]).text(f"<{secret}>") == "<*****>"
