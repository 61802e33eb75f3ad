"""Whether an analysis has the shape that its fields need, for manifests that no API server has checked. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analysis.errors import InvalidAnalysis

_LISTS = {
    "metrics": "name",
    "args": "name",
    "dryRun": "metricName",
    "measurementRetention": "metricName",
    "templates": "templateName",
}
"""Lists of a template or run, and the text that every entry must have."""


def check_shape(spec: Mapping[str, Any]) -> None:
    """Check that lists are lists, objects are objects and names are texts.

    Raises:
        InvalidAnalysis: the first field that is something else.
    """
    if not isinstance(spec, Mapping):
        raise InvalidAnalysis("spec must be an object")
    for field, key in _LISTS.items():
        entries = spec.get(field)
        if not isinstance(entries, list | tuple | None):
            raise InvalidAnalysis(f"{field} must be a list")
        for index, entry in enumerate(entries or ()):
            _check_entry(entry, f"{field}[{index}]", key)


def _check_entry(entry: Any, where: str, key: str) -> None:
    if not isinstance(entry, Mapping):
        raise InvalidAnalysis(f"{where} must be an object")
    if not isinstance(entry.get(key), str):
        raise InvalidAnalysis(f"{where}.{key} must be a text")
    for field in ("provider", "valueFrom"):
        block = entry.get(field)
        if not isinstance(block, Mapping | None):
            raise InvalidAnalysis(f"{where}.{field} must be an object")
        for name, inner in (block or {}).items():
            if not isinstance(inner, Mapping | None):
                raise InvalidAnalysis(f"{where}.{field}.{name} must be an object")
    _check_secret((entry.get("valueFrom") or {}).get("secretKeyRef"), where)
    if not isinstance(entry.get("value"), str | None):
        raise InvalidAnalysis(f"{where}.value must be a text; put it in quotes")


def _check_secret(reference: Mapping[str, Any] | None, where: str) -> None:
    if reference and not all(isinstance(reference.get(field), str) for field in ("name", "key")):
        raise InvalidAnalysis(f"{where}.valueFrom.secretKeyRef needs name and key")
