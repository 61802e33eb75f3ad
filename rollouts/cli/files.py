"""Manifests from files, folders, or from standard input as `-`.

Must not: judge what is in them; manifests.py reads the syntax.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rollouts.cli.patches import Refused

if TYPE_CHECKING:
    from rollouts.cli.manifests import Document

LARGEST_BYTES = 16 * 1024 * 1024
SUFFIXES = (".yaml", ".yml", ".json")


def documents(path: str) -> list[Any]:
    """Return the objects of a YAML or JSON file; empty documents are left out, `List`s are taken apart.

    Raises:
        Refused: the file cannot be read or is no manifest; the text says in which line.
    """
    return [one.content for one in read(path)]


def read(path: str) -> list[Document]:
    """Return the objects of a file with the places they came from.

    Raises:
        Refused: as for `documents`.
    """
    from rollouts.cli.manifests import BadManifest, parse

    name = "standard input" if path == "-" else path
    try:
        text = _text(path)
    except OSError as error:
        raise Refused(f"{name} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise Refused(f"{name} cannot be read: it is no UTF-8 text") from error
    if len(text) > LARGEST_BYTES:
        raise Refused(f"{name} is larger than {LARGEST_BYTES // 1024 // 1024} MiB; no manifest is")
    try:
        return parse(text, name)
    except BadManifest as error:
        raise Refused(str(error)) from error


def _text(path: str) -> str:
    if path == "-":
        return sys.stdin.read(LARGEST_BYTES + 1)
    with Path(path).open(encoding="utf-8") as file:
        return file.read(LARGEST_BYTES + 1)


def together(path: str) -> list[list[str]]:
    """Return the files that a path means, those that are applied together in one group: each folder's own.

    Folders are searched to the bottom for YAML and JSON; hidden ones are left out. What is no folder is a file.

    Raises:
        Refused: a folder holds no such file.
    """
    if path == "-" or not Path(path).is_dir():
        return [[path]]
    groups: dict[Path, list[str]] = {}
    for found in sorted(Path(path).rglob("*")):
        hidden = any(part.startswith(".") for part in found.relative_to(path).parts)
        if found.suffix.lower() in SUFFIXES and found.is_file() and not hidden:
            groups.setdefault(found.parent, []).append(str(found))
    if not groups:
        raise Refused(f"{path} holds no {', '.join(SUFFIXES)} file")
    return list(groups.values())
