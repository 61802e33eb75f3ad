"""Walking schemas: which schema a field or a list item has.

Owns references between built-in types. Must not: judge values.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

Schema: TypeAlias = Mapping[str, Any]


def child_of(schema: Schema | None, name: str) -> Schema | None:
    """Return the schema of a field, None when it is unknown."""
    if schema is None:
        return None
    found = (schema.get("properties") or {}).get(name)
    if found is not None:
        return found  # type: ignore[no-any-return]
    additional = schema.get("additionalProperties")
    return additional if isinstance(additional, Mapping) else None


def items_of(schema: Schema | None) -> Schema | None:
    """Return the schema of the items of a list, None when it is unknown."""
    items = (schema or {}).get("items")
    return items if isinstance(items, Mapping) else None
