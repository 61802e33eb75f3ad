"""NGINX ingress: one canary Ingress per stable Ingress, steered by annotations (spec/rollout.md 3.2).

Owns the canary Ingress, nothing of the stable one. The canary Ingress holds only the hosts and paths that lead to the stable
Service: a path of another Service on the same host has no version to choose from, and copying it would hide its later changes.
After promotion the canary Ingress stays, at weight 0. Must not: match headers or mirror by steps (annotations can do neither
beside a weight, except the static ones of `additionalIngressAnnotations`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kube.kinds import INGRESS, ObjectRef
from kube.objects import Object
from kube.plan import Create, Patch, Write
from routers.base import InvalidRouting, MissingObject, Objects, RoutingError, RoutingSpec, Split
from routers.shape import (
    annotations_in,
    both_services,
    canary_strategy,
    controllers,
    mapping,
    mappings,
    metadata,
    owner_name,
    owners_in,
    refused_as_spec,
    text,
    texts,
)

DEFAULT_PREFIX = "nginx.ingress.kubernetes.io"
CLASS_ANNOTATION = "kubernetes.io/ingress.class"
RECORD = "rollouts/ingress-annotations"
"""On the canary Ingress: which annotations that steer nobody came from the spec, so that they go when they are taken out of it."""
LONGEST_NAME = 253
FIELD = "spec.strategy.canary.trafficRouting.nginx"


class Nginx:
    """The router behind `trafficRouting.nginx`. ingress-nginx follows a changed weight within about a second."""

    name = "nginx"
    can_match_headers = False
    can_mirror = False
    can_weigh_additional = False

    def watches(self, spec: RoutingSpec) -> Iterable[ObjectRef]:
        """Name each stable Ingress and its canary."""
        for stable in _stable_names(spec):
            yield ObjectRef(INGRESS, spec.namespace, stable)
            yield ObjectRef(INGRESS, spec.namespace, canary_name(owner_name(spec), stable))

    def validate(self, spec: RoutingSpec, objects: Objects) -> None:
        """Check that the stable Ingresses exist, lead to the stable Service, and that the canary's names are free."""
        refused_as_spec(lambda: self.desired(spec, Split(canary=0), objects))

    def desired(self, spec: RoutingSpec, split: Split, objects: Objects) -> list[Write]:
        """Return the writes that give every canary Ingress its rules and its weight."""
        _refuse_what_annotations_cannot_do(split)
        writes: list[Write] = []
        for name in _checked_names(spec):
            stable = objects.find(INGRESS, spec.namespace, name)
            if stable is None:
                raise MissingObject(
                    f'{_field(spec)}: Invalid value: "{name}": Ingress {spec.namespace}/{name} not found; create it'
                )
            body = _canary_ingress(spec, split, stable=stable, stable_name=name)
            writes += _write(spec, body, objects.find(INGRESS, spec.namespace, body["metadata"]["name"]))
        return writes

    def observed(self, spec: RoutingSpec, objects: Objects) -> Split | None:
        """Return the weight that all canary Ingresses carry; None while one is missing, not ours or different."""
        names = _stable_names(spec)
        seen = {_weight_of(spec, objects.find(INGRESS, spec.namespace, canary_name(owner_name(spec), name))) for name in names}
        return seen.pop() if len(seen) == 1 else None

    def cleaned(self, spec: RoutingSpec, objects: Objects) -> list[Write]:
        """Return nothing: the canary Ingress goes with its owner, and nobody else's object was touched."""
        return []


def canary_name(rollout: str, stable: str) -> str:
    """Return the name of the canary Ingress, cut so that it is a valid name.

    >>> canary_name("shop", "web")
    'shop-web-canary'
    """
    suffix = "-canary"
    return f"{rollout}-{stable}"[: LONGEST_NAME - len(suffix)] + suffix


def _stable_names(spec: RoutingSpec) -> list[str]:
    one = text(spec.config.get("stableIngress"))
    return ([one] if one else []) + texts(spec.config.get("stableIngresses"))


