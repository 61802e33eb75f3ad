"""Checking Rollouts without a cluster: fields nobody knows, specs that make no sense, references within what is applied together.

What the files do not contain is taken to be in the cluster already. Must not: read files or print.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from analysis.errors import InvalidAnalysis, TemplateNotFound
from analysis.no_data import policies
from analysis.run.validation import resolve, validate_template
from analysis.templates import collect, references
from crds.manifests import custom_resource_definitions
from kube.kinds import (
    ANALYSIS_RUN,
    ANALYSIS_TEMPLATE,
    CLUSTER_ANALYSIS_TEMPLATE,
    DESTINATION_RULE,
    EXPERIMENT,
    INGRESS,
    ROLLOUT,
    SERVICE,
    VIRTUAL_SERVICE,
    Kind,
)
from kube.objects import Key, Object, key_of
from rollouts.cli.guessing import closest
from rollouts.cli.manifests import Document
from rollouts.cli.spelling import unknown_fields, unknown_kind
from rollouts.rollout.extensions import extension_problems
from rollouts.rollout.gather import Stores, gather
from rollouts.rollout.notes import notes
from rollouts.rollout.problems import Problem, invalid_text
from rollouts.rollout.references import SERVED, analyses_of, missing_references, routing_specs
from rollouts.rollout.settings import Settings
from rollouts.rollout.snapshot import Snapshot
from rollouts.rollout.unserved import UNSERVED_KINDS
from rollouts.rollout.validation import validate
from routers import ROUTERS
from routers.base import InvalidRouting, MissingObject

GROUP = "argoproj.io"
_NEEDED = (ROLLOUT, SERVICE, INGRESS, VIRTUAL_SERVICE, DESTINATION_RULE, ANALYSIS_TEMPLATE, CLUSTER_ANALYSIS_TEMPLATE)
"""What references lead to; nothing else of a file matters."""
_KNOWN = (*_NEEDED, ANALYSIS_RUN, EXPERIMENT)
_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_TEMPLATES = (ANALYSIS_TEMPLATE, CLUSTER_ANALYSIS_TEMPLATE)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to tell about an object, and where it stands."""

    document: Document
    text: str
    path: str = ""

    def __str__(self) -> str:
        """Text for people: file, line and sentence."""
        return f"{self.document.place(self.path)}: {self.text}"


@dataclass(frozen=True, slots=True)
class Report:
    """What was found in files that are applied together: what is wrong, and what is merely worth knowing."""

    problems: tuple[Finding, ...]
    notes: tuple[Finding, ...]

    @property
    def wrong(self) -> int:
        """How many objects have a problem."""
        return len({id(one.document) for one in self.problems})


def lint(documents: Sequence[Document]) -> Report:
    """Return what is to be said about objects that are applied together; no problems when all of them can be applied."""
    problems = [finding for one in documents for finding in _by_itself(one)]
    broken = {id(one.document) for one in problems}
    stores, by_key = Stores.empty(), {}
    for document in documents:
        if isinstance(document.content, Mapping) and not _shape(document.content):
            for kind, key in _store(stores, document.content):
                by_key[kind, key] = document
    sound = {where: document for where, document in by_key.items() if id(document) not in broken}
    rollouts = [(stores, key, document) for (kind, key), document in sound.items() if kind == ROLLOUT]
    problems += [finding for one in rollouts for finding in _rollout_problems(*one)]
    told = {one.text for one in problems}
    for (kind, key), document in sound.items():
        found = _template_problems(stores, kind, document, key=key)
        problems += [one for one in found if not any(one.text in text for text in told)]
    problems += [finding for one in documents if id(one) not in broken for finding in _run_problems(one)]
    broken = {id(one.document) for one in problems}
    notes = [finding for one in rollouts if id(one[2]) not in broken for finding in _notes(*one)]
    return Report(tuple(problems), (*notes, *_unserved_kinds(documents)))


def _by_itself(document: Document) -> Iterator[Finding]:
    """Yield what is wrong with the shape and the names of an object, whatever its kind."""
    problem = _shape(document.content) or unknown_kind(document.content, _KNOWN)
    if problem:
        yield Finding(document, problem)
        return
    schema = _schemas().get(document.content["kind"]) if _group(document.content) == GROUP else None
    if schema is None:
        return
    title, name = _title(document.content), document.content["metadata"].get("name")
    if isinstance(name, str) and not _NAME.fullmatch(name):
        text = "may have lower case letters, digits, - and ., and begins and ends with a letter or a digit"
        yield Finding(document, f"{title}: metadata.name {text}", "metadata.name")
    if not isinstance(document.content.get("spec"), Mapping):
        yield Finding(document, f"{title}: spec must be an object", "spec")
    for path, text in unknown_fields(document.content, schema):
        yield Finding(document, f"{title}: {text}", path)


