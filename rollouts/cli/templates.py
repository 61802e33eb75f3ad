"""Changing pod templates from the command line: another image, or the template of an earlier revision (spec/rollout.md 4).

Pure. Must not: decide what a changed template leads to; that is an ordinary update.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kube.kinds import DEPLOYMENT, REPLICA_SET, ROLLOUT, Kind, ObjectRef
from kube.objects import Object, is_controlled_by, name_of, namespace_of, uid_of, version_of
from rollouts.cli.patches import Refused
from rollouts.engine.injection import as_written
from rollouts.engine.names import POD_TEMPLATE_HASH, revision_of
from rollouts.engine.templates import means_the_same, without_injected

POD_TEMPLATE = Kind("", "v1", "PodTemplate", "podtemplates")
_CONTAINER_LISTS = ("initContainers", "containers", "ephemeralContainers")


def workload_of(rollout: Object) -> ObjectRef:
    """Return the object that holds the template: the Rollout, or what its `workloadRef` names.

    Raises:
        Refused: the reference is to a kind that cannot be changed here.
    """
    namespace, reference = namespace_of(rollout), rollout["spec"].get("workloadRef")
    if not reference:
        return ObjectRef(ROLLOUT, namespace, name_of(rollout))
    for kind in (DEPLOYMENT, REPLICA_SET, POD_TEMPLATE):
        if reference.get("kind") == kind.name:
            return ObjectRef(kind, namespace, str(reference.get("name", "")))
    raise Refused(f"workloadRef of kind {reference.get('kind')} is not supported; use Deployment, ReplicaSet or PodTemplate")


def template_path(kind: Kind) -> tuple[str, ...]:
    """Return where an object of this kind has its pod template."""
    return ("template",) if kind == POD_TEMPLATE else ("spec", "template")


def template_in(obj: Object, kind: Kind) -> Mapping[str, Any]:
    """Return an object's pod template."""
    found: Any = obj
    for key in template_path(kind):
        found = found.get(key) or {}
    return found  # type: ignore[no-any-return]


def read_images(arguments: Iterable[str]) -> dict[str, str]:
    """Read `CONTAINER=IMAGE` pairs.

    Raises:
        Refused: one of them is something else.
    """
    images: dict[str, str] = {}
    for argument in arguments:
        container, _, image = argument.partition("=")
        if not container or not image:
            raise Refused(f"invalid image parameter {argument!r}: write CONTAINER=IMAGE, or *=IMAGE for all containers")
        images[container] = image
    return images


def image_patch(workload: Object, kind: Kind, images: Mapping[str, str]) -> dict[str, Any]:
    """Return the merge patch that gives containers other images; empty when they have them already.

    It replaces whole lists, so it must be sent with the resourceVersion it was computed from.

    Raises:
        Refused: there is no container of a name.
    """
    spec = template_in(workload, kind).get("spec") or {}
    names = {container.get("name") for key in _CONTAINER_LISTS for container in spec.get(key) or ()}
    for name in images:
        if name != "*" and name not in names:
            raise Refused(f'unable to find container named "{name}"')
    changed = {key: _with_images(spec[key], images) for key in _CONTAINER_LISTS if spec.get(key)}
    body: Any = {"spec": {key: containers for key, containers in changed.items() if containers != spec[key]}}
    if not body["spec"]:
        return {}
    for key in reversed(template_path(kind)):
        body = {key: body}
    return body  # type: ignore[no-any-return]


def _with_images(containers: Sequence[Mapping[str, Any]], images: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{**one, "image": images.get(str(one.get("name")), images.get("*", one.get("image")))} for one in containers]


class AlreadyThere(Exception):
    """The wanted revision is what the template is already."""


def undo_template(rollout: Object, current: Mapping[str, Any], replica_sets: Iterable[Object], *, revision: int) -> dict[str, Any]:
    """Return the pod template of an earlier revision as its user wrote it.

    Args:
        rollout: whose ReplicaSets count.
        current: the template as it is now.
        replica_sets: where earlier templates are kept.
        revision: the one to go back to; 0 means the one before the latest.

    Raises:
        Refused: there is no such revision.
        AlreadyThere: it is the current template.
    """
    owned = [one for one in replica_sets if is_controlled_by(one, uid_of(rollout))]
    by_revision = {revision_of(one): one for one in owned if revision_of(one)}
    wanted = revision or _previous(name_of(rollout), by_revision)
    if wanted not in by_revision:
        raise Refused(f"unable to find specified revision {wanted} in history")
    template = _as_written(by_revision[wanted])
    if means_the_same(without_injected(current), template):
        raise AlreadyThere(f"skipped rollback (current template already matches revision {wanted})")
    return template


def undoing(workload: Object, kind: Kind, template: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the JSON patch that gives a workload another template, if nobody changed it since it was read (`Conflict` else)."""
    version = {"op": "replace", "path": "/metadata/resourceVersion", "value": version_of(workload)}
    return [version, {"op": "replace", "path": "/" + "/".join(template_path(kind)), "value": dict(template)}]


def _previous(rollout: str, by_revision: Mapping[int, Object]) -> int:
    revisions = sorted(by_revision)
    if not revisions:
        raise Refused(f'no revision found for rollout "{rollout}"')
    if len(revisions) < 2:
        raise Refused(f'no rollout history found for rollout "{rollout}": revision {revisions[0]} is the only one')
    return revisions[-2]


def _as_written(replica_set: Object) -> dict[str, Any]:
    """Return a ReplicaSet's template without what the controller put in: hash, ephemeral metadata, affinity to the hash."""
    template = as_written(replica_set)
    spec = template.get("spec") or {}
    affinity = _without_hash(spec.get("affinity"))
    kept = {key: value for key, value in spec.items() if key != "affinity"}
    return {**template, "spec": {**kept, "affinity": affinity} if affinity else kept}


def _without_hash(affinity: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the affinity without pod anti-affinity terms that select by the hash label, and without what that empties."""
    if not affinity:
        return {}
    against = {
        key: [term for term in terms if not _selects_hash(term)] if isinstance(terms, list) else terms
        for key, terms in (affinity.get("podAntiAffinity") or {}).items()
    }
    kept = {key: value for key, value in affinity.items() if key != "podAntiAffinity"}
    left = {key: terms for key, terms in against.items() if terms}
    return {**kept, **({"podAntiAffinity": left} if left else {})}


def _selects_hash(term: Mapping[str, Any]) -> bool:
    selector = (term.get("podAffinityTerm") or term).get("labelSelector") or {}
    return any(one.get("key") == POD_TEMPLATE_HASH for one in selector.get("matchExpressions") or ())
