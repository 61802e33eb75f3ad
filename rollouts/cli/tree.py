"""The text of `get rollout` and `list rollouts` (spec/rollout.md 4), line by line as upstream's.

Must not: read raw objects, or know whether there is a terminal: `colour` says whether to use colours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rollouts.cli.model import AnalysisRunInfo, Icon, ImageInfo, ReplicaSetInfo, RevisionInfo, RolloutInfo, Tag
from rollouts.cli.tables import Colour, aligned, coloured

Row = tuple[str, str, str, str, str]
"""Name with its branches, kind, status, age, info."""

_COLOURS: Mapping[str, Colour] = {
    Icon.WAITING: Colour.YELLOW,
    Icon.PROGRESSING: Colour.BRIGHT_BLUE,
    Icon.WARNING: Colour.RED,
    Icon.UNKNOWN: Colour.YELLOW,
    Icon.OK: Colour.GREEN,
    Icon.BAD: Colour.RED,
    Tag.CANARY: Colour.YELLOW,
    Tag.STABLE: Colour.GREEN,
    Tag.ACTIVE: Colour.GREEN,
    Tag.PREVIEW: Colour.BRIGHT_BLUE,
    Tag.PING: Colour.GREEN,
    Tag.PONG: Colour.YELLOW,
    "Pending": Colour.BRIGHT_BLUE,
    "Running": Colour.BRIGHT_BLUE,
    "Successful": Colour.GREEN,
    "Failed": Colour.RED,
    "Error": Colour.RED,
    "Inconclusive": Colour.YELLOW,
}


class Painter:
    """Gives words the colour of what they stand for, or none."""

    def __init__(self, *, colour: bool) -> None:
        self._colour = colour

    def word(self, text: str, meaning: str | None = None) -> str:
        """Return the text in the colour of its meaning (itself unless given)."""
        return coloured(text, _COLOURS.get(meaning or text, Colour.NONE)) if self._colour else text


def rollout_text(info: RolloutInfo, *, colour: bool = False) -> str:
    """Return everything that `get rollout` prints, ending with a newline."""
    painter = Painter(colour=colour)
    return "\n".join([*_header(info, painter), "", *aligned([_TITLES, *_rows(info, painter)])]) + "\n"


_TITLES: Row = ("NAME", "KIND", "STATUS", "AGE", "INFO")


def _header(info: RolloutInfo, painter: Painter) -> Iterator[str]:
    yield _field("Name:", info.name)
    yield _field("Namespace:", info.namespace)
    yield _field("Status:", f"{painter.word(info.icon)} {info.status}")
    if info.message:
        yield _field("Message:", info.message)
    yield _field("Strategy:", info.strategy)
    if info.is_canary:
        yield _field("  Step:", info.step)
        yield _field("  SetWeight:", info.set_weight)
        yield _field("  ActualWeight:", info.actual_weight)
    for title, image in zip(["Images:"] + [""] * len(info.images), info.images, strict=False):
        yield _field(title, _image(image, painter))
    yield from _replicas(info)


def _replicas(info: RolloutInfo) -> Iterator[str]:
    first = (("Desired", info.desired), ("Current", info.current), ("Updated", info.updated))
    counts = (*first, ("Ready", info.ready), ("Available", info.available))
    if info.is_brief:
        yield _field("Replicas:", ", ".join(f"{count} {name.lower()}" for name, count in counts))
        return
    yield "Replicas:"
    for name, count in counts:
        yield _field(f"  {name}:", count)


def _field(title: str, value: object) -> str:
    return f"{title:<17}{value}"


def _image(image: ImageInfo, painter: Painter) -> str:
    tags = ", ".join(painter.word(tag) for tag in image.tags)
    return f"{image.image} ({tags})" if tags else image.image


def _rows(info: RolloutInfo, painter: Painter) -> Iterator[Row]:
    status = f"{painter.word(info.icon)} {info.status}"
    yield f"{Icon.ROLLOUT} {info.name}", "Rollout", status, info.age, ""
    for at, revision in enumerate(info.revisions):
        branch, below = _branch(at == len(info.revisions) - 1 and not info.more_revisions, "")
        yield f"{branch}{Icon.REVISION} revision:{revision.number}", "", "", "", ""
        yield from _revision(revision, below, painter)
    if info.more_revisions:
        yield f"└──{Icon.REVISION} {info.more_revisions} more", "", "", "", ""


def _branch(last: bool, above: str) -> tuple[str, str]:
    """Return what stands before a child, and before what is below it."""
    return (f"{above}└──", f"{above}   ") if last else (f"{above}├──", f"{above}│  ")


def _revision(revision: RevisionInfo, above: str, painter: Painter) -> Iterator[Row]:
    children: tuple[ReplicaSetInfo | AnalysisRunInfo, ...] = (*revision.replica_sets, *revision.analysis_runs)
    for at, child in enumerate(children):
        branch, below = _branch(at == len(children) - 1, above)
        if isinstance(child, ReplicaSetInfo):
            yield from _replica_set(child, branch, below, painter=painter)
        else:
            yield from _analysis_run(child, branch, below, painter=painter)


def _replica_set(info: ReplicaSetInfo, branch: str, below: str, *, painter: Painter) -> Iterator[Row]:
    notes = [painter.word(tag) for tag in info.tags] + ([f"delay:{info.delay}"] if info.delay else [])
    name = painter.word(info.name, info.tags[0]) if info.tags else info.name
    yield _row(f"{branch}{Icon.REPLICA_SET} {name}", "ReplicaSet", (info.icon, info.status), info.age, notes, painter=painter)
    for at, pod in enumerate(info.pods):
        pod_branch, _ = _branch(at == len(info.pods) - 1 and not info.more_running, below)
        notes = [f"ready:{pod.ready}"] + ([f"restarts:{pod.restarts}"] if pod.restarts else [])
        name = painter.word(pod.name, info.tags[0]) if info.tags else pod.name
        yield _row(f"{pod_branch}{Icon.POD} {name}", "Pod", (pod.icon, pod.status), pod.age, notes, painter=painter)
    if info.more_running:
        yield f"{_branch(True, below)[0]}{Icon.POD} {info.more_running} pods running", "", "", "", ""


def _analysis_run(info: AnalysisRunInfo, branch: str, below: str, *, painter: Painter) -> Iterator[Row]:
    counts = (
        (Icon.OK, info.successful),
        (Icon.BAD, info.failed),
        (Icon.UNKNOWN, info.inconclusive),
        (Icon.WARNING, info.error),
    )
    notes = [f"{painter.word(icon)} {count}" for icon, count in counts if count]
    name = painter.word(info.name, info.status)
    told = [" ".join(filter(None, (",".join(notes), info.note)))]
    yield _row(f"{branch}{Icon.ANALYSIS_RUN} {name}", "AnalysisRun", (info.icon, info.status), info.age, told, painter=painter)
    for at, job in enumerate(info.jobs):
        job_branch, _ = _branch(at == len(info.jobs) - 1, below)
        name = painter.word(job.name, job.status)
        yield _row(f"{job_branch}{Icon.JOB} {name}", "Job", (job.icon, job.status), job.age, [], painter=painter)


def _row(name: str, kind: str, state: tuple[Icon, str], age: str, notes: Sequence[str], *, painter: Painter) -> Row:
    return name, kind, f"{painter.word(state[0])} {state[1]}", age, ",".join(notes)


def listing_text(
    infos: Sequence[RolloutInfo], *, all_namespaces: bool = False, timestamp: str = "", titles: bool = True, wide: bool = False
) -> str:
    """Return the table of `list rollouts`, ending with a newline; with a timestamp each line begins with it.

    A `wide` one has age, images and message too.
    """
    rows = [(*_listed(info), *(_more(info) if wide else ())) for info in infos]
    table = [(*_LISTED_TITLES, *(_MORE_TITLES if wide else ())), *rows] if titles else rows
    if all_namespaces:
        spaces = ["NAMESPACE", *(info.namespace for info in infos)] if titles else [info.namespace for info in infos]
        table = [(f"{space:<9}", *row) for space, row in zip(spaces, table, strict=True)]
    if timestamp:
        stamps = ["TIMESTAMP", *(timestamp for _ in infos)] if titles else [timestamp for _ in infos]
        table = [(f"{stamp:<20}", *row) for stamp, row in zip(stamps, table, strict=True)]
    return "".join(f"{line}\n" for line in aligned(table))


def _listed(info: RolloutInfo) -> tuple[str, ...]:
    step, weight = (info.step or "-", str(info.set_weight)) if info.is_canary else ("-", "-")
    ready = f"{info.ready}/{info.current}"
    return _least(
        info.name, info.strategy, info.status, step, weight, ready, str(info.desired), str(info.updated), str(info.available)
    )


def _least(*cells: str) -> tuple[str, ...]:
    """Widen cells to their column's least width, so that lines that a watch adds later line up."""
    widths = (10, 9, 12, 4, 10, 5, 7, 10, 9)
    return tuple(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True))


def _more(info: RolloutInfo) -> tuple[str, ...]:
    return info.age, ",".join(dict.fromkeys(one.image for one in info.images)) or "-", info.message or "-"


_MORE_TITLES = ("AGE", "IMAGES", "MESSAGE")
_LISTED_TITLES = _least("NAME", "STRATEGY", "STATUS", "STEP", "SET-WEIGHT", "READY", "DESIRED", "UP-TO-DATE", "AVAILABLE")
