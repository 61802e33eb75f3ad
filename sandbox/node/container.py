"""The life of one container: image, start, hooks, probes, exit, back-off, restart, stop.

Owns the program of a container and what is known of it (`view`). Must not: write to the API server, or know its siblings.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sandbox.apps.catalogue import Entry, Missing
from sandbox.node.context import PodContext, named_ports
from sandbox.node.errors import BadConfig, CannotStart
from sandbox.node.pod_status import Container, Running, Terminated, Waiting
from sandbox.node.probes import Count, Prober, timing_of
from sandbox.node.processes import Order, Process
from sandbox.node.programs import order_for

KILL_GRACE_SECONDS = 30
LISTEN_SECONDS = 1.0


def is_sidecar(spec: Mapping[str, Any]) -> bool:
    """Tell whether an init container goes on beside the others."""
    return spec.get("restartPolicy") == "Always"


class ContainerRunner:
    """Runs one container as its restart policy says."""

    def __init__(
        self, context: PodContext, spec: Mapping[str, Any], *, policy: str, changed: Callable[[], None], restarts: int = 0
    ) -> None:
        self.spec = spec
        self.view = Container(
            name=str(spec["name"]), image=str(spec.get("image") or ""), restarts=restarts, sidecar=is_sidecar(spec)
        )
        self._context = context
        self._policy = policy
        self._changed = changed
        self._process: Process | None = None
        self._order: Order | None = None
        self._stopping = False
        self._up = asyncio.Event()
        self._failures = 0
        ports = named_ports([spec])
        self._prober = Prober(context.session, address=context.address, ports=ports, execute=self._execute)

    @property
    def name(self) -> str:
        """The container's name."""
        return self.view.name

    @property
    def goes_on(self) -> bool:
        """Whether its present run, or its first, is not over."""
        return isinstance(self.view.state, Running) or (isinstance(self.view.state, Waiting) and self.view.last is None)

    async def up(self) -> None:
        """Wait until it has started for the first time, its startup probe included."""
        await self._up.wait()

    async def run(self) -> None:
        """Run until the container has ended for good."""
        while True:
            entry = await self._pull()
            ended = await self._run_once(entry)
            if ended is None:
                continue
            if self._stopping or self._policy == "Never" or (self._policy == "OnFailure" and ended.exit_code == 0):
                self._show(state=ended, ready=False, started=False)
                return
            await self._back_off(ended)

    async def stop(self, *, grace_seconds: float) -> None:
        """Run the preStop hook, ask the program to end, insist after the grace period. `run` returns then."""
        self._stopping = True
        process = self._process
        if process is None or not process.running:
            return
        clock = self._context.clock
        deadline = clock.monotonic() + grace_seconds
        hook = (self.spec.get("lifecycle") or {}).get("preStop")
        if hook and grace_seconds > 0:
            await self._hook("preStop", hook, timeout_seconds=grace_seconds)
        self._context.report("Killing", f"Stopping container {self.name}")
        await process.stop(grace_seconds=max(deadline - clock.monotonic(), 1.0 if grace_seconds > 0 else 0.0))

    def _show(self, **changes: Any) -> None:
        self.view = replace(self.view, **changes)
        if self.view.started:
            self._up.set()
        self._changed()

    async def _pull(self) -> Entry:
        """Return the image's program; ask again, ever more slowly, while there is none."""
        attempt = 0
        while True:
            found = self._context.look_up(self._context.pod(), self.view.image)
            if not isinstance(found, Missing):
                return found
            attempt += 1
            self._context.report("Failed", f"Failed to pull image: {found.message}", warning=True)
            self._show(state=Waiting("ErrImagePull", found.message))
            await self._context.clock.sleep(min(self._context.tempo.backoff.first_seconds / 10, 1.0))
            self._show(state=Waiting("ImagePullBackOff", f'Back-off pulling image "{self.view.image}": {found.message}'))
            await self._context.clock.sleep(self._context.tempo.backoff.seconds(attempt))

    async def _run_once(self, entry: Entry) -> Terminated | None:
        """Start the program and see it through; None when it could not even be set up."""
        log = self._context.log_file(self.name, self.view.restarts)
        await asyncio.to_thread(log.parent.mkdir, parents=True, exist_ok=True)
        try:
            self._order = order_for(self._context, self.spec, entry, log=log)
        except BadConfig as error:
            self._context.report("Failed", f"Error: {error}", warning=True)
            self._show(state=Waiting("CreateContainerConfigError", str(error)))
            await self._context.clock.sleep(self._context.tempo.config_retry_seconds)
            return None
        begun = self._context.clock.now()
        try:
            self._process = await self._context.processes.start(self._order)
        except CannotStart as error:
            self._context.report("Failed", f"Error: {error}", warning=True)
            return self._terminated(begun, 128, reason="StartError", message=str(error))
        self._context.report("Started", f"Container {self.name} started")
        self._show(state=Running(begun), started=False, ready=False)
        code = await self._watch_over(self._process)
        return self._terminated(begun, code)

    async def _watch_over(self, process: Process) -> int:
        """Run hooks and probes beside the program until it ends."""
        attendant = asyncio.create_task(self._attend(process), name=f"probes of {self.name}")
        try:
            return await process.wait()
        finally:
            attendant.cancel()
            await asyncio.gather(attendant, return_exceptions=True)
            if process.running:  # cancelled: the pod is gone
                process.signal(9)

    async def _attend(self, process: Process) -> None:
        hook = (self.spec.get("lifecycle") or {}).get("postStart")
        if hook and not await self._hook("postStart", hook, timeout_seconds=60.0):
            await process.stop(grace_seconds=KILL_GRACE_SECONDS)
            return
        if self._order is not None and self._order.program == "web":
            await self._until_listening(self._order)
        if self.spec.get("startupProbe"):
            await self._probe("startup", self.spec["startupProbe"], process)
        self._show(started=True, ready=not self.spec.get("readinessProbe"))
        async with asyncio.TaskGroup() as group:
            for kind in ("liveness", "readiness"):
                probe = self.spec.get(f"{kind}Probe")
                if probe:
                    group.create_task(self._probe(kind, probe, process))

    async def _until_listening(self, order: Order) -> None:
        """Give a web program a moment to open its port, so that without probes no request meets a closed one."""
        port = int(order.environment["SANDBOX_PORTS"].partition(",")[0])
        action = {"tcpSocket": {"port": port}}
        end = self._context.clock.monotonic() + LISTEN_SECONDS
        while self._context.clock.monotonic() < end:
            if (await self._prober.ask(action, timeout_seconds=LISTEN_SECONDS)).good:
                return
            await self._context.clock.sleep(0.005)

    async def _probe(self, kind: str, probe: Mapping[str, Any], process: Process) -> None:
        """Ask again and again; a startup probe until it has succeeded, the others as long as the program runs."""
        timing = timing_of(probe)
        count = Count(good=kind == "liveness", success=timing.success, failure=timing.failure)
        await self._context.clock.sleep(timing.initial_delay)
        while True:
            answer = await self._prober.ask(probe, timeout_seconds=timing.timeout)
            count = count.after(answer.good)
            if not answer.good and not self._stopping:
                self._context.report("Unhealthy", f"{kind.capitalize()} probe failed: {answer.message}", warning=True)
            if kind == "readiness":
                if count.good != self.view.ready:
                    self._show(ready=count.good)
            elif kind == "startup" and count.good:
                return
            elif count.failed and not self._stopping:
                await self._kill_unhealthy(kind, probe, process)
                return
            await self._context.clock.sleep(timing.period)

    async def _kill_unhealthy(self, kind: str, probe: Mapping[str, Any], process: Process) -> None:
        self._context.report("Killing", f"Container {self.name} failed {kind} probe, will be restarted")
        grace = probe.get("terminationGracePeriodSeconds")
        if grace is None:
            grace = (self._context.pod().get("spec") or {}).get("terminationGracePeriodSeconds", KILL_GRACE_SECONDS)
        self._show(ready=False)
        await process.stop(grace_seconds=float(grace))

    async def _hook(self, name: str, hook: Mapping[str, Any], *, timeout_seconds: float) -> bool:
        """Run a lifecycle hook; tell whether it succeeded."""
        if hook.get("sleep"):
            await self._context.clock.sleep(min(float(hook["sleep"].get("seconds") or 0), timeout_seconds))
            return True
        answer = await self._prober.ask(hook, timeout_seconds=timeout_seconds)
        if not answer.good:
            self._context.report(f"Failed{name[0].upper()}{name[1:]}Hook", f"{name} hook failed: {answer.message}", warning=True)
        return answer.good

    async def _execute(self, command: Sequence[str], timeout_seconds: float) -> int:
        if self._order is None or not command:
            return 127
        order = Order(
            program="exec",
            argv=list(command),
            environment=self._order.environment,
            directory=self._order.directory,
            log=Path("/dev/null"),
        )
        process = await self._context.processes.start(order)
        try:
            return await process.wait()
        finally:
            if process.running:
                process.signal(9)

    def _terminated(self, begun: datetime, code: int, *, reason: str = "", message: str = "") -> Terminated:
        number = -code if code < 0 else 0
        exit_code = 128 + number if number else code
        now = self._context.clock.now()
        return Terminated(exit_code=exit_code, started=begun, finished=now, reason=reason, message=message)

    async def _back_off(self, ended: Terminated) -> None:
        """Wait before the next start: not at all after the first failure, then ever longer."""
        backoff = self._context.tempo.backoff
        ran = (ended.finished - ended.started).total_seconds()
        self._failures = backoff.failures_after(self._failures, ran_seconds=ran)
        wait = backoff.seconds(self._failures - 1)
        self._show(state=ended, last=ended, ready=False, started=False)
        if wait:
            message = f"back-off {wait:g}s restarting failed container={self.name}"
            self._context.report("BackOff", f"Back-off restarting failed container {self.name}", warning=True)
            self._show(state=Waiting("CrashLoopBackOff", message))
            await self._context.clock.sleep(wait)
        with contextlib.suppress(OSError):  # two runs' logs are kept: this one's and the one before
            self._context.log_file(self.name, self.view.restarts - 1).unlink(missing_ok=True)
        self.view = replace(self.view, restarts=self.view.restarts + 1)
