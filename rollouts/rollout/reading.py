"""A Rollout's spec read once: what is wrong with it or, when nothing is, its settings and what it refers to.

Owns remembering a reading for as long as the spec is the same. Must not: look at anything but the spec.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from kube.kinds import ObjectRef
from kube.objects import Key, Object, key_of, uid_of
from rollouts.rollout.problems import Problem
from rollouts.rollout.references import referenced
from rollouts.rollout.settings import Settings
from rollouts.rollout.validation import validate


@dataclass(frozen=True, slots=True)
class Reading:
    """One spec as read."""

    problems: tuple[Problem, ...]
    settings: Settings | None
    """None while there are problems."""
    references: frozenset[ObjectRef] = frozenset()
    """Every object it names directly."""
    fitting: dict[str, object] = field(default_factory=dict, compare=False)
    """By field, the templates' versions and arguments with which an analysis was last found to fit: a memory, never an input."""

    @classmethod
    def of(cls, rollout: Object) -> Reading:
        """Read a Rollout."""
        problems = tuple(validate(rollout))
        if problems:
            return cls(problems, None)
        settings = Settings.of(rollout)
        return cls((), settings, frozenset(referenced(rollout, settings)))


@dataclass(slots=True)
class Readings:
    """Readings by Rollout, each kept until its spec's generation changes."""

    _known: dict[Key, tuple[str, int, Reading]] = field(default_factory=dict)

    def of(self, rollout: Object) -> Reading:
        """Return what its spec says; a Rollout without a generation is read anew each time."""
        key, generation = key_of(rollout), rollout["metadata"].get("generation")
        if not generation:
            return Reading.of(rollout)
        uid, seen, reading = self._known.get(key) or ("", 0, None)
        if reading is None or (uid, seen) != (uid_of(rollout), generation):
            reading = Reading.of(rollout)
            self._known[key] = (uid_of(rollout), generation, reading)
        return reading

    def __len__(self) -> int:
        """How many Rollouts are remembered."""
        return len(self._known)

    def forget(self, key: Key) -> None:
        """The Rollout is gone."""
        self._known.pop(key, None)
