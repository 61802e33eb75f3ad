"""CustomResourceDefinitions: checking them, and serving what they define.

Owns the step from a definition to served resources and its conditions. Must not: validate custom objects; see schema.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.apiserver.failures import FieldError, invalid, required, unsupported
from sandbox.apiserver.printing import custom_columns
from sandbox.apiserver.resources import METADATA_FIELDS, Body, Registry, Resource, Scale, Strategy
from sandbox.apiserver.rules import unsupported_rules

DEFINITIONS = "customresourcedefinitions.apiextensions.k8s.io"
APPROVAL = "api-approved.kubernetes.io"
PROTECTED_GROUPS = (".k8s.io", ".kubernetes.io")
"""Where only reviewed definitions belong, as those of the Gateway API do."""


def complete_definition(crd: Body) -> None:
    """Fill in the names that a definition leaves to the server, in place."""
    spec = crd.setdefault("spec", {})
    names = spec.setdefault("names", {})
    kind = str(names.get("kind", ""))
    names.setdefault("singular", kind.lower())
    names.setdefault("listKind", f"{kind}List")
    spec.setdefault("conversion", {"strategy": "None"})
    for version in spec.get("versions") or ():
        version.setdefault("served", True)


def definition_errors(crd: Mapping[str, Any], old: Mapping[str, Any] | None) -> list[FieldError]:
    """Return what is wrong with a definition."""
    spec = crd.get("spec") or {}
    names = spec.get("names") or {}
    errors = [required(f"spec.{name}") for name in ("group", "scope") if not spec.get(name)]
    errors += [required(f"spec.names.{name}") for name in ("plural", "kind") if not names.get(name)]
    if spec.get("scope") not in (None, "Namespaced", "Cluster"):
        errors.append(unsupported("spec.scope", spec["scope"], ("Cluster", "Namespaced")))
    wanted = f"{names.get('plural')}.{spec.get('group')}"
    if crd["metadata"].get("name") != wanted:
        errors.append(invalid("metadata.name", crd["metadata"].get("name"), 'must be spec.names.plural+"."+spec.group'))
    if old:
        before = old.get("spec") or {}
        errors += [
            invalid(f"spec.{name}", spec.get(name), "field is immutable")
            for name in ("group", "scope")
            if spec.get(name) != before.get(name)
        ]
    approval = [] if old else _approval_errors(str(spec.get("group") or ""), crd["metadata"].get("annotations") or {})
    return errors + approval + _version_errors(spec.get("versions") or ())


def _approval_errors(group: str, annotations: Mapping[str, str]) -> list[FieldError]:
    """Ask for the note that a definition in a group of Kubernetes itself was reviewed, or was not."""
    if not f".{group}".endswith(PROTECTED_GROUPS):
        return []
    path, value = f"metadata.annotations[{APPROVAL}]", annotations.get(APPROVAL)
    if not value:
        return [required(path, "protected groups must have approval annotation")]
    if value.startswith(("unapproved", "https://", "http://")):
        return []
    return [invalid(path, value, 'must be a URL of the review, or begin with "unapproved"')]


def _version_errors(versions: Sequence[Mapping[str, Any]]) -> list[FieldError]:
    if not versions:
        return [required("spec.versions", "at least one version must be given")]
    errors = []
    if sum(bool(version.get("storage")) for version in versions) != 1:
        errors.append(
            invalid(
                "spec.versions",
                [version.get("name") for version in versions],
                "must have exactly one version marked as storage version",
            )
        )
    for index, version in enumerate(versions):
        path = f"spec.versions[{index}].schema.openAPIV3Schema"
        schema = (version.get("schema") or {}).get("openAPIV3Schema")
        if not schema:
            errors.append(required(path))
            continue
        if schema.get("type") != "object":
            errors.append(invalid(f"{path}.type", schema.get("type"), "must be object at the root"))
        errors += [
            invalid(
                path + where, text, "not evaluated by this API server; write it in a simpler form or check it in the controller"
            )
            for where, text in unsupported_rules(schema)
        ]
    return errors


def established(crd: Mapping[str, Any], moment: str) -> dict[str, Any]:
    """Return the status of a definition that is served."""
    spec = crd["spec"]
    known = crd.get("status") or {}
    times = {item["type"]: item["lastTransitionTime"] for item in known.get("conditions") or ()}

    def condition(kind: str, reason: str, message: str) -> dict[str, Any]:
        return {"type": kind, "status": "True", "reason": reason, "message": message, "lastTransitionTime": times.get(kind, moment)}

    stored = [version["name"] for version in spec["versions"] if version.get("storage")]
    return {
        "conditions": [
            condition("NamesAccepted", "NoConflicts", "no conflicts found"),
            condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        ],
        "acceptedNames": spec["names"],
        "storedVersions": list(dict.fromkeys([*(known.get("storedVersions") or ()), *stored])),
    }


def serve(registry: Registry, crd: Mapping[str, Any], metadata_schema: Mapping[str, Any]) -> None:
    """Serve every version of a definition, in place of what it defined before; `metadata_schema` describes `metadata`."""
    store = crd["metadata"]["name"]
    registry.remove_store(store)
    for version in crd["spec"]["versions"]:
        if version["served"]:
            registry.add(_resource(crd, version, metadata_schema))


def withdraw(registry: Registry, name: str) -> None:
    """Stop serving what the definition `name` defined."""
    registry.remove_store(name)


def _resource(crd: Mapping[str, Any], version: Mapping[str, Any], metadata_schema: Mapping[str, Any]) -> Resource:
    spec = crd["spec"]
    names, subresources = spec["names"], version.get("subresources") or {}
    storage = next(item["name"] for item in spec["versions"] if item.get("storage"))
    has_status = "status" in subresources
    declared = version["schema"]["openAPIV3Schema"]
    selectable = {str(item["jsonPath"]).lstrip(".") for item in version.get("selectableFields") or ()}
    return Resource(
        group=spec["group"],
        version=version["name"],
        kind=names["kind"],
        plural=names["plural"],
        singular=names["singular"],
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        namespaced=spec["scope"] == "Namespaced",
        subresources=frozenset(subresources),
        store=crd["metadata"]["name"],
        storage_version=f"{spec['group']}/{storage}",
        schema={**declared, "properties": {**(declared.get("properties") or {}), "metadata": metadata_schema}},
        custom=True,
        strategy=Strategy(generation="spec" if has_status else "any"),
        scale=_scale(subresources.get("scale")),
        field_labels=METADATA_FIELDS | selectable,
        columns=custom_columns(version.get("additionalPrinterColumns") or ()),
    )


def _scale(scale: Mapping[str, Any] | None) -> Scale | None:
    if scale is None:
        return None
    selector = str(scale.get("labelSelectorPath") or "").lstrip(".") or None
    return Scale(scale["specReplicasPath"].lstrip("."), scale["statusReplicasPath"].lstrip("."), selector)
