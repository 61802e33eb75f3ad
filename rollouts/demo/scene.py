"""What is there at one moment, and what can be said of it.

Pure: raw objects in, plain values out. Must not: watch, or format for the screen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kube.objects import Object, annotations_of, is_controlled_by, uid_of
from rollouts.cli.phases import client_phase
from rollouts.demo.script import Outcome
from rollouts.engine.names import REVISION


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A Rollout and what belongs to it."""

    rollout: Object
    replica_sets: tuple[Object, ...] = ()
    pods: tuple[Object, ...] = ()
    runs: tuple[Object, ...] = ()

    @property
    def phase(self) -> str:
        """Healthy, Degraded, Progressing or Paused."""
        return client_phase(self.rollout)[0]

    @property
    def message(self) -> str:
        """Why it is so, in the controller's words."""
        return client_phase(self.rollout)[1]

    @property
    def status(self) -> Mapping[str, Any]:
        """The Rollout's status."""
        return self.rollout.get("status") or {}

    @property
    def weight(self) -> int | None:
        """The percentage of users that the router was told to send to the new version; None before it was told."""
        weights = (self.status.get("canary") or {}).get("weights")
        return int(weights["canary"]["weight"]) if weights else None

    @property
    def step(self) -> int | None:
        """The current step, counted from 0."""
        found = self.status.get("currentStepIndex")
        return None if found is None else int(found)

    @property
    def steps(self) -> int:
        """How many steps there are."""
        return len(((self.rollout["spec"].get("strategy") or {}).get("canary") or {}).get("steps") or ())

    @property
    def is_promoted(self) -> bool:
        """Whether the wanted version is the stable one, so that weights between the two mean nothing any more."""
        return bool(self.status.get("stableRS")) and self.status.get("stableRS") == self.status.get("currentPodHash")

    @property
    def is_updating(self) -> bool:
        """Whether there is a stable version and another one on its way, which was not given up."""
        return bool(self.status.get("stableRS")) and not self.status.get("abort")

    @property
    def revision(self) -> str:
        """Which template of the Rollout this is."""
        return str(annotations_of(self.rollout).get(REVISION, ""))

    @property
    def image(self) -> str:
        """The image that is wanted."""
        return str(self.rollout["spec"]["template"]["spec"]["containers"][0]["image"])

    def own_runs(self) -> list[Object]:
        """Return the AnalysisRuns of the current revision."""
        owned = [run for run in self.runs if is_controlled_by(run, uid_of(self.rollout))]
        return [run for run in owned if annotations_of(run).get(REVISION) == self.revision]


def outcome_of(scene: Scene, image: str) -> Outcome | None:
    """Return how shipping an image ended; None while it goes on.

    Taken back means that no user is sent to it any more and all stable pods are there.
    """
    status = scene.status
    if scene.image != image:
        return None
    if scene.phase == "Healthy" and scene.is_promoted:
        return Outcome.PROMOTED
    if scene.phase == "Degraded" and status.get("abort") and not scene.weight and _stable_is_whole(scene):
        return Outcome.TAKEN_BACK
    return None


def _stable_is_whole(scene: Scene) -> bool:
    available = int(scene.status.get("availableReplicas") or 0)
    return available >= int(scene.rollout["spec"].get("replicas") or 1)
