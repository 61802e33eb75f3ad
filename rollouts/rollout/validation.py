"""Whether the spec of a Rollout makes sense by itself (spec/rollout.md 1.1 to 1.3).

Owns the rules that need nothing but the spec; what a spec refers to is checked in references.py. The rules of the canary
strategy are in validation_canary.py and its neighbours. Must not: do I/O, fill in or change anything, raise for bad input.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from crds.common import LabelSelector
from crds.reading import Malformed, read
from crds.rollout import RolloutSpec
from kube.objects import Object, name_of, parse_time
from kube.selectors import is_empty, selects
from rollouts.rollout.problems import Problem, forbidden, invalid_text, required
from rollouts.rollout.settings import DEFAULT_PROGRESS_DEADLINE_SECONDS, or_default
from rollouts.rollout.unserved import unserved_fields
from rollouts.rollout.validation_canary import canary_problems

__all__ = ["Problem", "invalid_text", "validate"]

_TEMPLATE = "spec.template"
LONGEST_NAME = 253
"""Characters of an object's name."""
HASH_ADDS = len("-4294967295")
"""What the name of a ReplicaSet has more than its Rollout's, at most."""
RUN_ADDS = len("-9999999-999.99")
"""What the name of an AnalysisRun has more than that: revision, step and attempt, longer than any that were seen."""


def validate(rollout: Object) -> list[Problem]:
    """Return everything that is wrong with a Rollout's spec, the most basic first; empty when it can be acted upon.

    A spec of the wrong shape (a text where an object belongs) is reported as that and not looked at further.
    """
    if rollout.get("spec") is None:
        return [required("spec", "a Rollout needs a spec")]
    unserved = list(unserved_fields(rollout))
    spec = read(RolloutSpec, rollout["spec"], at="spec")
    if not isinstance(spec, RolloutSpec):
        return unserved + [_problem(bad) for bad in spec if not any(bad.path.startswith(one.field) for one in unserved)]
    problems = [*unserved, *_name(rollout, spec), *_numbers(spec), *_strategy(spec)]
    if spec.workload_ref is None:
        problems += [*_selector(spec.selector), *_template(spec)]
    return problems


def _problem(malformed: Malformed) -> Problem:
    if malformed.is_missing:
        return required(malformed.path, malformed.message)
    return Problem(malformed.path, malformed.message, malformed.value)


def _name(rollout: Object, spec: RolloutSpec) -> Iterator[Problem]:
    """Check that the names made of the Rollout's leave room for what is added, so that nothing fails in mid-update."""
    name, canary = name_of(rollout), spec.strategy.canary if spec.strategy else None
    steps = (canary.steps or ()) if canary else ()
    analysed = canary is not None and (canary.analysis is not None or any(step.analysis is not None for step in steps))
    longest = LONGEST_NAME - HASH_ADDS - (RUN_ADDS if analysed else 0)
    if len(name) > longest:
        what = "AnalysisRuns" if analysed else "ReplicaSets"
        yield Problem("metadata.name", f"must be at most {longest} characters: names of its {what} begin with it; shorten it", name)


def _numbers(spec: RolloutSpec) -> Iterator[Problem]:
    history, window = spec.analysis, spec.rollback_window
    for field, value in (
        ("replicas", spec.replicas),
        ("minReadySeconds", spec.min_ready_seconds),
        ("revisionHistoryLimit", spec.revision_history_limit),
        ("rollbackWindow.revisions", window.revisions if window else None),
        ("analysis.successfulRunHistoryLimit", history.successful_run_history_limit if history else None),
        ("analysis.unsuccessfulRunHistoryLimit", history.unsuccessful_run_history_limit if history else None),
    ):
        if value is not None and value < 0:
            yield Problem(f"spec.{field}", "must be greater than or equal to 0", value)
    deadline = or_default(spec.progress_deadline_seconds, DEFAULT_PROGRESS_DEADLINE_SECONDS)
    ready = spec.min_ready_seconds or 0
    if deadline <= ready:
        yield Problem("spec.progressDeadlineSeconds", f"must be greater than minReadySeconds ({ready})", deadline)
    if spec.restart_at is not None and not _is_time(spec.restart_at):
        yield Problem("spec.restartAt", "must be a time such as 2026-01-31T12:00:00Z", spec.restart_at)


