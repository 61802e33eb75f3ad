"""The tree of a Rollout on a terminal of few rows: what matters stays in sight, the rest is summed up.

Owns the order in which things give way: pods that run, the counts of pods, revisions that are neither new nor stable. Pure.
Must not: format rows (tree.py does).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from rollouts.cli.model import Icon, PodInfo, ReplicaSetInfo, RevisionInfo, RolloutInfo
from rollouts.cli.tree import rollout_text

_TROUBLE = (Icon.BAD, Icon.WARNING, Icon.UNKNOWN, Icon.PROGRESSING)
"""What pods are shown first; one that runs without being ready comes last."""


def fitted_text(info: RolloutInfo, *, height: int, colour: bool = False) -> str:
    """Return the text of `get rollout` with as much as has room above the cursor's row, ending with a newline.

    What is too high even then is cut: status and new version, which come first, stay.
    """
    text = rollout_text(info, colour=colour)
    for smaller in _SMALLER:
        if text.count("\n") < height:
            return text
        info = smaller(info)
        text = rollout_text(info, colour=colour)
    return cut(text, height)


def cut(text: str, height: int) -> str:
    """Return the beginning of a text that is higher than the terminal, and how many lines are missing.

    >>> cut("status\\na\\nb\\nc\\n", 4)
    'status\\na\\n... 2 more lines\\n'
    """
    rows = text.splitlines(keepends=True)
    if len(rows) < height:
        return text
    kept = max(height - 2, 1)
    return "".join([*rows[:kept], f"... {len(rows) - kept} more lines\n"])


def _running_summed_up(info: RolloutInfo) -> RolloutInfo:
    def summed_up(one: ReplicaSetInfo) -> ReplicaSetInfo:
        running = [pod for pod in one.pods if _is_fine(pod)]
        others = sorted((pod for pod in one.pods if not _is_fine(pod)), key=_urgency)
        return one if len(running) < 2 else replace(one, pods=tuple(others), more_running=len(running))

    return replace(
        info,
        revisions=tuple(replace(one, replica_sets=tuple(map(summed_up, one.replica_sets))) for one in info.revisions),
    )


def _is_fine(pod: PodInfo) -> bool:
    ready, _, all_of_them = pod.ready.partition("/")
    return pod.icon is Icon.OK and ready == all_of_them


def _urgency(pod: PodInfo) -> int:
    return _TROUBLE.index(pod.icon) if pod.icon in _TROUBLE else len(_TROUBLE)


def _counts_in_one_line(info: RolloutInfo) -> RolloutInfo:
    return replace(info, is_brief=True)


def _old_revisions_summed_up(info: RolloutInfo) -> RolloutInfo:
    kept = tuple(one for at, one in enumerate(info.revisions) if at == 0 or _matters(one))
    return replace(info, revisions=kept, more_revisions=len(info.revisions) - len(kept))


def _matters(revision: RevisionInfo) -> bool:
    return any(one.tags or not all(map(_is_fine, one.pods)) for one in revision.replica_sets)


_SMALLER: tuple[Callable[[RolloutInfo], RolloutInfo], ...] = (
    _running_summed_up,
    _counts_in_one_line,
    _old_revisions_summed_up,
)
