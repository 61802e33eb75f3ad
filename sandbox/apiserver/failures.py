"""Refusals as Kubernetes words them: `metav1.Status` failures and the field errors inside them.

Owns codes, reasons and texts. Must not: decide when something is refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong with one field: what becomes a cause of a 422."""

    field: str
    reason: str
    message: str

    def __str__(self) -> str:
        """Text as in the summary: `spec.selector: Required value`."""
        return f"{self.field}: {self.message}" if self.field else self.message


def shown(value: Any) -> str:
    """Print a value as field errors do: strings quoted, the rest as JSON."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def required(field: str, detail: str = "") -> FieldError:
    """Return the error for a field that must be given."""
    return FieldError(field, "FieldValueRequired", f"Required value: {detail}" if detail else "Required value")


def invalid(field: str, value: Any, detail: str) -> FieldError:
    """Return the error for a value that does not fit."""
    return FieldError(field, "FieldValueInvalid", f"Invalid value: {shown(value)}: {detail}")


def unsupported(field: str, value: Any, allowed: Iterable[Any]) -> FieldError:
    """Return the error for a value outside an enumeration."""
    supported = ", ".join(shown(item) for item in allowed)
    return FieldError(field, "FieldValueNotSupported", f"Unsupported value: {shown(value)}: supported values: {supported}")


def duplicate(field: str, value: Any) -> FieldError:
    """Return the error for a second entry with the same key."""
    return FieldError(field, "FieldValueDuplicate", f"Duplicate value: {shown(value)}")


def forbidden_field(field: str, detail: str) -> FieldError:
    """Return the error for a field that may not be set or changed."""
    return FieldError(field, "FieldValueForbidden", f"Forbidden: {detail}")


_SUMMARY_LENGTH = 1024


class Refusal(Exception):
    """A request that is answered with a `Status` of failure.

    Attributes:
        code: HTTP status.
        reason: machine-readable reason, e.g. `Conflict`; some refusals of the real server have none.
        details: what it is about; empty ones are sent too, as the real server does where it knows nothing of the object.
        retry_after_seconds: sent as `Retry-After` and in the details, when given.
    """

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        *,
        details: Mapping[str, Any] | None = None,
        retry_after_seconds: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = None if details is None else dict(details)
        self.retry_after_seconds = retry_after_seconds

    def status(self) -> dict[str, Any]:
        """Return the `Status` object that goes to the client."""
        body: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "code": self.code,
        }
        if self.reason:
            body["reason"] = self.reason
        details = dict(self.details or {})
        if self.retry_after_seconds is not None:
            details["retryAfterSeconds"] = self.retry_after_seconds
        if details or self.details is not None:
            body["details"] = details
        return body


@dataclass(frozen=True, slots=True)
class Target:
    """What a refusal is about: `deployments.apps "web"`, `Deployment.apps "web"`."""

    group: str
    plural: str
    kind: str
    name: str = ""

    @property
    def resource(self) -> str:
        """`deployments.apps`, or `pods`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def details(self, causes: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
        """Return `Status.details` naming the resource."""
        found: dict[str, Any] = {"name": self.name, "group": self.group, "kind": self.plural}
        details = {key: value for key, value in found.items() if value}
        if causes:
            details["causes"] = list(causes)
        return details


def not_found(target: Target) -> Refusal:
    """404: there is no such object."""
    return Refusal(404, "NotFound", f'{target.resource} "{target.name}" not found', details=target.details())


def no_such_resource() -> Refusal:
    """404: the path leads nowhere (`the server could not find the requested resource`)."""
    return Refusal(404, "NotFound", "the server could not find the requested resource", details={})


def already_exists(target: Target) -> Refusal:
    """409: the name is taken."""
    return Refusal(409, "AlreadyExists", f'{target.resource} "{target.name}" already exists', details=target.details())


MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


def conflict(target: Target, detail: str = MODIFIED) -> Refusal:
    """409: the write was computed from an older version, or its preconditions do not hold."""
    message = f'Operation cannot be fulfilled on {target.resource} "{target.name}": {detail}'
    return Refusal(409, "Conflict", message, details=target.details())


def bad_request(message: str) -> Refusal:
    """400: the request cannot be understood."""
    return Refusal(400, "BadRequest", message)


def forbidden(target: Target, detail: str) -> Refusal:
    """403: understood and refused."""
    return Refusal(403, "Forbidden", f'{target.resource} "{target.name}" is forbidden: {detail}', details=target.details())


def method_not_allowed(detail: str = "the server does not allow this method on the requested resource") -> Refusal:
    """405: the resource has no such verb."""
    return Refusal(405, "MethodNotAllowed", detail, details={})


def unsupported_media_type(supported: Iterable[str] = ()) -> Refusal:
    """415: a patch is in a format that this resource does not take; for custom ones it is told which ones it does."""
    known = ", ".join(supported)
    if known:
        message = f"the body of the request was in an unknown format - accepted media types include: {known}"
        return Refusal(415, "UnsupportedMediaType", message)
    return Refusal(415, "UnsupportedMediaType", "415: Unsupported Media Type", details={})


def unrecognized(body: bytes, kind: str, why: str) -> Refusal:
    """400: a body that is no object."""
    found = f"couldn't get version/kind; json parse error: {why} ({_summary(body)})"
    return Refusal(400, "BadRequest", f"the object provided is unrecognized (must be of type {kind}): {found}")


def _summary(body: bytes) -> str:
    """Show the beginning of a body: as text if it looks like an object, else as the numbers of its bytes."""
    if not body:
        return "<empty>"
    text = body.decode(errors="replace") if body[:1] == b"{" else body.hex()
    return text if len(text) <= _SUMMARY_LENGTH else f"{text[:_SUMMARY_LENGTH]} ..."


def no_such_page() -> Refusal:
    """404 without a Status: no part of the server knows the path."""
    return Refusal(404, "", "404 page not found\n")


def unexpected(message: str) -> Refusal:
    """500: what the real server did not expect, and says without a reason."""
    return Refusal(500, "", message)


def not_decoded(obj: Any, why: str) -> Refusal:
    """422: what a patch would make of an object cannot be read as one."""
    message = f"Invalid value: {shown(shown(obj))}: {why}"
    cause = {"reason": "FieldValueInvalid", "message": message, "field": "patch"}
    return Refusal(422, "Invalid", f' "" is invalid: patch: {message}', details={"causes": [cause]})


def bad_option(options: str, error: FieldError) -> Refusal:
    """422: a parameter of the request is none of those that there are."""
    return not_valid(Target("meta.k8s.io", "", options), [error])


def gone(detail: str) -> Refusal:
    """410: the history that was asked for has been compacted away."""
    return Refusal(410, "Expired", detail)


def not_valid(target: Target, errors: Sequence[FieldError]) -> Refusal:
    """422: the object breaks rules; every broken one becomes a cause."""
    texts = list(dict.fromkeys(str(error) for error in errors))
    summary = texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]"
    causes = [{"reason": error.reason, "message": error.message, "field": error.field} for error in errors]
    kind = f"{target.kind}.{target.group}" if target.group else target.kind
    details = {**target.details(causes), "kind": target.kind}
    return Refusal(422, "Invalid", f'{kind} "{target.name}" is invalid: {summary}', details=details)


def too_many_requests(message: str, *, retry_after_seconds: int | None, causes: Sequence[Mapping[str, Any]] = ()) -> Refusal:
    """429: come back later."""
    details = {"causes": list(causes)} if causes else None
    return Refusal(429, "TooManyRequests", message, details=details, retry_after_seconds=retry_after_seconds)


def internal_error(detail: str) -> Refusal:
    """500: the server failed."""
    return Refusal(500, "InternalError", f"Internal error occurred: {detail}", details={"causes": [{"message": detail}]})
