"""Web: any HTTP endpoint that answers with JSON, or with text (spec/analysis.md 2).

Must not: retry what may not be repeated; a POST or PUT of the user is sent once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from analysis import jsonpath
from analysis.providers.base import BadMetric, BadResponse, HttpRequest, HttpResponse, Sample, Window
from analysis.providers.http import first_bytes, header_pairs, refuse_truncated
from analysis.values import go_json

DEFAULT_TIMEOUT_SECONDS = 10
DEFAULT_PATH = "{$}"
_METHODS_WITH_BODY = frozenset({"POST", "PUT"})


class Web:
    """The provider `web`."""

    name = "web"

    def request(self, spec: Mapping[str, Any], window: Window) -> HttpRequest:
        """Return the request as configured.

        Raises:
            BadMetric: a method other than GET, POST, PUT, a body where none can be, or a negative timeout.
        """
        method = str(spec.get("method") or "GET")
        if method not in ("GET", *_METHODS_WITH_BODY):
            raise BadMetric(f"method {method} is not supported; use GET, POST or PUT")
        headers = header_pairs(spec)
        body = _body(spec, method)
        if spec.get("jsonBody") is not None and not any(key.lower() == "content-type" for key, _ in headers):
            headers = (*headers, ("Content-Type", "application/json"))
        return HttpRequest(
            method=method,
            url=str(spec.get("url") or ""),
            headers=headers,
            body=body,
            timeout_seconds=_timeout_seconds(spec),
            insecure=bool(spec.get("insecure")),
            authentication=spec.get("authentication") or {},
            idempotent=method == "GET",
        )

    def parse(self, spec: Mapping[str, Any], response: HttpResponse) -> Sample:
        """Read the first match of `jsonPath`; a body that is not JSON is a string when no path is given.

        Raises:
            BadResponse: a status other than 2xx, nothing at the path, text where the path needs JSON, or too much.
        """
        if not 200 <= response.status < 300:
            raise BadResponse(f"received non 2xx response code: {response.status} ({first_bytes(response)})")
        refuse_truncated(response)
        path = str(spec.get("jsonPath") or DEFAULT_PATH)
        try:
            data = json.loads(response.body, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            if path == DEFAULT_PATH:
                text = response.body.decode(errors="replace")
                return Sample(value=text, static_type="string", text=text)
            raise BadResponse(f"Could not parse JSON body: {first_bytes(response)}") from None
        value = _first_match(path, data)
        return Sample(value=value, text=go_json(value))

    def metadata(self, spec: Mapping[str, Any]) -> Mapping[str, str]:
        """Return nothing: requests may carry credentials."""
        return {}


def _no_constant(text: str) -> Any:
    """Refuse NaN and Infinity: Python reads them as JSON, nobody else does."""
    raise ValueError(text)


def _timeout_seconds(spec: Mapping[str, Any]) -> float:
    seconds = int(spec.get("timeoutSeconds") or 0)
    if seconds < 0:
        raise BadMetric("web timeoutSeconds should not be negative")
    return float(seconds or DEFAULT_TIMEOUT_SECONDS)


def _body(spec: Mapping[str, Any], method: str) -> bytes | None:
    text, structure = spec.get("body"), spec.get("jsonBody")
    if not text and structure is None:
        return None
    if text and structure is not None:
        raise BadMetric("use either Body or JSONBody; both cannot exists for WebMetric payload")
    if method not in _METHODS_WITH_BODY:
        raise BadMetric(f"Body/JSONBody can only be used with POST or PUT WebMetric Method types, not with {method}")
    return str(text).encode() if text else json.dumps(structure, ensure_ascii=False, separators=(",", ":")).encode()


def _first_match(path: str, data: Any) -> Any:
    try:
        matches = jsonpath.find(path, data)
    except jsonpath.JSONPathError as error:
        raise BadResponse(f"Could not find JSONPath in body: {error}") from None
    if not matches:
        raise BadResponse("result of web metric produced no value")
    return matches[0]
