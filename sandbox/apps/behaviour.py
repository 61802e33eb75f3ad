"""How a demo program behaves: errors, delays, crashes, readiness; from its image and its environment.

Owns the names of the switches. Must not: serve anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """What a program does wrong, if anything.

    Attributes:
        error_every: every n-th answer is a 500; 0 for none.
        latency_ms: added to every answer.
        start_delay_ms: from start until it listens.
        crash_after_s: exits with code 1 that long after its start; None for never.
        ready: whether its readiness path ever answers 200.
    """

    error_every: float = 0.0
    latency_ms: float = 0.0
    start_delay_ms: float = 0.0
    crash_after_s: float | None = None
    ready: bool = True


NORMAL = Behaviour()
SWITCHES = ("ERROR_RATE", "LATENCY_MS", "START_DELAY_MS", "CRASH_AFTER_S", "READY")


class BadSwitch(ValueError):
    """An environment variable of the program has a value that it cannot read."""


def from_environment(usual: Behaviour, environment: Mapping[str, str]) -> Behaviour:
    """Return the behaviour with the container's variables applied over the image's.

    `ERROR_RATE` is a share from 0 to 1: 0.25 makes every fourth answer a 500.

    Raises:
        BadSwitch: a value cannot be read.
    """
    changes: dict[str, float | bool] = {}
    if environment.get("ERROR_RATE"):
        rate = _number("ERROR_RATE", environment["ERROR_RATE"])
        if not 0 <= rate <= 1:
            raise BadSwitch(f"ERROR_RATE={environment['ERROR_RATE']} is not between 0 and 1")
        changes["error_every"] = 1 / rate if rate else 0.0
    for name in ("LATENCY_MS", "START_DELAY_MS", "CRASH_AFTER_S"):
        if environment.get(name):
            changes[name.lower()] = _number(name, environment[name])
    if environment.get("READY"):
        changes["ready"] = environment["READY"].strip().lower() not in ("false", "0", "no")
    return replace(usual, **changes)  # type: ignore[arg-type]


def to_environment(behaviour: Behaviour) -> dict[str, str]:
    """Return variables from which `from_environment` makes the same behaviour again."""
    found = {}
    if behaviour.error_every:
        found["ERROR_RATE"] = repr(1 / behaviour.error_every)
    for field in fields(behaviour):
        value = getattr(behaviour, field.name)
        if field.name not in ("error_every", "ready") and value:
            found[field.name.upper()] = str(value)
    return found if behaviour.ready else {**found, "READY": "false"}


def _number(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise BadSwitch(f"{name}={text} is not a number") from None
    if value < 0:
        raise BadSwitch(f"{name}={text} is negative")
    return value
