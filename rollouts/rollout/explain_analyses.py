"""What `explain` tells of a Rollout's analyses: how they fare, why they failed, and what they never measured.

Pure. Must not: decide anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from analysis.run.telling import progress_lines
from analysis.run.verdicts import never_measured, one_line, why
from kube.objects import Object, labels_of, name_of
from rollouts.engine.names import STEP_INDEX
from rollouts.rollout.extensions import pauses_on_failure
from rollouts.rollout.progress import BACKGROUND_RUN, STEP_RUN
from rollouts.rollout.references import SERVED
from rollouts.rollout.snapshot import Snapshot

_ENDED_BADLY = {"Failed": "failed", "Error": "ended in Error", "Inconclusive": "is inconclusive"}


def sentence(text: str, more: str = "") -> str:
    """End a text, which others may have written and ended already, with one full stop; `more` stands before it.

    >>> sentence("gone"), sentence("404: Not there."), sentence("A pause.", " (5s left)")
    ('gone.', '404: Not there.', 'A pause (5s left).')
    """
    return f"{text.removesuffix('.')}{more}."


def analysis_sentences(snapshot: Snapshot, status: Mapping[str, Any], now: datetime) -> Iterator[str]:
    """Yield the sentences about the runs that the status names; details of one are indented below it."""
    runs = {name_of(run): run for run in snapshot.analysis_runs}
    for field in (STEP_RUN, BACKGROUND_RUN):
        known = (status.get("canary") or {}).get(field) or {}
        if run := runs.get(str(known.get("name") or "")):
            yield from _about(snapshot, run, now)
        elif known.get("status") in _ENDED_BADLY:
            message = one_line(str(known.get("message") or "it gives no reason"))
            yield sentence(f"The analysis {known['name']} {_ENDED_BADLY[known['status']]}: {message}")


def _about(snapshot: Snapshot, run: Object, now: datetime) -> Iterator[str]:
    phase, name = str((run.get("status") or {}).get("phase") or "Pending"), _title(run)
    if phase in _ENDED_BADLY:
        yield sentence(f"{name} {_ENDED_BADLY[phase]}: {why(run) or 'it gives no reason'}")
    elif phase == "Successful":
        if blind := never_measured(run):
            yield sentence(f"{name} ended without a verdict: {blind}")
    elif (run.get("spec") or {}).get("terminate"):
        yield f"{name} is being stopped."
    else:
        yield f"{name} is running:"
        on_failure = "pause the update" if pauses_on_failure(snapshot.rollout) else "abort the update"
        for line in progress_lines(run, now, served=SERVED, on_failure=on_failure):
            yield sentence(f"  {line}")


def _title(run: Object) -> str:
    step = labels_of(run).get(STEP_INDEX, "")
    which = f"analysis of step {int(step) + 1}" if step.isdecimal() else "background analysis"
    return f"The {which} ({name_of(run)})"
