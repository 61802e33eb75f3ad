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
_PREFIX_TEXT = "with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
_SERVICE = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_SERVICE_TEXT = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with "
    "an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
)
_STANDARD_FINALIZERS = ("orphan", "foregroundDeletion", "kubernetes")
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
    errors = [invalid(field, name, f"must be no more than {limit} characters")] if len(name) > limit else []
    return errors if form.fullmatch(name) else [*errors, invalid(field, name, text)]


def service_name_errors(field: str, name: str) -> list[FieldError]:
    """Return what is wrong with the name of a Service: it begins with a letter."""
    errors = [invalid(field, name, "must be no more than 63 characters")] if len(name) > 63 else []
    return errors if _SERVICE.fullmatch(name) else [*errors, invalid(field, name, _SERVICE_TEXT)]


def key_errors(field: str, key: str) -> list[FieldError]:
    """Return what is wrong with the key of a label or an annotation."""
    prefix, slash, name = key.rpartition("/")
    errors = []
    if key.count("/") > 1:
        return [invalid(field, key, f"a qualified name {_QUALIFIED_TEXT.removeprefix('name part ')} {_PREFIX_TEXT}")]
    if slash and not prefix:
        errors.append(invalid(field, key, "prefix part must be non-empty"))
    elif slash and not _SUBDOMAIN.fullmatch(prefix):
        errors.append(invalid(field, key, f"prefix part {_SUBDOMAIN_TEXT}"))
    if not name:
        errors.append(invalid(field, key, "name part must be non-empty"))
    elif len(name) > 63:
        errors.append(invalid(field, key, "name part must be no more than 63 characters"))
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
            errors.append(invalid(field, value, "must be no more than 63 characters"))
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
    field = "metadata.ownerReferences"
    for owner in owners or ():
        errors += [
            invalid(f"{field}.{name}", owner.get(name, ""), f"{'version ' if name == 'apiVersion' else ''}must not be empty")
            for name in ("apiVersion", "kind", "name", "uid")
            if not owner.get(name)
        ]
        if (owner.get("apiVersion"), owner.get("kind")) == ("v1", "Event"):
            errors.append(invalid(field, owner, "/v1, Kind=Event is disallowed from being an owner"))
    controlling = [f"{owner.get('kind')}/{owner.get('name')}" for owner in owners or () if owner.get("controller")]
    if len(controlling) > 1:
        found = f'Found "true" in references for {controlling[0]} and {controlling[1]}'
        errors.append(invalid(field, owners, f"Only one reference can have Controller set to true. {found}"))
    return errors


def _finalizer_errors(resource: Resource, new: Mapping[str, Any], old: Mapping[str, Any] | None) -> list[FieldError]:
    errors: list[FieldError] = []
    for name in new.get("finalizers") or ():
        field = f"metadata.finalizers[{list(new['finalizers']).index(name)}]"
        if wrong := key_errors("metadata.finalizers", str(name)):
            errors += wrong
        elif "/" not in name and name not in _STANDARD_FINALIZERS and not resource.strategy.free_finalizers:
            errors.append(invalid(field, name, "name is neither a standard finalizer name nor is it fully qualified"))
    if {"orphan", "foregroundDeletion"} <= set(new.get("finalizers") or ()):
        both = "finalizer orphan and foregroundDeletion cannot be both set"
        errors.append(invalid("metadata.finalizers", new["finalizers"], both))
    if old and old.get("deletionTimestamp"):
        extra = sorted(set(new.get("finalizers") or ()) - set(old.get("finalizers") or ()))
        if extra:
            names = "[]string{" + ", ".join(f'"{name}"' for name in extra) + "}"
            detail = f"no new finalizers can be added if the object is being deleted, found new finalizers {names}"
            errors += [forbidden_field("metadata.finalizers", detail)] * 2
    return errors


def check_metadata(resource: Resource, new: Mapping[str, Any], old: Mapping[str, Any] | None) -> list[FieldError]:
    """Return everything wrong with `metadata`."""
    errors: list[FieldError] = []
    name = new.get("name", "")
    if not name:
        errors.append(required("metadata.name", "name or generateName is required"))
    elif old is None and resource.store == "services":
        errors += service_name_errors("metadata.name", name)
    elif old is None and not resource.strategy.free_name:
        errors += name_errors("metadata.name", name, label=resource.strategy.name_is_label)
    if old is not None and name != old["name"]:
        errors.append(invalid("metadata.name", name, "field is immutable"))
    errors += label_errors("metadata.labels", new.get("labels"))
    if new.get("annotations") and (old is None or new["annotations"] != old.get("annotations")):
        errors += _annotation_errors(new["annotations"])
    if new.get("ownerReferences"):
        errors += _owner_errors(new["ownerReferences"])
    return errors + _finalizer_errors(resource, new, old)
