"""Phase and message of a Rollout as a client has to see them (spec/rollout.md 1.7).

The controller's word counts only for the spec it has seen; until then the Rollout is progressing. Must not: show anything.
"""

from __future__ import annotations

from collections.abc import Mapping

from kube.objects import Object, annotations_of
from rollouts.cli.model import Icon

WORKLOAD_GENERATION = "rollout.argoproj.io/workload-generation"

PHASE_ICONS: Mapping[str, Icon] = {
    "Healthy": Icon.OK,
    "Degraded": Icon.BAD,
    "Progressing": Icon.PROGRESSING,
    "Paused": Icon.PAUSED,
}


def client_phase(rollout: Object) -> tuple[str, str]:
    """Return phase and message."""
    spec, status = rollout["spec"], rollout.get("status") or {}
    if str(status.get("observedGeneration") or "") != str(rollout["metadata"].get("generation") or ""):
        return "Progressing", "waiting for rollout spec update to be observed"
    if spec.get("workloadRef"):
        generation = annotations_of(rollout).get(WORKLOAD_GENERATION, "")
        if generation != str(status.get("workloadObservedGeneration") or ""):
            return "Progressing", "waiting for rollout spec update to be observed for the reference workload"
    if status.get("controllerPause") and not status.get("pauseConditions") and not (spec.get("paused") or status.get("abort")):
        return "Progressing", "waiting for rollout to unpause"
    if status.get("phase"):
        return str(status["phase"]), str(status.get("message") or "")
    from rollouts.rollout.status import phase_of

    routed = bool(((spec.get("strategy") or {}).get("canary") or {}).get("trafficRouting"))
    return phase_of(rollout, status, routed=routed)
