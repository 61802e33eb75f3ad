"""What people and scripts read about a running sandbox: its parts, its addresses, and how to use them.

Owns the words, and looking up the programs that the gateway runs. Must not: start or change anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.cluster.processes import Identity
from sandbox.cluster.readiness import is_ready
from sandbox.cluster.state import Record, StateFolder
from sandbox.cluster.topology import Ready

NO_PROMETHEUS = "not installed; analysis with Prometheus will not work (apt-get install prometheus, or --prometheus PATH)"
HEADER = ("PART", "PID", "ADDRESS", "READY", "RESTARTS", "AGE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One part as it is now."""

    name: str
    process: Identity | None
    """None when it does not run at this moment."""
    address: str
    ready: bool
    restarts: int | None = None
    """None for a program whose starts nobody counts here."""


def parts_shown(record: Record) -> list[Shown]:
    """Return every part, those included that run inside another part."""
    shown = [
        Shown(
            name=part.name,
            process=part.process if part.process.alive else None,
            address=part.address,
            ready=part.process.alive and part.ready,
            restarts=part.restarts,
        )
        for part in record.parts
    ]
    return [*shown, _prometheus(record)] if record.prometheus else shown


def _prometheus(record: Record) -> Shown:
    """Return Prometheus, which is a child of the gateway."""
    gateways = [part.process.pid for part in record.parts if part.name == "gateway"]
    pids = (pid for gateway in gateways for pid in children(gateway) if _program(pid) == "prometheus")
    process = next((found for pid in pids if (found := Identity.of(pid))), None)
    ready = process is not None and is_ready(Ready(url=f"{record.prometheus}/-/ready"), Path())
    return Shown(name="prometheus", process=process, address=record.prometheus, ready=ready)


def children(pid: int) -> list[int]:
    """Return the process ids of the children of a process; none when it is gone."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += map(int, task.read_text().split())
        except OSError:
            continue
    return found


def _program(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def up_text(folder: StateFolder, record: Record, *, took_seconds: float) -> str:
    """Return what runs where, and how to use it."""
    return "\n".join([f"The sandbox is up ({took_seconds:.1f} s).", *_places(folder, record)])


def status_text(folder: StateFolder, record: Record, parts: list[Shown]) -> str:
    """Return the table of parts, and how to use them."""
    rows = [HEADER, *map(_row, parts)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([*lines, "", *_places(folder, record)])


def status_data(folder: StateFolder, record: Record, parts: list[Shown]) -> Mapping[str, Any]:
    """Return the same for scripts. Addresses are URLs; those of what does not run are null."""
    return {
        "state": str(folder.path),
        "kubeconfig": str(folder.kubeconfig),
        "logs": str(folder.path / "logs"),
        "controlPlane": record.control_plane,
        "server": record.server,
        "gateway": f"http://{record.ingress}" if record.ingress else None,
        "nameProxy": record.name_proxy or None,
        "prometheus": record.prometheus or None,
        "ready": all(part.ready for part in parts),
        "parts": [_part_data(part) for part in parts],
    }


def _part_data(part: Shown) -> Mapping[str, Any]:
    return {
        "name": part.name,
        "pid": part.process.pid if part.process else None,
        "address": part.address,
        "ready": part.ready,
        "restarts": part.restarts,
        "ageSeconds": round(part.process.age_seconds, 1) if part.process else None,
    }


def _row(part: Shown) -> tuple[str, ...]:
    process = part.process
    ready = "ended" if process is None else "yes" if part.ready else "no"
    pid, age = (str(process.pid), f"{process.age_seconds:.0f}s") if process else ("-", "-")
    restarts = "-" if part.restarts is None else str(part.restarts)
    return (part.name, pid, part.address or "-", ready, restarts, age)


def _places(folder: StateFolder, record: Record) -> Iterator[str]:
    around = (
        ("gateway", f"http://{record.ingress}  (Ingresses and Istio Gateways: curl -H 'Host: HOST' http://{record.ingress}/)"),
        ("names", f"{record.name_proxy}  (Services: curl -x {record.name_proxy} http://NAME.NAMESPACE/)"),
        ("Prometheus", f"{record.prometheus}  (open it in a browser)" if record.prometheus else NO_PROMETHEUS),
    )
    played = (("pods", "played: ready when they are said to be, and nothing answers (--played-pods)"),)
    bare = (("pods", "none: this is a control plane alone (--bare)"),)
    for name, text in (
        ("API server", record.server),
        *(around if record.ingress else played if any(part.name == "node" for part in record.parts) else bare),
        ("logs", str(folder.path / "logs")),
    ):
        yield f"  {name:<11} {text}"
    yield ""
    yield f"export KUBECONFIG={folder.kubeconfig}"
