"""How a played pod fares over time: a pure function of its behaviour and of when it started.

Owns the story that each behaviour tells in `status`. Must not: write it; simulated.py does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from kube.objects import Object, is_deleting
from sandbox.node.pod_status import Container, PodState, Running, Terminated, Waiting, pod_status
from sandbox.workloads.backoff import Backoff
from sandbox.workloads.pods import spec_of

HOST_ADDRESS = "127.0.0.1"
BACKOFF = Backoff()


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """What happens to the pods of an image.

    Attributes:
        ready_after: from start to ready; None for never.
        running_after: from start until the containers run.
        exit_after: from running to the exit of the containers; None for never. They are started again by restart policy.
        exit_code: how they end.
        image_error: the message of a pull that fails; empty for an image that is there.
        flap_every: once ready, not ready and ready again each time this long; None for always ready.
        gone_after: from the request to delete until the pod is gone.
    """

    ready_after: timedelta | None = timedelta(0)
    running_after: timedelta = timedelta(0)
    exit_after: timedelta | None = None
    exit_code: int = 0
    image_error: str = ""
    flap_every: timedelta | None = None
    gone_after: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Scene:
    """What a pod looks like now, and when that changes by itself."""

    status: dict[str, Any]
    change_at: datetime | None


def play(pod: Object, behaviour: Behaviour, *, started: datetime, address: str, now: datetime) -> Scene:
    """Return the status of a pod that the node started at `started`."""
    container, change_at, completed = _container(pod, behaviour, started=started, now=now)
    if is_deleting(pod) and isinstance(container.state, Running):
        change_at = None
    names = [(one["name"], str(one.get("image") or "")) for one in spec_of(pod).get("containers") or ()]
    inits = [(one["name"], str(one.get("image") or "")) for one in spec_of(pod).get("initContainers") or ()]
    done = Terminated(exit_code=0, started=started, finished=started)
    state = PodState(
        address="" if isinstance(container.state, Waiting) and container.last is None else address,
        host_address=HOST_ADDRESS,
        started=started,
        containers=_all(container, names),
        init_containers=[Container(name=name, image=image, state=done, ready=True) for name, image in inits],
    )
    return Scene(pod_status(pod, state, now), None if completed else change_at)


def _all(container: Container, names: Sequence[tuple[str, str]]) -> list[Container]:
    return [replace(container, name=name, image=image) for name, image in names]


def _container(pod: Object, behaviour: Behaviour, *, started: datetime, now: datetime) -> tuple[Container, datetime | None, bool]:
    """Return what every container of the pod is like, when that changes, and whether it has ended for good."""
    blank = Container(name="", image="")
    if behaviour.image_error:
        pulling = now < started + timedelta(seconds=1)
        reason = "ErrImagePull" if pulling else "ImagePullBackOff"
        return (
            replace(blank, state=Waiting(reason, behaviour.image_error)),
            started + timedelta(seconds=1) if pulling else None,
            False,
        )
    begin = started + behaviour.running_after
    if now < begin:
        return blank, begin, False
    if behaviour.exit_after is None:
        return _living(blank, behaviour, begin=begin, started=started, now=now)
    return _dying(blank, pod, behaviour, begin=begin, now=now)


def _living(
    blank: Container, behaviour: Behaviour, *, begin: datetime, started: datetime, now: datetime
) -> tuple[Container, datetime | None, bool]:
    running = replace(blank, state=Running(begin), started=True)
    if behaviour.ready_after is None:
        return running, None, False
    ready_at = max(started + behaviour.ready_after, begin)
    if now < ready_at:
        return running, ready_at, False
    if not behaviour.flap_every:
        return replace(running, ready=True), None, False
    turns = (now - ready_at) // behaviour.flap_every
    return replace(running, ready=turns % 2 == 0), ready_at + (turns + 1) * behaviour.flap_every, False


def _dying(
    blank: Container, pod: Object, behaviour: Behaviour, *, begin: datetime, now: datetime
) -> tuple[Container, datetime | None, bool]:
    """Walk through runs and back-offs up to now."""
    policy = spec_of(pod).get("restartPolicy") or "Always"
    ends_well = policy == "Never" or (policy == "OnFailure" and behaviour.exit_code == 0)
    run = behaviour.exit_after or timedelta(0)
    restarts, last = 0, None
    while True:
        end = begin + run
        if now < end:
            ready_at = None if behaviour.ready_after is None else begin + behaviour.ready_after
            ready = ready_at is not None and ready_at <= now
            running = replace(blank, state=Running(begin), last=last, restarts=restarts, started=True, ready=ready)
            return running, end if ready or ready_at is None else min(end, ready_at), False
        last = Terminated(exit_code=behaviour.exit_code, started=begin, finished=end)
        if ends_well:
            return replace(blank, state=last, restarts=restarts), None, True
        begin = end + timedelta(seconds=BACKOFF.seconds(restarts))
        if now < begin:
            name = str((spec_of(pod).get("containers") or [{"name": ""}])[0]["name"])
            wait = Waiting("CrashLoopBackOff", f"back-off {BACKOFF.seconds(restarts):.0f}s restarting failed container={name}")
            return replace(blank, state=wait, last=last, restarts=restarts), begin, False
        restarts += 1
