"""How many requests came, from whom, for what.

Owns the counters that benches and tests read. Must not: leave any request out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping


class RequestCounts:
    """Requests by user, verb and resource (with its subresource, or the path when it is no resource)."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str, str]] = Counter()

    def note(self, user: str, verb: str, resource: str) -> None:
        """Count one request."""
        self._counts[(user, verb, resource)] += 1

    def total(self, *, user: str | None = None, verb: str | None = None, resource: str | None = None) -> int:
        """Return how many requests match everything given."""
        wanted = (user, verb, resource)
        return sum(
            count
            for key, count in self._counts.items()
            if all(asked is None or asked == have for asked, have in zip(wanted, key, strict=True))
        )

    def writes(self, *, user: str | None = None) -> int:
        """Return how many requests changed something or tried to."""
        verbs = ("create", "update", "patch", "delete", "deletecollection")
        return sum(self.total(user=user, verb=verb) for verb in verbs)

    def rows(self) -> list[Mapping[str, str | int]]:
        """Return every counter, sorted."""
        return [
            {"user": user, "verb": verb, "resource": resource, "count": count}
            for (user, verb, resource), count in sorted(self._counts.items())
        ]

    def clear(self) -> None:
        """Start from zero."""
        self._counts.clear()
