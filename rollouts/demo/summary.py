"""What came of it: from happenings and samples to figures and a verdict.

Pure arithmetic. Must not: read a clock or print.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from rollouts.demo.script import Act, Outcome, Script
from rollouts.demo.story import Happening, Sample, What


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightAt:
    """A weight and when the router was told it, in seconds since the act began."""

    seconds: float
    weight: int
    step: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """An act that was played: what was observed from `began` to `ended`, and the reason if it was taken back."""

    act: Act
    outcome: Outcome
    began: datetime
    ended: datetime
    happenings: tuple[Happening, ...]
    samples: tuple[Sample, ...]
    """In order; the first is from when it began."""
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActSummary:
    """Figures of one act."""

    title: str
    image: str
    outcome: Outcome
    as_wanted: bool
    seconds: float
    weights: tuple[WeightAt, ...]
    measurements: tuple[str, ...]
    requests: int
    failed: int
    """Answers with 5xx."""
    failed_by_others: int
    """Answers with 5xx by another version than this one, or by this one although it is good."""
    lost: int
    answered_by_it: int
    with_users_seconds: float
    """From its first to its last answer."""
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Figures of the whole demo."""

    router: str
    ok: bool
    seconds: float
    requests: int
    failed: int
    lost: int
    acts: tuple[ActSummary, ...]
    problems: tuple[str, ...]
    """Why it is not ok, in sentences."""


def summarise(router: str, script: Script, played: Sequence[Performance], *, seconds: float, last: Sample) -> Summary:
    """Return the figures; `last` is the sample taken when all requests had ended."""
    acts = tuple(_act(one) for one in played)
    failed_elsewhere = sum(last.errors.values()) - sum(act.failed for act in acts)
    problems = [
        f"{act.image} was {act.outcome}, not {one.ends}" for act, one in zip(acts, script.acts, strict=False) if not act.as_wanted
    ]
    problems += [f"{one.image} was never shipped" for one in script.acts[len(acts) :]]
    wrong = sum(act.failed_by_others for act in acts) + failed_elsewhere
    if wrong:
        problems.append(f"{wrong} requests were answered with 5xx by something else than the bad version")
    if last.lost:
        problems.append(f"{last.lost} requests were lost")
    if not last.sent:
        problems.append("there was no traffic")
    return Summary(
        router=router,
        ok=not problems,
        seconds=seconds,
        requests=last.sent,
        failed=sum(last.errors.values()),
        lost=last.lost,
        acts=acts,
        problems=tuple(problems),
    )


def _act(played: Performance) -> ActSummary:
    act, first, last = played.act, played.samples[0], played.samples[-1]
    errors = {version: count - first.errors.get(version, 0) for version, count in last.errors.items()}
    return ActSummary(
        title=act.title,
        image=act.image,
        outcome=played.outcome,
        as_wanted=played.outcome is act.ends,
        seconds=(played.ended - played.began).total_seconds(),
        weights=tuple(
            WeightAt(seconds=(one.at - played.began).total_seconds(), weight=one.weight, step=one.step)
            for one in played.happenings
            if one.what is What.WEIGHT and one.weight is not None
        ),
        measurements=tuple(one.text for one in played.happenings if one.what is What.MEASUREMENT),
        requests=last.sent - first.sent,
        failed=sum(errors.values()),
        failed_by_others=sum(count for version, count in errors.items() if act.is_good or version != act.version),
        lost=last.lost - first.lost,
        answered_by_it=last.answers.get(act.version, 0) - first.answers.get(act.version, 0),
        with_users_seconds=with_users_seconds(played.samples, act.version),
        why=played.why,
    )


def with_users_seconds(samples: Sequence[Sample], version: str) -> float:
    """Return for how long a version answered: from the first to the last sample in which it had answered more than before.

    As exact as the samples are close together; 0 when it never answered.
    """
    grew = [(one.at, two.at) for one, two in pairwise(samples) if two.answers.get(version, 0) > one.answers.get(version, 0)]
    return (grew[-1][1] - grew[0][0]).total_seconds() if grew else 0.0


def shares(samples: Sequence[Sample], *, window_seconds: float = 3.0) -> dict[str, float]:
    """Return which share of the answers of the last seconds each version gave, as percentages."""
    if not samples:
        return {}
    last = samples[-1]
    before = next((one for one in samples if (last.at - one.at).total_seconds() <= window_seconds), last)
    counts = {version: count - before.answers.get(version, 0) for version, count in last.answers.items()}
    total = sum(counts.values())
    return {version: 100 * count / total for version, count in sorted(counts.items())} if total else {}
