"""The times of a range query: `start` and `end` are expressions, `step` is a duration.

Owns their reading and the words of what is wrong with them (spec/rollout.md 1.4, `rangeQuery`). Must not: read a clock.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from crds.durations import BadDuration, parse_duration

from .expressions import Environment, ExpressionError, compile, go_type


def moment(text: str, *, field: str, now: datetime) -> datetime:
    """Return the moment of `rangeQuery.start` or `.end`, such as `now() - duration("5m")`.

    Raises:
        ExpressionError: it names the field; the expression is wrong or does not give a time.
    """
    try:
        found = compile(text, environment=Environment.TIME).evaluate(now=now)
    except ExpressionError as error:
        raise ExpressionError(f'could not evaluate rangeQuery.{field} "{text}": {error.message}') from None
    if not isinstance(found, datetime):
        raise ExpressionError(
            f'could not evaluate rangeQuery.{field} "{text}": expected time, but got {go_type(found)}; write now() or date("...")'
        )
    return found


def step(text: str) -> timedelta:
    """Return the length of `rangeQuery.step`, such as `1m`.

    Raises:
        ExpressionError: not a Go duration, or not positive.
    """
    try:
        found = parse_duration(text)
    except BadDuration as error:
        raise ExpressionError(f"rangeQuery.step: {error}") from None
    if found <= timedelta(0):
        raise ExpressionError(f"rangeQuery.step must be positive, but is {text}")
    return found