def _is_time(text: str) -> bool:
    try:
        return "T" in text and parse_time(text) is not None
    except ValueError:
        return False


def _strategy(spec: RolloutSpec) -> Iterator[Problem]:
    match spec.strategy:
        case None:
            yield required("spec.strategy", "a Rollout needs a strategy; give canary, it may be empty")
        case strategy if strategy.canary is None and strategy.blue_green is None:
            yield required("spec.strategy", "needs one of canary and blueGreen; canary may be empty")
        case strategy if strategy.canary is not None and strategy.blue_green is not None:
            yield Problem("spec.strategy", "canary and blueGreen exclude each other; remove one")
        case strategy if strategy.canary is not None:
            yield from canary_problems(strategy.canary)


def _selector(selector: LabelSelector | None) -> Iterator[Problem]:
    if selector is None:
        yield required("spec.selector", "a Rollout needs a selector that matches the labels of its template")
        return
    if is_empty(selector.dump()):
        yield Problem("spec.selector", "must not be empty: it would select every pod of the namespace", selector.dump())
    for at, requirement in enumerate(selector.match_expressions or ()):
        field = f"spec.selector.matchExpressions[{at}]"
        match requirement.operator:
            case "In" | "NotIn":
                if not requirement.values:
                    yield required(f"{field}.values", f"operator {requirement.operator} needs values")
            case "Exists" | "DoesNotExist":
                if requirement.values:
                    yield forbidden(f"{field}.values", f"operator {requirement.operator} takes no values")
            case operator:
                yield Problem(f"{field}.operator", "must be In, NotIn, Exists or DoesNotExist", operator)


def _template(spec: RolloutSpec) -> Iterator[Problem]:
    if spec.template is None:
        yield required(_TEMPLATE, "a Rollout needs a pod template")
        return
    yield from _labels(spec.template, spec.selector)
    pod = spec.template.get("spec")
    if not isinstance(pod, dict):
        yield required(f"{_TEMPLATE}.spec", "a pod template needs a spec with containers")
        return
    yield from _containers(pod.get("containers"))
    if pod.get("restartPolicy") not in (None, "", "Always"):
        yield Problem(f"{_TEMPLATE}.spec.restartPolicy", "must be Always: a Rollout's pods run for ever", pod["restartPolicy"])
    if pod.get("activeDeadlineSeconds") is not None:
        yield forbidden(f"{_TEMPLATE}.spec.activeDeadlineSeconds", "a Rollout's pods run for ever; remove it")


def _labels(template: dict[str, Any], selector: LabelSelector | None) -> Iterator[Problem]:
    field = f"{_TEMPLATE}.metadata.labels"
    metadata = template.get("metadata")
    if metadata is not None and not isinstance(metadata, dict):
        yield Problem(f"{_TEMPLATE}.metadata", "must be an object", metadata)
        return
    annotations = (metadata or {}).get("annotations")
    if annotations is not None and not _is_string_map(annotations):
        yield Problem(f"{_TEMPLATE}.metadata.annotations", "must be an object with strings", annotations)
    labels = (metadata or {}).get("labels")
    if labels is not None and not _is_string_map(labels):
        yield Problem(field, "must be an object with strings", labels)
    elif selector is not None and not list(_selector(selector)) and not selects(selector.dump(), labels or {}):
        yield Problem(
            field, "spec.selector does not match them; give the template the labels that the selector asks for", labels or {}
        )


def _is_string_map(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(one, str) for one in (*value.keys(), *value.values()))


def _containers(containers: Any) -> Iterator[Problem]:
    field = f"{_TEMPLATE}.spec.containers"
    if not isinstance(containers, list) or not containers:
        yield required(field, "a pod needs at least one container")
        return
    names: set[str] = set()
    for at, container in enumerate(containers):
        if not isinstance(container, dict):
            yield Problem(f"{field}[{at}]", "must be an object", container)
            continue
        name = container.get("name")
        if not isinstance(name, str) or not name:
            yield required(f"{field}[{at}].name", "a container needs a name")
        elif name in names:
            yield Problem(f"{field}[{at}].name", "is used twice; names of containers differ within a pod", name)
        else:
            names.add(name)
        if not isinstance(container.get("image"), str) or not container["image"]:
            yield required(f"{field}[{at}].image", "a container needs an image")
