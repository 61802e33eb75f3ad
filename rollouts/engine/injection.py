"""Labels and annotations that are put over those of a version's template for its role (spec/rollout.md 2.11), and off again.

Owns what of them is remembered on the ReplicaSet: what was put on, and what of the template's own lies under it, which comes back
when the role ends. Must not: know which role a version has, or write.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeAlias

from kube.objects import Object, annotations_of
from rollouts.engine.names import COVERED_METADATA, EPHEMERAL_METADATA
from rollouts.engine.templates import means_the_same, without_injected

Metadata: TypeAlias = Mapping[str, Any]
"""`labels` and `annotations`, either of which may be missing."""
PARTS = ("labels", "annotations")


def injected_into(replica_set: Object) -> Metadata:
    """Return the labels and annotations that were injected into a ReplicaSet's pods for its role."""
    return _read(annotations_of(replica_set).get(EPHEMERAL_METADATA, ""))


def as_written(replica_set: Object, *, wanted: Metadata | None = None) -> dict[str, Any]:
    """Return a ReplicaSet's template as its user wrote it: without hash and injected metadata, with what lies under it.

    `wanted` is the metadata of the Rollout's template where this is its version: another controller's injection does not tell what
    lies under it.
    """
    injected = injected_into(replica_set)
    template = without_injected(replica_set["spec"].get("template") or {}, injected)
    for part, entries in (_noted(replica_set) or _covered(injected, wanted or {})).items():
        template["metadata"][part] = {**_part(template["metadata"], part), **entries}
    return template


def is_of(template: Mapping[str, Any], replica_set: Object) -> bool:
    """Tell whether a ReplicaSet's pods are what a template without the hash label asks for, whatever was injected.

    What lies under an injection is compared where it was noted; else it counts as the same.
    """
    injected, noted = injected_into(replica_set), _noted(replica_set)
    hidden = {part: [key for key in _part(injected, part) if key not in _part(noted, part)] for part in PARTS}
    return means_the_same(without_injected(template, hidden) if injected else template, as_written(replica_set))


def remembered(injected: Metadata, own: Metadata) -> dict[str, str | None]:
    """Return the annotations of a ReplicaSet that tell what is injected, and over what of its own metadata; None: none such."""
    return {EPHEMERAL_METADATA: _text(injected), COVERED_METADATA: _text(_covered(injected, own))}


def difference(old: Metadata, new: Metadata, own: Metadata) -> dict[str, Any]:
    """Return the merge patch of labels and annotations that leads from one injection to another; what lay under one comes back."""
    patch: dict[str, Any] = {}
    for part in PARTS:
        gone = {key: _part(own, part).get(key) for key in _part(old, part) if key not in _part(new, part)}
        if changes := {**gone, **_part(new, part)}:
            patch[part] = changes
    return patch


def _covered(injected: Metadata, own: Metadata) -> Metadata:
    found = {part: {key: _part(own, part)[key] for key in _part(injected, part) if key in _part(own, part)} for part in PARTS}
    return {part: entries for part, entries in found.items() if entries}


def _noted(replica_set: Object) -> Metadata:
    return _read(annotations_of(replica_set).get(COVERED_METADATA, ""))


def _part(metadata: Metadata, part: str) -> Mapping[str, Any]:
    return metadata.get(part) or {}


def _text(metadata: Metadata) -> str | None:
    return json.dumps(metadata, sort_keys=True, separators=(",", ":")) if metadata else None


def _read(text: str) -> Metadata:
    """Read what an annotation holds, which anybody may have written: nothing unless it is made of texts by name."""
    try:
        found = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return {}
    parts = {part: found.get(part) for part in PARTS} if isinstance(found, dict) else {}
    return {part: entries for part, entries in parts.items() if isinstance(entries, dict)}
