"""Prometheus: what is asked, and ten kinds of answers of which most are ugly."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any

import pytest

from analysis.providers.base import BadMetric, BadResponse, HttpResponse, Window
from analysis.providers.prometheus import Prometheus

NOW = Window(datetime(2026, 8, 1, 12, 0, 0, 500_000, tzinfo=UTC))
AT = "1785585600.5"
SPEC: dict[str, Any] = {"address": "http://prometheus:9090", "query": "up"}


def test_an_instant_query_fixes_its_moment_and_timeout() -> None:
    request = Prometheus().request({**SPEC, "headers": [{"key": "X-Scope-OrgID", "value": "team"}], "insecure": True}, NOW)
    assert (request.method, request.url) == ("POST", "http://prometheus:9090/api/v1/query")
    assert request.form == {"query": "up", "time": AT, "timeout": "30s"}
    assert (request.timeout_seconds, request.insecure, request.headers) == (30.0, True, (("X-Scope-OrgID", "team"),))
    assert request.idempotent


def test_a_range_query_evaluates_its_bounds_at_the_moment_of_the_measurement() -> None:
    ranged = {"start": 'now() - duration("5m")', "end": "now()", "step": "1m"}
    request = Prometheus().request({**SPEC, "rangeQuery": ranged, "timeout": 5}, NOW)
    assert request.url == "http://prometheus:9090/api/v1/query_range"
    assert request.form == {"query": "up", "start": "1785585300.5", "end": AT, "step": "60", "timeout": "5s"}


@pytest.mark.parametrize(
    ("address", "url"),
    [
        pytest.param("http://p:9090/", "http://p:9090/api/v1/query", id="a slash at the end"),
        pytest.param("https://thanos/tenant/a", "https://thanos/tenant/a/api/v1/query", id="a path before the API"),
        pytest.param("https://p/x?tenant=a", "https://p/x/api/v1/query?tenant=a", id="a query of the address stays"),
        pytest.param("", "http://default/api/v1/query", id="the controller's address when the metric has none"),
    ],
)
def test_the_address(address: str, url: str) -> None:
    assert Prometheus("http://default").request({"address": address, "query": "up"}, NOW).url == url


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        pytest.param(
            {"query": "up"}, "set provider.prometheus.address, or ARGO_ROLLOUTS_PROMETHEUS_ADDRESS", id="no address at all"
        ),
        pytest.param({"address": "prometheus:9090"}, "must read like http://", id="no scheme"),
        pytest.param({"address": "http://[", "query": "up"}, "must read like http://", id="a broken address"),
        pytest.param({**SPEC, "timeout": -1}, "timeout should not be negative", id="a negative timeout"),
        pytest.param(
            {**SPEC, "rangeQuery": {"start": "now()", "end": "now()"}}, "rangeQuery.step is empty", id="a range without step"
        ),
        pytest.param(
            {**SPEC, "rangeQuery": {"start": "now()", "end": "now()", "step": "often"}}, "rangeQuery.step", id="a step that is none"
        ),
        pytest.param(
            {**SPEC, "rangeQuery": {"start": "yesterday", "end": "now()", "step": "1m"}},
            "rangeQuery.start",
            id="a start that is none",
        ),
        pytest.param(
            {**SPEC, "rangeQuery": {"start": "now()", "end": 'now() - duration("1m")', "step": "1m"}},
            "end is before rangeQuery.start",
            id="a range backwards",
        ),
    ],
)
def test_a_metric_that_cannot_be_asked_is_refused(spec: Any, text: str) -> None:
    with pytest.raises(BadMetric, match=text):
        Prometheus().request(spec, NOW)


def an_answer(kind: str, result: Any, **more: Any) -> HttpResponse:
    body = {"status": "success", "data": {"resultType": kind, "result": result}, **more}
    return HttpResponse(200, {"content-type": "application/json"}, json.dumps(body).encode())


def series(*values: str) -> dict[str, Any]:
    return {"metric": {"pod": "a"}, "values": [[1785585600 + at, value] for at, value in enumerate(values)]}


def sample(value: str) -> dict[str, Any]:
    return {"metric": {}, "value": [1785585600.5, value]}


@pytest.mark.parametrize(
    ("response", "value", "static_type", "text"),
    [
        pytest.param(an_answer("scalar", [1, "0.98"]), 0.98, "float64", "0.98", id="a scalar is a float"),
        pytest.param(
            an_answer("vector", [sample("0.98"), sample("1")]), [0.98, 1.0], "[]float64", "[0.98,1]", id="a vector, in order"
        ),
        pytest.param(an_answer("vector", []), [], "[]float64", "[]", id="no series: an empty vector, no error"),
        pytest.param(
            an_answer("vector", [sample("+Inf"), sample("-Inf")]), [math.inf, -math.inf], "[]float64", "[+Inf,-Inf]", id="Inf"
        ),
        pytest.param(
            an_answer("matrix", [series("1", "2"), series("3")]), [1.0, 2.0, 3.0], "[]float64", "[1,2,3]", id="a matrix, flat"
        ),
        pytest.param(an_answer("matrix", []), [], "[]float64", "[]", id="an empty matrix"),
        pytest.param(an_answer("scalar", [1, "1e22"]), 1e22, "float64", "10000000000000000000000", id="no exponent in the text"),
        pytest.param(an_answer("scalar", [1, "0.0000001"]), 1e-7, "float64", "0.0000001", id="small numbers too"),
    ],
)
def test_a_result_becomes_floats(response: HttpResponse, value: Any, static_type: str, text: str) -> None:
    found = Prometheus().parse(SPEC, response)
    assert (found.value, found.static_type, found.text) == (value, static_type, text)


def test_not_a_number_is_a_value() -> None:
    found = Prometheus().parse(SPEC, an_answer("vector", [sample("NaN")]))
    assert math.isnan(found.value[0])
    assert found.text == "[NaN]"


def test_warnings_are_kept_with_the_measurement() -> None:
    found = Prometheus().parse(SPEC, an_answer("vector", [], warnings=["store a is gone", "partial"]))
    assert found.metadata == {"warnings": '"store a is gone", "partial"'}


def test_the_resolved_query_is_kept_with_the_metric() -> None:
    assert Prometheus().metadata(SPEC) == {"ResolvedPrometheusQuery": "up"}


HTML = HttpResponse(200, {"content-type": "text/html; charset=utf-8"}, b"<html>\n<h1>Sign in</h1></html>")
ENVELOPE = b'{"status":"error","errorType":"bad_data","error":"parse error: unexpected end"}'


@pytest.mark.parametrize(
    ("response", "text"),
    [
        pytest.param(HttpResponse(400, {}, ENVELOPE), "bad_data: parse error: unexpected end", id="a query that is wrong"),
        pytest.param(HttpResponse(200, {}, ENVELOPE), "bad_data: parse error", id="an error under status 200"),
        pytest.param(HTML, "got text/html: <html> <h1>Sign in</h1></html>; is the address right?", id="a login page"),
        pytest.param(HttpResponse(429, {}, b"slow down"), "Prometheus answered 429: ", id="a busy proxy"),
        pytest.param(
            HttpResponse(502, {"content-type": "text/plain"}, b"bad gateway"), "answered 502: text/plain: bad gateway", id="502"
        ),
        pytest.param(HttpResponse(200, {}, b""), "an empty answer", id="nothing"),
        pytest.param(HttpResponse(200, {}, b"[" * 100_000), "expected JSON", id="nested without end"),
        pytest.param(HttpResponse(200, {}, b"\xff\xfe"), "expected JSON", id="bytes that are no text"),
        pytest.param(
            HttpResponse(200, {}, b'{"status":"success"', truncated=True), "and was cut; narrow the query", id="too large"
        ),
        pytest.param(HttpResponse(200, {}, b'{"status":"success"}'), "in an unknown form", id="no data"),
        pytest.param(HttpResponse(200, {}, b'"success"'), "expected JSON from Prometheus", id="no envelope"),
        pytest.param(an_answer("string", [1, "x"]), "metric type not supported: string", id="a string"),
        pytest.param(an_answer("vector", [sample("many")]), "in an unknown form", id="a value that is no number"),
        pytest.param(
            an_answer("vector", [{"metric": {}, "histogram": [1, {}]}]), "use histogram_quantile()", id="a native histogram"
        ),
        pytest.param(an_answer("matrix", [{"metric": {}, "histograms": [[1, {}]]}]), "native histograms", id="a range of them"),
        pytest.param(an_answer("vector", None), "in an unknown form", id="null where a list belongs"),
    ],
)
def test_an_answer_that_is_no_measurement_says_what_came(response: HttpResponse, text: str) -> None:
    with pytest.raises(BadResponse) as caught:
        Prometheus().parse(SPEC, response)
    assert text in str(caught.value)
    assert len(str(caught.value)) < 400