@cache
def _schemas() -> Mapping[str, Mapping[str, Any]]:
    return {
        one["spec"]["names"]["kind"]: one["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        for one in custom_resource_definitions()
    }


def _group(document: Mapping[str, Any]) -> str:
    return str(document["apiVersion"]).rpartition("/")[0]


def _title(document: Mapping[str, Any]) -> str:
    metadata = document["metadata"]
    return f'{document["kind"]} "{metadata.get("name") or metadata.get("generateName")}"'


def _shape(document: object) -> str:
    """Say why a document is no Kubernetes object; empty when it is one."""
    if not isinstance(document, Mapping):
        return "must be an object"
    missing = [key for key in ("apiVersion", "kind") if not isinstance(document.get(key), str)]
    if missing:
        near = closest(missing[0], [str(key) for key in document])
        return f"needs {' and '.join(missing)}" + (f"; is {near} misspelt?" if near and near not in missing else "")
    metadata = document.get("metadata")
    if document["apiVersion"].startswith("kustomize.config.k8s.io/") and metadata is None:
        return ""
    if not isinstance(metadata, Mapping) or not (_is_name(metadata.get("name")) or _is_name(metadata.get("generateName"))):
        return f"a {document['kind']} needs metadata.name"
    if not isinstance(metadata.get("namespace"), str | None):
        return f"{_title(document)}: metadata.namespace must be a string"
    for field in ("labels", "annotations"):
        entries = metadata.get(field)
        if entries is not None and not (isinstance(entries, Mapping) and all(isinstance(one, str) for one in entries.values())):
            return f"{_title(document)}: metadata.{field} must be an object with strings; put numbers and true or false in quotes"
    return ""


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _store(stores: Stores, document: Object) -> Iterator[tuple[Kind, Key]]:
    """Put an object where references look for it; yield kind and key if anything may refer to it."""
    for kind in _NEEDED:
        if document["kind"] == kind.name and _group(document) == kind.group:
            metadata = document["metadata"]
            place = {
                "name": metadata.get("name") or metadata["generateName"],
                "namespace": (metadata.get("namespace") or "default") if kind.namespaced else "",
            }
            kept = {field: metadata[field] for field in ("labels", "annotations") if field in metadata}
            stored = {**document, "metadata": {**kept, **place}}
            stores[kind].put(stored)
            yield kind, key_of(stored)


def _template_problems(stores: Stores, kind: Kind, document: Document, *, key: Key) -> Iterator[Finding]:
    """Yield what is wrong with a template by itself."""
    template = stores[kind].get(*key) if kind in _TEMPLATES else None
    if template is not None:
        for text in validate_template(template, for_background=True, served=SERVED):
            yield Finding(document, text, "spec")


def _run_problems(document: Document) -> Iterator[Finding]:
    """Yield what is wrong with an AnalysisRun that somebody wrote."""
    if document.content["kind"] != ANALYSIS_RUN.name or _group(document.content) != GROUP:
        return
    try:
        metrics = resolve(document.content["spec"], served=SERVED)
        policies(document.content, [metric.name for metric in metrics])
    except InvalidAnalysis as error:
        yield Finding(document, f"{_title(document.content)}: {error}", "spec")


def _unserved_kinds(documents: Sequence[Document]) -> Iterator[Finding]:
    for document in documents:
        if not _shape(document.content) and _group(document.content) == GROUP and document.content["kind"] in UNSERVED_KINDS:
            yield Finding(document, f"{_title(document.content)}: this kind can be stored, but nothing acts on it")


def _rollout_problems(stores: Stores, key: Key, document: Document) -> Iterator[Finding]:
    rollout = stores[ROLLOUT].get(*key)
    assert rollout is not None
    problems = [*validate(rollout), *extension_problems(rollout)]
    if not problems:
        snapshot = gather(stores, key)
        assert snapshot is not None
        problems = list(_references(snapshot))
    for problem in problems:
        yield Finding(document, invalid_text(key[1], [problem]), problem.field)


def _notes(stores: Stores, key: Key, document: Document) -> Iterator[Finding]:
    snapshot = gather(stores, key)
    assert snapshot is not None
    for note in notes(snapshot, Settings.of(snapshot.rollout)):
        yield Finding(document, f"{_title(document.content)}: {note}", note.field)


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
    except InvalidAnalysis:
        return True  # a problem of a template that is here
    return True
