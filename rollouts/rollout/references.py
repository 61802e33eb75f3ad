"""What a Rollout refers to: finding it, and saying plainly what is missing or does not fit (spec/rollout.md 2.1, 8).

Pure. Must not: look into a store (gather.py does).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from analysis.arguments import rollout_arguments
from analysis.errors import InvalidAnalysis
from analysis.providers import served
from analysis.run.validation import validate_templates
from analysis.templates import TemplateRef, build_run, collect, references
from kube.kinds import ANALYSIS_TEMPLATE, CLUSTER_ANALYSIS_TEMPLATE, SERVICE, ObjectRef
from kube.objects import Object, annotations_of, name_of, namespace_of, uid_of, version_of
from rollouts.engine.names import MANAGED_BY
from rollouts.rollout.settings import Settings
from rollouts.rollout.snapshot import Snapshot
from rollouts.rollout.validation import Problem
from routers import ROUTERS
from routers.base import InvalidRouting, RoutingSpec

CANARY = "spec.strategy.canary"
SERVED = frozenset(served())


def missing_references(snapshot: Snapshot, settings: Settings) -> list[Problem]:
    """Return what is wrong with the objects a Rollout refers to; empty when all of them fit."""
    return [
        *_services(snapshot, settings),
        *_routing(snapshot, settings),
        *_analyses(snapshot, settings),
    ]


def _services(snapshot: Snapshot, settings: Settings) -> Iterator[Problem]:
    for field, name in (("canaryService", settings.canary_service), ("stableService", settings.stable_service)):
        if not name:
            continue
        service = snapshot.services.get(name)
        if service is None:
            yield Problem(f"{CANARY}.{field}", f'service "{name}" not found', name)
            continue
        manager = annotations_of(service).get(MANAGED_BY)
        others = [one for one in snapshot.service_users.get(name, ()) if one != name_of(snapshot.rollout)]
        if manager and manager != name_of(snapshot.rollout) and manager in others:
            yield Problem(f"{CANARY}.{field}", f'service "{name}" is managed by another Rollout ("{manager}")', name)


def routing_specs(rollout: Object, settings: Settings) -> Iterator[tuple[str, RoutingSpec]]:
    """Yield what each configured router is told, without versions: enough for looking up and checking its objects."""
    for key, config in settings.routers.items():
        if key in ROUTERS:
            yield (
                key,
                RoutingSpec(
                    owner=rollout,
                    namespace=namespace_of(rollout),
                    stable_service=settings.stable_service,
                    canary_service=settings.canary_service,
                    config=config,
                    managed_routes=settings.managed_routes,
                ),
            )


def _routing(snapshot: Snapshot, settings: Settings) -> Iterator[Problem]:
    for key, spec in routing_specs(snapshot.rollout, settings):
        router, field = ROUTERS[key], f"{CANARY}.trafficRouting.{key}"
        try:
            router.validate(spec, snapshot.routing)
        except InvalidRouting as error:
            yield _problem_of(error, field)
        for kind, able in (("setHeaderRoute", router.can_match_headers), ("setMirrorRoute", router.can_mirror)):
            for at, step in enumerate(settings.steps):
                if step.get(kind) and not able:
                    yield Problem(f"{CANARY}.steps[{at}].{kind}", f"the {key} router cannot do this; remove the step")


def _problem_of(error: InvalidRouting, field: str) -> Problem:
    """Turn a router's complaint into a problem; one that names its field and value keeps them."""
    named = re.fullmatch(r'(spec\.\S+): Invalid value: "([^"]*)": (.*)', str(error), re.DOTALL)
    return Problem(named[1], named[3], named[2]) if named else Problem(field, str(error))


def _analyses(snapshot: Snapshot, settings: Settings) -> Iterator[Problem]:
    """Check every analysis; one that was found to fit is not checked again while its templates and arguments are the same."""
    for field, analysis, background in analyses_of(settings):
        refs = references(analysis)
        try:
            templates = collect(refs, snapshot.template)
            arguments = rollout_arguments(
                analysis.get("args") or (), rollout=snapshot.rollout, stable_hash="stable", latest_hash="latest"
            )
            checked = (tuple((uid_of(one), version_of(one)) for one in templates), tuple(arguments))
            if snapshot.reading.fitting.get(field) == checked:
                continue
            found = validate_templates(templates, for_background=background, served=SERVED, arguments=arguments)
            yield from (Problem(f"{field}.templates", text) for text in found)
            if found:
                continue
            build_run(metadata={"name": "check"}, templates=templates, arguments=arguments, owner=snapshot.rollout)
            if all(version_of(one) for one in templates):
                snapshot.reading.fitting[field] = checked
        except InvalidAnalysis as error:
            yield Problem(f"{field}.templates", str(error), ", ".join(ref.name for ref in refs))


def analyses_of(settings: Settings) -> Iterator[tuple[str, Mapping[str, Any], bool]]:
    """Yield every analysis of a Rollout: field path, block, whether it runs in the background."""
    if settings.background is not None:
        yield f"{CANARY}.analysis", settings.background, True
    for at, step in enumerate(settings.steps):
        if step.get("analysis"):
            yield f"{CANARY}.steps[{at}].analysis", step["analysis"], False


def referenced(rollout: Object, settings: Settings) -> set[ObjectRef]:
    """Return every object a Rollout names directly: Services, routers' objects, analysis templates."""
    namespace = namespace_of(rollout)
    found = {ObjectRef(SERVICE, namespace, name) for name in (settings.stable_service, settings.canary_service) if name}
    for key, spec in routing_specs(rollout, settings):
        found |= set(ROUTERS[key].watches(spec))
    for _, analysis, _ in analyses_of(settings):
        found |= {template_object(ref, namespace) for ref in references(analysis)}
    return found


def template_object(ref: TemplateRef, namespace: str) -> ObjectRef:
    """Return where a template reference leads."""
    if ref.cluster_scope:
        return ObjectRef(CLUSTER_ANALYSIS_TEMPLATE, "", ref.name)
    return ObjectRef(ANALYSIS_TEMPLATE, namespace, ref.name)
