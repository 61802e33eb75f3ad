"""A request to the API and its answer, independent of how they travel.

Owns reading of paths and queries. Must not: look anything up.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

from sandbox.apiserver.failures import bad_request
from sandbox.apiserver.storage import encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP request, already authenticated."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case."""
    body: bytes = b""
    user: str = "system:anonymous"

    def flag(self, name: str) -> bool:
        """Read a boolean query parameter."""
        return self.query.get(name, "").lower() in ("1", "true", "t")

    def number(self, name: str) -> int | None:
        """Read an integer query parameter, None when it is absent.

        Raises:
            Refusal: 400 when it is not a number.
        """
        text = self.query.get(name, "")
        if not text:
            return None
        try:
            return int(text)
        except ValueError:
            raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None

    @property
    def accept(self) -> str:
        """The `Accept` header."""
        return self.headers.get("accept", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole response."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Streamed:
    """A response that goes on: a watch or a followed log."""

    chunks: AsyncIterator[bytes]
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"


def json_answer(obj: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """Return an answer that holds one JSON object."""
    return Answer(status=status, body=encode(obj), headers=headers or {})  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Address:
    """Where a resource path leads."""

    group: str
    version: str
    plural: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""


_NAMESPACE_PARTS = frozenset({"status", "finalize"})


def address_of(path: str) -> Address | None:
    """Read `/api/v1/...` and `/apis/group/version/...`; None for anything else, discovery included."""
    parts = path.strip("/").split("/")
    if parts[0] == "api" and len(parts) >= 3:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[0] == "apis" and len(parts) >= 4:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return None
    namespace = ""
    if rest[0] == "namespaces" and len(rest) >= 3 and rest[2] not in _NAMESPACE_PARTS:
        namespace, rest = rest[1], rest[2:]
    name = rest[1] if len(rest) > 1 else ""
    return Address(group, version, rest[0], namespace, name, "/".join(rest[2:]))


def verb_of(request: Request, address: Address) -> str:
    """Return the API verb of a request, as in RBAC and audit logs."""
    match request.method:
        case "GET" | "HEAD":
            if address.name:
                return "get"
            return "watch" if request.flag("watch") else "list"
        case "POST":
            return "create"
        case "PUT":
            return "update"
        case "PATCH":
            return "patch"
        case "DELETE":
            return "delete" if address.name else "deletecollection"
        case _:
            return request.method.lower()
