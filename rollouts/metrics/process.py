"""The process itself: time, memory, files, how late its event loop is, and which version it is (spec/rollout.md 5.1)."""

from __future__ import annotations

import os
import platform
import resource
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from kube.health import Pulse
from kube.metrics import Family, counter, gauge, gauges

STAT_FIELDS_BEFORE_START = 19
"""Fields of /proc/self/stat between the name and the start time."""


def families(pulse: Pulse) -> Iterable[Family]:
    """Return what there is to tell; what only Linux tells is left out elsewhere."""
    labels = {"version": _version(), "pythonversion": platform.python_version(), "platform": platform.machine()}
    yield gauges("argo_rollouts_controller_info", "Which controller this is.", [(labels, 1)])
    used = resource.getrusage(resource.RUSAGE_SELF)
    yield counter("process_cpu_seconds_total", "Processor time, in seconds.", used.ru_utime + used.ru_stime)
    yield gauge(
        "rollouts_event_loop_late_seconds", "The longest delay of the event loop within the last minute.", pulse.worst_seconds()
    )
    yield from _linux()


def _linux(proc: Path = Path("/proc/self")) -> Iterable[Family]:
    try:
        pages = int((proc / "statm").read_text().split()[1])
        started = int((proc / "stat").read_text().rpartition(")")[2].split()[STAT_FIELDS_BEFORE_START])
        files = len(os.listdir(proc / "fd"))
        boot = next(line for line in (proc.parent / "stat").read_text().splitlines() if line.startswith("btime "))
    except OSError:
        return
    since = int(boot.split()[1]) + started / os.sysconf("SC_CLK_TCK")
    yield gauge("process_resident_memory_bytes", "Memory in use.", pages * resource.getpagesize())
    yield gauge("process_start_time_seconds", "When the process was started, as a Unix time.", since)
    yield gauge("process_open_fds", "Open files and connections.", files)


def _version() -> str:
    try:
        return version("rollouts")
    except PackageNotFoundError:
        return "unknown"
