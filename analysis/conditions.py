"""From a measured value to a verdict.

Owns which of the two conditions wins and the words of an Error (spec/analysis.md 1.3, spec/rollout.md 2.9). Must not: count
measurements or know a provider.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from .expressions import ExpressionError, compile, from_json, go_type

NO_DATA = "metric result is nil or empty: no data returned from the metric provider"
_SHOWN_CHARACTERS = 120


class Phase(StrEnum):
    """What one measurement says."""

    SUCCESSFUL = "Successful"
    FAILED = "Failed"
    INCONCLUSIVE = "Inconclusive"
    ERROR = "Error"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A measurement's phase, and for an Error why it could not be judged."""

    phase: Phase
    message: str = ""


def judge(
    value: Any,
    static_type: str = "any",
    *,
    success_condition: str = "",
    failure_condition: str = "",
    now: datetime,
) -> Verdict:
    """Judge a value by the conditions of its metric; an empty condition was not given.

    Both are evaluated, so an error in either makes the measurement an Error. No condition at all means Successful. When both are
    given, a true failure condition wins, and neither true is Inconclusive.
    """
    try:
        succeeded = _holds("successCondition", success_condition, value, static_type, now)
        failed = _holds("failureCondition", failure_condition, value, static_type, now)
    except ExpressionError as error:
        return Verdict(Phase.ERROR, error.message)
    match succeeded, failed:
        case (_, True):
            return Verdict(Phase.FAILED)
        case (True, _) | (None, _):
            return Verdict(Phase.SUCCESSFUL)
        case (False, None):
            return Verdict(Phase.FAILED)
        case _:
            return Verdict(Phase.INCONCLUSIVE)


def _holds(field: str, condition: str, value: Any, static_type: str, now: datetime) -> bool | None:
    """Return whether the condition is true, None if there is none; raises ExpressionError that names the field."""
    if not condition:
        return None
    try:
        result, known = (from_json(value), _type_in_hand(value)) if static_type == "any" or value is None else (value, static_type)
        answer = compile(condition, result_type=known).evaluate(result, now=now)
        if not isinstance(answer, bool):
            raise ExpressionError(f"expected bool, but got {go_type(answer)}")
    except ExpressionError as error:
        reason = NO_DATA if _is_empty(value) else f"{error.message}; the result is {_shown(value)}"
        raise ExpressionError(f'could not evaluate {field} "{condition}": {reason}') from None
    return answer


def _type_in_hand(value: Any) -> str:
    """Return what upstream's compiler knows of decoded JSON: the type of the whole, nothing of what is inside."""
    match value:
        case None:
            return "nil"
        case bool():
            return "bool"
        case int() | float():
            return "float64"
        case str():
            return "string"
        case list() | tuple():
            return "[]any"
        case dict():
            return "map"
        case _:
            return "any"


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, (str, list, tuple, dict)) and len(value) == 0)


def _shown(value: Any) -> str:
    """Return the beginning of the value as JSON, for people."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except (ValueError, RecursionError):
        text = f"a {type(value).__name__} that cannot be shown"
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."
