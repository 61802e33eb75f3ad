"""What the demo does, as data: which manifests, whose traffic, which versions, and how each must end.

Must not: do any of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """How shipping a version ended."""

    PROMOTED = "promoted"
    TAKEN_BACK = "taken back"
    NEITHER = "neither promoted nor taken back"


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One version that is shipped."""

    title: str
    image: str
    ends: Outcome
    is_good: bool

    @property
    def version(self) -> str:
        """What its pods call themselves."""
        return self.image.rpartition(":")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """The whole demo."""

    folder: str
    """Of the manifests, in `examples/`."""
    rollout: str
    namespace: str
    users_ask_for: str
    """The Ingress or Service that the traffic goes to."""
    first_image: str
    acts: tuple[Act, ...]
    rps: float = 60.0
    act_seconds: float = 60.0
    """Longer than this an act must not take."""

    @property
    def first_version(self) -> str:
        """The version that is there before anything is shipped."""
        return self.first_image.rpartition(":")[2]


ACTS = (
    Act(title="a good version", image="shop:2", ends=Outcome.PROMOTED, is_good=True),
    Act(title="a bad version: a third of its answers are 500", image="shop:3-bad", ends=Outcome.TAKEN_BACK, is_good=False),
)
SCRIPTS: Mapping[str, Script] = {
    router: Script(
        folder=f"quickstart-{router}",
        rollout="shop",
        namespace="default",
        users_ask_for="shop",
        first_image="shop:1",
        acts=ACTS,
    )
    for router in ("nginx", "istio")
}
