"""Names, labels, annotations, owners and finalizers: the rules for `metadata`.

Owns the RFC 1123 and RFC 1035 forms and their texts. Must not: know specs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sandbox.apiserver.failures import FieldError, forbidden_field, invalid, required
from sandbox.apiserver.resources import Resource

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
_QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_ANNOTATION_BYTES = 256 * 1024

_LABEL_TEXT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an "
    "alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_VALUE_TEXT = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_QUALIFIED_TEXT = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
    "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)


def name_errors(field: str, name: Any, *, label: bool = False) -> list[FieldError]:
    """Return what is wrong with a name: a DNS label, or else a DNS subdomain."""
    if not isinstance(name, str):
        return [invalid(field, name, "must be a string")]
    limit, form, text = (63, _LABEL, _LABEL_TEXT) if label else (253, _SUBDOMAIN, _SUBDOMAIN_TEXT)
    errors = [invalid(field, name, f"must be no more than {limit} bytes")] if len(name) > limit else []
    return errors if form.fullmatch(name) else [*errors, invalid(field, name, text)]


def key_errors(field: str, key: str) -> list[FieldError]:
    """Return what is wrong with the key of a label or an annotation."""
    prefix, slash, name = key.rpartition("/")
    errors = []
    if slash and (not _SUBDOMAIN.fullmatch(prefix.lower()) or len(prefix) > 253):
        errors.append(invalid(field, key, f"prefix part {_SUBDOMAIN_TEXT}"))
    if len(name) > 63:
        errors.append(invalid(field, key, "name part must be no more than 63 bytes"))
    if not _QUALIFIED.fullmatch(name):
        errors.append(invalid(field, key, _QUALIFIED_TEXT))
    return errors


def label_errors(field: str, labels: Any) -> list[FieldError]:
    """Return what is wrong with a map of labels."""
    if labels is None:
        return []
    if not isinstance(labels, Mapping):
        return [invalid(field, labels, "must be a map of strings")]
    errors: list[FieldError] = []
    for key, value in labels.items():
        errors += key_errors(field, key)
        if not isinstance(value, str):
            errors.append(invalid(field, value, "must be a string"))
        elif len(value) > 63:
            errors.append(invalid(field, value, "must be no more than 63 bytes"))
        elif not _VALUE.fullmatch(value):
            errors.append(invalid(field, value, _VALUE_TEXT))
    return errors


def _annotation_errors(annotations: Any) -> list[FieldError]:
    field = "metadata.annotations"
    if annotations is None:
        return []
    if not isinstance(annotations, Mapping) or not all(isinstance(value, str) for value in annotations.values()):
        return [invalid(field, annotations, "must be a map of strings")]
    errors = [error for key in annotations for error in key_errors(field, key.lower())]
    if sum(len(key) + len(value.encode()) for key, value in annotations.items()) > _ANNOTATION_BYTES:
        errors.append(FieldError(field, "FieldValueTooLong", f"Too long: may not be more than {_ANNOTATION_BYTES} bytes"))
    return errors


def _owner_errors(owners: Any) -> list[FieldError]:
    errors: list[FieldError] = []
    controllers = 0
    for index, owner in enumerate(owners or ()):
        field = f"metadata.ownerReferences[{index}]"
        errors += [
            invalid(f"{field}.{name}", owner.get(name, ""), "must not be empty")
            for name in ("apiVersion", "kind", "name", "uid")
            if not owner.get(name)
        ]
        controllers += bool(owner.get("controller"))
    if controllers > 1:
        errors.append(invalid("metadata.ownerReferences", owners, "Only one reference can have Controller set to true"))
    return errors


def _finalizer_errors(new: Mapping[str, Any], old: Mapping[str, Any] | None) -> list[FieldError]:
    errors: list[FieldError] = []
    for name in new.get("finalizers") or ():
        if not isinstance(name, str) or ("/" not in name and name not in ("orphan", "foregroundDeletion", "kubernetes")):
            errors += key_errors("metadata.finalizers", str(name))
    if old and old.get("deletionTimestamp"):
        extra = sorted(set(new.get("finalizers") or ()) - set(old.get("finalizers") or ()))
        if extra:
            errors.append(
                forbidden_field(
                    "metadata.finalizers",
                    f"no new finalizers can be added if the object is being deleted, found new finalizers {extra}",
                )
            )
    return errors


def check_metadata(resource: Resource, new: Mapping[str, Any], old: Mapping[str, Any] | None) -> list[FieldError]:
    """Return everything wrong with `metadata`."""
    errors: list[FieldError] = []
    name = new.get("name", "")
    if not name:
        errors.append(required("metadata.name", "name or generateName is required"))
    elif old is None and not resource.strategy.free_name:
        errors += name_errors("metadata.name", name, label=resource.strategy.name_is_label)
    if old is not None and name != old["name"]:
        errors.append(invalid("metadata.name", name, "field is immutable"))
    errors += label_errors("metadata.labels", new.get("labels"))
    if new.get("annotations") and (old is None or new["annotations"] != old.get("annotations")):
        errors += _annotation_errors(new["annotations"])
    if new.get("ownerReferences"):
        errors += _owner_errors(new["ownerReferences"])
    return errors + _finalizer_errors(new, old)
