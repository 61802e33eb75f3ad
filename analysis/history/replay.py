"""What an analysis would have said: samples to judged points, judged points to the runs that would have seen them.

Judging is `analysis.conditions`, counting is `analysis.run.phases`: nothing of their rules is written again here, runs are only
laid side by side (spec/analysis.md 1.3-1.6). Pure. Must not: print, or ask for anything.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from analysis.conditions import Verdict, judge
from analysis.history.series import Flags, Floats, Question, Table, sorted_as
from analysis.no_data import is_no_data, no_data_text
from analysis.run.draft import ERROR_RETRY
from analysis.run.measuring import NO_DATA_PHASES
from analysis.run.metrics import Metric
from analysis.run.phases import Counters, Phase, assess

Codes: TypeAlias = NDArray[np.int8]
Places: TypeAlias = NDArray[np.int64]

PHASES = (Phase.SUCCESSFUL, Phase.FAILED, Phase.INCONCLUSIVE, Phase.ERROR, Phase.RUNNING, Phase.PENDING)
"""What the numbers in arrays of phases mean."""
CODES = {phase: code for code, phase in enumerate(PHASES)}
_MEASURED = 4
"""The first so many of `PHASES` are those of measurements."""
_RUNNING = CODES[Phase.RUNNING]
SKIPPED = CODES[Phase.PENDING]
"""Stands for a measurement that is not counted, because it had no data."""
_ROOM = 256
_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A metric's measurements, one per moment of its question."""

    asked: Question
    phases: Codes
    first: Floats
    """The first sample of each measurement: what `result[0]` is. NaN where there is none."""
    sizes: Places
    """How many samples each measurement saw."""
    pooled: Floats
    """All samples of all measurements."""
    blind: Flags
    """Which of them had no data and were decided by the metric's `rollouts/no-data`."""
    messages: dict[str, int] = field(default_factory=dict)
    """Texts of Errors, and how often each came."""


def judged(metric: Metric, asked: Question, found: Table, *, kind: str) -> Judged:
    """Judge what the metric would have measured at every moment of the question.

    `kind` is the result type of the instant query that a measurement sends: a scalar is a number to conditions, anything else a
    list of numbers.
    """
    judging = _Judging(metric, kind)
    count = asked.moments.count
    phases, blind = np.zeros(count, dtype=np.int8), np.zeros(count, dtype=np.bool_)
    first, sizes = np.full(count, np.nan), np.zeros(count, dtype=np.int64)
    for number, at_ms in enumerate(asked.moments.times_ms.tolist()):
        window = slice(number * asked.stride, number * asked.stride + asked.window)
        seen = found.values[:, window][found.present[:, window]]
        values = sorted_as(seen.tolist(), asked.order)
        blind[number] = metric.no_data is not None and is_no_data(values)
        phases[number] = judging.without_data(values) if blind[number] else judging.judge(values, seen.tobytes(), at_ms)
        sizes[number] = len(values)
        if values:
            first[number] = values[0]
    pooled = found.values[found.present]
    return Judged(asked=asked, phases=phases, first=first, sizes=sizes, pooled=pooled, blind=blind, messages=judging.messages)


@dataclass(slots=True)
class _Judging:
    """Judges samples; the same ones are judged once, unless a condition looks at the clock."""

    metric: Metric
    kind: str
    messages: dict[str, int] = field(default_factory=dict)
    _known: dict[bytes, Verdict] = field(default_factory=dict)

    def judge(self, values: list[float], key: bytes, at_ms: int) -> int:
        """Return the number of the phase; the same samples have the same key."""
        verdict = None if self._looks_at_the_clock else self._known.get(key)
        if verdict is None:
            verdict = self._known[key] = self._verdict(values, at_ms)
        self._note(verdict.message)
        return CODES[Phase(verdict.phase.value)]

    def without_data(self, values: list[float]) -> int:
        """Return the number of the phase that the metric's policy gives to a measurement without data."""
        policy = self.metric.no_data
        phase = None if policy is None else NO_DATA_PHASES.get(policy)
        if policy is not None and phase is Phase.ERROR:
            self._note(no_data_text(values, policy))
        return SKIPPED if phase is None else CODES[phase]

    def _note(self, message: str) -> None:
        if message:
            self.messages[message] = self.messages.get(message, 0) + 1

    @property
    def _looks_at_the_clock(self) -> bool:
        return "now" in f"{self.metric.spec.get('successCondition')} {self.metric.spec.get('failureCondition')}"

    def _verdict(self, values: list[float], at_ms: int) -> Verdict:
        is_number = self.kind == "scalar" and len(values) == 1
        return judge(
            values[0] if is_number else values,
            "float64" if is_number else "[]float64",
            success_condition=str(self.metric.spec.get("successCondition") or ""),
            failure_condition=str(self.metric.spec.get("failureCondition") or ""),
            now=datetime.fromtimestamp(at_ms / 1000, UTC),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """Would-be runs: one per interval of the time replayed, if it would have ended within that time."""

    starts_ms: Places
    ends_ms: Places
    """When the metric's phase was final."""
    phases: Codes
    """How each ended; Running for one that Errors, or measurements that do not count, stretched beyond the end of the data."""

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.phases)

    def share(self, *wanted: Phase) -> float:
        """Return the part of the runs that ended in one of the phases, 0 to 1."""
        return sum(self.ended(phase) for phase in wanted) / self.count if self.count else 0.0

    def ended(self, phase: Phase) -> int:
        """Return how many runs ended in the phase."""
        return int(np.count_nonzero(self.phases == CODES[phase]))