def _checked_names(spec: RoutingSpec) -> list[str]:
    names = _stable_names(spec)
    if not names:
        raise InvalidRouting(f'{FIELD}.stableIngress: Invalid value: "": name the Ingress that serves the stable version')
    if spec.config.get("stableIngress") and spec.config.get("stableIngresses"):
        raise InvalidRouting(f'{FIELD}.stableIngress: Invalid value: "{names[0]}": set either stableIngress or stableIngresses')
    if len({canary_name(owner_name(spec), name) for name in names}) < len(names):
        raise InvalidRouting(f"{FIELD}.stableIngresses: Invalid value: {names}: two of them would share one canary Ingress")
    return names


def _refuse_what_annotations_cannot_do(split: Split) -> None:
    if split.header_routes:
        raise InvalidRouting(
            "NGINX cannot do setHeaderRoute; use additionalIngressAnnotations (canary-by-header) or a router that matches headers"
        )
    if split.mirror_routes:
        raise InvalidRouting("NGINX cannot do setMirrorRoute; remove the step or use a router that mirrors")
    if split.additional:
        raise InvalidRouting("NGINX cannot give an experiment a weight; remove `weight` from the experiment's templates")


def _field(spec: RoutingSpec) -> str:
    return f"{FIELD}.stableIngress" if spec.config.get("stableIngress") else f"{FIELD}.stableIngresses"


def _prefix(spec: RoutingSpec) -> str:
    return text(spec.config.get("annotationPrefix")) or DEFAULT_PREFIX


def _canary_ingress(spec: RoutingSpec, split: Split, *, stable: Object, stable_name: str) -> dict[str, Any]:
    """Return the canary Ingress as it is to be; what is not in it is left to others."""
    stable_spec = mapping(stable.get("spec"))
    body: dict[str, Any] = {"rules": _canary_rules(spec, stable_spec, stable_name)}
    for key in ("ingressClassName", "tls"):
        if stable_spec.get(key):
            body[key] = stable_spec[key]
    return {
        "apiVersion": INGRESS.api_version,
        "kind": INGRESS.name,
        "metadata": {
            "name": canary_name(owner_name(spec), stable_name),
            "namespace": spec.namespace,
            "annotations": _annotations(spec, split, stable),
            "ownerReferences": [_owner_reference(spec.owner)],
        },
        "spec": body,
    }


def _canary_rules(spec: RoutingSpec, stable_spec: Mapping[str, Any], stable_name: str) -> list[dict[str, Any]]:
    """Return the rules of the stable Ingress, cut down to the paths to the stable Service, leading to the canary's."""
    stable_service, canary_service = both_services(spec)
    rules: list[dict[str, Any]] = []
    for rule in mappings(stable_spec.get("rules")):
        http = mapping(rule.get("http"))
        paths = [_swapped(path, canary_service) for path in mappings(http.get("paths")) if _service_of(path) == stable_service]
        if paths:
            rules.append({**rule, "http": {**http, "paths": paths}})
    if not rules:
        raise InvalidRouting(
            f'{_field(spec)}: Invalid value: "{stable_name}": ingress `{stable_name}` has no rules using service '
            f"{stable_service} backend; add a path that leads to it"
        )
    return rules


def _service_of(path: Mapping[str, Any]) -> str:
    return text(mapping(mapping(path.get("backend")).get("service")).get("name"))


def _swapped(path: Mapping[str, Any], service: str) -> dict[str, Any]:
    backend = mapping(path["backend"])
    return {**path, "backend": {**backend, "service": {**mapping(backend["service"]), "name": service}}}


def _annotations(spec: RoutingSpec, split: Split, stable: Object) -> dict[str, str]:
    prefix = _prefix(spec)
    wanted: dict[str, str] = {}
    if ingress_class := text(annotations_in(stable).get(CLASS_ANNOTATION)):
        wanted[CLASS_ANNOTATION] = ingress_class
    for key, value in _named(spec, "additionalIngressAnnotations").items():
        wanted[key if key.startswith(prefix) else f"{prefix}/{key}"] = value
    wanted |= _named(spec, "canaryIngressAnnotations")
    if recorded := sorted(key for key in wanted if key != CLASS_ANNOTATION and not _steers(key, (prefix,))):
        wanted[RECORD] = ",".join(recorded)
    wanted |= {f"{prefix}/canary": "true", f"{prefix}/canary-weight": str(split.canary)}
    if split.total != 100 or mapping(canary_strategy(spec).get("trafficRouting")).get("maxTrafficWeight") is not None:
        wanted[f"{prefix}/canary-weight-total"] = str(split.total)
    return wanted


