"""What `kubectl explain` says of a field: the text below it in the model's source.

Owns reading it. Must not: be imported by anything that serves; sources are read and parsed.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator, Mapping
from functools import cache
from types import ModuleType

from crds.common import Model


def descriptions(model: type[Model]) -> Mapping[str, str]:
    """Return the text of each field of a model that has one, by the field's name in the API; inherited ones are in it."""
    written: dict[str, str] = {}
    for one in reversed(model.__mro__):
        if issubclass(one, Model) and (module := inspect.getmodule(one)) is not None:
            written |= _written(module).get(one.__name__, {})
    return {info.alias or name: written[name] for name, info in model.model_fields.items() if name in written}


@cache
def _written(module: ModuleType) -> Mapping[str, Mapping[str, str]]:
    """Return the texts below fields, by class and Python name."""
    classes = (node for node in ast.parse(inspect.getsource(module)).body if isinstance(node, ast.ClassDef))
    return {node.name: dict(_below_fields(node)) for node in classes}


def _below_fields(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for field, below in zip(node.body, node.body[1:], strict=False):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                yield name, " ".join(text.split())
