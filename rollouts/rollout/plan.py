"""What a Rollout should do next.

Owns the order of decisions (spec/rollout.md 2.1-2.3). Must not: do I/O, read a clock, know a router or a provider by name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from kube.objects import is_deleting, name_of
from kube.plan import Event, Plan, Reason
from rollouts.rollout.analyses import run_analyses
from rollouts.rollout.draft import Draft, copy_of
from rollouts.rollout.durations import keep_time
from rollouts.rollout.extensions import extension_problems
from rollouts.rollout.progress import follow_steps, heed_analyses, obey_commands, promote_when_done
from rollouts.rollout.references import missing_references
from rollouts.rollout.restarts import restart_pods
from rollouts.rollout.retries import retry_by_itself
from rollouts.rollout.revisions import adopt_orphans, keep_spec_in_step, name_the_revisions, restart_on_new_template
from rollouts.rollout.scaling import scale
from rollouts.rollout.services import switch_services
from rollouts.rollout.snapshot import Snapshot
from rollouts.rollout.status import is_news, refused, report
from rollouts.rollout.traffic import move_traffic, observe_traffic
from rollouts.rollout.upkeep import clean_history, mark_roles
from rollouts.rollout.validation import Problem, invalid_text

STAGES: tuple[Callable[[Draft], None], ...] = (
    adopt_orphans,
    name_the_revisions,  # which ReplicaSet is new, stable, old; adopts by meaning, never by hash alone
    keep_spec_in_step,
    restart_on_new_template,  # a new template or new steps start at step 0
    observe_traffic,  # what the router's objects say now
    obey_commands,  # abort, retry, resume, promote, as people asked through the status
    heed_analyses,  # verdicts: abort or ask a person
    retry_by_itself,  # what the controller gave up, where annotations ask for it
    follow_steps,  # past every step that is complete
    promote_when_done,
    switch_services,  # only to pods that are there
    move_traffic,  # the weight that is safe now; on abort before anything else
    run_analyses,
    scale,  # stable up, canary, then old ones down; never below what the traffic needs
    mark_roles,
    restart_pods,
    clean_history,
    report,
    keep_time,
)


def plan(snapshot: Snapshot, now: datetime) -> Plan:
    """Return everything to do about a Rollout now; empty when it is as wanted.

    While an object that the spec refers to is missing, nothing new is shipped, but what brings users back to the stable version
    or keeps them there goes on: abort, rollback and scaling never wait for somebody to mend a reference.
    """
    if is_deleting(snapshot.rollout):
        return Plan()
    if problems := snapshot.reading.problems:
        return _refusal(snapshot, problems, now)
    draft = Draft.of(snapshot, now)
    missing = find_problems(snapshot)
    if missing:
        draft.invalid = invalid_text(draft.name, missing)
    for stage in STAGES:
        stage(draft)
    if missing and not _is_on_stable(draft):
        return _refusal(snapshot, missing, now)
    return draft.plan()


def _is_on_stable(draft: Draft) -> bool:
    """Tell whether the plan only brings users back to, or keeps them on, a version that was promoted before."""
    return draft.stable is not None and not draft.is_first and (draft.aborted or draft.was_promoted)


def find_problems(snapshot: Snapshot) -> Sequence[Problem]:
    """Return what is wrong with the spec or, when that is fine, with annotations and what it refers to."""
    settings = snapshot.reading.settings
    if settings is None:
        return snapshot.reading.problems
    return (*extension_problems(snapshot.rollout), *missing_references(snapshot, settings))


def _refusal(snapshot: Snapshot, problems: Sequence[Problem], now: datetime) -> Plan:
    """Say what is wrong in the `InvalidSpec` condition; nothing else happens until it is mended."""
    rollout = snapshot.rollout
    text = invalid_text(name_of(rollout), problems)
    status = copy_of(rollout.get("status") or {})
    conditions = status.get("conditions") or ()
    status["conditions"] = refused(conditions, text, now)
    status["observedGeneration"] = str(rollout["metadata"].get("generation", 0))
    status["phase"], status["message"] = "Degraded", f"InvalidSpec: {text}"
    event = Event(about=Draft.ref_of(rollout), reason="InvalidSpec", message=text, warning=True)
    return Plan(
        status=status,
        events=(event,) if is_news(conditions, text) else (),
        reasons=(Reason(f"the spec is invalid, nothing happens until it is mended: {text}"),),
    )
