"""Whether each step of a canary makes sense (spec/rollout.md 1.2).

Must not: know what a router can do, or look up a template; references.py does.
"""

from __future__ import annotations

from collections.abc import Iterator

from crds.durations import BadDuration, parse_pause
from crds.references import RolloutAnalysis
from crds.routing import TrafficRouting
from crds.steps import CanaryStep, SetCanaryScale, SetHeaderRoute, SetMirrorRoute, StringMatch
from rollouts.rollout.problems import Problem, forbidden, required

_KEYS = {name: info.alias or name for name, info in CanaryStep.model_fields.items()}
_NEEDS_ROUTING = "can only be used with trafficRouting; remove the step or name a router"


def step_problems(step: CanaryStep, field: str, routing: TrafficRouting | None) -> Iterator[Problem]:
    """Yield everything that is wrong with one step; `field` is its path, `routing` what shifts the traffic."""
    given = [key for name, key in _KEYS.items() if getattr(step, name) is not None]
    if len(given) != 1:
        names = f"has {' and '.join(given)}; make each a step of its own" if given else f"has none of {', '.join(_KEYS.values())}"
        yield Problem(field, f"a step does exactly one thing: it {names}", step.dump())
        return
    if step.set_weight is not None:
        yield from _weight(step.set_weight, f"{field}.setWeight", routing)
    if step.pause is not None and step.pause.duration is not None:
        yield from _duration(step.pause.duration, f"{field}.pause.duration")
    if step.analysis is not None:
        if not step.analysis.templates:
            yield required(f"{field}.analysis.templates", "an analysis step needs at least one template")
        yield from analysis_problems(step.analysis, f"{field}.analysis")
    if step.set_canary_scale is not None:
        yield from _scale(step.set_canary_scale, f"{field}.setCanaryScale", routing)
    if step.set_header_route is not None:
        yield from _header_route(step.set_header_route, f"{field}.setHeaderRoute", routing)
    if step.set_mirror_route is not None:
        yield from _mirror_route(step.set_mirror_route, f"{field}.setMirrorRoute", routing)


def analysis_problems(analysis: RolloutAnalysis, field: str) -> Iterator[Problem]:
    """Yield what is wrong with an analysis block, whichever place it has."""
    seen: set[tuple[str, bool]] = set()
    for at, template in enumerate(analysis.templates or ()):
        path = f"{field}.templates[{at}].templateName"
        if not template.template_name:
            yield required(path, "say which template")
            continue
        identity = (template.template_name, bool(template.cluster_scope))
        if identity in seen:
            yield Problem(path, "is named twice; every template is used once", template.template_name)
        seen.add(identity)
    for at, argument in enumerate(analysis.args or ()):
        source = argument.value_from
        if source is not None and source.pod_template_hash_value not in (None, "Stable", "Latest"):
            path = f"{field}.args[{at}].valueFrom.podTemplateHashValue"
            yield Problem(path, "must be Stable or Latest", source.pod_template_hash_value)


def _weight(weight: int, field: str, routing: TrafficRouting | None) -> Iterator[Problem]:
    most = 100 if routing is None or routing.max_traffic_weight is None else routing.max_traffic_weight
    if not 0 <= weight <= most:
        yield Problem(field, f"must be between 0 and {most}", weight)


def _duration(duration: int | str, field: str) -> Iterator[Problem]:
    try:
        parse_pause(duration)
    except BadDuration as error:
        yield Problem(field, f"{error}; a bare number is seconds", duration)


def _scale(scale: SetCanaryScale, field: str, routing: TrafficRouting | None) -> Iterator[Problem]:
    if routing is None:
        yield forbidden(field, _NEEDS_ROUTING)
    if (scale.replicas is not None) + (scale.weight is not None) + bool(scale.match_traffic_weight) > 1:
        yield Problem(field, "takes one of replicas, weight and matchTrafficWeight", scale.dump())
    if scale.replicas is not None and scale.replicas < 0:
        yield Problem(f"{field}.replicas", "must be greater than or equal to 0", scale.replicas)
    if scale.weight is not None and not 0 <= scale.weight <= 100:
        yield Problem(f"{field}.weight", "must be between 0 and 100 percent of the replicas", scale.weight)


def _managed(name: str | None, field: str, routing: TrafficRouting | None) -> Iterator[Problem]:
    if routing is None:
        yield forbidden(field, _NEEDS_ROUTING)
    elif not name:
        yield required(f"{field}.name", "name a route of trafficRouting.managedRoutes")
    elif name not in {route.name for route in routing.managed_routes or ()}:
        yield Problem(
            f"{field}.name", "is not in trafficRouting.managedRoutes; add it there, its place decides the precedence", name
        )


def _header_route(route: SetHeaderRoute, field: str, routing: TrafficRouting | None) -> Iterator[Problem]:
    yield from _managed(route.name, field, routing)
    for at, match in enumerate(route.match or ()):
        if not match.header_name:
            yield required(f"{field}.match[{at}].headerName", "say which header")
        yield from _string_match(match.header_value, f"{field}.match[{at}].headerValue")


def _mirror_route(route: SetMirrorRoute, field: str, routing: TrafficRouting | None) -> Iterator[Problem]:
    yield from _managed(route.name, field, routing)
    if route.percentage is not None and not 0 <= route.percentage <= 100:
        yield Problem(f"{field}.percentage", "must be between 0 and 100", route.percentage)
    for at, match in enumerate(route.match or ()):
        path = f"{field}.match[{at}]"
        if match.method is None and match.path is None and not match.headers:
            yield required(path, "needs at least one of method, path and headers")
        for name, condition in (("method", match.method), ("path", match.path)):
            if condition is not None:
                yield from _string_match(condition, f"{path}.{name}")
        for name, condition in (match.headers or {}).items():
            yield from _string_match(condition, f"{path}.headers.{name}")


def _string_match(condition: StringMatch, field: str) -> Iterator[Problem]:
    given = [one for one in (condition.exact, condition.prefix, condition.regex) if one]
    if len(given) != 1:
        yield Problem(field, "needs exactly one of exact, prefix and regex", condition.dump())
