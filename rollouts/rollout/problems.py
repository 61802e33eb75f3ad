"""What is wrong with a Rollout, as data, and the sentence that its `InvalidSpec` condition shows (spec/rollout.md 1.7).

Must not: judge; see validation.py.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

_SHOWN_PROBLEMS = 5
_SHOWN_CHARACTERS = 120


class Fault(StrEnum):
    """In what way a field is wrong, in the words of the Kubernetes API."""

    INVALID = "Invalid value"
    REQUIRED = "Required value"
    FORBIDDEN = "Forbidden"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to mend, at a field."""

    field: str
    """Path from the object's root: `spec.strategy.canary.steps[2].setWeight`."""
    message: str
    value: Any = None
    """What stands there; None when that says nothing."""
    fault: Fault = Fault.INVALID

    def __str__(self) -> str:
        """Text as the Kubernetes API writes field errors: `spec.replicas: Invalid value: -1: must not be negative`."""
        shown = "" if self.value is None or self.fault is not Fault.INVALID else f"{_show(self.value)}: "
        return f"{self.field}: {self.fault}: {shown}{self.message}"


def invalid_text(name: str, problems: Sequence[Problem]) -> str:
    """Return the message of the `InvalidSpec` condition; of many problems only the first few are told.

    >>> invalid_text("web", [Problem("spec.replicas", "must not be negative", -1)])
    'The Rollout "web" is invalid: spec.replicas: Invalid value: -1: must not be negative'
    """
    return f'The Rollout "{name}" is invalid: {listed(problems)}'


def listed(problems: Sequence[object]) -> str:
    """Return problems as one line; of many only the first few.

    >>> listed("abcdefg")
    'a; b; c; d; e; and 2 more'
    """
    told = [str(problem) for problem in problems[:_SHOWN_PROBLEMS]]
    if len(problems) > _SHOWN_PROBLEMS:
        told.append(f"and {len(problems) - _SHOWN_PROBLEMS} more")
    return "; ".join(told)


def required(field: str, message: str) -> Problem:
    """Return the problem of a field that is missing."""
    return Problem(field, message, fault=Fault.REQUIRED)


def forbidden(field: str, message: str) -> Problem:
    """Return the problem of a field that must not be there."""
    return Problem(field, message, fault=Fault.FORBIDDEN)


def _show(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str, skipkeys=True)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."
