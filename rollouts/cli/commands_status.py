"""`status`: the phase of a Rollout, waiting for the end of the update unless told otherwise (spec/rollout.md 4).

Its exit code is what pipelines act on: 0 when Healthy, 1 when Degraded or out of time. Must not: change anything.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import click

from kube.kinds import ROLLOUT
from kube.objects import Object, namespace_of
from rollouts.cli.commands import kube_command
from rollouts.cli.naming import rollout_names
from rollouts.cli.output import Output, data_text, output_option
from rollouts.cli.patches import Refused
from rollouts.cli.phases import client_phase
from rollouts.cli.reading import sources
from rollouts.cli.session import Session, duration

FINAL = ("Healthy", "Degraded")


@kube_command("status", short_help="Show the status of a rollout.")
@click.argument("name", shell_complete=rollout_names)
@click.option("-w", "--watch/--no-watch", default=True, help="Watch until the update is done (default), or show the status once.")
@click.option("-t", "--timeout", default="0s", help="Give up watching after this time, as in 60s; 0 waits for ever.")
@output_option(Output.JSON, Output.YAML)
@click.pass_obj
def status(session: Session, name: str, *, watch: bool, timeout: str, output: Output | None) -> None:
    """Watch a rollout until it finishes or the timeout is exceeded.

    Returns success if the rollout is healthy upon completion and an error otherwise. With -o only the last state is printed.
    """
    limit_seconds = duration(timeout)
    with session.open() as cluster:
        rollout = cluster.rollout(name)
    phase, message = client_phase(rollout)
    tell = click.echo if output is None else _nothing
    tell(_line(phase, message))
    if watch and phase not in FINAL:
        phase, message = _watch(session, rollout, (phase, message), limit_seconds=limit_seconds, tell=tell)
    if output is not None:
        state = {"name": name, "namespace": namespace_of(rollout), "phase": phase, "message": message}
        click.echo(data_text(state, output), nl=False)
    if phase == "Degraded":
        raise Refused(f"The rollout is in a degraded state with message: {message}")
    if watch and phase != "Healthy":
        raise Refused("Rollout status watch exceeded timeout")


def _line(phase: str, message: str) -> str:
    return phase if phase in FINAL or not message else f"{phase} - {message}"


def _nothing(text: str) -> None:
    """Keep intermediate states to ourselves."""


def _watch(
    session: Session, rollout: Object, seen: tuple[str, str], *, limit_seconds: float, tell: Callable[[str], None]
) -> tuple[str, str]:
    """Tell each new phase; return the last one, which is final unless the time is over."""
    ends_at = time.monotonic() + limit_seconds if limit_seconds else None
    for current in _phases(session, rollout):
        if current != seen:
            tell(_line(*current))
            seen = current
        if seen[0] in FINAL or (ends_at is not None and time.monotonic() >= ends_at):
            break
    return seen


def _phases(session: Session, rollout: Object) -> Iterator[tuple[str, str]]:
    from rollouts.cli.live import Live

    with Live(session.connection(), sources(rollout, alone=True)) as live:
        for _ in live.changes():
            found = live.of(ROLLOUT)
            if not found:
                raise Refused(f'rollouts.argoproj.io "{rollout["metadata"]["name"]}" not found')
            yield client_phase(found[0])
