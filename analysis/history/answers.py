"""What Prometheus answers about the past, as values: types kept, ranges taken apart and put together again.

Pure. Must not: judge a value.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

MAXIMUM_POINTS = 10_000
"""Per series and request; Prometheus refuses more than 11,000 (spec/analysis.md 3)."""


class HistoryError(Exception):
    """The past could not be asked, or cannot be read; the text is one sentence that says what to do."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A result as Prometheus wrote it. `kind` is its result type: vector, matrix, scalar or string."""

    kind: str
    result: Any
    warnings: tuple[str, ...] = field(default=())
    """What the server says about the answer, such as a part of it that is missing."""


class Source(Protocol):
    """What can be asked about the past: `analysis.history.client.History`. Times are milliseconds since 1970."""

    def instant(self, query: str, *, at_ms: int) -> Answer:
        """Return the value at one moment, or raise `HistoryError`."""
        ...

    def range(self, query: str, *, start_ms: int, end_ms: int, step_ms: int) -> Answer:
        """Return a matrix of the values at every step, or raise `HistoryError`."""
        ...


def chunks(start_ms: int, end_ms: int, step_ms: int) -> Iterator[tuple[int, int]]:
    """Cut a range into ranges that one request may ask for; together they have the same points.

    >>> list(chunks(0, 25_000_000, 1_000))
    [(0, 9999000), (10000000, 19999000), (20000000, 25000000)]
    """
    start = start_ms
    while start <= end_ms:
        yield start, min(end_ms, start + (MAXIMUM_POINTS - 1) * step_ms)
        start += MAXIMUM_POINTS * step_ms


def merged(answers: Sequence[Answer]) -> Answer:
    """Put the answers for consecutive ranges together, series by their labels, in the order of labels as Prometheus has it.

    Raises:
        HistoryError: one of them is no matrix.
    """
    warnings = tuple(dict.fromkeys(warning for answer in answers for warning in answer.warnings))
    if len(answers) == 1:
        return Answer(answers[0].kind, answers[0].result, warnings)
    try:
        return Answer("matrix", _joined(answers), warnings)
    except (KeyError, TypeError, AttributeError):
        raise HistoryError("Prometheus answered a range in an unknown form; is this a Prometheus?") from None


def _joined(answers: Sequence[Answer]) -> list[dict[str, Any]]:
    series: dict[tuple[tuple[str, str], ...], dict[str, Any]] = {}
    for one in (one for answer in answers for one in _matrix(answer)):
        known = series.setdefault(tuple(sorted(one["metric"].items())), {"metric": one["metric"]})
        for samples in ("values", "histograms"):
            if one.get(samples):
                known.setdefault(samples, []).extend(one[samples])
    return [series[labels] for labels in sorted(series)]


def _matrix(answer: Answer) -> Sequence[dict[str, Any]]:
    if answer.kind != "matrix":
        raise HistoryError(f"Prometheus answered a range with a {answer.kind}; is this a Prometheus?")
    return answer.result  # type: ignore[no-any-return]
