"""Traffic to something in a cluster by its name, and what several terminals can see of it.

Owns finding the address of an Ingress or Service, and the files in which a load shows its figures. Must not: send requests.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from kube.config import load
from kube.errors import NotFound
from kube.kinds import INGRESS, SERVICE
from kube.quick import QuickClient
from sandbox.cluster.processes import Identity
from sandbox.cluster.state import SandboxError, StateFolder, replace
from sandbox.load.result import Snapshot
from sandbox.load.wire import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The figures of one load, as it writes them down about four times a second."""

    name: str
    sender: Identity
    rps: float
    sent: int = 0
    lost: int = 0
    versions: Mapping[str, int] = field(default_factory=dict)
    pods: Mapping[str, int] = field(default_factory=dict)
    statuses: Mapping[str, int] = field(default_factory=dict)
    failures: Mapping[str, int] = field(default_factory=dict)
    recent: Mapping[str, int] = field(default_factory=dict)
    """Answers by version in the last whole seconds."""


def target_of(state: StateFolder, name: str, *, namespace: str, path: str = "/") -> Target:
    """Return where requests for an Ingress, a Service, or a URL go.

    Raises:
        NotRunning: no cluster runs here.
        SandboxError: there is neither an Ingress nor a Service of this name, or no pod answers.
    """
    record = state.running()
    if not record.ingress:
        raise SandboxError("the pods of this sandbox are only played, and nobody answers: start it without --played-pods")
    if name.startswith("http://"):
        return Target(url=name, proxy=record.name_proxy)
    with QuickClient(load(str(state.kubeconfig))) as client:
        try:
            ingress = client.get(INGRESS, namespace, name)
        except NotFound:
            pass
        else:
            rules = (ingress.get("spec") or {}).get("rules") or ()
            host = next((str(rule["host"]) for rule in rules if rule.get("host")), "")
            return Target(url=f"http://{record.ingress}{path}", host=host.replace("*", "any", 1))
        try:
            service = client.get(SERVICE, namespace, name)
        except NotFound:
            raise SandboxError(f"there is neither an Ingress nor a Service {name!r} in namespace {namespace}") from None
    ports = (service.get("spec") or {}).get("ports") or ()
    if not ports:
        raise SandboxError(f"Service {namespace}/{name} has no port")
    return Target(url=f"http://{name}.{namespace}:{ports[0]['port']}{path}", proxy=record.name_proxy)


def show(folder: Path, shown: Shown) -> None:
    """Write figures down for others to see."""
    folder.mkdir(parents=True, exist_ok=True)
    replace(folder / f"{shown.sender.pid}.json", json.dumps(asdict(shown)))


def shown_of(name: str, sender: Identity, *, rps: float, snapshot: Snapshot) -> Shown:
    """Return the figures of a load."""
    recent: dict[str, int] = {}
    for second in snapshot.seconds[-4:-1] or snapshot.seconds:
        for version, count in second.versions.items():
            recent[version] = recent.get(version, 0) + count
    return Shown(
        name=name,
        sender=sender,
        rps=rps,
        sent=snapshot.sent,
        lost=snapshot.lost,
        versions=dict(snapshot.versions),
        pods=dict(snapshot.pods),
        statuses={str(status): count for status, count in snapshot.statuses.items()},
        failures=dict(snapshot.failures),
        recent=recent,
    )


def read_shown(folder: Path) -> list[Shown]:
    """Return the figures of every load that still runs."""
    return [one for one in _all(folder) if one.sender.alive]


def _all(folder: Path) -> Iterator[Shown]:
    for path in sorted(folder.glob("*.json")):
        try:
            found = json.loads(path.read_text())
        except FileNotFoundError:
            continue
        yield Shown(**{**found, "sender": Identity(**found["sender"])})


def traffic_text(loads: list[Shown]) -> str:
    """Return who answers, for every load: shares now, shares in all, failures, losses."""
    return "\n".join(line for one in loads for line in _text(one))


def _text(one: Shown) -> Iterator[str]:
    yield f"{one.name}: {one.sent} requests at {one.rps:g}/s, {_failed(one)} answered with 5xx, {one.lost} lost"
    for title, counts in (("now", one.recent), ("in all", one.versions), ("by pod", one.pods)):
        shares = "  ".join(f"{name or '?'} {_percent(count, counts)}" for name, count in sorted(counts.items()))
        yield f"  {title:<8}{shares or '-'}"
    for reason, count in sorted(one.failures.items()):
        yield f"  {reason:<8}{count}"


def _failed(one: Shown) -> int:
    return sum(count for status, count in one.statuses.items() if status.startswith("5"))


def _percent(count: int, counts: Mapping[str, int]) -> str:
    return f"{100 * count / sum(counts.values()):.1f}%"
