"""`lint`: checking a file before it is applied.

Owns reading and printing; linting.py judges. Must not: talk to a cluster.
"""

from __future__ import annotations

import click

from rollouts.cli.commands import kube_command
from rollouts.cli.files import documents
from rollouts.cli.patches import Refused


@kube_command("lint", short_help="Check rollouts in a file, without a cluster.")
@click.option("-f", "--filename", "filenames", multiple=True, required=True, help="File to check, - for standard input.")
def lint(*, filenames: tuple[str, ...]) -> None:
    """Check rollouts in files: unknown fields, specs that make no sense, references to objects in the same file."""
    from rollouts.cli.linting import lint as check

    problems = [problem for filename in filenames for problem in check(documents(filename))]
    if problems:
        raise Refused("\n".join(problems))
