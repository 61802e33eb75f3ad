"""What one expression may cost: nodes, nesting, memory and steps.

Owns the numbers and the budget of one evaluation. A condition comes from a user's manifest and runs inside the controller,
so every loop and every allocation is charged here. Must not: measure time (limits are counts, the same on every machine).
"""

from __future__ import annotations

from .errors import ExpressionError

MAX_TEXT = 65_536
"""Characters of one expression."""
MAX_NODES = 10_000
MAX_DEPTH = 200
"""Nesting of the syntax, and of data walked by a built-in."""
MAX_MEMORY = 1_000_000
"""List elements (or eight characters of text each) that one evaluation may create, as upstream."""
MAX_STEPS = 1_000_000
MAX_PATTERN = 1_000
"""Characters of a regular expression."""

_CHARACTERS_PER_UNIT = 8


class Budget:
    """What is left for one evaluation. Mutable; lives as long as the evaluation."""

    __slots__ = ("_memory", "_steps")

    def __init__(self, *, memory: int = MAX_MEMORY, steps: int = MAX_STEPS) -> None:
        self._memory = memory
        self._steps = steps

    def step(self, count: int = 1) -> None:
        """Charge work; raises ExpressionError when the evaluation has done too much."""
        self._steps -= count
        if self._steps < 0:
            raise ExpressionError(f"evaluation takes more than {MAX_STEPS} steps; shorten the ranges or nest fewer closures")

    def elements(self, count: int) -> None:
        """Charge a list of `count` elements, before it is made."""
        self._memory -= count
        if self._memory < 0:
            raise ExpressionError("memory budget exceeded")
        self.step(count)

    def characters(self, count: int) -> None:
        """Charge a text of `count` characters, before it is made."""
        self.elements(count // _CHARACTERS_PER_UNIT)
