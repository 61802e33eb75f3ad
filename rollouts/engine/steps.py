"""The steps of a canary: what each asks for at a given index (spec/rollout.md 1.2, 2.4, 2.5).

Steps are the mappings of `spec.strategy.canary.steps`, one key each. Must not: know pods, a router or a status.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeAlias

from crds.durations import parse_pause
from rollouts.engine.replicas import weighted
from routers.base import HeaderRoute, MirrorRoute

Step: TypeAlias = Mapping[str, Any]
Steps: TypeAlias = Sequence[Step]


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryScale:
    """What the last `setCanaryScale` asked for: a number of pods, or a share of the replicas."""

    replicas: int | None = None
    weight: int | None = None

    def pods(self, replicas: int) -> int:
        """Return the canary's pods for a workload of `replicas`; a share is in percent, rounded up."""
        return self.replicas if self.replicas is not None else weighted(replicas=replicas, weight=self.weight or 0)


def kind_of(step: Step) -> str:
    """Return the key that says what the step does."""
    return next((key for key, value in step.items() if value is not None), "")


def weight_at(steps: Steps, index: int, total: int = 100) -> int:
    """Return the weight wanted at a step: the last `setWeight` at or before it, 0 before the first, all past the end."""
    if index >= len(steps):
        return total
    return next((int(step["setWeight"]) for step in reversed(steps[: index + 1]) if step.get("setWeight") is not None), 0)


def weight_before(steps: Steps, index: int) -> int:
    """Return the weight that was wanted before the `setWeight` in force at a step; 0 when that is the first."""
    weights = [int(step["setWeight"]) for step in steps[: index + 1] if step.get("setWeight") is not None]
    if index >= len(steps):
        return weights[-1] if weights else 0
    return weights[-2] if len(weights) > 1 else 0


def canary_scale_at(steps: Steps, index: int) -> CanaryScale | None:
    """Return the override in force at a step; None when the pods follow the traffic, and past the end."""
    if index >= len(steps):
        return None
    for step in reversed(steps[: index + 1]):
        match step:
            case {"setCanaryScale": {"replicas": int(replicas)}}:
                return CanaryScale(replicas=replicas)
            case {"setCanaryScale": {"weight": int(weight)}}:
                return CanaryScale(weight=weight)
            case {"setCanaryScale": Mapping()}:
                return None
    return None


def scale_was_set(steps: Steps, index: int) -> bool:
    """Tell whether a `setCanaryScale` at or before a step has parted the number of the canary's pods from its weight."""
    return any(step.get("setCanaryScale") is not None for step in steps[: index + 1])


def header_routes_at(steps: Steps, index: int) -> tuple[HeaderRoute, ...]:
    """Return the header routes set up to a step, in the order they were first set; one without match was removed."""
    routes: dict[str, HeaderRoute] = {}
    for step in steps[: index + 1] if index < len(steps) else ():
        match step:
            case {"setHeaderRoute": {"name": str(name), "match": [_, *_] as matches}}:
                routes[name] = HeaderRoute(name=name, match=tuple(matches))
            case {"setHeaderRoute": {"name": str(name)}}:
                routes.pop(name, None)
    return tuple(routes.values())


def mirror_routes_at(steps: Steps, index: int) -> tuple[MirrorRoute, ...]:
    """Return the mirror routes set up to a step, in the order they were first set; one without match was removed."""
    routes: dict[str, MirrorRoute] = {}
    for step in steps[: index + 1] if index < len(steps) else ():
        match step:
            case {"setMirrorRoute": {"name": str(name), "match": [_, *_] as matches}}:
                percentage = _percentage(step["setMirrorRoute"])
                routes[name] = MirrorRoute(name=name, match=tuple(matches), percentage=percentage)
            case {"setMirrorRoute": {"name": str(name)}}:
                routes.pop(name, None)
    return tuple(routes.values())


def _percentage(route: Mapping[str, Any]) -> int:
    value = route.get("percentage")
    return 100 if value is None else int(value)


def pause_duration(step: Step) -> timedelta | None:
    """Return how long a `pause` step lasts; None when a person has to end it."""
    duration = (step.get("pause") or {}).get("duration")
    return None if duration is None else parse_pause(duration)


def describe(step: Step) -> str:
    """Say what a step does, as events and `explain` print it."""
    match step:
        case {"setWeight": int(weight)}:
            return f"setWeight: {weight}"
        case {"pause": {"duration": duration}} if duration is not None:
            return f"pause: {duration}"
        case {"setCanaryScale": Mapping() as scale}:
            asked = ", ".join(f"{key}: {str(value).lower()}" for key, value in scale.items() if value is not None)
            return f"setCanaryScale{{{asked}}}"
        case _:
            return kind_of(step)
