"""The spec of a Rollout with every default resolved: what the plan reads (spec/rollout.md 1.1).

Built only from specs that passed validation. Defaults are applied here at read time and not written back, but for `replicas`, which
autoscalers read from the spec (revisions.py). Must not: judge.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from kube.objects import Object, parse_time
from rollouts.engine.replicas import surge_and_unavailable
from rollouts.engine.steps import Steps
from rollouts.engine.templates import hash_of

DEFAULT_PROGRESS_DEADLINE_SECONDS = 600
DEFAULT_DELAY = timedelta(seconds=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """How much of the wanted canary is enough for a step (`replicaProgressThreshold`)."""

    percent: bool
    value: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One Rollout's wishes. Times are durations; absent means that upstream's default applies and is filled in."""

    replicas: int
    min_ready: timedelta
    template: Mapping[str, Any]
    selector: Mapping[str, Any]
    revision_history_limit: int
    paused: bool
    progress_deadline: timedelta
    progress_deadline_abort: bool
    restart_at: datetime | None
    """Before which moment no pod may be born, to the second: Kubernetes notes births no finer."""
    rollback_window: int
    successful_runs: int
    unsuccessful_runs: int
    steps: Steps
    steps_hash: str
    """Tells these steps from others; empty without any."""
    stable_service: str | None
    canary_service: str | None
    routers: Mapping[str, Mapping[str, Any]]
    """Configured routers by key; empty for a canary by replica counts."""
    managed_routes: tuple[str, ...]
    total_weight: int
    surge: int
    unavailable: int
    background: Mapping[str, Any] | None
    starting_step: int
    canary_metadata: Mapping[str, Any]
    stable_metadata: Mapping[str, Any]
    scale_down_delay: timedelta
    scale_down_delay_revisions: int | None
    abort_delay: timedelta | None
    """How long an aborted canary keeps its pods; None keeps them for ever."""
    abort_delay_given: bool
    dynamic_stable_scale: bool
    min_pods: int
    threshold: Threshold | None

    @property
    def routed(self) -> bool:
        """Whether a traffic router decides who gets which version."""
        return bool(self.routers)

    @classmethod
    def of(cls, rollout: Object) -> Settings:
        """Read a Rollout whose spec is valid."""
        spec = rollout["spec"]
        canary = (spec.get("strategy") or {}).get("canary") or {}
        routing = canary.get("trafficRouting") or {}
        replicas = or_default(spec.get("replicas"), 1)
        routers = {key: value for key, value in routing.items() if key not in ("managedRoutes", "maxTrafficWeight") and value}
        surge, unavailable = surge_and_unavailable(
            replicas=replicas,
            surge=or_default(canary.get("maxSurge"), "25"),
            unavailable=or_default(canary.get("maxUnavailable"), "25"),
        )
        dynamic = bool(canary.get("dynamicStableScale"))
        abort_seconds = canary.get("abortScaleDownDelaySeconds")
        background = canary.get("analysis")
        return cls(
            replicas=replicas,
            min_ready=timedelta(seconds=spec.get("minReadySeconds") or 0),
            template=spec.get("template") or {},
            selector=spec.get("selector") or {},
            revision_history_limit=or_default(spec.get("revisionHistoryLimit"), 10),
            paused=bool(spec.get("paused")),
            progress_deadline=timedelta(seconds=or_default(spec.get("progressDeadlineSeconds"), DEFAULT_PROGRESS_DEADLINE_SECONDS)),
            progress_deadline_abort=bool(spec.get("progressDeadlineAbort")),
            restart_at=restart_time(spec),
            rollback_window=(spec.get("rollbackWindow") or {}).get("revisions") or 0,
            successful_runs=or_default((spec.get("analysis") or {}).get("successfulRunHistoryLimit"), 5),
            unsuccessful_runs=or_default((spec.get("analysis") or {}).get("unsuccessfulRunHistoryLimit"), 5),
            steps=tuple(canary.get("steps") or ()),
            steps_hash=hash_of(canary["steps"]) if canary.get("steps") else "",
            stable_service=canary.get("stableService"),
            canary_service=canary.get("canaryService"),
            routers=routers,
            managed_routes=tuple(route["name"] for route in routing.get("managedRoutes") or ()),
            total_weight=or_default(routing.get("maxTrafficWeight"), 100),
            surge=surge,
            unavailable=unavailable,
            background=background if background and background.get("templates") else None,
            starting_step=or_default((background or {}).get("startingStep"), 0),
            canary_metadata=canary.get("canaryMetadata") or {},
            stable_metadata=canary.get("stableMetadata") or {},
            scale_down_delay=timedelta(0) if dynamic else _delay(canary.get("scaleDownDelaySeconds")),
            scale_down_delay_revisions=canary.get("scaleDownDelayRevisionLimit"),
            abort_delay=None if abort_seconds == 0 else _delay(abort_seconds),
            abort_delay_given=abort_seconds is not None,
            dynamic_stable_scale=dynamic,
            min_pods=canary.get("minPodsPerReplicaSet") or 0,
            threshold=_threshold(canary.get("replicaProgressThreshold")),
        )


def restart_time(spec: Mapping[str, Any]) -> datetime | None:
    """Return when a restart is asked for, as `status.restartedAt` will say that it was done: in whole seconds."""
    asked = parse_time(spec.get("restartAt"))
    return asked.replace(microsecond=0) if asked else None


def or_default(value: Any, default: Any) -> Any:
    """Return what was given, or what applies when nothing was."""
    return default if value is None else value


def _delay(seconds: int | None) -> timedelta:
    return DEFAULT_DELAY if seconds is None else timedelta(seconds=seconds)


def _threshold(spec: Mapping[str, Any] | None) -> Threshold | None:
    return Threshold(percent=spec["type"] == "Percent", value=spec["value"]) if spec else None
