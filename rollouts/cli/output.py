"""`-o`: what a command found as JSON, YAML or names, in the form kubectl gives it.

Owns the option and the text of the forms that programs read; tables are each command's own. Must not: fetch anything.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, TypeVar

import click

from kube.kinds import Kind
from kube.objects import Object, name_of
from rollouts.cli.patches import Refused

CommandT = TypeVar("CommandT", bound=Callable[..., Any])


class Output(StrEnum):
    """The forms of an answer besides the one for people."""

    JSON = "json"
    YAML = "yaml"
    NAME = "name"
    WIDE = "wide"
    """The table with further columns."""


def output_option(*forms: Output) -> Callable[[CommandT], CommandT]:
    """Give a command `-o`, whose value reaches it as `output`: one of `forms`, or None for the ordinary text."""
    names = [str(form) for form in forms]
    return click.option("-o", "--output", type=click.Choice(names), callback=_read, help=f"Print it as {', '.join(names)} instead.")


def _read(ctx: click.Context, param: click.Parameter, value: str | None) -> Output | None:
    return None if value is None else Output(value)


def only_once(*, watch: bool) -> None:
    """Refuse to watch in a form that tells of one moment.

    Raises:
        Refused: it is asked for.
    """
    if watch:
        raise Refused("-o prints one answer; leave out --watch, or -o")


def object_text(obj: Object, kind: Kind, output: Output) -> str:
    """Return one object as JSON, YAML or its name, ending with a newline; kind and version are always told.

    >>> object_text({"metadata": {"name": "web"}}, Kind("argoproj.io", "v1alpha1", "Rollout", "rollouts"), Output.NAME)
    'rollout.argoproj.io/web\\n'
    """
    return _name(obj, kind) if output is Output.NAME else data_text(_whole(obj, kind), output)


def objects_text(objects: Sequence[Object], kind: Kind, output: Output) -> str:
    """Return objects as a `List` in JSON or YAML, or their names line by line."""
    if output is Output.NAME:
        return "".join(_name(one, kind) for one in objects)
    items = [_whole(one, kind) for one in objects]
    return data_text({"apiVersion": "v1", "items": items, "kind": "List", "metadata": {"resourceVersion": ""}}, output)


def data_text(data: Mapping[str, Any], output: Output) -> str:
    """Return anything as JSON or YAML, ending with a newline.

    Raises:
        ValueError: the form is one for objects or tables.
    """
    match output:
        case Output.JSON:
            return json.dumps(data, indent=4, ensure_ascii=False) + "\n"
        case Output.YAML:
            import yaml

            dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
            return str(yaml.dump(data, Dumper=dumper, default_flow_style=False, allow_unicode=True, width=10**6))
        case _:
            raise ValueError(f"{output} is no form of data")


def _name(obj: Object, kind: Kind) -> str:
    return f"{kind.name.lower()}.{kind.group}/{name_of(obj)}\n" if kind.group else f"{kind.name.lower()}/{name_of(obj)}\n"


def _whole(obj: Object, kind: Kind) -> dict[str, Any]:
    """Return an object as kubectl shows it: with kind and version, which listed ones lack, without who manages which field."""
    metadata = {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
    return {"apiVersion": kind.api_version, "kind": kind.name, **obj, "metadata": metadata}
