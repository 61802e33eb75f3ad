"""What Rollouts are doing, by upstream's names (spec/rollout.md 5.1): a few series for each, none that outlives it.

Read from stores when somebody asks, so a Rollout that is gone is gone here, too. Must not: decide anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from kube.kinds import ROLLOUT
from kube.metrics import Family, Labels, counters, gauges
from kube.objects import Object, key_of, parse_time

_PHASES = {
    "NewReplicaSetAvailable": "Completed",
    "RolloutCompleted": "Completed",
    "RolloutPaused": "Paused",
    "RolloutAborted": "Abort",
    "ProgressDeadlineExceeded": "Timeout",
    "ReplicaSetCreateError": "Error",
    "RolloutAnalysisRunFailed": "Error",
    "RolloutExperimentFailed": "Error",
}
"""By the reason of the condition `Progressing`; with any other the update goes on."""
_ROUTERS = {"alb": "ALB", "smi": "SMI", "appMesh": "AppMesh"}
"""Names that are not their field with a capital."""


def families(rollouts: Sequence[Object]) -> Iterable[Family]:
    """Return strategy, router, phase, replicas and durations of every Rollout."""
    named = [(_labels(one), one) for one in rollouts]
    infos = [({**labels, **_strategy(one), "phase": phase_of(one)}, 1.0) for labels, one in named]
    yield gauges("rollout_info", "One for every Rollout, with how it is.", infos)
    phases = [({key: value for key, value in labels.items() if key != "traffic_router"}, one) for labels, one in infos]
    yield gauges("rollout_phase", "One for the phase that a Rollout is in (deprecated, use rollout_info).", phases)
    for name, text, count in _REPLICAS:
        yield gauges(f"rollout_info_replicas_{name}", text, [(labels, count(one)) for labels, one in named])
    yield gauges(
        "rollout_duration_seconds",
        "How long the last update took that ended, with how it ended.",
        [({**labels, "status": ending}, total) for labels, (ending, total, _) in _durations(named)],
    )
    yield gauges(
        "rollout_progression_duration_seconds",
        "The same without the time it waited for people.",
        [({**labels, "status": ending}, total - waited) for labels, (ending, total, waited) in _durations(named)],
    )
    yield gauges(
        "rollout_manual_pause_duration_seconds",
        "How long it waited for people.",
        [({**labels, "status": ending}, waited) for labels, (ending, _, waited) in _durations(named)],
    )


def event_families(recorded: Mapping[tuple[str, bool, str], int]) -> Iterable[Family]:
    """Return how many events there were about Rollouts, by reason and not by Rollout."""
    rows: list[tuple[Labels, float]] = [
        ({"type": "Warning" if warns else "Normal", "reason": reason}, count)
        for (kind, warns, reason), count in sorted(recorded.items())
        if kind == ROLLOUT.name
    ]
    yield counters("rollout_events_total", "Events about Rollouts since this process began.", rows)


def phase_of(rollout: Object) -> str:
    """Return the phase as upstream's metrics call it: Completed, Progressing, Paused, Timeout, Error, Abort or InvalidSpec."""
    conditions = {one.get("type"): one for one in (rollout.get("status") or {}).get("conditions") or ()}
    if conditions.get("InvalidSpec", {}).get("status") == "True":
        return "InvalidSpec"
    return _PHASES.get(str(conditions.get("Progressing", {}).get("reason")), "Progressing")


def _labels(rollout: Object) -> dict[str, str]:
    namespace, name = key_of(rollout)
    return {"name": name, "namespace": namespace}


def _strategy(rollout: Object) -> dict[str, str]:
    strategy = _mapping(_mapping(rollout.get("spec")).get("strategy"))
    kind = next((one for one in ("blueGreen", "canary") if one in strategy), "none")
    routing = _mapping(_mapping(strategy.get("canary")).get("trafficRouting"))
    routers = sorted(_ROUTERS.get(name, name[:1].upper() + name[1:]) for name, value in routers_of(routing))
    return {"strategy": kind, "traffic_router": ",".join(routers)}


def routers_of(routing: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return the routers among the fields of `trafficRouting`."""
    return [(name, value) for name, value in routing.items() if isinstance(value, Mapping)]


def _mapping(value: Any) -> Mapping[str, Any]:
    """Return a mapping, whatever a person wrote into a spec."""
    return value if isinstance(value, Mapping) else {}


def _status_count(field: str) -> Callable[[Object], float]:
    return lambda rollout: float((rollout.get("status") or {}).get(field) or 0)


def _desired(rollout: Object) -> float:
    replicas = _mapping(rollout.get("spec")).get("replicas", 1)
    return float(replicas) if isinstance(replicas, int) else 1.0


def _unavailable(rollout: Object) -> float:
    status = rollout.get("status") or {}
    return float(max((status.get("replicas") or 0) - (status.get("availableReplicas") or 0), 0))


_REPLICAS = (
    ("available", "Available replicas.", _status_count("availableReplicas")),
    ("unavailable", "Replicas that are not available.", _unavailable),
    ("desired", "Wanted replicas.", _desired),
    ("updated", "Replicas of the new version.", _status_count("updatedReplicas")),
)


def _durations(named: Sequence[tuple[dict[str, str], Object]]) -> list[tuple[dict[str, str], tuple[str, float, float]]]:
    """Return ending, seconds, and seconds waited for people, of the updates that ended."""
    found = []
    for labels, rollout in named:
        duration = (rollout.get("status") or {}).get("duration") or {}
        began, ended = parse_time(duration.get("rolloutStartedAt")), parse_time(duration.get("finishedAt"))
        if began and ended:
            waited = float(duration.get("totalManualPauseDurationSeconds") or 0)
            found.append((labels, (str(duration.get("completionStatus")), (ended - began).total_seconds(), waited)))
    return found
