"""Processes by identity: a process id together with when it was started, so that nobody is taken for somebody else.

Owns looking at and signalling processes that a sandbox started earlier. Must not: start any.
"""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PR_SET_PDEATHSIG = 1
POLL_SECONDS = 0.01
START_TIME_FIELD = 19
"""Position of the start time in /proc/PID/stat, counted behind the name in parentheses."""


@dataclass(frozen=True, slots=True)
class Identity:
    """One process; `started` is in clock ticks since the machine came up."""

    pid: int
    started: int

    @classmethod
    def of(cls, pid: int) -> Identity | None:
        """Return who has this process id now; None when nobody has, or a zombie."""
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return None
        return None if fields[0] in "ZX" else cls(pid, int(fields[START_TIME_FIELD]))

    @property
    def alive(self) -> bool:
        """Whether this very process still runs."""
        return Identity.of(self.pid) == self

    @property
    def age_seconds(self) -> float:
        """How long ago it was started."""
        return time.clock_gettime(time.CLOCK_BOOTTIME) - self.started / os.sysconf("SC_CLK_TCK")

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if it still runs."""
        if self.alive:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)


def die_with_parent() -> None:
    """Ask the kernel to end this (child) process when the thread that made it is gone, however that came about."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def end(processes: Iterable[Identity], *, grace_seconds: float) -> None:
    """Ask processes to end, wait for that, and kill those that did not within the grace."""
    known = list(processes)
    for number in (signal.SIGTERM, signal.SIGKILL):
        for one in known:
            one.send(number)
        if _gone(known, grace_seconds):
            return


def _gone(processes: list[Identity], timeout_seconds: float) -> bool:
    deadline = time.monotonic() + timeout_seconds
    while any(one.alive for one in processes):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True
