"""Reading the API server's answers.

Shared by the asynchronous client and by the one-shot client of the command line. Must not: send anything.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from kube.errors import BadAnswer, error_of
from kube.kinds import Kind
from kube.objects import Object
from kube.requests import Request
from kube.transport import Response

Transform: TypeAlias = Callable[[dict[str, Any]], Object]
"""Makes an object smaller before it is kept; it may change its argument."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A collection as it was at one resource version."""

    items: list[Object]
    resource_version: str
    token: str = ""
    """Where the next page starts; empty when there is none."""


def object_of(request: Request, response: Response) -> dict[str, Any]:
    """Return the JSON object of a successful answer.

    Raises:
        ApiError: the server refused, or sent something that is no JSON object (a proxy's page, for one).
    """
    if response.status >= 300:
        raise error_of(response, str(request))
    try:
        value = json.loads(response.body)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        start = response.body[:80].decode("utf-8", "replace")
        raise BadAnswer(
            f"{request}: expected a JSON object, got {start!r}; check that this is the address of an API server",
            status=response.status,
        )
    return value


def listing_of(request: Request, response: Response, kind: Kind, transform: Transform | None = None) -> Listing:
    """Return one page of a list; items get the kind and apiVersion that servers leave out.

    Raises:
        ApiError: as `object_of`.
    """
    value = object_of(request, response)
    raw = value.get("items")
    if raw is None:
        raw = []
    metadata = value.get("metadata") or {}
    if not isinstance(raw, list) or not str(value.get("kind", "List")).endswith("List"):
        raise BadAnswer(f"{request}: expected a list of {kind.name}, got a {value.get('kind')}", status=response.status)
    items: list[Object] = []
    for item in raw:
        item.setdefault("apiVersion", kind.api_version)
        item.setdefault("kind", kind.name)
        items.append(transform(item) if transform else item)
    return Listing(items, str(metadata.get("resourceVersion") or ""), str(metadata.get("continue") or ""))
