"""`rollouts controller`: reads the flags, connects, and runs the controllers until it is told to stop.

Owns the flags (spec/rollout.md 5.4), who leads, and the order of starting and stopping. Must not: know what a controller decides.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import click

from kube.client import Client
from kube.clock import Clock, SystemClock
from kube.config import Connection, connect, load
from kube.errors import InvalidConfig
from kube.health import Address, Pages, Pulse, served
from kube.leases import LEASE_NAME, OURS, Elector, HeldByStranger, Times
from kube.logs import set_up
from kube.neighbours import Neighbourhood
from kube.pacing import Pace
from kube.shell import operate
from kube.spans import TracedTransport
from kube.tracing import Tracer, Untraced
from kube.transport import Transport
from rollouts.admission.flags import admission_options
from rollouts.admission.webhook import Admission, admission_webhook
from rollouts.flags import Command, Seconds, warn_of_flags_without_effect
from rollouts.manager import Manager, Options
from rollouts.tracing import tracer_of
from rollouts.vitals import Vitals

logger = logging.getLogger("rollouts")


class LeaseLost(Exception):
    """Another replica leads, or nobody could be asked: this one has stopped writing and should be started anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """What was asked for on the command line."""

    connection: Connection
    options: Options
    leader_elect: bool = True
    take_over: bool = False
    lease_namespace: str = ""
    """Where the Lease is; the namespace of the pod, or of the context, when empty."""
    times: Times = field(default_factory=Times)
    per_second: float = 0.0
    """A ceiling on requests to the API server; 0 is none. The Lease and watches are never held up."""
    burst: int = 0
    addresses: Sequence[Address] = ()
    """Where `/healthz`, `/readyz` and `/metrics` are served."""
    admission: Admission | None = None
    """How wrong objects are refused when they are applied; None when they are not."""
    tracer: Tracer = field(default_factory=Untraced)
    """Told of what the controllers do and ask; closed when they have ended."""


async def serve(flags: Flags) -> None:
    """Run the controllers until the process is told to stop.

    Raises:
        LeaseLost: the lease went to another replica.
        HeldByStranger: another controller is at work.
        InvalidConfig: a port cannot be listened at.
    """
    clock, asking = SystemClock(), Client(connect(flags.connection))
    elector = _elector(flags, asking, clock)
    pace = Pace(clock, per_second=flags.per_second, burst=flags.burst)
    client = Client(_transport(flags, fence=elector.guard if flags.leader_elect else None), clock=clock, pace=pace)
    guard: Callable[[], bool] = elector.guard if flags.leader_elect else lambda: True
    manager = Manager(client=client, clock=clock, options=flags.options, guard=guard, tracer=flags.tracer)
    vitals = Vitals(manager=manager, pulse=Pulse(clock), elector=elector if flags.leader_elect else None)
    neighbours = Neighbourhood(asking, own=elector.ref, namespaces=flags.options.namespaces, clock=clock, elects=flags.leader_elect)

    async def lead() -> None:
        await neighbours.leave_or_stay()
        await (elector.run(manager.run_controllers) if flags.leader_elect else manager.run_controllers())

    try:
        async with (
            served(Pages(health=vitals.health, metrics=vitals.metrics), flags.addresses),
            admission_webhook(
                flags.admission, asking, namespace=_home(flags.connection), clock=clock, stores=manager.stores_of_all()
            ) as webhook,
        ):
            await operate(
                lambda: _manage(manager, lead, vitals.pulse),
                connection=flags.connection,
                namespaces=[namespace for namespace in flags.options.namespaces if namespace],
                webhook=webhook,
            )
    finally:
        await manager.close()
        await client.close()
        await asking.close()
        await flags.tracer.close()


