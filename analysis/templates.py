"""From references to templates to the AnalysisRun that runs them (spec/analysis.md 1.1).

Owns following nested references, merging several templates into one and building the run. Pure. Must not: look anything up
itself; whoever calls brings a lookup over the stores.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from analysis.arguments import Argument, field_value, merge_arguments
from analysis.errors import InvalidAnalysis, TemplateNotFound
from analysis.no_data import carried
from analysis.shapes import check_shape
from kube.kinds import ANALYSIS_RUN, ANALYSIS_TEMPLATE, CLUSTER_ANALYSIS_TEMPLATE
from kube.objects import Object


@dataclass(frozen=True, slots=True, order=True)
class TemplateRef:
    """A reference to an AnalysisTemplate of the same namespace, or to a ClusterAnalysisTemplate."""

    name: str
    cluster_scope: bool = False

    @staticmethod
    def of(reference: Mapping[str, Any]) -> TemplateRef:
        """Read an entry of `templates[]`."""
        return TemplateRef(str(reference.get("templateName") or ""), bool(reference.get("clusterScope")))

    @property
    def kind(self) -> str:
        """The kind's name, as users write it."""
        return (CLUSTER_ANALYSIS_TEMPLATE if self.cluster_scope else ANALYSIS_TEMPLATE).name

    def __str__(self) -> str:
        """Text as people write it: `AnalysisTemplate success-rate`."""
        return f"{self.kind} {self.name}"


