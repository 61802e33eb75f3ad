"""Trying an update again by itself after the controller gave it up (docs/extensions.md: `rollouts/retry-limit`).

How often that happened is noted on the new ReplicaSet, together with the abort that was answered, before the status tells of it:
a controller that dies in between answers no abort twice. Must not: answer the abort of a person.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from kube.objects import annotations_of, format_time, parse_time
from rollouts.engine import conditions as condition
from rollouts.engine.names import RETRIES
from rollouts.rollout.draft import Draft, Order
from rollouts.rollout.extensions import RetryPolicy
from rollouts.rollout.progress import abort_text, end_abort


@dataclass(frozen=True, slots=True)
class Retries:
    """How often a revision was tried again, as noted on its ReplicaSet."""

    revision: int = 0
    count: int = 0
    answered: str = ""
    """`status.abortedAt` of the abort that the last retry answered."""

    @classmethod
    def of(cls, draft: Draft) -> Retries:
        """Read the note; one of another revision, or that nobody can read, counts as none."""
        text = annotations_of(draft.new.obj).get(RETRIES) if draft.new else None
        try:
            noted = json.loads(text or "{}")
            found = cls(int(noted.get("revision", 0)), int(noted.get("count", 0)), str(noted.get("abortedAt", "")))
        except (ValueError, TypeError, AttributeError):
            found = cls()
        return found if found.revision == draft.revision else cls(draft.revision)

    def text(self) -> str:
        """Write the note."""
        return json.dumps({"revision": self.revision, "count": self.count, "abortedAt": self.answered})


@dataclass(frozen=True, slots=True)
class Outlook:
    """What becomes of an aborted update by itself."""

    number: int
    """Which retry is next, from 1."""
    limit: int
    due: datetime | None
    """When it is due; None when all of them are used up."""

    def __str__(self) -> str:
        if self.due is None:
            return f"all {self.limit} retries are used up"
        return f"retry {self.number} of {self.limit} at {self.due:%H:%M:%S} UTC"


def outlook(draft: Draft) -> Outlook | None:
    """Tell when an aborted update is tried again by itself; None when the policy or a person's abort says that it is not."""
    policy, aborted_at = RetryPolicy.of(draft.rollout), _aborted_at(draft)
    if not policy.limit or aborted_at is None or draft.new is None or draft.is_first or draft.fully_promoted:
        return None
    if not _given_up_by_controller(draft):
        return None
    retries = Retries.of(draft)
    due = aborted_at + policy.after if retries.count < policy.limit else None
    return Outlook(retries.count + 1, policy.limit, due)


def _aborted_at(draft: Draft) -> datetime | None:
    try:
        return parse_time(draft.status.get("abortedAt")) if draft.aborted else None
    except ValueError:
        return None


def _given_up_by_controller(draft: Draft) -> bool:
    """Tell whether an analysis or the deadline ended the update: a person's abort has no cause."""
    progressing = condition.find(draft.status.get("conditions") or (), "Progressing") or {}
    text = str(progressing.get("message") or "")
    return progressing.get("reason") == "RolloutAborted" and text.startswith(f"{abort_text(draft)}: ")


def retry_by_itself(draft: Draft) -> None:
    """Start an update again at its first step when its retry is due."""
    if _was_answered(draft):
        _start_again(draft, Retries.of(draft), RetryPolicy.of(draft.rollout).limit)
        return
    ahead = outlook(draft)
    if ahead is None:
        return
    if ahead.due is None:
        draft.because(f"{ahead}: retry it by hand, or ship a version that is mended")
    elif draft.settings.paused:
        draft.because("the update is not tried again while it is paused by spec.paused")
    elif draft.now < ahead.due:
        draft.because(f"the update is tried again by itself, retry {ahead.number} of {ahead.limit}", until=ahead.due)
    elif draft.new is not None:
        retries = Retries(draft.revision, ahead.number, str(draft.status["abortedAt"]))
        draft.patch_replica_set(Order.REVISION, draft.new, {"metadata": {"annotations": {RETRIES: retries.text()}}})
        _start_again(draft, retries, ahead.limit)


def _was_answered(draft: Draft) -> bool:
    """Tell whether the abort in the status was answered already, by a controller that could not write the status any more."""
    aborted_at = _aborted_at(draft)
    return aborted_at is not None and Retries.of(draft).answered == format_time(aborted_at)


def _start_again(draft: Draft, retries: Retries, limit: int) -> None:
    end_abort(draft)
    number = f"retry {retries.count} of {limit}" if limit else f"retry {retries.count}"
    draft.condition("Progressing", "Unknown", reason="RolloutRetry", message=f"Retrying Rollout after abort ({number})")
    draft.event("RolloutRetry", f"Retrying the update to revision {draft.revision} by itself ({number})")
