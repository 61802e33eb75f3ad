"""`rollouts demo`: the command line of the demo.

Owns options, exit codes, and what is left running. Must not: play.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rollouts.demo.script import SCRIPTS
from rollouts.demo.summary import Summary

if TYPE_CHECKING:
    from rollouts.demo.view import LiveShow, PlainShow
    from sandbox.cluster import Cluster, Options

EXAMPLES = Path(__file__).parent / "examples"
"""In a source tree a link to the folder at its top; the wheel has copies of what the demo plays."""


@click.command("demo", help="Ship a good version and take a bad one back, under real traffic on this machine, in about a minute.")
@click.option("--router", type=click.Choice(sorted(SCRIPTS)), default="nginx", show_default=True, help="What steers the traffic.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON and nothing else.")
@click.option("--keep", is_flag=True, help="Leave the sandbox running.")
@click.option("--state", type=click.Path(path_type=Path), help="Folder of the sandbox.")
@click.option(
    "--control-plane",
    type=click.Choice(["embedded", "real"]),
    default="embedded",
    show_default=True,
    help="What the sandbox stands on; `rollouts sandbox build` makes a real one.",
)
@click.option("--prometheus", metavar="PATH", help="The Prometheus binary.  [default: the one on PATH or in .tools]")
@click.option("--examples", type=click.Path(path_type=Path, exists=True), default=EXAMPLES, help="Folder with the manifests.")
def demo(
    *,
    router: str,
    as_json: bool,
    keep: bool,
    state: Path | None,
    control_plane: str,
    prometheus: str | None,
    examples: Path,
) -> None:
    """Run the demo; exit code 0 only if everything went as it must."""
    from kube.errors import ApiError
    from rollouts.demo.applying import CannotApply
    from sandbox.cluster import SandboxError
    from sandbox.cluster.signals import terminated_like_ctrl_c

    try:
        options = _options(control_plane, prometheus)
        with terminated_like_ctrl_c(), _cluster(state, options, keep=keep, quiet=as_json) as cluster:
            found = _play(router, cluster, examples, as_json=as_json)
    except (SandboxError, CannotApply, ApiError) as error:
        raise click.ClickException(str(error)) from None
    except TimeoutError:
        raise click.ClickException(
            "the first version did not come up in time; look with --keep, or `rollouts sandbox up`"
        ) from None
    if as_json:
        click.echo(json.dumps(asdict(found), indent=2))
    elif keep:
        click.echo(f"\nThe sandbox stays up; stop it with: rollouts sandbox down{f' --state {state}' if state else ''}")
        click.echo(f"export KUBECONFIG={cluster.kubeconfig}")
    if not found.ok:
        raise SystemExit(1)


def _play(router: str, cluster: Cluster, examples: Path, *, as_json: bool) -> Summary:
    from rollouts.demo.play import play
    from rollouts.demo.view import summary_text

    with _show(as_json=as_json) as show:
        found = asyncio.run(play(router, SCRIPTS[router], cluster=cluster, examples=examples, show=show))
    if not as_json:
        click.echo(f"\n{summary_text(found)}")
    return found


def _show(*, as_json: bool) -> PlainShow | LiveShow:
    from rollouts.demo.view import LiveShow, PlainShow, SilentShow

    if as_json:
        return SilentShow()
    can_draw = sys.stdout.isatty() and sys.stdout.encoding.lower().replace("-", "") == "utf8"
    return LiveShow() if can_draw else PlainShow()


def _options(control_plane: str, prometheus: str | None) -> Options:
    """Return how the sandbox is to be.

    Raises:
        SandboxError: there is no Prometheus for the analysis.
    """
    from sandbox.cluster import ControlPlane, Options, SandboxError
    from sandbox.cluster.setup import find_prometheus

    if find_prometheus(prometheus) is None:
        raise SandboxError("the demo needs Prometheus: apt-get install --no-install-recommends prometheus, or --prometheus PATH")
    return Options(control_plane=ControlPlane(control_plane), prometheus=prometheus, with_controller=True)


@contextmanager
def _cluster(state: Path | None, options: Options, *, keep: bool, quiet: bool) -> Iterator[Cluster]:
    """Have a sandbox with a controller; `keep` leaves it running, but not when the demo fails or is interrupted.

    Raises:
        SandboxError: it cannot be started.
    """
    from sandbox.cluster import Cluster, StateFolder, default_state, sandbox_cluster
    from sandbox.cluster.running import down, up

    if not quiet:
        click.echo("starting the sandbox: API server, node, gateway, Prometheus, controller ...")
    if not keep:
        with sandbox_cluster(options, state=state) as cluster:
            yield cluster
        return
    folder = StateFolder((state or default_state()).absolute())
    up(folder, options)
    try:
        yield Cluster(folder)
    except BaseException:
        down(folder)
        raise
