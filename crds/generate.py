"""Writes crds/manifests/*.yaml from the models: `python -m crds.generate`; with `--check` only says which are stale.

Must not: be imported by anything that serves.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

from crds.definitions import DEFINITIONS, Definition, build

MANIFESTS = Path(__file__).parent / "manifests"
_HEAD = "# Generated from the models in crds/ by `python -m crds.generate`; edit those.\n"


def render(definition: Definition) -> str:
    """Return the manifest of a kind as it belongs on disk."""
    return _HEAD + yaml.safe_dump(build(definition), sort_keys=False, width=120, allow_unicode=True)


def stale() -> list[Path]:
    """Return the manifests that differ from the models, or are missing."""
    wanted = {MANIFESTS / f"{one.plural}.yaml": render(one) for one in DEFINITIONS}
    return [path for path, text in wanted.items() if not path.exists() or path.read_text("utf-8") != text]


def main(arguments: Sequence[str]) -> int:
    """Write what is stale; with `--check` only name it and fail."""
    outdated = stale()
    if "--check" in arguments:
        for path in outdated:
            print(f"{path.name} is stale; run python -m crds.generate", file=sys.stderr)
        return 1 if outdated else 0
    MANIFESTS.mkdir(exist_ok=True)
    for definition in DEFINITIONS:
        (MANIFESTS / f"{definition.plural}.yaml").write_text(render(definition), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
