"""Pod templates: their hash, and whether two of them mean the same (spec/rollout.md 2.2).

A hash names new ReplicaSets only. Which ReplicaSet belongs to a template is decided by meaning, so that a controller or
server upgrade never restarts a pod. Must not: know a Rollout or a status.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from rollouts.engine.names import POD_TEMPLATE_HASH

_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"

# What the API server fills in when a pod template leaves it out, by the name of the field. A field may have several.
_DEFAULTS: Mapping[str, tuple[Any, ...]] = {
    "apiVersion": ("v1",),
    "automountServiceAccountToken": (True,),
    "defaultMode": (420,),
    "dnsPolicy": ("ClusterFirst",),
    "divisor": ("0",),
    "enableServiceLinks": (True,),
    "failureThreshold": (3,),
    "fsType": ("ext4",),
    "imagePullPolicy": ("IfNotPresent", "Always"),
    "initialDelaySeconds": (0,),
    "optional": (False,),
    "path": ("/",),
    "periodSeconds": (10,),
    "protocol": ("TCP",),
    "restartPolicy": ("Always",),
    "schedulerName": ("default-scheduler",),
    "scheme": ("HTTP",),
    "serviceAccount": (),
    "successThreshold": (1,),
    "terminationGracePeriodSeconds": (30,),
    "terminationMessagePath": ("/dev/termination-log",),
    "terminationMessagePolicy": ("File",),
    "timeoutSeconds": (1,),
    "type": ("", "RuntimeDefault"),
}
_ALIASES: Mapping[str, str] = {"serviceAccount": "serviceAccountName"}
_QUANTITIES = frozenset({"limits", "requests", "sizeLimit", "storage", "overhead"})
_SUFFIXES: Mapping[str, Decimal] = {
    **{unit: Decimal(1024) ** (power + 1) for power, unit in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"))},
    **{unit: Decimal(1000) ** (power + 1) for power, unit in enumerate(("k", "M", "G", "T", "P", "E"))},
    "m": Decimal("1e-3"),
    "u": Decimal("1e-6"),
    "n": Decimal("1e-9"),
}


def hash_of(value: Any, collisions: int = 0) -> str:
    """Return a short name-safe hash of a JSON value: 32 bits over its canonical JSON, in letters that spell no words.

    `collisions` gives another hash for the same value, for when the name is taken by something else.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    digest = hashlib.sha256(text + (collisions.to_bytes(4, "little") if collisions else b"")).digest()
    return "".join(_ALPHABET[ord(digit) % len(_ALPHABET)] for digit in str(int.from_bytes(digest[:4], "big")))


def without_injected(template: Mapping[str, Any], injected: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return a ReplicaSet's template as the user wrote it: without the hash label and the `injected` labels and annotations."""
    metadata = dict(template.get("metadata") or {})
    injected = injected or {}
    for part in ("labels", "annotations"):
        hidden = set(injected.get(part) or {}) | {POD_TEMPLATE_HASH}
        kept = {key: value for key, value in (metadata.get(part) or {}).items() if key not in hidden}
        metadata.pop(part, None)
        if kept:
            metadata[part] = kept
    metadata.pop("creationTimestamp", None)
    return {**template, "metadata": metadata}


def means_the_same(wanted: Mapping[str, Any], stored: Mapping[str, Any]) -> bool:
    """Tell whether pods of the two templates would be the same, whichever defaults a server has written into either.

    >>> wanted = {"spec": {"containers": [{"image": "a:1"}]}}
    >>> stored = {"spec": {"containers": [{"image": "a:1", "imagePullPolicy": "IfNotPresent"}], "dnsPolicy": "ClusterFirst"}}
    >>> means_the_same(wanted, stored)
    True
    """
    return _same(wanted, stored, "")


def same_images(wanted: Mapping[str, Any], stored: Mapping[str, Any]) -> bool:
    """Tell whether two templates run the same images, in order: they have no default and differ between most versions, so where
    this is false `means_the_same` is, at a fraction of the price."""
    return _images(wanted) == _images(stored)


def _images(template: Mapping[str, Any]) -> list[Any]:
    """Return the images, which differ between most versions and have no default: the quick answer."""
    containers = (template.get("spec") or {}).get("containers")
    return [one.get("image") for one in containers if isinstance(one, dict)] if isinstance(containers, list) else []


def _same(left: Any, right: Any, field: str) -> bool:
    match left, right:
        case dict(), dict() if left == right:
            return True
        case dict(), dict():
            return all(_same_field(left, right, key, field) for key in left.keys() | right.keys())
        case (str(), _) | (_, str()) if field in _QUANTITIES:
            return bool(_quantity(left) == _quantity(right))
        case list(), list():
            return len(left) == len(right) and all(_same(a, b, field) for a, b in zip(left, right, strict=True))
        case _:
            return bool(left == right and isinstance(left, bool) == isinstance(right, bool))


def _same_field(left: Mapping[str, Any], right: Mapping[str, Any], key: str, parent: str) -> bool:
    """Compare one field, which either side may leave out when the other holds its default."""
    field = parent if parent in _QUANTITIES else key
    if key in left and key in right:
        if _empty(left[key]) and _empty(right[key]):
            return True
        return _same(left[key], right[key], field)
    holder = left if key in left else right
    value = holder[key]
    if _empty(value):
        return True
    if key in _ALIASES:
        return bool(value == holder.get(_ALIASES[key]))
    return any(value == default and isinstance(value, bool) == isinstance(default, bool) for default in _DEFAULTS.get(key, ()))


def _empty(value: Any) -> bool:
    return value is None or (isinstance(value, (dict, list)) and all(_empty(one) for one in _members(value)))


def _members(value: Any) -> Any:
    return value.values() if isinstance(value, dict) else value


def _quantity(value: Any) -> Any:
    """Read a resource quantity as a number, so that `1` and `1000m` are equal; anything else stays as it is."""
    text = str(value)
    suffix = next((unit for unit in sorted(_SUFFIXES, key=len, reverse=True) if text.endswith(unit)), "")
    try:
        return Decimal(text.removesuffix(suffix)) * _SUFFIXES.get(suffix, Decimal(1))
    except InvalidOperation:
        return value
