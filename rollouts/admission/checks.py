"""Whether an object is let into the cluster: the checks, and the texts, of the `InvalidSpec` condition (spec/rollout.md 1.7).

It fails open: what it does not know, what is not about the spec, and what was wrong before, is let through. What a spec refers
to may come later, so that is no reason to refuse it either, but a warning. Pure. Must not: talk to a server.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kube.kinds import ANALYSIS_RUN, ANALYSIS_TEMPLATE, CLUSTER_ANALYSIS_TEMPLATE, EXPERIMENT, ROLLOUT, Kind
from kube.objects import Object, annotations_of, is_deleting, key_of, name_of
from kube.store import Store
from rollouts.admission.analyses import run_troubles, template_troubles
from rollouts.experiment.refusal import REFUSAL
from rollouts.rollout.extensions import extension_problems
from rollouts.rollout.gather import Stores, gather, indices
from rollouts.rollout.problems import Problem, invalid_text, listed
from rollouts.rollout.reading import Readings
from rollouts.rollout.references import missing_references
from rollouts.rollout.validation import validate

EXTENSIONS = "rollouts/"
"""Annotations of this prefix are checked with the spec."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said about an object."""

    refusal: str = ""
    """Why it is not let in; empty when it is."""
    warnings: tuple[str, ...] = ()
    """What its writer should know all the same."""


def judge(kind: Kind, new: Object, old: Object | None = None, *, stores: Stores | None = None) -> Verdict:
    """Say whether `new` may take the place of `old`, or be created when there is no old one.

    Args:
        kind: of the object.
        new: as it would be stored.
        old: as it is stored.
        stores: what is in the cluster, to warn of references that lead nowhere; None where that is not known.
    """
    new = _named(new)
    if kind not in _CHECKS or is_deleting(new) or (old is not None and _asks_the_same(new, old)):
        return Verdict()
    before = {str(one) for one in _CHECKS[kind](old)} if old is not None else set()
    found = list(_CHECKS[kind](new))
    fresh = [one for one in found if str(one) not in before]
    known = tuple(str(one) for one in found if str(one) in before)
    if fresh:
        return Verdict(_text(new, fresh), known)
    if kind == ROLLOUT and not found and stores is not None:
        return Verdict(warnings=tuple(map(str, _references(new, stores))))
    return Verdict(warnings=known)


def _named(obj: Object) -> Object:
    """Return the object with a name like the one that the server will make, when it has none yet."""
    metadata = obj["metadata"]
    return obj if metadata.get("name") else {**obj, "metadata": {**metadata, "name": f"{metadata.get('generateName') or ''}xxxxx"}}


def _asks_the_same(new: Object, old: Object) -> bool:
    return bool(new.get("spec") == old.get("spec")) and _extensions(new) == _extensions(old)


def _extensions(obj: Object) -> dict[str, str]:
    return {key: value for key, value in annotations_of(obj).items() if key.startswith(EXTENSIONS)}


def _text(obj: Object, problems: Iterable[Problem | str]) -> str:
    """Return the sentence that the status would have."""
    told = list(problems)
    fields = [one for one in told if isinstance(one, Problem)]
    return invalid_text(name_of(obj), fields) if fields else listed(told)


def _rollout(rollout: Object) -> Iterable[Problem]:
    return (*validate(rollout), *extension_problems(rollout))


def _template(template: Object) -> Iterable[str]:
    return [one.text for one in template_troubles(template)]


def _run(run: Object) -> Iterable[str]:
    return [one.text for one in run_troubles(run)]


def _experiment(_experiment: Object) -> Iterable[str]:
    return (REFUSAL,)


_CHECKS: Mapping[Kind, Callable[[Any], Iterable[Problem | str]]] = {
    ROLLOUT: _rollout,
    ANALYSIS_TEMPLATE: _template,
    CLUSTER_ANALYSIS_TEMPLATE: _template,
    ANALYSIS_RUN: _run,
    EXPERIMENT: _experiment,
}
KINDS = tuple(_CHECKS)
"""What is checked."""


def _references(rollout: Object, stores: Stores) -> Iterable[Problem]:
    """Return what would be wrong with the references of a Rollout if it were stored now."""
    readings = Readings()
    store = Store(ROLLOUT, indices(readings)[ROLLOUT])
    store.put({**rollout, "metadata": {"uid": "", **rollout["metadata"]}})
    snapshot = gather(Stores({**stores.by_kind, ROLLOUT: store}, readings), key_of(rollout))
    if snapshot is None or snapshot.reading.settings is None:
        return ()
    return missing_references(snapshot, snapshot.reading.settings)
