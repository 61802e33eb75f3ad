"""Media types of answers: JSON, or YAML where a client asks for that first.

Owns the choice. Must not: shape objects; tables and metadata are forms inside of JSON, see tables.py.
"""

from __future__ import annotations

import json
from dataclasses import replace

import yaml

from sandbox.apiserver.failures import Refusal
from sandbox.apiserver.requests import Answer, Request, Streamed, address_of

YAML = "application/yaml"
_JSON = ("application/json", "application/*", "*/*")
_TAKEN_AS_JSON = "application/vnd.kubernetes.protobuf"
"""Clients that would like protobuf take JSON, too: they read the type of the answer."""
_OFFERED = ("application/json", YAML, _TAKEN_AS_JSON, "application/json;stream=watch", f"{_TAKEN_AS_JSON};stream=watch")


def _wanted(request: Request) -> list[str]:
    return [part.split(";")[0].strip() for part in request.accept.split(",") if part.strip()]


def check_form(request: Request) -> None:
    """Check that a request for a resource accepts a form that there is.

    Raises:
        Refusal: 406 otherwise.
    """
    wanted = _wanted(request)
    if wanted and address_of(request.path) is not None and not {*wanted} & {*_JSON, YAML, _TAKEN_AS_JSON}:
        message = f"406: Not Acceptable\n\nAvailable representations: {', '.join(_OFFERED)}"
        raise Refusal(406, "NotAcceptable", message, details={})


def in_form(request: Request, answer: Answer | Streamed) -> Answer | Streamed:
    """Return an answer as YAML if that is what the client would like best."""
    first = next((one for one in _wanted(request) if one in (*_JSON, YAML)), "")
    if first != YAML or not isinstance(answer, Answer) or answer.content_type != "application/json":
        return answer
    body = yaml.safe_dump(json.loads(answer.body), sort_keys=True, allow_unicode=True).encode()
    return replace(answer, body=body, content_type=YAML)
