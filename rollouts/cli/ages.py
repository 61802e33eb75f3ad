"""How long ago or how long yet, in the few letters that Kubernetes' tables use.

Must not: read a clock.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from kube.objects import Object, parse_time

_MINUTE, _HOUR, _DAY, _YEAR = 60, 3_600, 86_400, 31_536_000


def human_duration(duration: timedelta) -> str:
    """Write a duration as kubectl does: two units while the first is small, one from then on.

    >>> human_duration(timedelta(seconds=95)), human_duration(timedelta(minutes=4, seconds=5)), human_duration(timedelta(hours=50))
    ('95s', '4m5s', '2d2h')
    """
    seconds = int(duration.total_seconds())
    if duration < timedelta(seconds=-1):
        return "<invalid>"
    if seconds < 0:
        return "0s"
    if seconds < 2 * _MINUTE:
        return f"{seconds}s"
    if seconds < 10 * _MINUTE:
        return _two(seconds, "m", _MINUTE, small=("s", 1))
    if seconds < 3 * _HOUR:
        return f"{seconds // _MINUTE}m"
    if seconds < 8 * _HOUR:
        return _two(seconds, "h", _HOUR, small=("m", _MINUTE))
    if seconds < 2 * _DAY:
        return f"{seconds // _HOUR}h"
    if seconds < 8 * _DAY:
        return _two(seconds, "d", _DAY, small=("h", _HOUR))
    if seconds < 2 * _YEAR:
        return f"{seconds // _DAY}d"
    if seconds < 8 * _YEAR:
        return _two(seconds, "y", _YEAR, small=("d", _DAY))
    return f"{seconds // _YEAR}y"


def _two(seconds: int, unit: str, size: int, *, small: tuple[str, int]) -> str:
    rest = seconds % size // small[1]
    return f"{seconds // size}{unit}" + (f"{rest}{small[0]}" if rest else "")


def age_of(obj: Object, now: datetime) -> str:
    """Return how old an object is; `<unknown>` for one without a creation time."""
    created = moment(obj["metadata"].get("creationTimestamp"))
    return human_duration(now - created) if created else "<unknown>"


def moment(text: object) -> datetime | None:
    """Read a time; None for what is absent or no time."""
    try:
        return parse_time(text) if isinstance(text, str) else None
    except ValueError:
        return None
