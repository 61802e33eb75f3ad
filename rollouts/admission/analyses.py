"""What is wrong with an AnalysisTemplate or AnalysisRun by itself: all of it, each thing at its field.

Owns finding the field that a sentence of `analysis` is about. Pure; for the webhook and for `lint`. Must not: judge;
analysis/run/validation.py does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from analysis.errors import InvalidAnalysis
from analysis.no_data import policies
from analysis.run.validation import resolve, validate_template
from kube.objects import Object
from rollouts.engine.mending import Check, Sound, Trouble, all_troubles
from rollouts.rollout.references import SERVED

_ENTRY = re.compile(r"\b(metrics|args|dryRun|measurementRetention|templates)\[(\d+)\]((?:\.\w+)*)(.*)", re.DOTALL)
_TAG = re.compile(r"failed to resolve (\{\{.*?\}\})")
_TWICE = {
    re.compile(r"two metrics have the same name '(.*)'"): ("metrics", "name"),
    re.compile(r"two Dry-Run metric rules have the same name '(.*)'"): ("dryRun", "metricName"),
    re.compile(r"two Measurement Retention metric rules have the same name '(.*)'"): ("measurementRetention", "metricName"),
    re.compile(r"Argument `(.*?)` specified multiple times"): ("args", "name"),
    re.compile(r"\bmetric (\S+): \w+Condition cannot be read"): ("metrics", "name"),
}
"""Sentences that name an entry instead of counting it: the list, and the key of the name. The last of the name is meant."""


def _as_defined(_: Object) -> Sequence[Trouble]:
    """Look at nothing: the API server has compared the object with its definition."""
    return ()


def template_troubles(template: Object, *, shape: Check = _as_defined) -> list[Trouble]:
    """Return everything that is wrong with a template; what stands beside a mistake is not hidden by it.

    Args:
        template: an AnalysisTemplate or ClusterAnalysisTemplate.
        shape: looks at it first; when it finds something, nothing else is looked at.
    """
    return _all(template, shape, lambda one: validate_template(one, for_background=True, served=SERVED))


def run_troubles(run: Object, *, shape: Check = _as_defined) -> list[Trouble]:
    """Return everything that is wrong with a run, as `template_troubles` does."""
    return _all(run, shape, _run_texts)


def _all(obj: Object, shape: Check, texts_of: Callable[[Object], Iterable[str]]) -> list[Trouble]:
    def check(one: Object) -> Sequence[Trouble]:
        return shape(one) or [Trouble(path_of(text, one), text) for text in texts_of(one)]

    return all_troubles(obj, check, sound=_SOUND)[0]


def _metric(entry: Any, at: int) -> Any:
    name = entry.get("name") if isinstance(entry, Mapping) else None
    provider = {"prometheus": {"address": "http://prometheus", "query": "up"}}
    return {"name": name if isinstance(name, str) else f"metric-{at}", "provider": provider}


def _rule(_: Any, at: int) -> Any:
    return {"metricName": f".{{0,{at}}}", "limit": 1}  # a different expression for each, and all of them fit every metric


def _argument(entry: Any, at: int) -> Any:
    name = entry.get("name") if isinstance(entry, Mapping) else None
    return {"name": name if isinstance(name, str) else f"argument-{at}", "value": "x"}


_SOUND: Sound = {
    "metrics": _metric,
    "dryRun": _rule,
    "measurementRetention": _rule,
    "args": _argument,
    "templates": lambda _, at: {"templateName": f"template-{at}"},
}


def _run_texts(run: Object) -> Iterator[str]:
    try:
        metrics = resolve(run.get("spec") or {}, served=SERVED)
        policies(run, [metric.name for metric in metrics])
    except InvalidAnalysis as error:
        yield str(error)


def path_of(text: str, obj: Object) -> str:
    """Return the field that a sentence about an analysis means; empty when it does not tell."""
    spec = obj.get("spec") or {}
    if "no metrics specified" in text:
        return "spec.metrics"
    if "'{{' without '}}'" in text:
        return next(_places(spec.get("metrics"), "spec.metrics", lambda one: text.endswith(f" in {one!r}")), "")
    if tag := _TAG.search(text):
        return next(_places(spec.get("metrics"), "spec.metrics", lambda one: tag[1] in one), "")
    if entry := _ENTRY.search(text):
        name, at, below, rest = entry.groups()
        return f"spec.{name}[{at}]{below}" + (_field(rest) if name == "metrics" and not below else "")
    for pattern, (name, key) in _TWICE.items():
        if found := pattern.search(text):
            places = [at for at, one in enumerate(spec.get(name) or ()) if isinstance(one, Mapping) and one.get(key) == found[1]]
            field = _field(text[found.end(1) :]) if name == "metrics" else ""
            return f"spec.{name}[{places[-1]}]{field or f'.{key}'}" if places else ""
    return "metadata.annotations" if "annotation " in text else ""


def _field(text: str) -> str:
    """Return the first field of a metric that a text names, as the end of a path."""
    words = ("provider" if word == "providers" else word for word in re.findall(r"\w+", text))
    return next((f".{word}" for word in words if word in _metric_fields()), "")


@cache
def _metric_fields() -> frozenset[str]:
    from crds.analysis import Metric  # when something is wrong, and not before: models cost memory

    return frozenset(field.alias or name for name, field in Metric.model_fields.items())


def _places(value: Any, path: str, wanted: Callable[[str], bool]) -> Iterator[str]:
    """Yield the paths of the texts that are wanted."""
    if isinstance(value, str) and wanted(value):
        yield path
    for key, inner in _items(value):
        yield from _places(inner, f"{path}{key}", wanted)


def _items(value: Any) -> Iterable[tuple[str, Any]]:
    match value:
        case Mapping():
            return [(f".{key}", inner) for key, inner in value.items()]
        case list():
            return [(f"[{at}]", inner) for at, inner in enumerate(value)]
    return ()
