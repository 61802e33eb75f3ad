"""Prometheus: instant and range queries over its HTTP API (spec/analysis.md 2 and 3).

Queries are POST forms with explicit times, so every query of one measurement looks at the same moment. Must not: read the
environment; the default address is given.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from analysis import times
from analysis.expressions import ExpressionError
from analysis.providers.base import BadMetric, BadResponse, HttpRequest, HttpResponse, Sample, Window
from analysis.providers.http import first_bytes, header_pairs, refuse_truncated
from analysis.values import plain_float, vector

DEFAULT_TIMEOUT_SECONDS = 30
RESOLVED_QUERY = "ResolvedPrometheusQuery"


class Prometheus:
    """The provider `prometheus`.

    `default_address` serves metrics without an address; it is what ARGO_ROLLOUTS_PROMETHEUS_ADDRESS says.
    """

    name = "prometheus"

    def __init__(self, default_address: str = "") -> None:
        self.default_address = default_address

    def request(self, spec: Mapping[str, Any], window: Window) -> HttpRequest:
        """Return the query as a form; `time`, or `start`, `end` and `step`, are explicit.

        Raises:
            BadMetric: no address, a negative timeout, or a range that cannot be read.
        """
        timeout_seconds = _timeout_seconds(spec)
        form = {"query": str(spec.get("query") or ""), "timeout": f"{timeout_seconds}s"}
        ranged = spec.get("rangeQuery")
        form |= _range(ranged, window) if ranged else {"time": _timestamp(window.now)}
        return HttpRequest(
            method="POST",
            url=self._endpoint(spec, "query_range" if ranged else "query"),
            form=form,
            headers=header_pairs(spec),
            timeout_seconds=float(timeout_seconds),
            insecure=bool(spec.get("insecure")),
            authentication=spec.get("authentication") or {},
        )

    def parse(self, spec: Mapping[str, Any], response: HttpResponse) -> Sample:
        """Read the result: scalar as float, vector and matrix as lists of floats in the server's order.

        Raises:
            BadResponse: an error envelope, something that is no envelope, a string or a histogram, or too much.
        """
        envelope = _envelope(response)
        metadata = {"warnings": ", ".join(f'"{warning}"' for warning in warnings)} if (warnings := envelope.get("warnings")) else {}
        try:
            value = _result(envelope["data"]["resultType"], envelope["data"]["result"])
        except (KeyError, TypeError, ValueError, IndexError, AttributeError):
            raise BadResponse(f"Prometheus answered in an unknown form: {first_bytes(response)}") from None
        if isinstance(value, float):
            return Sample(value=value, static_type="float64", text=plain_float(value), metadata=metadata)
        return Sample(value=value, static_type="[]float64", text=vector(value), metadata=metadata)

    def metadata(self, spec: Mapping[str, Any]) -> Mapping[str, str]:
        """Return the query with its arguments filled in."""
        return {RESOLVED_QUERY: str(spec["query"])} if spec.get("query") else {}

    def _endpoint(self, spec: Mapping[str, Any], endpoint: str) -> str:
        address = str(spec.get("address") or self.default_address)
        if not address:
            raise BadMetric(
                "no Prometheus address: set provider.prometheus.address, or ARGO_ROLLOUTS_PROMETHEUS_ADDRESS of the controller"
            )
        try:
            parts = urlsplit(address)
        except ValueError:
            parts = urlsplit("")
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise BadMetric("the Prometheus address is not a URL; it must read like http://prometheus.monitoring:9090")
        return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/api/v1/{endpoint}", fragment=""))


def _timeout_seconds(spec: Mapping[str, Any]) -> int:
    seconds = int(spec.get("timeout") or 0)
    if seconds < 0:
        raise BadMetric("prometheus timeout should not be negative")
    return seconds or DEFAULT_TIMEOUT_SECONDS


def _range(ranged: Mapping[str, Any], window: Window) -> dict[str, str]:
    for field in ("start", "end", "step"):
        if not ranged.get(field):
            raise BadMetric(f"rangeQuery.{field} is empty; a range query needs start, end and step")
    try:
        start, end = (times.moment(str(ranged[bound]), field=bound, now=window.now) for bound in ("start", "end"))
        step = times.step(str(ranged["step"]))
    except ExpressionError as error:
        raise BadMetric(str(error)) from None
    if end < start:
        raise BadMetric("rangeQuery.end is before rangeQuery.start")
    return {"start": _timestamp(start), "end": _timestamp(end), "step": plain_float(step.total_seconds())}


def _timestamp(moment: datetime) -> str:
    return plain_float(round(moment.timestamp(), 3))


def _envelope(response: HttpResponse) -> Mapping[str, Any]:
    refuse_truncated(response)
    try:
        envelope = json.loads(response.body)
    except (ValueError, RecursionError):
        envelope = None
    if not isinstance(envelope, dict) or "status" not in envelope:
        if 200 <= response.status < 300:
            raise BadResponse(f"expected JSON from Prometheus, got {first_bytes(response)}; is the address right?")
        raise BadResponse(f"Prometheus answered {response.status}: {first_bytes(response)}")
    if envelope["status"] != "success":
        raise BadResponse(f"{envelope.get('errorType') or f'status {response.status}'}: {envelope.get('error') or 'no text'}")
    return envelope


def _result(kind: str, result: Any) -> float | list[float]:
    match kind:
        case "scalar":
            return float(result[1])
        case "vector":
            return [_number(element, element.get("value")) for element in result]
        case "matrix":
            return list(chain.from_iterable(_numbers(series) for series in result))
    raise BadResponse(f"Prometheus metric type not supported: {kind}; use a query that gives a scalar, a vector or a matrix")


def _numbers(series: Mapping[str, Any]) -> Sequence[float]:
    if series.get("histograms"):
        raise BadResponse("the result has native histograms, which are no numbers; use histogram_quantile() or histogram_avg()")
    return [float(sample[1]) for sample in series["values"]]


def _number(element: Mapping[str, Any], value: Any) -> float:
    if value is None and element.get("histogram"):
        raise BadResponse("the result has native histograms, which are no numbers; use histogram_quantile() or histogram_avg()")
    return float(value[1])
