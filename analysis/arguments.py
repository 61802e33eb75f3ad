"""Arguments of an analysis: where their values come from, and how they get into a metric (spec/analysis.md 1.1).

Pure. Must not: read a Secret; a secret argument stays a reference until the moment of a measurement.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from analysis.errors import InvalidAnalysis, UnresolvedArgument
from analysis.redaction import REDACTED
from kube.objects import Object, annotations_of, labels_of, name_of, namespace_of, uid_of

Argument: TypeAlias = Mapping[str, Any]
"""One entry of `args`: `name` with a `value` or a `valueFrom`."""

_TAG = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_METADATA_ENTRY = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")


def rollout_arguments(
    arguments: Iterable[Argument], *, rollout: Object, stable_hash: str | None, latest_hash: str | None
) -> tuple[Argument, ...]:
    """Give every argument of a Rollout's analysis its value (spec/analysis.md 1.1, Rollout-side args).

    Raises:
        InvalidAnalysis: a `fieldRef` names nothing, or no primitive, in the Rollout.
    """
    hashes = {"Stable": stable_hash or "", "Latest": latest_hash or ""}
    return tuple(_rollout_argument(argument, rollout, hashes) for argument in arguments)


def _rollout_argument(argument: Argument, rollout: Object, hashes: Mapping[str, str]) -> Argument:
    name = argument["name"]
    match argument.get("valueFrom"):
        case {"podTemplateHashValue": str(which)}:
            if which not in hashes:
                raise InvalidAnalysis(f"args.{name}: podTemplateHashValue is '{which}'; it can be Stable or Latest")
            return {"name": name, "value": hashes[which]}
        case {"fieldRef": {"fieldPath": str(path)}}:
            return {"name": name, "value": field_value(rollout, path)}
    return {"name": name, "value": argument["value"]} if argument.get("value") is not None else {"name": name}


def field_value(owner: Object, path: str) -> str:
    """Return what a `fieldRef.fieldPath` points to in the owner, as text.

    `metadata.name`, `.namespace`, `.uid`, `.labels`, `.annotations` and `metadata.labels['key']` work as in the downward API;
    anything else is a dotted path with `[i]` that must end in a string, number or boolean.

    Raises:
        InvalidAnalysis: the path leads nowhere or to a list or mapping.
    """
    if path.startswith("metadata"):
        return _metadata_value(owner, path)
    node: Any = owner
    for section in filter(None, re.split(r"[.\[\]]+", path)):
        node = _step_into(node, section, path)
    if isinstance(node, bool):
        return "true" if node else "false"
    if isinstance(node, str | int | float):
        return str(node)
    raise InvalidAnalysis(f"path {path} in rollout must terminate in a primitive value")


def _step_into(node: Any, section: str, path: str) -> Any:
    if isinstance(node, Mapping):
        return node.get(section)
    if not isinstance(node, list):
        raise InvalidAnalysis(f"invalid path {path} in rollout")
    if not section.isdecimal():
        raise InvalidAnalysis(f"path {path} in rollout: invalid index '{section}'")
    if int(section) >= len(node):
        raise InvalidAnalysis(f"path {path} in rollout: index {section} out of range")
    return node[int(section)]


def _metadata_value(owner: Object, path: str) -> str:
    if entry := _METADATA_ENTRY.fullmatch(path):
        entries = labels_of(owner) if entry[1] == "labels" else annotations_of(owner)
        return entries.get(entry[2], "")
    match path:
        case "metadata.name":
            return name_of(owner)
        case "metadata.namespace":
            return namespace_of(owner)
        case "metadata.uid":
            return uid_of(owner)
        case "metadata.labels":
            return _downward_map(labels_of(owner))
        case "metadata.annotations":
            return _downward_map(annotations_of(owner))
    raise InvalidAnalysis(f"unsupported fieldPath: {path}")


def _downward_map(entries: Mapping[str, str]) -> str:
    """Write a map as the downward API does: sorted lines of `key="value"`."""
    return "\n".join(f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in sorted(entries.items()))


def merge_arguments(incoming: Iterable[Argument], declared: Iterable[Argument]) -> tuple[Argument, ...]:
    """Let incoming arguments override the declared ones; undeclared ones are ignored.

    Raises:
        UnresolvedArgument: a declared argument ends up with neither `value` nor `valueFrom`.
    """
    given = {argument["name"]: argument for argument in incoming if _is_supplied(argument)}
    merged = tuple(dict(given.get(argument["name"], argument)) for argument in declared)
    for argument in merged:
        if not _is_supplied(argument):
            raise UnresolvedArgument(argument["name"])
    return merged


def _is_supplied(argument: Argument) -> bool:
    return argument.get("value") is not None or bool(argument.get("valueFrom"))


def secret_references(arguments: Iterable[Argument]) -> dict[str, tuple[str, str]]:
    """Return the arguments that come from Secrets: argument name to (secret name, key)."""
    return {
        argument["name"]: (reference["name"], reference["key"])
        for argument in arguments
        if (reference := (argument.get("valueFrom") or {}).get("secretKeyRef"))
    }


def tags(arguments: Iterable[Argument], *, secrets: Mapping[str, str]) -> dict[str, str]:
    """Return what `{{args.name}}` stands for, for every argument.

    `secrets` has the values of the secret arguments by argument name; for a plan, placeholders.

    Raises:
        UnresolvedArgument: an argument has no value.
    """
    values: dict[str, str] = {}
    for argument in arguments:
        name = argument["name"]
        value = secrets.get(name, argument.get("value"))
        if value is None:
            raise UnresolvedArgument(name)
        values[f"args.{name}"] = value
    return values


def filled_metrics(spec: Mapping[str, Any]) -> list[Any]:
    """Return the metrics of a run's spec with its arguments filled in; secrets are shown as `*****`.

    Raises:
        InvalidAnalysis: an argument has no value, or a tag is wrong.
    """
    arguments: Sequence[Argument] = spec.get("args") or ()
    values = tags(arguments, secrets=dict.fromkeys(secret_references(arguments), REDACTED))
    return [substitute(metric, values) for metric in spec.get("metrics") or ()]


def substitute(value: Any, values: Mapping[str, str]) -> Any:
    """Replace every `{{tag}}` in every string of a JSON value, keys included; blanks around the tag do not matter.

    A value is put in as text and never read as JSON, so quotes and line ends in it do no harm.

    Raises:
        InvalidAnalysis: a tag has no value, or is not closed.
    """
    if isinstance(value, str):
        return _substitute_text(value, values)
    if isinstance(value, Mapping):
        return {_substitute_text(key, values): substitute(item, values) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [substitute(item, values) for item in value]
    return value


def tag_names(value: Any) -> set[str]:
    """Return the names of the arguments that a JSON value asks for with `{{args.name}}`."""
    if isinstance(value, str):
        return {tag.strip().removeprefix("args.") for tag in _TAG.findall(value) if tag.strip().startswith("args.")}
    if isinstance(value, Mapping):
        return {name for entry in value.items() for part in entry for name in tag_names(part)}
    return {name for item in value for name in tag_names(item)} if isinstance(value, list | tuple) else set()


def _substitute_text(text: str, values: Mapping[str, str]) -> str:
    if "{{" not in text:
        return text

    def replacement(tag: re.Match[str]) -> str:
        try:
            return values[tag[1].strip()]
        except KeyError:
            raise InvalidAnalysis(f"failed to resolve {{{{{tag[1]}}}}}") from None

    if "{{" in _TAG.sub("", text):
        raise InvalidAnalysis(f"'{{{{' without '}}}}' in {text!r}")
    return _TAG.sub(replacement, text)