def runs(metric: Metric, judged: Judged, *, interval: timedelta, run_for: timedelta) -> Runs:
    """Start a run at every interval of the time replayed, and count its measurements by the rules of AnalysisRuns.

    Args:
        metric: its count and limits; `run_for` stands in for a count that it does not have.
        judged: its measurements, at each interval or finer.
        interval: the time between two measurements, and between two runs.
        run_for: how long a metric without a count is measured before its run is terminated.
    """
    moments = judged.asked.moments
    stride = max(1, interval // _MILLISECOND // moments.step_ms)
    span = _span(metric, run_for, stride=stride, step_ms=moments.step_ms)
    starts = np.arange(0, max(0, moments.count - span), stride, dtype=np.int64)
    retry = (
        max(1, -(-(ERROR_RETRY // _MILLISECOND) // moments.step_ms)) if moments.step_ms <= ERROR_RETRY // _MILLISECOND else stride
    )
    walk = _Walk(metric, judged.phases, starts=starts, last=starts + span if metric.count is None else None)
    phases, ends = walk.walk(stride=stride, retry=retry)
    delay_ms = metric.initial_delay // _MILLISECOND
    first_ms = moments.start_ms + starts * moments.step_ms
    return Runs(starts_ms=first_ms - delay_ms, ends_ms=moments.start_ms + ends * moments.step_ms, phases=phases)


def _span(metric: Metric, run_for: timedelta, *, stride: int, step_ms: int) -> int:
    """Return how many moments after its first measurement a run may last, Errors aside."""
    if metric.count is not None:
        return (metric.count - 1) * stride
    return max(0, (run_for - metric.initial_delay) // _MILLISECOND // step_ms)


@dataclass(slots=True)
class _Walk:
    """Takes all runs of a metric through their measurements at once: what they have counted are rows of one table of states."""

    metric: Metric
    measured: Codes
    starts: Places
    last: Places | None
    """The last moment at which each run may measure; None: until its count is reached."""
    _states: dict[Counters, int] = field(default_factory=dict)
    _counted: list[Counters] = field(default_factory=list)
    _next: Places = field(default_factory=lambda: np.full(_ROOM * _MEASURED, -1, dtype=np.int64))
    """The state after each pair of a state and the phase of a measurement; -1 where it is not known yet."""
    _over: Flags = field(default_factory=lambda: np.zeros(_ROOM, dtype=np.bool_))
    _phases: list[int] = field(default_factory=list)

    def walk(self, *, stride: int, retry: int) -> tuple[Codes, Places]:
        """Return how each run ended and at which moment."""
        state = np.full(len(self.starts), self._number(Counters()), dtype=np.int64)
        at, ends = self.starts.copy(), self.starts.copy()
        bound = np.full(len(at), len(self.measured) - 1, dtype=np.int64) if self.last is None else self.last
        going = np.flatnonzero(at <= bound)
        while going.size:
            codes = self.measured[at[going]]
            counted = codes != SKIPPED
            if counted.any():
                state[going[counted]] = self._after(state[going[counted]], codes[counted])
            ends[going] = at[going]
            at[going] += np.where(codes == CODES[Phase.ERROR], retry, stride)
            going = going[~self._over[state[going]] & (at[going] <= bound[going])]
        return self._verdicts(state), ends

    def _verdicts(self, state: Places) -> Codes:
        """Settle what is still going on: where there is no count, the run is terminated, which makes it Successful."""
        settled = [self._settled(counted, phase) for counted, phase in zip(self._counted, self._phases, strict=True)]
        return np.array(settled, dtype=np.int8)[state]

    def _settled(self, counted: Counters, phase: int) -> int:
        if phase < _MEASURED:
            return phase
        return _RUNNING if self.last is None else CODES[assess(self.metric, counted, terminating=True).phase]

    def _after(self, state: Places, codes: Codes) -> Places:
        """Return the states after one more measurement each; pairs not seen before are counted and assessed."""
        pairs = state * _MEASURED + codes
        found: Places = self._next[pairs]
        if found.min() < 0:
            for pair in np.unique(pairs[found < 0]).tolist():
                self._learn(pair)
            found = self._next[pairs]
        return found

    def _learn(self, pair: int) -> None:
        before, code = divmod(pair, _MEASURED)
        number = self._number(_essence(self.metric, self._counted[before].plus(PHASES[code])))
        self._next[pair] = number

    def _number(self, counters: Counters) -> int:
        if counters not in self._states:
            self._states[counters] = len(self._counted)
            self._counted.append(counters)
            self._phases.append(CODES[assess(self.metric, counters, terminating=False).phase])
            if len(self._counted) > len(self._over):
                self._next = np.concatenate([self._next, np.full_like(self._next, -1)])
                self._over = np.concatenate([self._over, np.zeros_like(self._over)])
            self._over[len(self._counted) - 1] = self._phases[-1] < _MEASURED
        return self._states[counters]


def _essence(metric: Metric, counters: Counters) -> Counters:
    """Return counters that are assessed the same from here on, so that few different ones are left."""
    return replace(
        counters,
        count=min(counters.count, 1) if metric.count is None else counters.count,
        successful=0,
        failed=min(counters.failed, metric.failure_limit + 1),
        inconclusive=min(counters.inconclusive, metric.inconclusive_limit + 1),
        error=min(counters.error, 1),
        consecutive_error=min(counters.consecutive_error, metric.consecutive_error_limit + 1),
        consecutive_success=min(counters.consecutive_success, metric.consecutive_success_limit),
    )


def longest_stretch(flags: Flags) -> tuple[int, int]:
    """Return where the longest unbroken row of true values starts, and its length; (0, 0) if there is none.

    >>> longest_stretch(np.array([True, False, True, True]))
    (2, 2)
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    if not edges.size:
        return 0, 0
    starts, lengths = edges[::2], edges[1::2] - edges[::2]
    longest = int(np.argmax(lengths))
    return int(starts[longest]), int(lengths[longest])
