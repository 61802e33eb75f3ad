"""What happened between two moments, as things to tell and to count.

Pure. Must not: read a clock, or format for the screen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from analysis.run.verdicts import measurements_of, why
from kube.objects import Object, name_of
from rollouts.demo.scene import Scene
from rollouts.engine.steps import describe


class What(StrEnum):
    """Kinds of happenings."""

    ACT = "act"
    STEP = "step"
    WEIGHT = "weight"
    PHASE = "phase"
    MEASUREMENT = "measurement"
    ANALYSIS = "analysis"


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One thing that happened."""

    at: datetime
    what: What
    text: str
    step: int | None = None
    weight: int | None = None
    phase: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What had become of all users' requests by a moment. Nothing in it ever shrinks."""

    at: datetime
    sent: int
    lost: int
    answers: Mapping[str, int] = field(default_factory=dict)
    """By version."""
    errors: Mapping[str, int] = field(default_factory=dict)
    """5xx answers by version; those that a gateway gives for want of an application are lost instead."""


def happenings(before: Scene | None, after: Scene, at: datetime) -> Iterator[Happening]:
    """Yield what changed from one moment to the next, in the order in which it is told."""
    if before is None:
        return
    if after.step != before.step and after.step is not None and after.is_updating and not after.is_promoted:
        yield Happening(at=at, what=What.STEP, text=_step_text(after), step=after.step)
    if after.weight != before.weight and after.weight is not None and (after.weight or not after.is_promoted):
        text = f"the router sends {after.weight}% of the users to the new version"
        yield Happening(at=at, what=What.WEIGHT, text=text, weight=after.weight, step=after.step)
    yield from _analyses(before, after, at)
    if after.phase != before.phase:
        text = f"{after.phase}: {after.message}" if after.message else after.phase
        yield Happening(at=at, what=What.PHASE, text=text, phase=after.phase)


def _step_text(scene: Scene) -> str:
    steps = scene.rollout["spec"]["strategy"]["canary"].get("steps") or ()
    assert scene.step is not None
    if scene.step >= len(steps):
        return f"all {len(steps)} steps are done"
    return f"step {scene.step + 1} of {len(steps)}: {describe(steps[scene.step])}"


def _analyses(before: Scene, after: Scene, at: datetime) -> Iterator[Happening]:
    known = {name_of(run): run for run in before.runs}
    for run in after.runs:
        earlier = known.get(name_of(run))
        told = {(one.metric, one.number) for one in measurements_of(earlier)} if earlier else set()
        for one in measurements_of(run):
            if (one.metric, one.number) not in told:
                yield Happening(at=at, what=What.MEASUREMENT, text=one.text, phase=one.phase)
        phase = _phase(run)
        if phase != (_phase(earlier) if earlier else ""):
            reason = f": {why(run)}" if phase in ("Failed", "Error", "Inconclusive") else ""
            yield Happening(at=at, what=What.ANALYSIS, text=f"analysis {name_of(run)} is {phase}{reason}", phase=phase)


def _phase(run: Object) -> str:
    return str((run.get("status") or {}).get("phase") or "")
