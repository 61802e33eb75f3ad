"""What came of the requests: by second, by who answered, and in all.

Owns the counting. Must not: send anything or read a clock.
"""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

GATEWAY_STATUSES = (502, 503, 504)
KEPT_SECONDS = 900
KEPT_LATENCIES = 20_000


class Failure(StrEnum):
    """Why a request has no answer."""

    CONNECT = "connect"
    RESET = "reset"
    TIMEOUT = "timeout"
    MALFORMED = "malformed"
    OVERLOAD = "overload"
    """It was due, but every connection was busy: the target is slower than the load."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def who(self) -> tuple[str, str]:
        """Return version and pod: from `x-version` and `x-pod`, else from a JSON body; empty where not told."""
        version, pod = self.headers.get("x-version", ""), self.headers.get("x-pod", "")
        if (version and pod) or not self.headers.get("content-type", "").startswith("application/json"):
            return version, pod
        try:
            body = json.loads(self.body)
        except ValueError:
            return version, pod
        if not isinstance(body, dict):
            return version, pod
        return version or str(body.get("version") or ""), pod or str(body.get("pod") or "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Second:
    """What was finished within one second. Latencies in seconds."""

    epoch: int
    versions: Mapping[str, int]
    statuses: Mapping[int, int]
    failures: Mapping[str, int]
    latency_max: float
    latency_mean: float

    @property
    def answered(self) -> int:
        """How many requests were answered, with whatever status."""
        return sum(self.statuses.values())

    @property
    def lost(self) -> int:
        """How many users got no answer from an application."""
        return lost(self.statuses, self.failures)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything so far. `lost` counts requests without an answer and those a gateway answered for want of an application."""

    sent: int
    lost: int
    versions: Mapping[str, int]
    pods: Mapping[str, int]
    statuses: Mapping[int, int]
    failures: Mapping[str, int]
    by_version_status: Mapping[tuple[str, int], int]
    latency_p50: float
    latency_p95: float
    latency_p99: float
    seconds: tuple[Second, ...]

    @property
    def answered(self) -> int:
        """How many requests were answered, with whatever status."""
        return sum(self.statuses.values())


def lost(statuses: Mapping[int, int], failures: Mapping[str, int]) -> int:
    """Return how many requests never got an application's answer."""
    return sum(failures.values()) + sum(statuses.get(status, 0) for status in GATEWAY_STATUSES)


@dataclass(slots=True)
class _Bucket:
    epoch: int
    versions: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    total: float = 0.0
    longest: float = 0.0

    def frozen(self) -> Second:
        count = sum(self.statuses.values())
        return Second(
            epoch=self.epoch,
            versions=dict(self.versions),
            statuses=dict(self.statuses),
            failures=dict(self.failures),
            latency_max=self.longest,
            latency_mean=self.total / count if count else 0.0,
        )


class Tally:
    """Counts outcomes; keeps the last 15 minutes by second and the last 20,000 latencies."""

    def __init__(self) -> None:
        self._seconds: deque[_Bucket] = deque(maxlen=KEPT_SECONDS)
        self._latencies: deque[float] = deque(maxlen=KEPT_LATENCIES)
        self._pods: Counter[str] = Counter()
        self._answers: Counter[tuple[str, int]] = Counter()
        self._failures: Counter[str] = Counter()

    def add(self, outcome: Answer | Failure, *, epoch: int, latency_seconds: float) -> None:
        """Count one outcome that came in the second `epoch`."""
        if not self._seconds or self._seconds[-1].epoch != epoch:
            self._seconds.append(_Bucket(epoch))
        bucket = self._seconds[-1]
        if isinstance(outcome, Failure):
            self._failures[outcome.value] += 1
            bucket.failures[outcome.value] += 1
            return
        version, pod = outcome.who()
        self._answers[version, outcome.status] += 1
        if pod:
            self._pods[pod] += 1
        self._latencies.append(latency_seconds)
        bucket.versions[version] += 1
        bucket.statuses[outcome.status] += 1
        bucket.total += latency_seconds
        bucket.longest = max(bucket.longest, latency_seconds)

    @property
    def answered(self) -> int:
        """How many requests were answered."""
        return self._answers.total()

    def snapshot(self) -> Snapshot:
        """Return everything so far."""
        versions: Counter[str] = Counter()
        statuses: Counter[int] = Counter()
        for (version, status), count in self._answers.items():
            versions[version] += count
            statuses[status] += count
        ordered = sorted(self._latencies)
        return Snapshot(
            sent=self._answers.total() + self._failures.total(),
            lost=lost(statuses, self._failures),
            versions=dict(versions),
            pods=dict(self._pods),
            statuses=dict(statuses),
            failures=dict(self._failures),
            by_version_status=dict(self._answers),
            latency_p50=quantile(ordered, 0.5),
            latency_p95=quantile(ordered, 0.95),
            latency_p99=quantile(ordered, 0.99),
            seconds=tuple(bucket.frozen() for bucket in self._seconds),
        )


def quantile(ordered: list[float], share: float) -> float:
    """Return the value below which this share of a sorted list lies; 0 for an empty one.

    >>> quantile([1.0, 2.0, 3.0, 4.0], 0.5)
    2.0
    """
    return ordered[max(0, min(len(ordered) - 1, round(share * len(ordered)) - 1))] if ordered else 0.0
