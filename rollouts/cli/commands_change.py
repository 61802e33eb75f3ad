"""Commands that change a Rollout: promote, abort, retry, pause, restart, undo, set image (spec/rollout.md 4).

Owns their texts. What is written is decided in patches.py and templates.py. Must not: wait for the effect.
"""

from __future__ import annotations

from datetime import timedelta

import click

from kube.kinds import ROLLOUT, ObjectRef
from kube.objects import Object
from rollouts.cli import patches
from rollouts.cli.ages import human_duration
from rollouts.cli.commands import LazyGroup, kube_command
from rollouts.cli.naming import rollout_names
from rollouts.cli.patches import Change, Refused
from rollouts.cli.reading import now, replica_sets
from rollouts.cli.refusals import warn_if_refused
from rollouts.cli.session import Cluster, Session, duration, retrying_conflicts

_KINDS = {"ro": "rollout", "rollouts": "rollout"}
set_ = LazyGroup("set", help="Update various values on resources.", usual="image")
retry = LazyGroup("retry", help="Retry a rollout that was aborted.", aliases=_KINDS, usual="rollout")


def _for_each(session: Session, names: tuple[str, ...], change: Change, *, done: str) -> None:
    with session.open() as cluster:
        for name in names:
            cluster.change(cluster.ref(ROLLOUT, name), change)
            click.echo(f"rollout '{name}' {done}")
            warn_if_refused(cluster, name)


@kube_command("abort", short_help="Abort a rollout.")
@click.argument("names", nargs=-1, required=True, shell_complete=rollout_names)
@click.pass_obj
def abort(session: Session, names: tuple[str, ...]) -> None:
    """Stop the update and send all traffic back to stable; the spec stays as it is until it is changed or retried."""
    _for_each(session, names, patches.ABORT, done="aborted")


@kube_command("pause", short_help="Pause a rollout.")
@click.argument("names", nargs=-1, required=True, shell_complete=rollout_names)
@click.pass_obj
def pause(session: Session, names: tuple[str, ...]) -> None:
    """Set `spec.paused`."""
    _for_each(session, names, patches.PAUSE, done="paused")


@kube_command("rollout", short_help="Retry an aborted rollout.")
@click.argument("names", nargs=-1, required=True, shell_complete=rollout_names)
@click.pass_obj
def retry_rollout(session: Session, names: tuple[str, ...]) -> None:
    """Start the update again from its first step."""
    _for_each(session, names, patches.RETRY, done="retried")


@kube_command("experiment", short_help="Refused: experiments are not served.")
@click.argument("names", nargs=-1, required=True)
def retry_experiment(**_: object) -> None:
    """Refuse: this controller runs no experiments."""
    raise Refused("Experiments are not served by this controller; retry the rollout instead")


@kube_command("promote", short_help="Promote a rollout.")
@click.argument("names", nargs=-1, required=True, shell_complete=rollout_names)
@click.option("--full", is_flag=True, help="Skip analysis, pauses and steps.")
@click.option("-c", "--skip-current-step", is_flag=True, help="Deprecated: go to the next step.")
@click.option("-a", "--skip-all-steps", is_flag=True, help="Deprecated: use --full.")
@click.pass_obj
def promote(session: Session, names: tuple[str, ...], *, full: bool, skip_current_step: bool, skip_all_steps: bool) -> None:
    """Go on past the current pause, or with --full to the end."""
    for flag, given in (("--skip-current-step", skip_current_step), ("--skip-all-steps", skip_all_steps)):
        if given:
            click.echo(f"Flag {flag} has been deprecated, use without the flag instead ex: promote ROLLOUT_NAME", err=True)
    with session.open() as cluster:
        for name in names:
            rollout = cluster.rollout(name)
            change = patches.promote(rollout, full=full, skip_step=skip_current_step, skip_all=skip_all_steps)
            cluster.change(cluster.ref(ROLLOUT, name), change)
            click.echo(f"rollout '{name}' {'fully ' if full else ''}promoted")
            warn_if_refused(cluster, name)


@kube_command("restart", short_help="Restart the pods of a rollout.")
@click.argument("names", nargs=-1, required=True, shell_complete=rollout_names)
@click.option("-i", "--in", "delay", default="0s", help="Amount of time before the restart, as in 30s, 5m, 1h.")
@click.pass_obj
def restart(session: Session, names: tuple[str, ...], delay: str) -> None:
    """Have all pods that are older than now (or the given time from now) replaced."""
    after = timedelta(seconds=duration(delay))
    _for_each(session, names, patches.restart(now() + after), done=f"restarts in {human_duration(after)}")


@kube_command("undo", short_help="Undo a rollout.")
@click.argument("name", shell_complete=rollout_names)
@click.option("--to-revision", type=click.IntRange(min=0), default=0, help="The revision to go back to; 0 is the one before.")
@click.pass_obj
def undo(session: Session, name: str, *, to_revision: int) -> None:
    """Put the pod template of an earlier revision back into the spec."""
    from kube.requests import JSON_PATCH
    from rollouts.cli.templates import AlreadyThere, template_in, undo_template, undoing, workload_of

    with session.open() as cluster:
        seen: list[Object] = []

        def attempt() -> tuple[ObjectRef, str]:
            rollout = cluster.rollout(name)
            target = workload_of(rollout)
            workload = rollout if target.kind == ROLLOUT else _get(cluster, target)
            current = template_in(workload, target.kind)
            seen.append(current)
            if current != seen[0]:
                raise Refused(f"the pod template of {target} was changed meanwhile, so nothing is undone; look, and undo again")
            try:
                template = undo_template(rollout, current, replica_sets(cluster, rollout), revision=to_revision)
            except AlreadyThere as already:
                return target, str(already)
            cluster.client.patch(target, undoing(workload, target.kind, template), content_type=JSON_PATCH)
            return target, "undo"

        target, done = retrying_conflicts(attempt)
        click.echo(f"{target.kind.name.lower()} '{target.name}' {done}")
        if done == "undo":
            warn_if_refused(cluster, name, new_template=True)


def _get(cluster: Cluster, ref: ObjectRef) -> Object:
    return cluster.client.get(ref.kind, ref.namespace, ref.name)


@kube_command("image", short_help="Update the image of a rollout.")
@click.argument("name", shell_complete=rollout_names)
@click.argument("images", nargs=-1, required=True, metavar="CONTAINER=IMAGE...")
@click.pass_obj
def set_image(session: Session, name: str, images: tuple[str, ...]) -> None:
    """Give containers another image; `*=IMAGE` means all of them."""
    from rollouts.cli.templates import image_patch, read_images, workload_of

    wanted = read_images(images)
    with session.open() as cluster:

        def attempt() -> tuple[Object, ObjectRef, bool]:
            rollout = cluster.rollout(name)
            target = workload_of(rollout)
            workload = rollout if target.kind == ROLLOUT else _get(cluster, target)
            patch = image_patch(workload, target.kind, wanted)
            if patch:
                cluster.client.patch(target, patch, version=str(workload["metadata"]["resourceVersion"]))
            return rollout, target, bool(patch)

        rollout, target, changed = retrying_conflicts(attempt)
        click.echo(
            f'{target.kind.name.lower()} "{target.name}" image {"updated" if changed else "is that already; nothing changed"}'
        )
        if not changed and (rollout.get("status") or {}).get("abort"):
            click.echo(f"The update to it was aborted; to try it again: {session.command('retry', 'rollout', name)}", err=True)
        warn_if_refused(cluster, name, new_template=changed)


set_.add_command(set_image)
retry.add_command(retry_rollout)
retry.add_command(retry_experiment)