def _steers(key: str, prefixes: Iterable[str]) -> bool:
    """Tell whether an annotation decides which users reach the canary: by weight, header or cookie."""
    return any(key == f"{prefix}/canary" or key.startswith(f"{prefix}/canary-") for prefix in prefixes)


def _named(spec: RoutingSpec, field: str) -> dict[str, str]:
    return {str(key): str(value) for key, value in mapping(spec.config.get(field)).items()}


def _owner_reference(owner: Object) -> dict[str, Any]:
    return {
        "apiVersion": text(owner.get("apiVersion")) or "argoproj.io/v1alpha1",
        "kind": text(owner.get("kind")) or "Rollout",
        "name": text(metadata(owner).get("name")),
        "uid": text(metadata(owner).get("uid")),
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _is_ours(spec: RoutingSpec, ingress: Object) -> bool:
    return text(metadata(spec.owner).get("uid")) in controllers(ingress)


def _is_left_behind(spec: RoutingSpec, ingress: Object, wanted: Mapping[str, Any]) -> bool:
    """Tell whether nobody controls a canary Ingress that leads just where ours does.

    It stays so when a Rollout is deleted without its dependents, as people do to change its selector; upstream refuses it.
    """
    if controllers(ingress):
        return False
    is_canary = annotations_in(ingress).get(f"{_prefix(spec)}/canary") == "true"
    return is_canary and mapping(ingress.get("spec")).get("rules") == wanted["spec"]["rules"]


def _write(spec: RoutingSpec, wanted: dict[str, Any], current: Object | None) -> list[Write]:
    """Return the creation, or the difference; foreign annotations and fields are in neither."""
    if current is None:
        return [Create(kind=INGRESS, body=wanted)]
    name = wanted["metadata"]["name"]
    adopted = _is_left_behind(spec, current, wanted)
    if not adopted and not _is_ours(spec, current):
        raise RoutingError(
            f"canary ingress `{name}` controlled by different object; rename or delete that Ingress, or use another stableIngress"
        )
    patch: dict[str, Any] = {}
    if changed := _changed_annotations(spec, wanted["metadata"]["annotations"], annotations_in(current)):
        patch["metadata"] = {"annotations": changed}
    if adopted:
        owners = [*owners_in(current), _owner_reference(spec.owner)]
        patch["metadata"] = {**patch.get("metadata", {}), "ownerReferences": owners}
    current_spec = mapping(current.get("spec"))
    keys = ("rules", "ingressClassName", "tls")
    if differing := {key: wanted["spec"].get(key) for key in keys if current_spec.get(key) != wanted["spec"].get(key)}:
        patch["spec"] = differing
    return [Patch(ref=ObjectRef(INGRESS, spec.namespace, name), patch=patch)] if patch else []


def _changed_annotations(spec: RoutingSpec, wanted: Mapping[str, str], current: Mapping[str, Any]) -> dict[str, str | None]:
    """Return what differs; None for what was ours and is wanted no more, since users would go on to be steered by it."""
    changed: dict[str, str | None] = {key: value for key, value in wanted.items() if current.get(key) != value}
    return changed | dict.fromkeys((key for key in current if key not in wanted and _was_ours(spec, key, current)), None)


def _was_ours(spec: RoutingSpec, key: str, current: Mapping[str, Any]) -> bool:
    """Tell whether an annotation of a canary Ingress that we control came from us: all that steer do, of earlier prefixes too."""
    earlier = (name.removesuffix("/canary") for name, value in current.items() if name.endswith("/canary") and value == "true")
    recorded = (RECORD, *text(current.get(RECORD)).split(","))
    return key == CLASS_ANNOTATION or key in recorded or _steers(key, (_prefix(spec), *earlier))


def _weight_of(spec: RoutingSpec, ingress: Object | None) -> Split | None:
    if ingress is None or not _is_ours(spec, ingress):
        return None
    prefix, seen = _prefix(spec), annotations_in(ingress)
    weight, total = text(seen.get(f"{prefix}/canary-weight")), text(seen.get(f"{prefix}/canary-weight-total")) or "100"
    if seen.get(f"{prefix}/canary") != "true" or not weight.isdecimal() or not total.isdecimal():
        return None
    return Split(canary=int(weight), total=int(total))
