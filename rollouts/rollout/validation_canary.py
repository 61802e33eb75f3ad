"""Whether the canary strategy of a Rollout makes sense by itself (spec/rollout.md 1.1, 2.4).

Must not: look at steps or routers closer than the strategy's own fields need; see validation_steps.py and validation_routing.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from crds.references import RolloutAnalysis
from crds.rollout import CanaryStrategy, ReplicaProgressThreshold
from rollouts.rollout.problems import Problem, forbidden, required
from rollouts.rollout.validation_routing import routing_problems
from rollouts.rollout.validation_steps import analysis_problems, step_problems

CANARY = "spec.strategy.canary"
_SHARE = re.compile(r"[0-9]{1,9}%?", re.ASCII)


def canary_problems(canary: CanaryStrategy) -> Iterator[Problem]:
    """Yield everything that is wrong with a canary strategy."""
    yield from _pods(canary)
    yield from _delays(canary)
    yield from _only_with_routing(canary)
    if canary.canary_service and canary.canary_service == canary.stable_service:
        yield Problem(f"{CANARY}.stableService", "must be another Service than canaryService", canary.stable_service)
    if canary.traffic_routing is not None:
        yield from routing_problems(canary, canary.traffic_routing)
    for at, step in enumerate(canary.steps or ()):
        yield from step_problems(step, f"{CANARY}.steps[{at}]", canary.traffic_routing)
    if canary.analysis is not None:
        yield from _background(canary.analysis, canary.analysis.starting_step, len(canary.steps or ()))


def _pods(canary: CanaryStrategy) -> Iterator[Problem]:
    yield from _count_or_share("maxSurge", canary.max_surge, at_most_all=False)
    yield from _count_or_share("maxUnavailable", canary.max_unavailable, at_most_all=True)
    if canary.min_pods_per_replica_set is not None and canary.min_pods_per_replica_set < 0:
        yield Problem(f"{CANARY}.minPodsPerReplicaSet", "must be greater than or equal to 0", canary.min_pods_per_replica_set)
    if canary.replica_progress_threshold is not None:
        yield from _threshold(canary.replica_progress_threshold)


def _count_or_share(name: str, value: int | str | None, *, at_most_all: bool) -> Iterator[Problem]:
    """A number of pods, or a percentage: strings are percent even without the sign. Both zero is fine (one pod goes)."""
    field = f"{CANARY}.{name}"
    match value:
        case int() if value < 0:
            yield Problem(field, "must be greater than or equal to 0", value)
        case str() if not _SHARE.fullmatch(value):
            yield Problem(field, 'must be a number of pods, or a percentage such as "25%"', value)
        case str() if at_most_all and int(value.removesuffix("%")) > 100:
            yield Problem(field, "must not be greater than 100%; strings are percentages even without the sign", value)


def _threshold(threshold: ReplicaProgressThreshold) -> Iterator[Problem]:
    field = f"{CANARY}.replicaProgressThreshold"
    if threshold.type not in ("Percent", "Pods"):
        yield Problem(f"{field}.type", "must be Percent or Pods", threshold.type)
    elif threshold.value < 1:
        yield Problem(f"{field}.value", "must be greater than 0", threshold.value)
    elif threshold.type == "Percent" and threshold.value > 100:
        yield Problem(f"{field}.value", "must not be greater than 100 percent", threshold.value)


def _delays(canary: CanaryStrategy) -> Iterator[Problem]:
    for name, value in (
        ("scaleDownDelaySeconds", canary.scale_down_delay_seconds),
        ("scaleDownDelayRevisionLimit", canary.scale_down_delay_revision_limit),
        ("abortScaleDownDelaySeconds", canary.abort_scale_down_delay_seconds),
    ):
        if value is not None and value < 0:
            yield Problem(f"{CANARY}.{name}", "must be greater than or equal to 0", value)
    if canary.dynamic_stable_scale and canary.scale_down_delay_seconds is not None:
        yield forbidden(f"{CANARY}.scaleDownDelaySeconds", "cannot be used with dynamicStableScale; remove one of them")


def _only_with_routing(canary: CanaryStrategy) -> Iterator[Problem]:
    if canary.traffic_routing is not None:
        return
    for name, given in (
        ("scaleDownDelaySeconds", canary.scale_down_delay_seconds is not None),
        ("abortScaleDownDelaySeconds", canary.abort_scale_down_delay_seconds is not None),
        ("dynamicStableScale", bool(canary.dynamic_stable_scale)),
        ("minPodsPerReplicaSet", canary.min_pods_per_replica_set is not None),
    ):
        if given:
            yield forbidden(f"{CANARY}.{name}", "can only be used with trafficRouting; remove it or name a router")


def _background(analysis: RolloutAnalysis, starting_step: int | None, steps: int) -> Iterator[Problem]:
    field = f"{CANARY}.analysis"
    if starting_step is not None and not analysis.templates:
        yield required(f"{field}.templates", "nothing would be analysed; name at least one template")
    if starting_step is not None and not 0 <= starting_step <= max(0, steps - 1):
        last = f"the last step is {steps - 1}" if steps else "there are no steps"
        yield Problem(f"{field}.startingStep", f"must be the position of a step, counted from 0; {last}", starting_step)
    yield from analysis_problems(analysis, field)
