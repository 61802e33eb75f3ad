"""Checking Rollouts without a cluster: fields nobody knows, specs that make no sense, references within what is applied together.

What the files do not contain is taken to be in the cluster already. Must not: read files or print.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from analysis.templates import references
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
from rollouts.cli.linting_analyses import analysis_troubles
from rollouts.cli.manifests import Document
from rollouts.cli.pod_fields import object_meta, pod_template
from rollouts.cli.spelling import Unknown, unknown_fields, unknown_kind
from rollouts.engine.mending import Trouble, all_troubles, is_related, is_within
from rollouts.rollout.extensions import extension_problems
from rollouts.rollout.gather import Stores, gather
from rollouts.rollout.notes import notes
from rollouts.rollout.problems import Problem, invalid_text
from rollouts.rollout.references import analyses_of, missing_references, routing_specs
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
    stores, looks = Stores.empty(), [_look(one) for one in documents]
    by_key: dict[tuple[Kind, Key], _Look] = {}
    for look in looks:
        if look.is_an_object:
            by_key |= dict.fromkeys(_store(stores, look.document.content), look)
    objects = {where: look for where, look in by_key.items() if look.is_readable}
    analyses = [look for look in looks if look.is_readable and _is_analysis(look, objects)]
    for look in analyses:
        look.add_all(analysis_troubles(look.document.content, _title(look.document.content)))
    wrong = frozenset(key for (kind, key), look in objects.items() if kind in _TEMPLATES and look.findings)
    rollouts = [(key, look) for (kind, key), look in objects.items() if kind == ROLLOUT]
    for key, look in rollouts:
        look.add_all(_rollout_troubles(stores, key, wrong))
    notes = [finding for key, look in rollouts if not look.findings for finding in _notes(stores, key, look.document)]
    return Report(tuple(one for look in looks for one in look.in_order()), (*notes, *_unserved_kinds(documents)))


@dataclass(slots=True)
class _Look:
    """What has been found about one document so far."""

    document: Document
    findings: list[Finding]
    unknown: tuple[Unknown, ...] = ()
    is_an_object: bool = True
    is_readable: bool = True
    """Whether it has a spec that can be looked into."""

    def add_all(self, troubles: Iterable[Trouble]) -> None:
        """Add what is wrong, without what only comes of a misspelt field or a name that is told already."""
        named = any(one.path == "metadata.name" for one in self.findings)
        for one in troubles:
            if named and one.path == "metadata.name":
                continue
            if not any(one.path == field.around or (field.meant and is_within(one.path, field.meant)) for field in self.unknown):
                self.findings.append(Finding(self.document, one.text, one.path or "spec"))

    def in_order(self) -> list[Finding]:
        """Return what was found by line."""
        return sorted(self.findings, key=lambda one: one.document.line(one.path))


def _look(document: Document) -> _Look:
    """Find what is wrong with the shape and the names of an object, whatever its kind."""
    content = document.content
    shape = _shape(content)
    if problem := shape or unknown_kind(content, _KNOWN):
        return _Look(document, [Finding(document, problem)], is_an_object=not shape, is_readable=False)
    schema = _schemas().get(content["kind"]) if _group(content) == GROUP else None
    if schema is None:
        return _Look(document, [])
    found, name = [], content["metadata"].get("name")
    if isinstance(name, str) and not _NAME.fullmatch(name):
        text = "metadata.name may have lower case letters, digits, - and ., and begins and ends with a letter or a digit"
        found.append((text, "metadata.name"))
    if has_no_spec := not isinstance(content.get("spec"), Mapping):
        found.append(("spec must be an object", "spec"))
    unknown = tuple(_unknown_fields(content, schema))
    found += [(str(one), one.path) for one in unknown]
    findings = [Finding(document, f"{_title(content)}: {text}", path) for text, path in found]
    return _Look(document, findings, unknown, is_readable=not has_no_spec)


def _unknown_fields(content: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[Unknown]:
    yield from unknown_fields(content, schema)
    yield from unknown_fields(content["metadata"], object_meta(), "metadata")
    spec = content.get("spec")
    if content["kind"] == ROLLOUT.name and isinstance(spec, Mapping):
        yield from unknown_fields(spec.get("template"), pod_template(), "spec.template")


def _is_analysis(look: _Look, objects: Mapping[tuple[Kind, Key], _Look]) -> bool:
    """Tell whether a document is an AnalysisRun, or a template that no other of its name replaces."""
    content = look.document.content
    if _group(content) != GROUP:
        return False
    names = {kind.name for kind in _TEMPLATES}
    return content["kind"] == ANALYSIS_RUN.name or (content["kind"] in names and any(look is one for one in objects.values()))


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


def _unserved_kinds(documents: Sequence[Document]) -> Iterator[Finding]:
    for document in documents:
        if not _shape(document.content) and _group(document.content) == GROUP and document.content["kind"] in UNSERVED_KINDS:
            yield Finding(document, f"{_title(document.content)}: this kind can be stored, but nothing acts on it")


def _rollout_troubles(stores: Stores, key: Key, wrong: Collection[Key]) -> Iterator[Trouble]:
    """Yield all that is wrong with a Rollout by itself and, once that is mended, with what it refers to."""
    rollout = stores[ROLLOUT].get(*key)
    assert rollout is not None

    def told(problem: Problem) -> Trouble:
        return Trouble(problem.field, invalid_text(key[1], [problem]))

    def check(one: Object) -> list[Trouble]:
        return [told(problem) for problem in (*validate(one), *extension_problems(one))]

    found, mended = all_troubles(rollout, check, sound={"steps": lambda _, at: {"pause": {}}})
    yield from found
    if any(problem.field.startswith("spec") for problem in validate(mended)):
        return
    stores[ROLLOUT].put(mended)
    snapshot = gather(stores, key)
    assert snapshot is not None
    before = [one.path for one in found]
    for problem in _references(snapshot, wrong):
        if not is_related(problem.field, before):
            yield told(problem)


def _notes(stores: Stores, key: Key, document: Document) -> Iterator[Finding]:
    snapshot = gather(stores, key)
    assert snapshot is not None
    for note in notes(snapshot, Settings.of(snapshot.rollout)):
        yield Finding(document, f"{_title(document.content)}: {note}", note.field)


def _references(snapshot: Snapshot, wrong: Collection[Key]) -> Iterator[Problem]:
    """Yield what is wrong with references whose targets are all in the file; `wrong` templates are told by themselves."""
    settings = Settings.of(snapshot.rollout)
    routers = tuple(f"spec.strategy.canary.trafficRouting.{key}" for key in _incomplete_routers(snapshot, settings))
    elsewhere = {f"{field}.templates" for field, analysis, _ in analyses_of(settings) if _is_elsewhere(snapshot, analysis, wrong)}
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


def _is_elsewhere(snapshot: Snapshot, analysis: Mapping[str, Any], wrong: Collection[Key]) -> bool:
    """Tell whether an analysis cannot be judged: a template of it is not in the file, or is wrong by itself."""
    refs = set(references(analysis))
    pending = list(refs)
    while pending:
        template = snapshot.template(pending.pop())
        if template is None or key_of(template) in wrong:
            return True
        nested = set(references(template["spec"])) - refs
        refs |= nested
        pending += nested
    return False
