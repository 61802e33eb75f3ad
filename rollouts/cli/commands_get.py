"""`get` and `list`: looking at Rollouts (spec/rollout.md 4).

Must not: change anything.
"""

from __future__ import annotations

import shutil
import sys
import time

import click

from kube.kinds import ROLLOUT
from kube.objects import format_time, key_of, name_of
from rollouts.cli.commands import LazyGroup, kube_command
from rollouts.cli.fitting import fitted_text
from rollouts.cli.info import rollout_info
from rollouts.cli.naming import rollout_names
from rollouts.cli.output import Output, object_text, objects_text, only_once, output_option
from rollouts.cli.patches import Refused
from rollouts.cli.reading import fetch, info_now, now, sources
from rollouts.cli.session import Session
from rollouts.cli.tree import listing_text, rollout_text

_CLEAR = "\x1b[H\x1b[2J"
_NO_EXPERIMENTS = (
    "Experiments are not served by this controller; use an analysis step, or `kubectl get experiments` for the objects"
)

_KINDS = {"ro": "rollout", "rollouts": "rollout", "exp": "experiment"}
get = LazyGroup("get", help="Get details about rollouts.", aliases=_KINDS, usual="rollout")
list_ = LazyGroup("list", help="List rollouts.", aliases={"ro": "rollouts", "rollout": "rollouts", "experiment": "experiments"})


@kube_command("rollout", short_help="Show a rollout as a tree.")
@click.argument("name", shell_complete=rollout_names)
@click.option("-w", "--watch", is_flag=True, help="Watch live updates to the rollout.")
@click.option("--no-color", is_flag=True, help="Do not colorize output.")
@click.option("--timeout-seconds", type=int, default=0, help="Stop watching after this many seconds.")
@output_option(Output.JSON, Output.YAML, Output.NAME)
@click.pass_obj
def get_rollout(session: Session, name: str, *, watch: bool, no_color: bool, timeout_seconds: int, output: Output | None) -> None:
    """Show a rollout: status, weights, images, and a tree of revisions, ReplicaSets, pods and analysis runs."""
    if output is not None:
        only_once(watch=watch)
        with session.open() as cluster:
            click.echo(object_text(cluster.rollout(name), ROLLOUT, output), nl=False)
        return
    colour = sys.stdout.isatty() and not no_color
    with session.open() as cluster:
        rollout, info = fetch(cluster, name)
    if not watch:
        click.echo(rollout_text(info, colour=colour), nl=False, color=colour)
        return
    from rollouts.cli.live import Live

    ends_at = time.monotonic() + timeout_seconds if timeout_seconds else None
    terminal = sys.stdout.isatty()
    shown = ""
    with Live(session.connection(), sources(rollout)) as live:
        for changed in live.changes():
            current = info_now(live)
            if current is None:
                raise Refused(f'rollouts.argoproj.io "{name}" not found')
            height = shutil.get_terminal_size().lines
            text = fitted_text(current, height=height, colour=colour) if terminal else rollout_text(current, colour=colour)
            if text != shown and (terminal or changed):
                click.echo(f"{_CLEAR if terminal else ''}{text}", nl=False, color=colour)
                shown = text
            if ends_at is not None and time.monotonic() >= ends_at:
                return


@kube_command("experiment", short_help="Refused: experiments are not served.")
@click.argument("name")
@click.option("-w", "--watch", is_flag=True)
@click.option("--no-color", is_flag=True)
def get_experiment(**_: object) -> None:
    """Refuse: this controller runs no experiments."""
    raise Refused(_NO_EXPERIMENTS)


@kube_command("experiments", short_help="Refused: experiments are not served.")
@click.option("-A", "--all-namespaces", is_flag=True)
def list_experiments(**_: object) -> None:
    """Refuse: this controller runs no experiments."""
    raise Refused(_NO_EXPERIMENTS)


@kube_command("rollouts", short_help="List rollouts.")
@click.option("-A", "--all-namespaces", is_flag=True, help="List the rollouts of all namespaces.")
@click.option("--name", default="", help="Only the rollout of this name.")
@click.option("--timestamps", is_flag=True, help="Begin each line with the time.")
@click.option("-w", "--watch", is_flag=True, help="Print further lines as rollouts change.")
@output_option(Output.JSON, Output.YAML, Output.NAME, Output.WIDE)
@click.pass_obj
def list_rollouts(
    session: Session, *, all_namespaces: bool, name: str, timestamps: bool, watch: bool, output: Output | None
) -> None:
    """List rollouts, one line each."""
    fields = f"metadata.name={name}" if name else ""
    if output is not None:
        only_once(watch=watch)
    with session.open() as cluster:
        namespace = "" if all_namespaces else cluster.namespace
        found = sorted(cluster.client.list(ROLLOUT, namespace, field_selector=fields).items, key=key_of)
    if output in (Output.JSON, Output.YAML, Output.NAME):
        click.echo(objects_text(found, ROLLOUT, output), nl=False)
        return
    if not found and not watch:
        click.echo("No resources found.", err=True)
        return
    infos = [rollout_info(one, now=now()) for one in found]
    stamp = format_time(now()) if timestamps else ""
    wide = output is Output.WIDE
    click.echo(listing_text(infos, all_namespaces=all_namespaces, timestamp=stamp, wide=wide), nl=False)
    if watch:
        _follow_list(session, namespace, fields, known=infos, timestamps=timestamps)


def _follow_list(session: Session, namespace: str, fields: str, *, known: object, timestamps: bool) -> None:
    """Print a line for each Rollout that looks different from before."""
    from rollouts.cli.live import Live, Source

    everywhere = not namespace
    assert isinstance(known, list)
    lines = {(one.namespace, one.name): listing_text([one], titles=False) for one in known}
    with Live(session.connection(), [Source(kind=ROLLOUT, namespace=namespace, field_selector=fields)]) as live:
        for _ in live.changes(tick_seconds=None):
            for rollout in sorted(live.of(ROLLOUT), key=name_of):
                info = rollout_info(rollout, now=now())
                line = listing_text([info], titles=False)
                if lines.get(key_of(rollout)) != line:
                    lines[key_of(rollout)] = line
                    stamp = format_time(now()) if timestamps else ""
                    text = listing_text([info], all_namespaces=everywhere, timestamp=stamp, titles=False)
                    click.echo(text, nl=False)


get.add_command(get_rollout)
get.add_command(get_experiment)
list_.add_command(list_rollouts)
list_.add_command(list_experiments)
