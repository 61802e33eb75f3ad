"""What an API server can answer instead of what was asked for, as types.

Owns the mapping from HTTP status and `Status` objects to errors. Must not: retry or log; error texts never hold request bodies.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from kube.transport import Response

_TEXT_LIMIT = 500
_MISSING_KIND = "the server does not know this kind; install its definition (CRD), or check the server's address"
"""A real API server answers so, in plain text, for a group of which it has no definition."""


class ApiError(Exception):
    """The API server refused a request, or gave no answer (`status` 0)."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        reason: str = "",
        details: Mapping[str, Any] | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.details: Mapping[str, Any] = details or {}
        self.retry_after_seconds = retry_after_seconds


class BadRequest(ApiError):
    """400: the request makes no sense to the server."""


class Unauthorized(ApiError):
    """401: the credentials are missing, wrong or expired."""


class Forbidden(ApiError):
    """403: the credentials are good, the permission is missing."""


class NotFound(ApiError):
    """404: no such object, or no such kind."""


class AlreadyExists(ApiError):
    """409 on create: the name is taken."""


class Conflict(ApiError):
    """409: the object is not, or no longer, what the request was made from."""


class Gone(ApiError):
    """410: the resource version or the continue token is too old."""


class Invalid(ApiError):
    """422: the object breaks a rule of its kind."""


class TooManyRequests(ApiError):
    """429: slow down; for an eviction, a disruption budget says no."""


class ServerError(ApiError):
    """5xx: the server, or something in front of it, is in trouble."""


class Unreachable(ApiError):
    """No answer came."""

    def __init__(self, message: str, *, maybe_applied: bool = True) -> None:
        super().__init__(message, reason="Unreachable")
        self.maybe_applied = maybe_applied
        """False when the request cannot have reached the server."""


class Fenced(ApiError):
    """Nothing was sent: this replica may have lost its lease."""

    def __init__(self, request: str) -> None:
        super().__init__(f"{request} was not sent: the lease may be lost, and nothing is written until it is held", reason="Fenced")


class BadAnswer(ApiError):
    """The answer is no JSON, or not the kind of object that was asked for."""


class InvalidConfig(Exception):
    """The connection to the cluster cannot be set up; the text says which file, which entry, and what to mend."""


_BY_STATUS: dict[int, type[ApiError]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    422: Invalid,
    429: TooManyRequests,
}
_BY_REASON: dict[str, type[ApiError]] = {"AlreadyExists": AlreadyExists, "Expired": Gone, "Gone": Gone, "Invalid": Invalid}


def error_of(response: Response, request: str) -> ApiError:
    """Return the error that a response with status 400 or above stands for.

    Args:
        response: what the server sent: a `Status` object, or the text of a proxy.
        request: method and path, for the message.
    """
    status = _status_object(response.body)
    headers = {name.lower(): value for name, value in response.headers.items()}
    wait = _retry_after(headers.get("retry-after"))
    if not status:
        text = response.body[:_TEXT_LIMIT].decode("utf-8", "replace").strip()
        advice = _MISSING_KIND if response.status == 404 else "this is no answer of an API server; check the address and proxies"
        return _type_of(response.status, "", {})(
            f"{request}: HTTP {response.status}: {text or 'no text'}; {advice}", status=response.status, retry_after_seconds=wait
        )
    return error_of_status(status, code=response.status, request=request, retry_after_seconds=wait)


def error_of_status(status: Mapping[str, Any], *, code: int, request: str, retry_after_seconds: float | None = None) -> ApiError:
    """Return the error that a `Status` object stands for, from a response or from the midst of a watch."""
    reason = str(status.get("reason") or "")
    details = status.get("details") or {}
    if retry_after_seconds is None and details.get("retryAfterSeconds"):
        retry_after_seconds = _seconds(details["retryAfterSeconds"])
    return _type_of(code, reason, details)(
        f"{request}: {status.get('message') or reason or f'HTTP {code}'}",
        status=code,
        reason=reason,
        details=details,
        retry_after_seconds=retry_after_seconds,
    )


def _type_of(code: int, reason: str, details: Mapping[str, Any]) -> type[ApiError]:
    if code == 422 and any(cause.get("field") == "metadata.uid" for cause in details.get("causes") or ()):
        return Conflict  # the uid guard of a patch: another object has the name by now
    if reason in _BY_REASON:
        return _BY_REASON[reason]
    return _BY_STATUS.get(code, ServerError if code >= 500 else ApiError)


def _status_object(body: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(body) if body[:1] == b"{" else {}
    except ValueError:
        return {}
    return value if value.get("kind") == "Status" else {}


def _retry_after(text: str | None) -> float | None:
    """Read the header: seconds, or an HTTP date."""
    if not text:
        return None
    if (seconds := _seconds(text)) is not None:
        return seconds
    try:
        return max((parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds(), 0.0)
    except (ValueError, TypeError, OverflowError):
        return None


def _seconds(value: Any) -> float | None:
    """Read a wait; None for what is none, NaN and infinity among them, which nobody could wait for."""
    try:
        seconds = float(value)
    except (ValueError, TypeError, OverflowError):
        return None
    return max(seconds, 0.0) if math.isfinite(seconds) else None
