"""What a Rollout may have but probably does not mean: nothing is refused for it, `lint` and `explain` mention it.

Pure. Must not: repeat what is a problem (validation.py, references.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from analysis.errors import InvalidAnalysis
from analysis.templates import collect, flatten, references
from rollouts.rollout.references import CANARY, analyses_of
from rollouts.rollout.settings import Settings, or_default
from rollouts.rollout.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Note:
    """Something to know about a field."""

    field: str
    """Path from the object's root."""
    text: str

    def __str__(self) -> str:
        """Text for people: field and sentence."""
        return f"{self.field}: {self.text}"


def notes(snapshot: Snapshot, settings: Settings) -> list[Note]:
    """Return what is worth knowing about a Rollout whose spec is valid."""
    return [*_nothing_to_spare(snapshot, settings), *_unknown_arguments(snapshot, settings)]


def _nothing_to_spare(snapshot: Snapshot, settings: Settings) -> Iterator[Note]:
    """Pods can neither be added nor taken away: then one is taken away first, or nothing would ever move (spec/rollout.md 2.4)."""
    canary = (snapshot.rollout["spec"].get("strategy") or {}).get("canary") or {}
    given = or_default(canary.get("maxUnavailable"), "25%")
    if settings.routed or settings.replicas == 0 or settings.surge or _pods(given, settings.replicas):
        return
    text = f"{given} of {settings.replicas} pods with maxSurge {canary['maxSurge']} leaves none to spare, so it counts as 1"
    yield Note(f"{CANARY}.maxUnavailable", text)


def _pods(value: int | str, replicas: int) -> int:
    """Return how many pods a count or a share means, rounded down."""
    return int(value.strip().removesuffix("%") or 0) * replicas // 100 if isinstance(value, str) else value


def _unknown_arguments(snapshot: Snapshot, settings: Settings) -> Iterator[Note]:
    """Arguments that no template declares are ignored upstream too; a misspelt one leaves the default in force."""
    for field, analysis, _ in analyses_of(settings):
        try:
            declared = [one["name"] for one in flatten(collect(references(analysis), snapshot.template)).arguments]
        except InvalidAnalysis:
            continue  # told as a problem
        for at, argument in enumerate(analysis.get("args") or ()):
            if argument["name"] not in declared:
                there = f"they declare {', '.join(declared)}" if declared else "they declare none"
                text = f"argument {argument['name']} is in none of the templates, so it has no effect; {there}"
                yield Note(f"{field}.args[{at}]", text)