async def _manage(manager: Manager, lead: Callable[[], Awaitable[None]], pulse: Pulse) -> None:
    """Keep the stores warm in any case; work only while leading."""
    others = [asyncio.create_task(manager.run_informers(), name="informers"), asyncio.create_task(pulse.run(), name="pulse")]
    work = asyncio.ensure_future(lead())
    try:
        done, _ = await asyncio.wait((*others, work), return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        raise LeaseLost("the lease was lost; start the controller again")
    finally:
        for task in (work, *others):  # work first: its last writes and its lease need a while
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def _transport(flags: Flags, *, fence: Callable[[], bool] | None) -> Transport:
    """Return where the requests of controllers go; renewing the lease is told by nobody."""
    transport = connect(flags.connection, fence=fence)
    if not flags.tracer.on:
        return transport
    return TracedTransport(transport, tracer=flags.tracer, server=flags.connection.server)


def _elector(flags: Flags, client: Client, clock: Clock) -> Elector:
    return Elector(
        client,
        namespace=flags.lease_namespace or _home(flags.connection),
        identity=f"{OURS}{socket.gethostname()}_{uuid.uuid4()}",
        clock=clock,
        name="-".join(filter(None, (LEASE_NAME, flags.options.instance_id))),
        times=flags.times,
        take_over=flags.take_over,
    )


def _home(connection: Connection) -> str:
    """Return the namespace of the process."""
    return os.environ.get("POD_NAMESPACE") or connection.namespace


COUNT = click.IntRange(min=1)
PORT = click.IntRange(0, 65535)


@click.command("controller", cls=Command, help="Run the controller of Rollouts and AnalysisRuns.")
@click.option("--kubeconfig", help="Path of a kubeconfig; without one, KUBECONFIG, ~/.kube/config or the pod's own account.")
@click.option("--context", help="Context of the kubeconfig.")
@click.option("-n", "--namespace", "namespaces", multiple=True, help="Look after this namespace only; may be given several times.")
@click.option("--namespaced", is_flag=True, help="Look after the namespace of the context only.")
@click.option(
    "--instance-id",
    default="",
    help="Look only after objects labelled controller-instance-id=ID; without one, after those without.",
)
@click.option("--rollout-threads", type=COUNT, default=10, show_default=True, help="Rollouts worked on at once.")
@click.option("--analysis-threads", type=COUNT, default=30, show_default=True, help="AnalysisRuns worked on and measured at once.")
@click.option("--rollout-resync", type=COUNT, default=900, show_default=True, help="Seconds between two looks at everything.")
@click.option(
    "--qps",
    type=click.FloatRange(min=0),
    default=0.0,
    show_default=True,
    help="Requests to the API server per second; 0 leaves it to the server to slow the controller down.",
)
@click.option("--burst", type=COUNT, default=80, show_default=True, help="Requests that --qps lets through at once after a rest.")
@click.option("--controllers", type=click.Choice(["analysis"]), help="Run only this controller.")
@click.option("--leader-elect/--no-leader-elect", default=True, show_default=True, help="Let one of several replicas work.")
@click.option("--leader-election-lease-duration", "lease", type=Seconds(), default="15s", show_default=True)
@click.option("--leader-election-renew-deadline", "renew", type=Seconds(), default="10s", show_default=True)
@click.option("--leader-election-retry-period", "retry", type=Seconds(), default="2s", show_default=True)
@click.option("--leader-election-namespace", "lease_namespace", default="", help="Where the Lease is; by default where the pod is.")
@click.option("--take-over", is_flag=True, help="Take the lease from Argo Rollouts, which then stops.")
@click.option(
    "--healthzPort", "health_port", type=PORT, default=8080, show_default=True, help="Port of /healthz and /readyz; 0 serves none."
)
@click.option("--healthz-address", "health_host", default="0.0.0.0", show_default=True, help="Address of /healthz and /readyz.")
@click.option("--metricsPort", "metrics_port", type=PORT, default=8090, show_default=True, help="Port of /metrics; 0 serves none.")
@click.option("--metrics-address", "metrics_host", default="0.0.0.0", show_default=True, help="Address of /metrics.")
@admission_options
@click.option("--loglevel", default="info", show_default=True, help="debug, info, warn or error.")
@click.option("--logformat", default="text", show_default=True, type=click.Choice(["text", "json"]))
@click.option(
    "--traces/--no-traces",
    default=None,
    help="Send OpenTelemetry traces; by default where OTEL_EXPORTER_OTLP_ENDPOINT, or another variable of theirs, asks for them.",
)
def command(
    *,
    kubeconfig: str | None,
    context: str | None,
    namespaces: tuple[str, ...],
    namespaced: bool,
    instance_id: str,
    rollout_threads: int,
    analysis_threads: int,
    rollout_resync: int,
    qps: float,
    burst: int,
    controllers: str | None,
    leader_elect: bool,
    lease: float,
    renew: float,
    retry: float,
    lease_namespace: str,
    take_over: bool,
    health_port: int,
    health_host: str,
    metrics_port: int,
    metrics_host: str,
    admission: Admission | None,
    loglevel: str,
    logformat: str,
    traces: bool | None,
) -> None:
    """Run the controller until it is told to stop."""
    try:
        set_up(level=loglevel, style=logformat)
        warn_of_flags_without_effect()
        connection = load(kubeconfig, context)
        options = Options(
            namespaces=namespaces or ((connection.namespace,) if namespaced else ("",)),
            rollout_workers=rollout_threads,
            analysis_workers=analysis_threads,
            resync_seconds=float(rollout_resync),
            prometheus_address=os.environ.get("ARGO_ROLLOUTS_PROMETHEUS_ADDRESS", ""),
            only_analysis=controllers == "analysis",
            instance_id=instance_id,
        )
        flags = Flags(
            connection=connection,
            options=options,
            leader_elect=leader_elect,
            times=Times(lease=lease, renew=renew, retry=retry),
            take_over=take_over,
            lease_namespace=lease_namespace,
            per_second=qps,
            burst=burst,
            addresses=_addresses(
                Address(health_host, health_port, "--healthzPort"), Address(metrics_host, metrics_port, "--metricsPort")
            ),
            admission=admission,
            tracer=tracer_of(os.environ, asked=traces),
        )
        asyncio.run(serve(flags))
    except (InvalidConfig, LeaseLost, HeldByStranger, ValueError) as error:
        raise _told(error, logformat) from None


def _told(error: Exception, logformat: str) -> click.exceptions.Exit | click.ClickException:
    """Return what ends the process: with a line for people, or with one for whoever reads JSON."""
    if logformat != "json":
        return click.ClickException(str(error))
    logger.error("%s", error)
    return click.exceptions.Exit(1)


def _addresses(*asked: Address) -> list[Address]:
    """Return where to listen: both may be one, and a port of 0 is none. Every page is served at each."""
    places = {(address.host, address.port): address for address in asked if address.port}
    return list(places.values())


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command with these arguments, or those of the process."""
    command(args=list(arguments) if arguments is not None else None, prog_name="rollouts controller")


if __name__ == "__main__":
    main()