Lookup: TypeAlias = Callable[[TemplateRef], Object | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flattened:
    """Several templates as one; the lists hold plain dictionaries as in the manifests."""

    metrics: tuple[Mapping[str, Any], ...]
    arguments: tuple[Argument, ...]
    dry_run: tuple[Mapping[str, Any], ...]
    retention: tuple[Mapping[str, Any], ...]


def references(analysis: Mapping[str, Any]) -> tuple[TemplateRef, ...]:
    """Return the templates that an analysis of a Rollout, or a template, refers to; what is no reference counts as none."""
    entries = analysis.get("templates") if isinstance(analysis, Mapping) else None
    return tuple(TemplateRef.of(one) for one in entries if isinstance(one, Mapping)) if isinstance(entries, list | tuple) else ()


def collect(refs: Iterable[TemplateRef], lookup: Lookup) -> tuple[Object, ...]:
    """Return the templates referred to and, through them, the nested ones; each once, namespaced ones first.

    Raises:
        TemplateNotFound: a reference leads nowhere.
        InvalidAnalysis: templates refer to each other in a circle.
    """
    found: dict[TemplateRef, Object] = {}
    for ref in refs:
        _collect(ref, lookup, found, ())
    return tuple(found[ref] for ref in sorted(found, key=lambda ref: ref.cluster_scope))


def _collect(ref: TemplateRef, lookup: Lookup, found: dict[TemplateRef, Object], path: tuple[TemplateRef, ...]) -> None:
    if ref in path:
        circle = " -> ".join(map(str, (*path[path.index(ref) :], ref)))
        raise InvalidAnalysis(f"templates refer to each other in a circle: {circle}; remove one of the references")
    if ref in found:
        return
    template = lookup(ref)
    if template is None:
        raise TemplateNotFound(ref.kind, ref.name)
    found[ref] = template
    spec = template.get("spec") or {}
    check_shape(spec)
    for nested in references(spec):
        _collect(nested, lookup, found, (*path, ref))


def flatten(templates: Sequence[Object]) -> Flattened:
    """Merge templates into one.

    Metrics, dry-run rules and retention rules are concatenated; a name that comes twice is an error. An argument may be
    declared several times as long as its defaults do not contradict each other.

    Raises:
        InvalidAnalysis: a name comes twice, or two defaults differ.
    """
    specs = [template.get("spec") or {} for template in templates]
    for spec in specs:
        check_shape(spec)
    return Flattened(
        metrics=_concatenated(specs, field="metrics", key="name", what="two metrics"),
        arguments=_merged_defaults(specs),
        dry_run=_concatenated(specs, field="dryRun", key="metricName", what="two Dry-Run metric rules"),
        retention=_concatenated(
            specs, field="measurementRetention", key="metricName", what="two Measurement Retention metric rules"
        ),
    )


def _concatenated(specs: Iterable[Mapping[str, Any]], *, field: str, key: str, what: str) -> tuple[Mapping[str, Any], ...]:
    entries = tuple(entry for spec in specs for entry in spec.get(field) or ())
    seen: set[str] = set()
    for entry in entries:
        if entry[key] in seen:
            raise InvalidAnalysis(f"{what} have the same name '{entry[key]}'")
        seen.add(entry[key])
    return entries


def _merged_defaults(specs: Iterable[Mapping[str, Any]]) -> tuple[Argument, ...]:
    merged: dict[str, Argument] = {}
    for argument in (argument for spec in specs for argument in spec.get("args") or ()):
        name = argument["name"]
        earlier = merged.get(name, {"name": name})
        for field in ("value", "valueFrom"):
            if earlier.get(field) is not None and argument.get(field) is not None and earlier[field] != argument[field]:
                raise InvalidAnalysis(
                    f"Argument `{name}` specified multiple times with different values: '{earlier[field]}', '{argument[field]}'"
                )
        merged[name] = {**earlier, **{field: value for field, value in argument.items() if value is not None}}
    return tuple(merged.values())


def build_run(
    *,
    metadata: Mapping[str, Any],
    templates: Sequence[Object],
    arguments: Iterable[Argument] = (),
    dry_run: Iterable[Mapping[str, Any]] = (),
    retention: Iterable[Mapping[str, Any]] = (),
    owner: Object | None = None,
) -> dict[str, Any]:
    """Return the AnalysisRun for these templates, ready to be created.

    Args:
        metadata: name, namespace, labels, annotations and owner references of the run.
        templates: what `collect` returned.
        arguments: the caller's arguments with their values, see `rollout_arguments`.
        dry_run: the caller's dry-run rules, added to the templates' own.
        retention: the caller's retention rules, added to the templates' own.
        owner: the object that a template's own `valueFrom.fieldRef` is read from.

    Raises:
        InvalidAnalysis: the templates contradict each other, or an argument has no value.
    """
    flat = flatten(templates)
    merged = merge_arguments(arguments, flat.arguments)
    spec = {
        "metrics": list(flat.metrics),
        "args": [_field_resolved(argument, owner) for argument in merged],
        "dryRun": list(_with_rules(flat.dry_run, dry_run, what="two Dry-Run metric rules")),
        "measurementRetention": list(_with_rules(flat.retention, retention, what="two Measurement Retention metric rules")),
    }
    return {
        "apiVersion": ANALYSIS_RUN.api_version,
        "kind": ANALYSIS_RUN.name,
        "metadata": _with_annotations(metadata, carried(templates)),
        "spec": {field: entries for field, entries in spec.items() if entries or field == "metrics"},
    }


def _with_annotations(metadata: Mapping[str, Any], more: Mapping[str, str]) -> dict[str, Any]:
    """Add annotations to an object's metadata; those that are there already win."""
    return {**metadata, **({"annotations": {**more, **(metadata.get("annotations") or {})}} if more else {})}


def _with_rules(
    own: Sequence[Mapping[str, Any]], incoming: Iterable[Mapping[str, Any]], *, what: str
) -> tuple[Mapping[str, Any], ...]:
    return _concatenated(({"rules": own}, {"rules": tuple(incoming)}), field="rules", key="metricName", what=what)


def _field_resolved(argument: Argument, owner: Object | None) -> Argument:
    match argument.get("valueFrom"):
        case {"fieldRef": {"fieldPath": str(path)}} if owner is not None:
            return {"name": argument["name"], "value": field_value(owner, path)}
    return argument
