"""Cases of definitions and their objects: validation, pruning, defaults, versions, columns, status and scale, rules.

Owns the table. Must not: send anything.
"""

from __future__ import annotations

from typing import Any

from differential_objects import DEFINITIONS, WIDGETS, definition, rollout, widget
from differential_requests import TABLE, Ask, Case, apply, case, create, delete, get, patch, served

NAME = f"{DEFINITIONS}/widgets.{{ns}}.io"
STRING, INTEGER = {"type": "string"}, {"type": "integer"}


def defined(title: str, spec: dict[str, Any], *asks: Ask, **more: Any) -> Case:
    """Return a case of Widgets whose spec has these properties."""
    schema = {"type": "object", "properties": spec}
    return case(title, create(DEFINITIONS, definition(spec=schema, **more)), served(WIDGETS), *asks)


def refused(title: str, **more: Any) -> Case:
    """Return a case of a definition that is not taken."""
    return case(title, create(DEFINITIONS, definition(**more)))


def made(*specs: dict[str, Any]) -> tuple[Ask, ...]:
    """Create one Widget for each of these specs."""
    return tuple(create(WIDGETS, widget(f"w{number}", **spec)) for number, spec in enumerate(specs))


DEFINING: tuple[Case, ...] = (
    case("a definition is served", create(DEFINITIONS, definition()), served(WIDGETS), get(NAME), *made({"size": 1}), get(WIDGETS)),
    case(
        "a definition goes with its objects",
        create(DEFINITIONS, definition()),
        served(WIDGETS),
        *made({"size": 1}),
        delete(NAME),
        served(WIDGETS, status=404),
        get(NAME),
    ),
    case("names are completed", create(DEFINITIONS, definition(names={"plural": "widgets", "kind": "Widget"}))),
    case("a definition in dry run", create(DEFINITIONS, definition(), dryRun="All"), get(NAME)),
    refused("a name that does not fit its group", names={"plural": "gadgets", "kind": "Widget"}),
    refused("no version that is stored", version={"storage": False}),
    refused("no schema", version={"schema": {}}),
    refused("a schema that is no object", version={"schema": {"openAPIV3Schema": {"type": "string"}}}),
    refused("a schema without types", spec={"type": "object", "properties": {"size": {}}}),
    refused("a list without items", spec={"type": "object", "properties": {"sizes": {"type": "array"}}}),
    refused("a scope that there is not", scope="Everywhere"),
    refused("a type of values that there is not", spec={"type": "object", "properties": {"size": {"type": "number_of_things"}}}),
    refused("a default that does not fit", spec={"type": "object", "properties": {"size": {"type": "integer", "default": "many"}}}),
    refused("a rule that cannot be read", spec={"type": "object", "x-kubernetes-validations": [{"rule": "self.size >"}]}),
    defined("unknown fields are pruned", {"size": INTEGER}, create(WIDGETS, widget(size=1, colour="red")), get(f"{WIDGETS}/a")),
    defined(
        "unknown custom fields are refused when asked",
        {"size": INTEGER},
        create(WIDGETS, widget(size=1, colour="red"), fieldValidation="Strict"),
    ),
    defined("unknown fields at the top are told", {"size": INTEGER}, create(WIDGETS, {**widget(size=1), "specs": {}})),
    defined(
        "unknown fields that are kept",
        {"any": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
        create(WIDGETS, widget(any={"a": {"b": [1, "2", None]}})),
    ),
    defined(
        "types",
        {
            "s": STRING,
            "i": INTEGER,
            "n": {"type": "number"},
            "b": {"type": "boolean"},
            "l": {"type": "array", "items": STRING},
            "o": {"type": "object", "properties": {"x": INTEGER}},
            "m": {"type": "object", "additionalProperties": INTEGER},
        },
        *made(
            {"s": 1},
            {"i": "1"},
            {"i": 1.5},
            {"i": 1.0},
            {"n": "1"},
            {"b": "true"},
            {"l": "a"},
            {"l": [1]},
            {"o": []},
            {"o": {"x": "1"}},
            {"m": {"a": "1"}},
            {"s": None},
            {"l": None},
            {"o": None},
        ),
    ),
    defined(
        "bounds",
        {
            "size": {"type": "integer", "minimum": 1, "maximum": 5},
            "odd": {"type": "integer", "multipleOf": 3},
            "above": {"type": "number", "minimum": 1, "exclusiveMinimum": True},
            "below": {"type": "number", "maximum": 1, "exclusiveMaximum": True},
        },
        *made({"size": 0}, {"size": 6}, {"odd": 4}, {"above": 1}, {"below": 1}, {"size": 3, "odd": 3}),
    ),
    defined(
        "texts",
        {
            "name": {"type": "string", "minLength": 2, "maxLength": 4, "pattern": "^[a-z]+$"},
            "colour": {"type": "string", "enum": ["red", "blue"]},
        },
        *made({"name": "a"}, {"name": "abcde"}, {"name": "AB"}, {"colour": "green"}, {"name": "abc", "colour": "red"}),
    ),
    defined(
        "forms of texts",
        {
            "at": {"type": "string", "format": "date-time"},
            "day": {"type": "string", "format": "date"},
            "raw": {"type": "string", "format": "byte"},
            "span": {"type": "string", "format": "duration"},
            "odd": {"type": "string", "format": "magic"},
        },
        *made({"at": "now"}, {"day": "now"}, {"raw": "?"}, {"span": "long"}, {"odd": "x"}, {"at": "2026-01-01T00:00:00Z"}),
    ),
    defined(
        "lists",
        {
            "l": {"type": "array", "minItems": 1, "maxItems": 2, "items": STRING},
            "set": {"type": "array", "x-kubernetes-list-type": "set", "items": STRING},
            "map": {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["k"],
                "items": {"type": "object", "required": ["k"], "properties": {"k": STRING}},
            },
        },
        *made({"l": []}, {"l": ["a", "b", "c"]}, {"set": ["a", "a"]}, {"map": [{"k": "a"}, {"k": "a"}]}, {"map": [{}]}),
    ),
    defined(
        "objects",
        {
            "o": {"type": "object", "required": ["x", "y"], "properties": {"x": INTEGER, "y": INTEGER}},
            "m": {"type": "object", "minProperties": 1, "maxProperties": 2, "additionalProperties": INTEGER},
        },
        *made({"o": {}}, {"o": {"x": 1}}, {"m": {}}, {"m": {"a": 1, "b": 2, "c": 3}}),
    ),
    defined(
        "one of, any of, all of, not",
        {
            "a": {"x-kubernetes-int-or-string": True},
            "o": {
                "type": "object",
                "properties": {"x": INTEGER, "y": INTEGER},
                "oneOf": [{"required": ["x"]}, {"required": ["y"]}],
            },
            "n": {"type": "integer", "not": {"enum": [7]}},
            "z": {"type": "integer", "anyOf": [{"minimum": 5}, {"maximum": 1}]},
        },
        *made({"a": 1}, {"a": "1"}, {"a": True}, {"o": {}}, {"o": {"x": 1, "y": 1}}, {"o": {"x": 1}}, {"n": 7}, {"z": 3}),
    ),
    defined(
        "defaults",
        {
            "size": {"type": "integer", "default": 3},
            "box": {"type": "object", "default": {}, "properties": {"colour": {"type": "string", "default": "red"}}},
            "deep": {"type": "object", "properties": {"x": {"type": "integer", "default": 1}}},
            "list": {"type": "array", "items": {"type": "object", "properties": {"y": {"type": "integer", "default": 2}}}},
        },
        *made({}, {"size": None}, {"deep": {}}, {"list": [{}]}, {"size": 7, "box": {"colour": "blue"}}),
        get(WIDGETS),
    ),
    defined(
        "what may be null",
        {"a": {"type": "string", "nullable": True}, "b": STRING, "c": {"type": "string", "nullable": True, "default": "x"}},
        *made({"a": None}, {"b": None}, {"c": None}),
    ),
    defined(
        "rules",
        {
            "low": INTEGER,
            "high": INTEGER,
            "name": {"type": "string", "x-kubernetes-validations": [{"rule": "self == oldSelf", "message": "names stay"}]},
        },
        *made({"low": 1, "high": 2, "name": "a"}),
        patch(f"{WIDGETS}/w0", {"spec": {"name": "b"}}),
        patch(f"{WIDGETS}/w0", {"spec": {"high": 3}}),
    ),
    case(
        "a rule with a message",
        create(
            DEFINITIONS,
            definition(
                spec={
                    "type": "object",
                    "properties": {"low": INTEGER, "high": INTEGER},
                    "x-kubernetes-validations": [{"rule": "self.low <= self.high", "message": "low must not be above high"}],
                }
            ),
        ),
        served(WIDGETS),
        *made({"low": 3, "high": 2}, {"low": 1, "high": 2}),
    ),
    defined("a required spec is missing", {"size": INTEGER}, create(WIDGETS, {"metadata": {"name": "a"}})),
    defined(
        "columns",
        {"size": INTEGER, "on": {"type": "boolean"}, "tags": {"type": "array", "items": STRING}},
        *made({"size": 3, "on": True, "tags": ["a", "b"]}, {}),
        get(WIDGETS, accept=TABLE),
        version={
            "additionalPrinterColumns": [
                {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
                {"name": "On", "type": "boolean", "jsonPath": ".spec.on"},
                {"name": "Tags", "type": "string", "jsonPath": ".spec.tags", "priority": 1},
                {"name": "First", "type": "string", "jsonPath": ".spec.tags[0]"},
                {"name": "Ready", "type": "string", "jsonPath": '.status.conditions[?(@.type=="Ready")].status'},
                {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
            ]
        },
    ),
    defined(
        "no status apart",
        {"size": INTEGER},
        create(WIDGETS, {**widget(size=1), "status": {"a": 1}}),
        patch(f"{WIDGETS}/a", {"status": {"a": 2}}),
        patch(f"{WIDGETS}/a/status", {"status": {"a": 3}}),
        version={"subresources": {}},
    ),
    defined(
        "a scale",
        {"size": INTEGER},
        create(WIDGETS, widget(size=2)),
        get(f"{WIDGETS}/a/scale"),
        patch(f"{WIDGETS}/a/scale", {"spec": {"replicas": 5}}),
        get(f"{WIDGETS}/a"),
        version={
            "subresources": {
                "status": {},
                "scale": {
                    "specReplicasPath": ".spec.size",
                    "statusReplicasPath": ".status.size",
                    "labelSelectorPath": ".status.selector",
                },
            }
        },
    ),
    defined(
        "selectable fields",
        {"colour": STRING},
        *made({"colour": "red"}, {"colour": "blue"}),
        get(WIDGETS, fieldSelector="spec.colour=red"),
        get(WIDGETS, fieldSelector="spec.size=1"),
        version={"selectableFields": [{"jsonPath": ".spec.colour"}]},
    ),
    defined(
        "apply merges lists as they say",
        {
            "map": {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["k"],
                "items": {"type": "object", "required": ["k"], "properties": {"k": STRING, "v": STRING}},
            },
            "set": {"type": "array", "x-kubernetes-list-type": "set", "items": STRING},
            "plain": {"type": "array", "items": STRING},
        },
        apply(f"{WIDGETS}/a", widget(map=[{"k": "a", "v": "1"}], set=["a"], plain=["a"]), "one"),
        apply(f"{WIDGETS}/a", widget(map=[{"k": "b", "v": "2"}], set=["b"]), "two"),
        apply(f"{WIDGETS}/a", widget(plain=["b"]), "two"),
        apply(f"{WIDGETS}/a", widget(map=[{"k": "a", "v": "2"}]), "two"),
        apply(f"{WIDGETS}/a", widget(colour="red"), "three"),
    ),
    case(
        "what is invalid already may stay so",
        create(DEFINITIONS, definition()),
        served(WIDGETS),
        *made({"size": 7}),
        patch(
            NAME,
            [{"op": "add", "path": "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/size/maximum", "value": 5}],
            "application/json-patch+json",
        ),
    ),
    case(
        "a rollout that cannot be",
        create("rollouts", rollout(replicas="many")),
        create("rollouts", rollout(strategy=7)),
        create("rollouts", rollout(strategy={"canary": {"steps": [{"setWeight": "half"}]}})),
    ),
    case(
        "a rollout with unknown fields",
        create("rollouts", rollout(replcas=1)),
        create("rollouts", rollout(replcas=1), fieldValidation="Strict"),
    ),
)
