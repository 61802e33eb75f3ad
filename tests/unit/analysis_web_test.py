"""Web: what is asked, and what the answers mean."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from analysis.conditions import judge
from analysis.providers.base import BadMetric, BadResponse, HttpResponse, Window
from analysis.providers.web import Web

NOW = Window(datetime(2026, 8, 1, 12, tzinfo=UTC))
URL = "http://checks/score"


def test_a_plain_metric_is_a_get_with_ten_seconds() -> None:
    request = Web().request({"url": URL, "headers": [{"key": "A", "value": "b"}]}, NOW)
    assert (request.method, request.url, request.headers, request.body) == ("GET", URL, (("A", "b"),), None)
    assert (request.timeout_seconds, request.idempotent, request.insecure) == (10.0, True, False)


def test_a_json_body_says_what_it_is() -> None:
    request = Web().request({"url": URL, "method": "POST", "jsonBody": {"a": [1, "é"]}, "timeoutSeconds": 40}, NOW)
    assert request.body == '{"a":[1,"é"]}'.encode()
    assert request.headers == (("Content-Type", "application/json"),)
    assert (request.timeout_seconds, request.idempotent) == (40.0, False)


def test_a_content_type_of_the_user_stays() -> None:
    headers = [{"key": "content-type", "value": "application/x"}]
    assert Web().request({"url": URL, "method": "PUT", "jsonBody": {}, "headers": headers}, NOW).headers == (
        ("content-type", "application/x"),
    )


def test_a_text_body_is_sent_as_it_is() -> None:
    assert Web().request({"url": URL, "method": "PUT", "body": "x=1"}, NOW).body == b"x=1"


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        pytest.param({"method": "DELETE"}, "use GET, POST or PUT", id="another method"),
        pytest.param({"method": "POST", "body": "x", "jsonBody": {}}, "use either Body or JSONBody", id="both bodies"),
        pytest.param({"body": "x"}, "can only be used with POST or PUT", id="a body with GET"),
        pytest.param({"timeoutSeconds": -1}, "should not be negative", id="a negative timeout"),
    ],
)
def test_a_metric_that_cannot_be_asked_is_refused(spec: Any, text: str) -> None:
    with pytest.raises(BadMetric, match=text):
        Web().request({"url": URL, **spec}, NOW)


def an_answer(body: str | bytes, status: int = 200, kind: str = "") -> HttpResponse:
    return HttpResponse(status, {"content-type": kind}, body.encode() if isinstance(body, str) else body)


@pytest.mark.parametrize(
    ("body", "path", "value", "text"),
    [
        pytest.param('{"a": 1.5}', None, {"a": 1.5}, '{"a":1.5}', id="the whole body by default"),
        pytest.param('{"a": {"b": 2.0}}', "{$.a.b}", 2.0, "2", id="a number, whole ones without a point"),
        pytest.param('{"ok": true}', "{$.ok}", True, "true", id="a boolean"),
        pytest.param('{"s": "up & <ok>"}', "{$.s}", "up & <ok>", '"up \\u0026 \\u003cok\\u003e"', id="a text, as Go writes JSON"),
        pytest.param('{"l": [3, 4]}', "{$.l[*]}", 3, "3", id="the first match only"),
        pytest.param('{"l": [3, 4]}', "{$.l}", [3, 4], "[3,4]", id="a list"),
        pytest.param('{"z": 1, "a": null}', "{$}", {"z": 1, "a": None}, '{"a":null,"z":1}', id="keys are sorted"),
        pytest.param('{"big": 12345678901234567890}', "{$.big}", 12345678901234567890, "12345678901234567000", id="a large number"),
        pytest.param("true", None, True, "true", id="a body that is a boolean"),
    ],
)
def test_the_first_match_is_the_result(body: str, path: str | None, value: Any, text: str) -> None:
    found = Web().parse({"url": URL, "jsonPath": path} if path else {"url": URL}, an_answer(body))
    assert (found.value, found.text) == (value, text)


@pytest.mark.parametrize(
    "body", [pytest.param("PASS", id="a word"), pytest.param("NaN", id="NaN, which is no JSON"), pytest.param("", id="none")]
)
def test_a_body_that_is_no_json_is_a_text(body: str) -> None:
    found = Web().parse({"url": URL}, an_answer(body))
    assert (found.value, found.static_type, found.text) == (body, "string", body)


@pytest.mark.parametrize(
    ("response", "path", "text"),
    [
        pytest.param(an_answer("no", 404), "{$}", "received non 2xx response code: 404", id="not found"),
        pytest.param(an_answer("", 500), "{$}", "received non 2xx response code: 500 (an empty answer)", id="broken"),
        pytest.param(an_answer("", 301), "{$}", "received non 2xx response code: 301", id="a redirect without address"),
        pytest.param(
            an_answer("<html>", kind="text/html"),
            "{$.a}",
            "Could not parse JSON body: text/html: <html>",
            id="a page",
        ),
        pytest.param(an_answer('{"a": 1}'), "{$.b}", "Could not find JSONPath in body: b is not found", id="no such key"),
        pytest.param(an_answer('{"a": []}'), "{$.a[*]}", "result of web metric produced no value", id="no match"),
        pytest.param(an_answer('{"a": []}'), "{$.a[0]}", "Could not find JSONPath in body", id="past the end"),
        pytest.param(an_answer("{}"), "{$.a", "Could not find JSONPath in body", id="a path that is none"),
        pytest.param(HttpResponse(200, {}, b"[1", truncated=True), "{$}", "and was cut", id="too large"),
    ],
)
def test_an_answer_that_is_no_measurement_says_what_came(response: HttpResponse, path: str, text: str) -> None:
    with pytest.raises(BadResponse) as caught:
        Web().parse({"url": URL, "jsonPath": path}, response)
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("body", "path", "condition", "phase"),
    [
        pytest.param('{"n": 3}', "{$.n}", "result == 3", "Successful", id="whole numbers compare"),
        pytest.param('{"n": 3}', "{$.n}", "result / 2 == 1.5", "Successful", id="and divide as floats"),
        pytest.param('{"n": "3"}', "{$.n}", "asInt(result) == 3", "Successful", id="texts convert"),
        pytest.param('{"n": 3}', "{$.n}", "result == 'x'", "Error", id="a number is no text, known beforehand"),
        pytest.param('{"a": {"n": 3}}', "{$.a}", "result.n == 'x'", "Failed", id="inside a map that is known only then"),
        pytest.param("PASS", None, "result == 'PASS'", "Successful", id="a text body"),
    ],
)
def test_conditions_see_what_upstream_sees(body: str, path: str | None, condition: str, phase: str) -> None:
    found = Web().parse({"url": URL, **({"jsonPath": path} if path else {})}, an_answer(body))
    assert judge(found.value, found.static_type, success_condition=condition, now=NOW.now).phase == phase
