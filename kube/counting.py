"""How many requests went to the API server, for what, with what answer, and how long they took.

Owns the counters that `/metrics` tells. Must not: keep names of objects or namespaces, of which there may be any number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping

from kube.metrics import Histogram
from kube.transport import Stream

NO_ANSWER = 0
"""The status of a request that nobody answered."""
_VERBS = {"POST": "Create", "PATCH": "Patch", "PUT": "Update", "DELETE": "Delete"}


class RequestCounts:
    """Requests by verb, resource (with its subresource) and status; seconds by verb."""

    def __init__(self) -> None:
        self.by_answer: Counter[tuple[str, str, int]] = Counter()
        self.seconds: dict[str, Histogram] = {}
        self.bytes_read = 0
        """Bodies of answers, watches included, after decompression."""

    def note(self, method: str, path: str, status: int, *, seconds: float) -> None:
        """Count one request that was sent."""
        resource, named = resource_of(path)
        verb = _VERBS.get(method) or ("Get" if named else "List")
        self.by_answer[(verb, resource, status)] += 1
        self.seconds.setdefault(verb, Histogram()).observe(seconds)

    def note_watch(self, path: str, status: int) -> None:
        """Count a watch that was opened, or not."""
        self.by_answer[("Watch", resource_of(path)[0], status)] += 1


class Counted:
    """A stream whose bytes are counted as they are read."""

    def __init__(self, stream: Stream, counts: RequestCounts) -> None:
        self._stream, self._counts = stream, counts

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self._stream.status

    @property
    def headers(self) -> Mapping[str, str]:
        """Names in lower case."""
        return self._stream.headers

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield bytes as they arrive."""
        async for chunk in self._stream.chunks():
            self._counts.bytes_read += len(chunk)
            yield chunk


def resource_of(path: str) -> tuple[str, bool]:
    """Return the resource that a path is about, and whether it is about one object.

    >>> resource_of("/apis/argoproj.io/v1alpha1/namespaces/shop/rollouts/web/status")
    ('rollouts/status', True)
    >>> resource_of("/api/v1/pods")
    ('pods', False)
    >>> resource_of("/version")
    ('discovery', True)
    """
    parts = path.strip("/").split("/")
    parts = parts[2:] if parts[0] == "api" else parts[3:] if parts[0] == "apis" else []
    if len(parts) > 2 and parts[0] == "namespaces":
        parts = parts[2:]
    if not parts:
        return "discovery", True
    return "/".join([parts[0], *parts[2:3]]), len(parts) > 1
