"""`rollouts sandbox`: a cluster on this machine for demo, tests and trying things out.

Owns what people type and read. Must not: start processes itself (sandbox.cluster does), or send requests (sandbox.load does).
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import click

from kube.errors import ApiError
from sandbox.cluster import ControlPlane, Options, SandboxError, StateFolder, default_state
from sandbox.cluster.finding import VARIABLE, OtherCluster, find
from sandbox.cluster.running import down as stop_cluster
from sandbox.cluster.running import up as start_cluster
from sandbox.cluster.signals import terminated_like_ctrl_c
from sandbox.cluster.telling import parts_shown, status_data, status_text, up_text
from sandbox.controlplane.programs import NoControlPlane

state_option = click.option(
    "--state",
    type=click.Path(path_type=Path),
    help=f"Folder of the sandbox.  [default: that of $KUBECONFIG, else {default_state()}]",
)


@click.group(
    "sandbox", help="A cluster on this machine: API server, pods as processes, a gateway and Prometheus, without containers."
)
def group() -> None:
    """Hold the commands."""


@group.command("up", help="Start a sandbox. Stays in the foreground until Ctrl-C, unless --detach.")
@click.option("--state", type=click.Path(path_type=Path), help=f"Folder for the sandbox.  [default: {default_state()}]")
@click.option("--detach", "-d", is_flag=True, help="Return when it is up; it runs until `rollouts sandbox down`.")
@click.option(
    "--control-plane",
    type=click.Choice([one.value for one in ControlPlane]),
    default=ControlPlane.EMBEDDED.value,
    show_default=True,
    help="Which API server to run: our own, or etcd, kube-apiserver and kube-controller-manager (see `sandbox build`); "
    "or `existing`: serve the cluster of KUBECONFIG, which has no nodes.",
)
@click.option("--context", help="Context of KUBECONFIG, with --control-plane existing.")
@click.option("--bare", is_flag=True, help="Start the real control plane alone, with nothing in it.")
@click.option("--audit-log", is_flag=True, help="Write every request down in logs/audit.log; real control plane only.")
@click.option("--prometheus", metavar="PATH|none", help="The Prometheus binary.  [default: the one on PATH or in .tools]")
@click.option("--with-controller", is_flag=True, help="Run `rollouts controller` in it too.")
@click.option(
    "--allow-image", "allow_images", multiple=True, metavar="PATTERN", help="Run an HTTP echo for images like this; repeatable."
)
@click.option(
    "--played-pods",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="Run no pods, only say that they are ready after this long: thousands are cheap.",
)
@click.option("--api-port", default=0, help="Port of the API server; 0 is any free one.")
@click.option("--ingress-port", default=0, help="Port where Ingresses are served; 0 is any free one.")
@click.option("--prometheus-port", default=0, help="Port of Prometheus; 0 is any free one.")
def up(
    *,
    state: Path | None,
    detach: bool,
    control_plane: str,
    context: str | None,
    bare: bool,
    audit_log: bool,
    prometheus: str | None,
    with_controller: bool,
    allow_images: tuple[str, ...],
    played_pods: float | None,
    api_port: int,
    ingress_port: int,
    prometheus_port: int,
) -> None:
    """Start a sandbox."""
    folder = StateFolder((state or default_state()).absolute())
    options = Options(
        control_plane=ControlPlane(control_plane),
        audit_log=audit_log,
        context=context,
        bare=bare,
        api_port=api_port,
        ingress_port=ingress_port,
        prometheus_port=prometheus_port,
        prometheus=prometheus,
        allow_images=allow_images,
        played_pods=played_pods,
        with_controller=with_controller,
    )
    with _plainly():
        began = time.monotonic()
        supervisor = start_cluster(folder, options, attached=not detach)
        click.echo(up_text(folder, folder.running(), took_seconds=time.monotonic() - began))
        if detach:
            return
        click.echo("\nCtrl-C stops it.")
        with terminated_like_ctrl_c(), contextlib.suppress(KeyboardInterrupt):
            supervisor.wait()
        stop_cluster(folder)


@group.command("build", help="Build a real control plane (etcd, Kubernetes) from source: minutes, once. Needs network.")
@click.option("--again", is_flag=True, help="Build it even if it is there.")
def build(*, again: bool) -> None:
    """Build the programs that `up --control-plane real` runs."""
    with _plainly():
        from sandbox.controlplane.building import build as build_programs

        began = time.monotonic()
        programs, built = build_programs(click.echo, again=again)
    took = f"built in {time.monotonic() - began:.0f} s" if built else "already built"
    click.echo(f"{took}: {programs.folder}\nrollouts sandbox up --control-plane real")


@group.command("down", help="Stop a sandbox and remove what it kept; also after a crash.")
@state_option
def down(*, state: Path | None) -> None:
    """Stop a sandbox."""
    with _plainly():
        folder = find(state)
        found = stop_cluster(folder)
    click.echo(f"The sandbox in {folder.path} is down." if found else f"No sandbox runs in {folder.path}.")


@group.command(
    "status", help="Show what runs, where, and whether it is ready. Exit code 1 when there is none, or a part is not ready."
)
@state_option
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def status(*, state: Path | None, as_json: bool) -> None:
    """Show the parts, and how to use them."""
    with _plainly():
        folder = find(state)
        record = folder.running()
    parts = parts_shown(record)
    click.echo(json.dumps(status_data(folder, record, parts), indent=2) if as_json else status_text(folder, record, parts))
    if not all(part.ready for part in parts):
        raise SystemExit(1)


@group.command("kubeconfig", help="Print the path of the kubeconfig: export KUBECONFIG=$(rollouts sandbox kubeconfig)")
@state_option
def kubeconfig(*, state: Path | None) -> None:
    """Print where the kubeconfig is; the way from another cluster to the sandbox, so that one is passed over."""
    with _plainly():
        try:
            folder = find(state)
        except OtherCluster:
            folder = find(None, {name: value for name, value in os.environ.items() if name != VARIABLE})
        folder.running()
    click.echo(folder.kubeconfig)


@group.command(
    "load", help="Send steady traffic to NAME: an Ingress (by its host), a Service, or an http:// URL with a name of the cluster."
)
@click.argument("name")
@state_option
@click.option("--namespace", "-n", default="default", show_default=True, help="Where NAME is.")
@click.option("--rps", default=50.0, show_default=True, help="Requests per second.")
@click.option("--duration", type=float, help="Seconds; until Ctrl-C when not given.")
@click.option("--path", default="/", show_default=True, help="Path to ask for.")
def load(*, name: str, state: Path | None, namespace: str, rps: float, duration: float | None, path: str) -> None:
    """Send traffic; exit code 1 when requests were lost."""
    with _plainly():
        from sandbox.loads import send

        complete = send(find(state), name, namespace=namespace, path=path, rps=rps, seconds=duration)
    if not complete:
        raise SystemExit(1)


@group.command(
    "traffic", help="Show who answers the running loads: shares by version and pod, failures, losses. Live in a terminal."
)
@state_option
@click.option("--once", is_flag=True, help="Print once, also in a terminal.")
def traffic(*, state: Path | None, once: bool) -> None:
    """Show who answers."""
    with _plainly():
        from sandbox.loads import watch

        watch(find(state), once=once)


@contextlib.contextmanager
def _plainly() -> Iterator[None]:
    """Turn what can go wrong into one plain sentence."""
    try:
        yield
    except (SandboxError, NoControlPlane, ApiError, ValueError) as error:
        raise click.ClickException(str(error)) from None
