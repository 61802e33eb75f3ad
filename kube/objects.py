"""Reading raw Kubernetes objects: small pure accessors, so that nobody repeats `.get("metadata", {})`.

Objects are plain dictionaries as the API server sends them. Nothing here changes its argument.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

Object: TypeAlias = Mapping[str, Any]
Key: TypeAlias = tuple[str, str]
"""Namespace (empty for cluster scope) and name."""


def name_of(obj: Object) -> str:
    """Return `metadata.name`."""
    return str(obj["metadata"]["name"])


def namespace_of(obj: Object) -> str:
    """Return `metadata.namespace`, empty for cluster scope."""
    return str(obj["metadata"].get("namespace") or "")


def key_of(obj: Object) -> Key:
    """Return namespace and name."""
    return namespace_of(obj), name_of(obj)


def uid_of(obj: Object) -> str:
    """Return `metadata.uid`, empty for an object that was never stored."""
    return str(obj["metadata"].get("uid") or "")


def version_of(obj: Object) -> str:
    """Return the opaque `metadata.resourceVersion`; compare it for equality only."""
    return str(obj["metadata"].get("resourceVersion") or "")


def labels_of(obj: Object) -> Mapping[str, str]:
    """Return the labels, empty when there are none."""
    return obj["metadata"].get("labels") or {}


def annotations_of(obj: Object) -> Mapping[str, str]:
    """Return the annotations, empty when there are none."""
    return obj["metadata"].get("annotations") or {}


def is_deleting(obj: Object) -> bool:
    """Tell whether deletion was asked for and finalizers or a grace period hold the object."""
    return bool(obj["metadata"].get("deletionTimestamp"))


def controller_of(obj: Object) -> Mapping[str, Any] | None:
    """Return the owner reference with `controller: true`, if any."""
    for owner in obj["metadata"].get("ownerReferences") or ():
        if owner.get("controller"):
            return owner  # type: ignore[no-any-return]
    return None


def is_controlled_by(obj: Object, uid: str) -> bool:
    """Tell whether the controlling owner has this uid."""
    owner = controller_of(obj)
    return owner is not None and owner.get("uid") == uid


def parse_time(text: str | None) -> datetime | None:
    """Read an RFC 3339 time as Kubernetes writes it; None and empty give None.

    Raises:
        ValueError: the text is not such a time.
    """
    if not text:
        return None
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def known_time(value: object) -> datetime | None:
    """Return the time that a status tells; None for anything that is no such time, as hands may have put there.

    >>> known_time("yesterday") is None
    True
    """
    try:
        return parse_time(value) if isinstance(value, str) else None
    except ValueError:
        return None


def format_time(moment: datetime) -> str:
    """Write a time as `metav1.Time` does: UTC, whole seconds, `Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def next_second(moment: datetime) -> datetime:
    """Return the first whole second that is not before a time.

    For the start of something that must last as long as was asked for: `format_time` drops what is beyond the whole second,
    so a wait that was begun with it would end up to a second too soon.
    """
    return moment + timedelta(microseconds=-moment.microsecond % 1_000_000)
