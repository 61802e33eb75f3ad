"""`version`: which version this is.

Must not: talk to a cluster.
"""

from __future__ import annotations

import json
import platform
from importlib import metadata

import click

from rollouts.cli.commands import kube_command
from rollouts.cli.session import Session


@kube_command("version", short_help="Print version.")
@click.option("--short", is_flag=True, help="Print just the version number.")
@click.option("-o", "--output", type=click.Choice(["json", "yaml"]), help="Output format.")
@click.pass_obj
def version(session: Session, *, short: bool, output: str | None) -> None:
    """Print the version of this program."""
    number = f"v{metadata.version('rollouts')}"
    details = {
        "Version": number,
        "PythonVersion": platform.python_version(),
        "Platform": f"{platform.system().lower()}/{platform.machine()}",
    }
    if output == "json":
        click.echo(json.dumps(details, indent=2))
    elif output == "yaml":
        click.echo("".join(f"{name}: {value}\n" for name, value in details.items()), nl=False)
    else:
        click.echo(f"{session.prog.replace(' ', '-')}: {number}")
        for name, value in {} if short else {key: details[key] for key in ("PythonVersion", "Platform")}.items():
            click.echo(f"  {name}: {value}")
