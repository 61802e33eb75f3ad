"""The two forms of Event: `v1`, in which they are stored, and `events.k8s.io/v1`.

Owns the renaming of fields between them. Must not: store. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping

from sandbox.apiserver.resources import Body

_NEW_NAMES: Mapping[str, str] = {
    "involvedObject": "regarding",
    "message": "note",
    "count": "deprecatedCount",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "source": "deprecatedSource",
    "reportingComponent": "reportingController",
}
_OLD_NAMES: Mapping[str, str] = {new: old for old, new in _NEW_NAMES.items()}


def to_new_form(event: Body) -> Body:
    """Return a stored event as `events.k8s.io/v1` shows it."""
    return {_NEW_NAMES.get(name, name): value for name, value in event.items()}


def to_old_form(event: Body) -> Body:
    """Return an event of `events.k8s.io/v1` as it is stored."""
    return {_OLD_NAMES.get(name, name): value for name, value in event.items()}
