"""Starting parts as copies of this process, once it has read in what they share: that takes longer than all else of a start.

Owns the fork and the handle on it. Must not: be used once there are threads or an event loop, or for a part that is started again.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from sandbox.cluster.processes import die_with_parent

SHARED = ("sandbox.apiserver.__main__", "sandbox.node.__main__", "sandbox.gateway.__main__")


def preload(environment: Mapping[str, str]) -> None:
    """Import what the parts need, with variables that libraries look at when they are imported."""
    before = {name: os.environ.get(name) for name in environment}
    os.environ.update(environment)
    for module in SHARED:
        import_module(module)
    for name, value in before.items():
        if value is None:
            del os.environ[name]
        else:
            os.environ[name] = value


class Forked:
    """A running copy, with what the supervisor needs of `asyncio.subprocess.Process`."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._pidfd = os.pidfd_open(pid)
        self._code: int | None = None
        self._ended: asyncio.Event | None = None

    @property
    def returncode(self) -> int | None:
        """The exit code, below zero for a signal; None while it runs."""
        if self._code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._code = os.waitstatus_to_exitcode(status)
                if self._ended is not None:
                    asyncio.get_running_loop().remove_reader(self._pidfd)
                    self._ended.set()
                os.close(self._pidfd)
        return self._code

    async def wait(self) -> int:
        """Return the exit code once it has ended."""
        if self.returncode is None and self._ended is None:
            self._ended = asyncio.Event()
            asyncio.get_running_loop().add_reader(self._pidfd, lambda: self.returncode)
        if self._ended is not None:
            await self._ended.wait()
        assert self._code is not None, "it has ended"
        return self._code

    def terminate(self) -> None:
        """Ask it to end."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        if self.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)


def fork(command: Sequence[str], *, log: Path, environment: Mapping[str, str], keep: Sequence[int]) -> Forked:
    """Run `PYTHON -m MODULE ARGUMENTS` in a copy of this process: own session, output to `log`, no descriptor but `keep`."""
    pid = os.fork()
    if pid == 0:
        _become(command, log=log, environment=environment, keep=keep)
    return Forked(pid)


def _become(command: Sequence[str], *, log: Path, environment: Mapping[str, str], keep: Sequence[int]) -> None:
    """In the copy: be the part. Never returns, so that nothing of the original is closed or cleaned up here."""
    code = 1
    try:
        os.setsid()
        die_with_parent()
        nothing = os.open(os.devnull, os.O_RDONLY)
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        for target, source in ((0, nothing), (1, output), (2, output)):
            os.dup2(source, target)
        _close_others({0, 1, 2, *keep})
        Path("/proc/self/comm").write_text(command[2])  # what `ps` and `top` call it: the command line is the original's
        os.environ.update(environment)
        sys.argv = [command[2], *command[3:]]
        code = import_module(f"{command[2]}.__main__").main() or 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _close_others(kept: set[int]) -> None:
    for name in os.listdir("/proc/self/fd"):
        if int(name) not in kept:
            with suppress(OSError):  # the one by which the list was read is gone already
                os.close(int(name))
