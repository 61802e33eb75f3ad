"""Checking Rollouts without a cluster: fields nobody knows, specs that make no sense, references within one file.

What a file does not contain is taken to be in the cluster already. Must not: read files or print.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from analysis.errors import TemplateNotFound
from analysis.run.validation import validate_template
from analysis.templates import collect, references
from crds.manifests import custom_resource_definitions
from kube.kinds import ANALYSIS_TEMPLATE, CLUSTER_ANALYSIS_TEMPLATE, ROLLOUT
from kube.objects import Object, key_of
from rollouts.rollout.gather import KINDS, Stores, gather
from rollouts.rollout.problems import Problem, invalid_text
from rollouts.rollout.references import SERVED, analyses_of, missing_references, routing_specs
from rollouts.rollout.settings import Settings
from rollouts.rollout.snapshot import Snapshot
from rollouts.rollout.validation import validate
from routers import ROUTERS
from routers.base import InvalidRouting, MissingObject

GROUP = "argoproj.io"


def lint(documents: Sequence[Object]) -> list[str]:
    """Return what is wrong with the objects of a file, one sentence each; empty when all of them can be applied."""
    schemas = {
        one["spec"]["names"]["kind"]: one["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        for one in custom_resource_definitions()
    }
    found: list[str] = []
    stores = Stores.empty()
    for at, document in enumerate(documents):
        problem = _shape(document, at)
        if problem:
            found.append(problem)
            continue
        if str(document["apiVersion"]).partition("/")[0] == GROUP and document["kind"] in schemas:
            found += [
                f'{document["kind"]} "{document["metadata"]["name"]}": {one}'
                for one in unknown_fields(document, schemas[document["kind"]])
            ]
        _store(stores, document)
    if found:
        return found
    found = [text for rollout in stores[ROLLOUT].all() for text in _rollout_problems(rollout, stores)]
    return found or list(_template_problems(stores))


def _template_problems(stores: Stores) -> Iterator[str]:
    """Yield what is wrong with templates by themselves, for files in which no Rollout uses them."""
    for kind in (ANALYSIS_TEMPLATE, CLUSTER_ANALYSIS_TEMPLATE):
        for template in stores[kind].all():
            yield from validate_template(template, for_background=True, served=SERVED)


def _shape(document: object, at: int) -> str:
    """Say why a document is no Kubernetes object; empty when it is one."""
    if not isinstance(document, Mapping):
        return f"document {at + 1}: must be an object"
    metadata = document.get("metadata")
    if not all(isinstance(document.get(key), str) for key in ("apiVersion", "kind")):
        return f"document {at + 1}: needs apiVersion and kind"
    if not isinstance(metadata, Mapping) or not isinstance(metadata.get("name"), str):
        return f"document {at + 1}: a {document['kind']} needs metadata.name"
    return ""


def _store(stores: Stores, document: Object) -> None:
    for kind in KINDS:
        if document["kind"] == kind.name and document["apiVersion"].partition("/")[0] in (kind.group, kind.version):
            namespace = (document["metadata"].get("namespace") or "default") if kind.namespaced else ""
            stores[kind].put({**document, "metadata": {**document["metadata"], "namespace": namespace}})


def unknown_fields(value: Any, schema: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Yield the fields that a structural schema does not know: typing errors that the API server would drop silently."""
    if isinstance(value, list):
        for at, element in enumerate(value):
            yield from unknown_fields(element, schema.get("items") or {}, f"{path}[{at}]")
    if not isinstance(value, Mapping):
        return
    properties, more = schema.get("properties") or {}, schema.get("additionalProperties")
    free = schema.get("x-kubernetes-preserve-unknown-fields") or more is True or not (properties or more)
    for key, child in value.items():
        place = f"{path}.{key}" if path else str(key)
        if key in properties:
            yield from unknown_fields(child, properties[key], place)
        elif isinstance(more, Mapping):
            yield from unknown_fields(child, more, place)
        elif not free:
            yield f'unknown field "{place}"'


def _rollout_problems(rollout: Object, stores: Stores) -> Iterator[str]:
    problems = validate(rollout)
    if not problems:
        snapshot = gather(stores, key_of(rollout))
        assert snapshot is not None
        problems = list(_references(snapshot))
    if problems:
        yield invalid_text(rollout["metadata"]["name"], problems)


def _references(snapshot: Snapshot) -> Iterator[Problem]:
    """Yield what is wrong with references whose targets are all in the file."""
    settings = Settings.of(snapshot.rollout)
    routers = tuple(f"spec.strategy.canary.trafficRouting.{key}" for key in _incomplete_routers(snapshot, settings))
    elsewhere = {f"{field}.templates" for field, analysis, _ in analyses_of(settings) if not _has_templates(snapshot, analysis)}
    elsewhere |= {
        f"spec.strategy.canary.{field}"
        for field, name in (("stableService", settings.stable_service), ("canaryService", settings.canary_service))
        if name not in snapshot.services
    }
    for problem in missing_references(snapshot, settings):
        if problem.field not in elsewhere and not problem.field.startswith(routers):
            yield problem


def _incomplete_routers(snapshot: Snapshot, settings: Settings) -> Iterator[str]:
    for key, spec in routing_specs(snapshot.rollout, settings):
        try:
            ROUTERS[key].validate(spec, snapshot.routing)
        except MissingObject:
            yield key
        except InvalidRouting:
            continue


def _has_templates(snapshot: Snapshot, analysis: Mapping[str, Any]) -> bool:
    try:
        collect(references(analysis), snapshot.template)
    except TemplateNotFound:
        return False
    return True
