"""What annotations ask of a Rollout beyond upstream's fields (docs/extensions.md), and what is wrong with them.

Annotations change without a new generation, so they are read for every plan and never remembered. Must not: act on them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from crds.durations import BadDuration, parse_duration
from kube.objects import Object, annotations_of
from rollouts.rollout.problems import Problem

ON_FAILURE = "rollouts/on-failure"
ABORT, PAUSE = "abort", "pause"
RETRY_LIMIT = "rollouts/retry-limit"
RETRY_AFTER = "rollouts/retry-after"
LONGEST_WAIT = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How an update that the controller gave up is tried again by itself."""

    limit: int
    """How often at most, per revision; 0 for never."""
    after: timedelta = timedelta(minutes=5)
    """How long after the abort."""

    @classmethod
    def of(cls, rollout: Object) -> RetryPolicy:
        """Read the policy; one that is written wrongly, which `extension_problems` tells, is none."""
        annotations = annotations_of(rollout)
        if RETRY_LIMIT not in annotations or any(_retry_problems(rollout)):
            return cls(0)
        limit = int(annotations[RETRY_LIMIT])
        return cls(limit, parse_duration(annotations[RETRY_AFTER])) if RETRY_AFTER in annotations else cls(limit)


def pauses_on_failure(rollout: Object) -> bool:
    """Tell whether an analysis that ends in Failed or Error pauses the update instead of giving it up."""
    return annotations_of(rollout).get(ON_FAILURE) == PAUSE


def extension_problems(rollout: Object) -> Iterator[Problem]:
    """Yield what is wrong with the values of annotations."""
    asked = annotations_of(rollout).get(ON_FAILURE)
    if asked not in (None, ABORT, PAUSE):
        yield Problem(f"metadata.annotations[{ON_FAILURE}]", f"use {ABORT} (the default) or {PAUSE}", asked)
    yield from _retry_problems(rollout)


def _retry_problems(rollout: Object) -> Iterator[Problem]:
    annotations = annotations_of(rollout)
    limit, after = annotations.get(RETRY_LIMIT), annotations.get(RETRY_AFTER)
    if limit is not None and not (limit.isascii() and limit.isdecimal() and len(limit) <= 3):
        yield Problem(f"metadata.annotations[{RETRY_LIMIT}]", "use a whole number from 0 (never) to 999", limit)
    if after is None:
        return
    try:
        is_wait = timedelta(seconds=1) <= parse_duration(after) <= LONGEST_WAIT
    except BadDuration:
        is_wait = False
    if not is_wait:
        yield Problem(f"metadata.annotations[{RETRY_AFTER}]", "use a duration from 1s to 8760h, such as 5m or 1h30m", after)
