"""What providers that speak HTTP share: reading headers of a metric, showing what came instead of an answer. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analysis.providers.base import BadResponse, HttpResponse

_SHOWN_CHARACTERS = 200


def header_pairs(spec: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return the metric's `headers[]` as pairs."""
    return tuple((str(header["key"]), str(header.get("value") or "")) for header in spec.get("headers") or ())


def first_bytes(response: HttpResponse) -> str:
    """Return the kind and the beginning of an answer, on one line, for an error text."""
    kind = response.headers.get("content-type", "").partition(";")[0].strip()
    text = " ".join(response.body[: 4 * _SHOWN_CHARACTERS].decode(errors="replace").split())
    shown = text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "..."
    return f"{kind or 'an answer without content type'}: {shown}" if shown else "an empty answer"


def refuse_truncated(response: HttpResponse) -> None:
    """Refuse an answer that was cut because it is too large.

    Raises:
        BadResponse: it was cut.
    """
    if response.truncated:
        raise BadResponse(f"the answer is larger than {len(response.body)} bytes and was cut; narrow the query")
