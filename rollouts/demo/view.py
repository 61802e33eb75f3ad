"""The demo on the screen: a live picture in a terminal, plain lines elsewhere, and the summary as text.

Owns the look; rich is imported only for a terminal. Must not: count or decide.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from types import TracebackType
from typing import NamedTuple

from analysis.run.verdicts import measurements_of
from rollouts.cli.info import rollout_info
from rollouts.cli.tree import rollout_text
from rollouts.demo.scene import Scene
from rollouts.demo.story import Happening, Sample, What
from rollouts.demo.summary import ActSummary, Summary, shares

BAR = 40
RECENT = 8
MEASUREMENTS = 4
LOW_TERMINAL = 32
"""With fewer lines than this, half as many happenings and measurements are shown, so that the tree keeps some room."""
STYLES = {
    What.ACT: "bold",
    What.STEP: "cyan",
    What.WEIGHT: "bold cyan",
    What.PHASE: "magenta",
    What.MEASUREMENT: "",
    What.ANALYSIS: "yellow",
}


class PlainShow:
    """A line for each thing that happens, with who answered the users in the last seconds."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._samples: list[Sample] = []

    def __enter__(self) -> PlainShow:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        return None

    def tell(self, happening: Happening) -> None:
        """Print it."""
        users = shares_text(shares(self._samples)) if happening.what in (What.WEIGHT, What.STEP) else ""
        print(line_of(time.monotonic() - self._began, happening, users), flush=True)

    def draw(self, scene: Scene | None, samples: list[Sample]) -> None:
        """Remember the samples for the next line."""
        self._samples = samples


class SilentShow(PlainShow):
    """Shows nothing: for output that a program reads."""

    def tell(self, happening: Happening) -> None:
        """Keep it to ourselves."""


class LiveShow:
    """The picture in a terminal: the tree, who answers, measurements, and what happened last."""

    def __init__(self) -> None:
        from rich.live import Live

        self._began = time.monotonic()
        self._recent: deque[Happening] = deque(maxlen=RECENT)
        self._times: deque[float] = deque(maxlen=RECENT)
        self._live = Live(refresh_per_second=8, transient=False)

    def __enter__(self) -> LiveShow:
        self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._live.stop()

    def tell(self, happening: Happening) -> None:
        """Put it among the last ones; measurements have a place of their own."""
        if happening.what is not What.MEASUREMENT:
            self._recent.append(happening)
            self._times.append(time.monotonic() - self._began)

    def draw(self, scene: Scene | None, samples: list[Sample]) -> None:
        """Draw everything, with as much of the tree as the terminal has room for."""
        from rich.console import Group
        from rich.text import Text

        height = self._live.console.size.height
        share = 2 if height < LOW_TERMINAL else 1
        recent = list(zip(self._times, self._recent, strict=True))[-RECENT // share :]
        below = [*_users(samples), *_measurements(scene, MEASUREMENTS // share), Line("")]
        below += [Line(line_of(seconds, one, ""), STYLES[one.what]) for seconds, one in recent]
        room = height - len(below) - 2
        tree = [Text.from_ansi(line, no_wrap=True, overflow="ellipsis") for line in _tree(scene, room)] if scene else []
        lines = [Text(one.text, style=one.style, no_wrap=True, overflow="ellipsis") for one in below]
        self._live.update(Group(*tree, *lines))


class Line(NamedTuple):
    """One line below the tree."""

    text: str
    style: str = ""


def _tree(scene: Scene, room: int) -> list[str]:
    """Return the state in one line, and the tree of `get rollout`, cut to so many lines."""
    info = rollout_info(
        scene.rollout, now=datetime.now(UTC), replica_sets=scene.replica_sets, pods=scene.pods, analysis_runs=scene.runs
    )
    weights = f"weight wanted {info.set_weight}%, set {info.actual_weight}%"
    head = f"{info.icon} {info.status}   {info.step} steps done   {weights}   {', '.join(one.image for one in info.images)}"
    tree = rollout_text(info, colour=True).split("\n\n", 1)[1].splitlines()
    return [head, "", *(tree if len(tree) <= room - 3 else [*tree[: max(0, room - 4)], "   ..."]), ""]


def _users(samples: list[Sample]) -> Iterator[Line]:
    if samples:
        yield Line("Users' requests, last 3 s", "bold")
        for version, share in shares(samples).items():
            if share:
                yield Line(f"  {version:<8} {'█' * max(1, round(BAR * share / 100)):<{BAR}} {share:5.1f}%")
        yield Line(f"  {totals_text(samples[-1])}")


def _measurements(scene: Scene | None, most: int) -> Iterator[Line]:
    for run in scene.own_runs() if scene else ():
        for one in list(measurements_of(run))[-most:]:
            yield Line(f"  {one.text}", "green" if one.phase == "Successful" else "red")


def line_of(seconds: float, happening: Happening, users: str) -> str:
    """Return one line about one thing that happened."""
    return f"{seconds:6.1f}s  {happening.text}" + (f"  [users now: {users}]" if users else "")


def shares_text(found: dict[str, float]) -> str:
    """Return `1 90%, 2 10%`."""
    return ", ".join(f"{version or '?'} {share:.0f}%" for version, share in found.items())


def totals_text(sample: Sample) -> str:
    """Return what became of all requests so far."""
    return f"{sample.sent} requests, {sum(sample.errors.values())} answered with 5xx, {sample.lost} lost"


def summary_text(found: Summary) -> str:
    """Return the figures as people read them."""
    lines = [
        f"Demo with {found.router}: {found.seconds:.0f} s, {found.requests} requests, {found.failed} failed, {found.lost} lost"
    ]
    for act in found.acts:
        lines += _act_lines(act)
    lines += ["", *(f"PROBLEM: {one}" for one in found.problems)]
    if found.ok:
        lines.append(
            "Good version promoted, bad version taken back, no request lost; every failed one was an answer of the bad version."
        )
    return "\n".join(lines)


def _act_lines(act: ActSummary) -> Iterator[str]:
    yield f"\n{act.image}, {act.title}: {act.outcome} after {act.seconds:.1f} s"
    weights = "  ".join(f"{one.weight}% at {one.seconds:.1f}s" for one in act.weights)
    yield f"  weights   {weights or 'none'}"
    yield f"  requests  {act.requests}, of which it answered {act.answered_by_it} over {act.with_users_seconds:.1f} s"
    yield f"  failed    {act.failed}, lost {act.lost}"
    if act.why:
        yield f"  because   {act.why}"
