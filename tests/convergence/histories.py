"""What may happen to a Rollout, and what may go wrong meanwhile: plain data, so that it shrinks and can be written down.

Owns the vocabulary of histories and the strategies that draw them. Must not: run anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from hypothesis import strategies as st

from sandbox.apiserver.faults import Fault
from tests.convergence.process import CONTROLLER
from tests.shops import ROUTINGS

PODS_ONLY = "replica counts"
ROUTERS = (PODS_ONLY, *ROUTINGS)
IMAGES = ("shop:1", "shop:2", "shop:3", "shop:4")
STEPS = ("weight 0", "weight 5", "weight 25", "weight 60", "weight 100", "pause", "pause 5", "analysis", "canary 2")
TEMPLATE = "slow"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """A Rollout. Times in seconds.

    Attributes:
        router: `PODS_ONLY`, or one of `ROUTINGS`.
        steps: some of `STEPS`.
        verdicts: of the AnalysisRuns of the first revision, the second, and so on, over and over.
        background: whether an analysis goes on during the whole update.
    """

    router: str
    steps: tuple[str, ...]
    replicas: int = 4
    dynamic: bool = False
    ready_after: float = 1.0
    gone_after: float = 1.0
    verdicts: tuple[bool, ...] = (True,)
    background: bool = False

    @property
    def routed(self) -> bool:
        return self.router != PODS_ONLY


@dataclass(frozen=True, slots=True)
class Act:
    """Something that somebody does; `argument` is an image or a number of replicas. Patient people do not use `after` (seconds)."""

    what: str
    argument: str | int = ""
    after: float = 0.0


@dataclass(frozen=True, slots=True)
class Kill:
    """The process dies with its n-th write from now; another one is there `down` seconds later."""

    writes: int
    down: float


@dataclass(frozen=True, slots=True)
class Deposed:
    """The process loses the lease before its n-th write from now; another one leads for `seconds`, and is killed then."""

    writes: int
    seconds: float


@dataclass(frozen=True, slots=True)
class SetClock:
    """The controller's clock is set forward or back, `at` seconds after the trouble began."""

    at: float
    by: float


Trouble: TypeAlias = Fault | Kill | Deposed | SetClock


@dataclass(frozen=True, slots=True)
class History:
    """A shop and what people do with it."""

    shop: Shop
    acts: tuple[Act, ...]


def step_of(text: str) -> dict[str, Any]:
    """Return a step of a canary as it is written in a manifest."""
    what, _, number = text.partition(" ")
    match what:
        case "weight":
            return {"setWeight": int(number)}
        case "pause":
            return {"pause": {"duration": int(number)} if number else {}}
        case "canary":
            return {"setCanaryScale": {"replicas": int(number)}}
    return {"analysis": {"templates": [{"templateName": TEMPLATE}]}}


def _shop(router: str, steps: Sequence[str], *, dynamic: bool, **options: Any) -> Shop:
    routed = router != PODS_ONLY
    kept = tuple(step for step in steps if routed or not step.startswith("canary"))
    return Shop(router=router, steps=kept, dynamic=dynamic and routed, **options)


SHOPS = st.builds(
    _shop,
    st.sampled_from(ROUTERS),
    st.lists(st.sampled_from(STEPS), min_size=1, max_size=4),
    dynamic=st.booleans(),
    replicas=st.sampled_from((4, 1, 2, 5)),
    ready_after=st.sampled_from((0.0, 1.0, 6.0)),
    gone_after=st.sampled_from((0.0, 2.0)),
    verdicts=st.sampled_from(((True,), (True, True, False), (True, False, True))),
    background=st.booleans(),
)

_SHIP = st.builds(Act, st.just("ship"), st.sampled_from(IMAGES))
_SCALE = st.builds(Act, st.just("scale"), st.sampled_from((1, 2, 4, 6)))
_PATIENT = ("promote", "promote", "promote fully", "abort", "retry", "pause", "unpause", "restart", "lose a pod", "tool")
PATIENT = st.builds(
    History, SHOPS, st.lists(_SHIP | _SCALE | st.builds(Act, st.sampled_from(_PATIENT)), min_size=1, max_size=5).map(tuple)
)
"""People who wait until the Rollout is at rest before they do the next thing: then faults change nothing about the end."""

_AFTER = st.sampled_from((0.0, 0.05, 0.5, 2.0, 7.0, 35.0))
_HASTY = (*dict.fromkeys(_PATIENT), "break", "mend", "reset the route")
HASTY = st.builds(
    History,
    SHOPS,
    st.lists(
        st.builds(Act, st.just("ship"), st.sampled_from(IMAGES), _AFTER)
        | st.builds(Act, st.just("scale"), st.sampled_from((1, 2, 4, 6)), _AFTER)
        | st.builds(Act, st.sampled_from(_HASTY), st.just("shop:3"), _AFTER),
        min_size=1,
        max_size=8,
    ).map(tuple),
)
"""People who wait for nothing. What they want in the end is known all the same."""


def _on_writes(action: str, skip: int, times: int, seconds: float) -> Fault:
    return Fault(action=action, verb="write", user=CONTROLLER, skip=skip, times=times, seconds=seconds)


def _on_reads(action: str, verb: str, skip: int, times: int) -> Fault:
    return Fault(action=action, verb=verb, user=CONTROLLER, skip=skip, times=times, versions=7)


def _on_watches(action: str, skip: int, times: int, seconds: float) -> Fault:
    return Fault(action=action, verb="watch", user=CONTROLLER, skip=skip, times=times, seconds=seconds)


_SKIP, _TIMES, _SECONDS = st.integers(0, 40), st.integers(1, 6), st.sampled_from((0.001, 0.3, 1.0, 4.0))
WRITE_ACTIONS = ("lose-answer", "drop-before", "conflict", "too-many-requests", "error", "delay")
WATCH_ACTIONS = ("drop-line", "split-line", "delay-events", "duplicate-events", "lose-events", "error-event")
TROUBLES = st.lists(
    st.one_of(
        st.builds(_on_writes, st.sampled_from(WRITE_ACTIONS), _SKIP, _TIMES, _SECONDS),
        st.builds(_on_watches, st.sampled_from(WATCH_ACTIONS), _SKIP, _TIMES, _SECONDS),
        st.builds(_on_reads, st.sampled_from(("stale", "error", "gone")), st.sampled_from(("list", "watch", "get")), _SKIP, _TIMES),
        st.builds(Kill, st.integers(1, 20), st.sampled_from((0.0, 1.0, 12.0))),
        st.builds(Deposed, st.integers(1, 20), st.sampled_from((0.1, 3.0, 12.0))),
        st.builds(SetClock, st.sampled_from((1.0, 10.0, 40.0)), st.sampled_from((-90.0, -2.0, 2.0, 90.0))),
    ),
    min_size=1,
    max_size=5,
).map(tuple)
