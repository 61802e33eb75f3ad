"""Folds what presence.go prints into presence.json, by the names of types.json.

Run `go run -mod=mod presence.go | python -m sandbox.apiserver.assets.fold` (see presence.go for the folder). Owns which of it the
server needs. Must not: be imported by the server.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from sandbox.apiserver.builtin_types import go_type, read_types


def fold(printed: dict[str, dict[str, Any]], types: dict[str, dict[str, str]]) -> dict[str, dict[str, Any]]:
    """Return the rows of presence.json: types that are known, fields that are known, Go types that cannot be derived."""
    rows: dict[str, dict[str, Any]] = {}
    for label, found in printed.items():
        name, group = label.split("@")
        known = next((one for one in (f"{group.capitalize()}{name}", name) if one in types), "")
        fields = types.get(known, {})
        kept = {field: kind for field, kind in found.get("type", {}).items() if field in fields}
        row = {
            "type": {field: kind for field, kind in kept.items() if kind != go_type(fields[field].rstrip("!"))},
            "always": {field: zero for field, zero in found.get("always", {}).items() if field in fields},
            "drop": [field for field in found.get("drop", ()) if field in fields],
        }
        if known and any(row.values()):
            rows[known] = {part: value for part, value in row.items() if value}
    return rows


def main() -> None:
    """Write the file."""
    rows = fold(json.load(sys.stdin), read_types())
    lines = [f"{json.dumps(name)}:{json.dumps(row, separators=(',', ':'))}" for name, row in sorted(rows.items())]
    Path(__file__).with_name("presence.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
