"""Which AnalysisRuns an update needs, and which are to stop (spec/rollout.md 2.8).

Owns names and labels of the runs. Must not: measure, or react to verdicts (progress.py does).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from analysis.arguments import rollout_arguments
from analysis.errors import InvalidAnalysis
from analysis.run.phases import Phase
from analysis.templates import build_run, collect, references
from kube.kinds import ANALYSIS_RUN, ObjectRef
from kube.objects import Object, labels_of, name_of
from kube.owners import owner_reference
from kube.plan import Create, Patch
from rollouts.engine.names import INSTANCE_ID, POD_TEMPLATE_HASH, REVISION, ROLLOUT_TYPE, STEP_INDEX, analysis_run_name
from rollouts.engine.steps import kind_of
from rollouts.rollout.draft import Draft, Order
from rollouts.rollout.progress import BACKGROUND_RUN, FAILED, INCONCLUSIVE, STEP_RUN, add_pause, paused_for

FINISHED = frozenset(phase.value for phase in Phase if phase.is_completed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One run that the update needs now."""

    field: str
    kind: str
    analysis: Mapping[str, Any]
    step: int | None = None


def run_analyses(draft: Draft) -> None:
    """Create the runs that are needed and missing; stop those that are not needed any more.

    A run is named in the status first and created by the next plan, so a controller that dies in between, or right after,
    never makes it twice.
    """
    wanted = _wanted(draft)
    for one in wanted:
        if not draft.canary_status.get(one.field):
            _name(draft, one)
        elif _is_missing(draft, one):
            _create(draft, one)
    needed = {(draft.canary_status.get(one.field) or {}).get("name") for one in wanted}
    for run in draft.snapshot.analysis_runs:
        if name_of(run) not in needed and not is_finished(run) and not run["spec"].get("terminate"):
            ref = ObjectRef(ANALYSIS_RUN, draft.namespace, name_of(run))
            draft.write(Order.ANALYSIS, Patch(ref=ref, patch={"spec": {"terminate": True}}))
            draft.event("AnalysisRunTerminating", f"Terminating analysis run '{name_of(run)}'", after=Order.ANALYSIS)


def is_finished(run: Object) -> bool:
    """Tell whether a run has its verdict."""
    return (run.get("status") or {}).get("phase") in FINISHED


def _wanted(draft: Draft) -> list[Wanted]:
    settings, index = draft.settings, draft.index
    if draft.is_first or draft.fully_promoted or draft.aborted or draft.fast_track:
        return []
    wanted = []
    if index < len(settings.steps) and kind_of(settings.steps[index]) == "analysis" and not settings.paused:
        wanted.append(Wanted(field=STEP_RUN, kind="Step", analysis=settings.steps[index]["analysis"], step=index))
    if settings.background is not None and index >= settings.starting_step:
        wanted.append(Wanted(field=BACKGROUND_RUN, kind="Background", analysis=settings.background))
    return wanted


def _name(draft: Draft, wanted: Wanted) -> None:
    """Choose the name of a new run, or take one that is under way already (as after moving here from another controller)."""
    body = _run_or_pause(draft, wanted)
    if body is None:
        return
    taken = {name_of(run): run for run in draft.snapshot.analysis_runs}
    attempt, name, phase = 0, name_of(body), "Pending"
    while name in taken or name in draft.snapshot.foreign_runs:
        run = taken.get(name)
        if run is not None and not is_finished(run) and _same_spec(run, body) and not run["spec"].get("terminate"):
            phase = (run.get("status") or {}).get("phase") or phase
            break
        attempt += 1
        name = f"{name_of(body)}.{attempt}"
    draft.canary_status[wanted.field] = {"name": name, "status": phase}


def _is_missing(draft: Draft, wanted: Wanted) -> bool:
    """Tell whether a run is named in the stored status, has no verdict there, and does not exist."""
    known = draft.canary_status[wanted.field]
    if known.get("status") in FINISHED or any(name_of(run) == known["name"] for run in draft.snapshot.analysis_runs):
        return False
    stored = ((draft.rollout.get("status") or {}).get("canary") or {}).get(wanted.field) or {}
    return bool(stored.get("name") == known["name"])


def _create(draft: Draft, wanted: Wanted) -> None:
    body, name = _run_or_pause(draft, wanted), draft.canary_status[wanted.field]["name"]
    is_free = name not in draft.snapshot.foreign_runs
    if body is not None and is_free and f"{name}.".startswith(f"{name_of(body)}."):
        draft.write(Order.ANALYSIS, Create(kind=ANALYSIS_RUN, body={**body, "metadata": {**body["metadata"], "name": name}}))
    elif body is not None:
        _name(draft, wanted)  # a client moved to another step before the run was there, or somebody else took the name


def _run_or_pause(draft: Draft, wanted: Wanted) -> dict[str, Any] | None:
    """Build a run; None while a person is asked, as when it cannot be built."""
    if paused_for(draft, INCONCLUSIVE) or paused_for(draft, FAILED):
        return None
    try:
        return _run(draft, wanted)
    except InvalidAnalysis as error:
        add_pause(draft, INCONCLUSIVE)
        draft.event("AnalysisRunError", f"cannot start the analysis: {error}", warning=True)
        return None


def _same_spec(run: Object, body: Object) -> bool:
    ours, theirs = body["spec"], run["spec"]
    return all(ours.get(field) == theirs.get(field) for field in ("metrics", "args", "dryRun", "measurementRetention"))


def _run(draft: Draft, wanted: Wanted) -> dict[str, Any]:
    """Build a run from the templates as they are now.

    Raises:
        InvalidAnalysis: a template is missing, or an argument has no value.
    """
    analysis = wanted.analysis
    step = "" if wanted.step is None else str(wanted.step)
    extra = analysis.get("analysisRunMetadata") or {}
    labels = {
        **(draft.settings.selector.get("matchLabels") or {}),
        **(extra.get("labels") or {}),
        POD_TEMPLATE_HASH: draft.new_hash,
        ROLLOUT_TYPE: wanted.kind,
        **({STEP_INDEX: step} if step else {}),
        **({INSTANCE_ID: instance} if (instance := labels_of(draft.rollout).get(INSTANCE_ID)) else {}),
    }
    return build_run(
        metadata={
            "name": analysis_run_name(draft.name, draft.new_hash, draft.revision, step),
            "namespace": draft.namespace,
            "labels": labels,
            "annotations": {**(extra.get("annotations") or {}), REVISION: str(draft.revision)},
            "ownerReferences": [owner_reference(draft.rollout)],
        },
        templates=collect(references(analysis), draft.snapshot.template),
        arguments=rollout_arguments(
            analysis.get("args") or (),
            rollout=draft.rollout,
            stable_hash=draft.stable.hash if draft.stable else None,
            latest_hash=draft.new_hash,
        ),
        dry_run=analysis.get("dryRun") or (),
        retention=analysis.get("measurementRetention") or (),
        owner=draft.rollout,
    )
