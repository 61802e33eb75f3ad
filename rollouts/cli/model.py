"""What the views show of a Rollout: a tree of small frozen values (spec/rollout.md 4).

Must not: read raw objects (info.py does) or format lines (tree.py does).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Icon(StrEnum):
    """The signs before names and states."""

    ROLLOUT = "⟳"
    REVISION = "#"
    REPLICA_SET = "⧉"
    POD = "□"
    ANALYSIS_RUN = "α"
    JOB = "⊞"
    WAITING = "◷"
    PROGRESSING = "◌"
    PAUSED = "॥"
    OK = "✔"
    BAD = "✖"
    WARNING = "⚠"
    UNKNOWN = "?"
    NEUTRAL = "•"


class Tag(StrEnum):
    """What a ReplicaSet is to its Rollout at the moment."""

    STABLE = "stable"
    CANARY = "canary"
    ACTIVE = "active"
    PREVIEW = "preview"
    PING = "ping"
    PONG = "pong"


@dataclass(frozen=True, slots=True, kw_only=True)
class PodInfo:
    """One pod."""

    name: str
    status: str
    icon: Icon
    age: str
    ready: str
    """Ready containers of all, `1/2`."""
    restarts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaSetInfo:
    """One ReplicaSet and its pods."""

    name: str
    revision: int
    status: str
    icon: Icon
    age: str
    tags: tuple[Tag, ...]
    delay: str
    """How long until it is drained (`27s`, or `passed`); empty when it is not to be."""
    images: tuple[str, ...]
    replicas: int
    available: int
    pods: tuple[PodInfo, ...]
    more_running: int = 0
    """How many further pods run and are ready, and are not shown one by one for want of room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobInfo:
    """One Job that measures for an AnalysisRun."""

    name: str
    status: str
    icon: Icon
    age: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisRunInfo:
    """One AnalysisRun, with its measurements counted over all metrics."""

    name: str
    revision: int
    status: str
    icon: Icon
    age: str
    successful: int
    failed: int
    inconclusive: int
    error: int
    jobs: tuple[JobInfo, ...]
    note: str = ""
    """What is wrong with it, in a few words; empty when nothing is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionInfo:
    """One revision: its ReplicaSets and the AnalysisRuns made for it."""

    number: int
    replica_sets: tuple[ReplicaSetInfo, ...]
    analysis_runs: tuple[AnalysisRunInfo, ...]


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """One image that is running, and as what."""

    image: str
    tags: tuple[Tag, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutInfo:
    """One Rollout as `get rollout` shows it."""

    name: str
    namespace: str
    status: str
    icon: Icon
    message: str
    strategy: str
    step: str
    set_weight: int
    actual_weight: int
    desired: int
    current: int
    updated: int
    ready: int
    available: int
    age: str
    images: tuple[ImageInfo, ...]
    revisions: tuple[RevisionInfo, ...]
    """Newest first."""
    more_revisions: int = 0
    """How many further revisions, neither new nor stable, are not shown for want of room."""
    is_brief: bool = False
    """Whether the counts of pods are shown in one line for want of room."""

    @property
    def is_canary(self) -> bool:
        """Whether step and weights mean anything."""
        return self.strategy == "Canary"
