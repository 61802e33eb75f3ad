"""Reading manifests from files, or from standard input as `-`.

Must not: judge what is in them.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from rollouts.cli.patches import Refused

LARGEST_BYTES = 16 * 1024 * 1024


def documents(path: str) -> list[Any]:
    """Return the documents of a YAML or JSON file; empty ones are left out, `List`s are taken apart.

    Raises:
        Refused: the file cannot be read or is no YAML.
    """
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        text = sys.stdin.read(LARGEST_BYTES) if path == "-" else Path(path).read_text("utf-8")
        found = [one for one in yaml.load_all(text, Loader=loader) if one is not None]
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"{path} cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise Refused(f"{path} is no YAML: {error}") from error
    return [item for one in found for item in (_items(one) if isinstance(one, dict) else [one])]


def _items(document: dict[str, Any]) -> list[Any]:
    items = document.get("items")
    return items if document.get("kind") == "List" and isinstance(items, list) else [document]
