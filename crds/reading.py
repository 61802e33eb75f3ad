"""From a raw object to a model, or to a list of what is malformed with the path of each field.

Must not: judge values that have the right type, or log.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from crds.common import Model

ModelT = TypeVar("ModelT", bound=Model)

_MESSAGES = {
    "bool_type": "must be true or false",
    "dict_type": "must be an object",
    "int_type": "must be an integer",
    "list_type": "must be a list",
    "missing": "is required",
    "model_attributes_type": "must be an object",
    "model_type": "must be an object",
    "string_type": "must be a string",
    "greater_than_equal": "is too small a number",
    "less_than_equal": "is too large a number",
    "int_parsing_size": "is too large a number",
}


@dataclass(frozen=True, slots=True)
class Malformed:
    """A field of the wrong type, or a required one that is missing."""

    path: str
    """As people write it: `spec.strategy.canary.steps[2].setWeight`."""
    message: str
    value: Any = None
    """What stands there; None when nothing does."""
    is_missing: bool = False

    def __str__(self) -> str:
        """Text for people: path and message."""
        return f"{self.path}: {self.message}"


def read(model: type[ModelT], raw: Any, *, at: str = "") -> ModelT | tuple[Malformed, ...]:
    """Return the model of `raw`, or everything that is malformed about it; never raises for what `raw` holds.

    Args:
        model: what it is meant to be.
        raw: as decoded from JSON or YAML.
        at: path of `raw` within the whole object, put before the path of each field.
    """
    try:
        return model.model_validate(raw, by_alias=True, by_name=False)
    except ValidationError as error:
        return tuple(_malformed(one, at) for one in error.errors(include_url=False, include_context=False))


def field_path(location: Sequence[int | str], at: str = "") -> str:
    """Join keys and list positions to the path of a field.

    >>> field_path(["steps", 2, "setWeight"], "spec.strategy.canary")
    'spec.strategy.canary.steps[2].setWeight'
    """
    path = at
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path


def _malformed(error: ErrorDetails, at: str) -> Malformed:
    missing = error["type"] == "missing"
    message = _MESSAGES.get(error["type"], error["msg"])
    path = field_path(error["loc"], at) or "object"
    return Malformed(path, message, None if missing else error["input"], is_missing=missing)
