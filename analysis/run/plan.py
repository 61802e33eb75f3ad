"""What an AnalysisRun should do next (spec/analysis.md 1.4-1.6, spec/rollout.md 2.8).

Pure: reads the run and the measurements that came back, asks for those that are due, and writes the status once. Must not: do
I/O, read a clock, know what a provider does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from analysis.errors import InvalidAnalysis
from analysis.run.draft import Draft, due_at
from analysis.run.metrics import Metric
from analysis.run.phases import Phase
from analysis.run.snapshot import Measure, Snapshot, effect_id
from analysis.run.status import summary, written_result
from analysis.run.validation import resolve, with_policies
from analysis.run.verdicts import NEVER_MEASURED, never_measured
from kube.kinds import ANALYSIS_RUN, ObjectRef
from kube.objects import format_time, is_deleting, known_time, name_of, namespace_of, uid_of
from kube.plan import Delete, Effect, Event, Plan, Reason, Stage

COMPANY_WAIT = timedelta(seconds=1)
"""How long a status that only counts further may wait for the measurements that are due at the same time."""


def plan(snapshot: Snapshot, now: datetime) -> Plan:
    """Return everything to do about one AnalysisRun now; empty when it is as wanted."""
    run = snapshot.run
    consumed = tuple(observation.effect_id for observation in snapshot.observations)
    if is_deleting(run):
        return Plan(consumed=consumed)
    if _phase_of(run).is_completed:
        return _retire(run, now, consumed)
    try:
        metrics = with_policies(run, resolve(run.get("spec") or {}, served=snapshot.providers.keys()))
        draft = Draft.of(snapshot, metrics, now)
        draft.fold(snapshot.observations)
    except InvalidAnalysis as error:
        return _refuse(run, str(error), now, consumed)
    draft.assess()
    return _proceed(snapshot, draft, consumed)


def _phase_of(run: Mapping[str, Any]) -> Phase:
    return Phase.read((run.get("status") or {}).get("phase"), otherwise=Phase.PENDING)


def _ref(run: Mapping[str, Any]) -> ObjectRef:
    return ObjectRef(ANALYSIS_RUN, namespace_of(run), name_of(run))


def _retire(run: Mapping[str, Any], now: datetime, consumed: tuple[str, ...]) -> Plan:
    """A finished run costs nothing, and is deleted when its time to live is over."""
    expires_at = expiry(run)
    if expires_at is None:
        return Plan(consumed=consumed)
    if now < expires_at:
        return Plan(
            consumed=consumed,
            look_again=expires_at - now,
            reasons=(Reason("finished; deleted after its time to live", expires_at),),
        )
    return Plan(stages=(Stage("expire", (Delete(ref=_ref(run), uid=uid_of(run)),)),), consumed=consumed)


def expiry(run: Mapping[str, Any]) -> datetime | None:
    """Return when a finished run may be deleted by its `ttlStrategy`; None for never.

    Failed and Successful runs have their own keys, every phase falls back to `secondsAfterCompletion`.
    """
    strategy = (run.get("spec") or {}).get("ttlStrategy") or {}
    status = run.get("status") or {}
    own = {Phase.FAILED: "secondsAfterFailure", Phase.SUCCESSFUL: "secondsAfterSuccess"}.get(_phase_of(run), "")
    seconds = strategy.get(own, strategy.get("secondsAfterCompletion"))
    completed_at = known_time(status.get("completedAt"))
    return None if seconds is None or completed_at is None else completed_at + timedelta(seconds=int(seconds))


def _refuse(run: Mapping[str, Any], message: str, now: datetime, consumed: tuple[str, ...]) -> Plan:
    """A run that cannot be measured ends in Error; the text says what to mend."""
    before = run.get("status") or {}
    status = {
        **before,
        "phase": Phase.ERROR.value,
        "message": message,
        "startedAt": before.get("startedAt") or format_time(now),
        "completedAt": format_time(now),
    }
    return Plan(status=status, events=(_run_event(run, Phase.ERROR, message),), consumed=consumed, reasons=(Reason(message),))


def _proceed(snapshot: Snapshot, draft: Draft, consumed: tuple[str, ...]) -> Plan:
    run, before = snapshot.run, _phase_of(snapshot.run)
    due, later = _schedule(draft)
    only_counted = not draft.changed and draft.phase is before
    return Plan(
        effects=tuple(_effect(snapshot, draft, metric) for metric in due),
        status=_status(run, draft),
        status_may_wait=COMPANY_WAIT if only_counted else timedelta(0),
        events=_events(run, draft),
        look_again=min(later.values()) - draft.now if later else None,
        reasons=_reasons(draft, due, later),
        consumed=consumed,
    )


def _schedule(draft: Draft) -> tuple[list[Metric], dict[str, datetime]]:
    """Return the metrics to measure now (or being measured), and when each other one is next."""
    due: list[Metric] = []
    later: dict[str, datetime] = {}
    for metric in draft.to_measure():
        moment = due_at(metric, draft.results.get(metric.name), draft.started_at)
        if moment <= draft.now:
            due.append(metric)
        else:
            later[metric.name] = moment
    return due, later


def _effect(snapshot: Snapshot, draft: Draft, metric: Metric) -> Effect:
    spec = snapshot.run["spec"]
    number = draft.next_number(metric)
    return Effect(
        effect_id(metric.name, number),
        Measure(
            namespace=namespace_of(snapshot.run),
            metric=spec["metrics"][draft.metrics.index(metric)],
            arguments=tuple(spec.get("args") or ()),
            number=number,
            no_data=metric.no_data,
        ),
    )


def _status(run: Mapping[str, Any], draft: Draft) -> dict[str, Any]:
    status = {
        **(run.get("status") or {}),
        "phase": draft.phase.value,
        "message": draft.message,
        "startedAt": format_time(draft.started_at),
        "completedAt": format_time(draft.now) if draft.phase.is_completed else None,
        "metricResults": [written_result(draft.results[metric.name]) for metric in draft.metrics if metric.name in draft.results],
        "runSummary": summary([metric for metric in draft.metrics if not metric.dry_run], draft.results),
        "dryRunSummary": summary([metric for metric in draft.metrics if metric.dry_run], draft.results),
    }
    return {key: value for key, value in status.items() if value not in (None, "")}


def _events(run: Mapping[str, Any], draft: Draft) -> tuple[Event, ...]:
    ended = [(metric.name, draft.results[metric.name].phase) for metric in draft.metrics if metric.name in draft.changed]
    events = [
        Event(
            about=_ref(run),
            reason=f"Metric{phase}",
            message=f"Metric '{name}' Completed. Result: {phase}",
            warning=phase in (Phase.FAILED, Phase.ERROR),
        )
        for name, phase in ended
        if phase.is_completed
    ]
    if draft.phase.is_completed:
        events.append(_run_event(run, draft.phase, draft.message))
        events.extend(_blind_event(run, draft))
    return tuple(events)


def _blind_event(run: Mapping[str, Any], draft: Draft) -> Iterator[Event]:
    """Tell of a run that counts as Successful because it was told to stop, and had measured nothing until then."""
    if blind := never_measured({**run, "status": _status(run, draft)}):
        yield Event(about=_ref(run), reason=NEVER_MEASURED, message=f"Successful without a verdict: {blind}", warning=True)


def _run_event(run: Mapping[str, Any], phase: Phase, message: str) -> Event:
    text = f"Analysis Completed. Result: {phase}"
    return Event(
        about=_ref(run),
        reason=f"AnalysisRun{phase}",
        message=f"{text}: {message}" if message else text,
        warning=phase in (Phase.FAILED, Phase.ERROR),
    )


def _reasons(draft: Draft, due: Sequence[Metric], later: Mapping[str, datetime]) -> tuple[Reason, ...]:
    if draft.phase.is_completed:
        return (Reason(draft.message or f"all metrics ended: {draft.phase}"),)
    measuring = (Reason(f"metric {metric.name} is being measured, number {draft.next_number(metric)}") for metric in due)
    waiting = (Reason(f"metric {name} waits for its next measurement", moment) for name, moment in later.items())
    return (*measuring, *waiting)
