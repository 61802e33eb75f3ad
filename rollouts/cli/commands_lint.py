"""`lint`: checking files before they are applied.

Owns reading and printing; linting.py judges. Must not: talk to a cluster.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import click

from rollouts.cli.commands import kube_command
from rollouts.cli.files import read, together
from rollouts.cli.patches import Refused

if TYPE_CHECKING:
    from rollouts.cli.manifests import Document


@kube_command("lint", short_help="Check rollouts in files, without a cluster.")
@click.option("-f", "--filename", "filenames", multiple=True, required=True, help="File or folder to check, - for standard input.")
def lint(*, filenames: tuple[str, ...]) -> None:
    """Check rollouts: unknown fields, specs that make no sense, references to objects in the same file or folder.

    Standard output stays empty; what is wrong, worth knowing, and how much was checked is on standard error. Fails if
    anything is wrong.
    """
    from rollouts.cli.linting import lint as check

    problems: list[str] = []
    checked = wrong = unread = 0
    for filename in dict.fromkeys(filenames):
        for group in _groups(filename, problems):
            documents, unreadable = _documents(group, lenient=group != [filename])
            report = check(documents)
            problems += [*unreadable, *map(str, report.problems)]
            checked += len(documents)
            wrong += report.wrong
            unread += len(unreadable)
            for note in report.notes:
                click.echo(f"Note: {note}", err=True)
    closing = f"{checked} checked, {wrong or 'none'} with problems"
    closing += f"; {unread} file{'s' if unread > 1 else ''} could not be read" if unread else ""
    if problems:
        raise Refused("\n".join([*problems, closing]))
    click.echo(closing, err=True)


def _groups(filename: str, problems: list[str]) -> list[list[str]]:
    try:
        return together(filename)
    except Refused as error:
        problems.append(str(error))
        return []


def _documents(paths: Iterable[str], *, lenient: bool) -> tuple[list[Document], list[str]]:
    """Read files; return their objects and what to say of the files that cannot be read.

    With `lenient`, what looks like no Kubernetes object (a chart's values) is told and left out.
    """
    found: list[Document] = []
    unreadable: list[str] = []
    for path in paths:
        try:
            documents = read(path)
        except Refused as error:
            unreadable.append(str(error))
            continue
        for document in documents:
            if lenient and not _looks_like_an_object(document.content):
                click.echo(f"Note: {document.place()}: no Kubernetes object, left out", err=True)
            else:
                found.append(document)
    return found, unreadable


def _looks_like_an_object(content: object) -> bool:
    return isinstance(content, Mapping) and ("apiVersion" in content or "kind" in content)
