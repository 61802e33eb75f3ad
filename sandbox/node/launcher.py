"""The process that starts and reaps the containers' programs: `python -m sandbox.node.launcher FD`.

Warm with what the demo programs import, it forks them in milliseconds; other programs are executed. When the agent at the
other end of the socket is gone, for whatever reason, everything here is killed. Owns processes. Must not: know pods.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import selectors
import signal
import socket
import sys
import traceback
from typing import Any

from sandbox.apps import web
from sandbox.node.outputs import Output

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


class Launcher:
    """Serves one agent until the socket closes."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._buffer = b""
        self._pids: dict[str, int] = {}
        self._names: dict[int, str] = {}
        self._outputs: dict[str, Output] = {}
        self._selector = selectors.DefaultSelector()
        self._wake, waker = os.pipe()
        for end in (self._wake, waker):
            os.set_blocking(end, False)
        for end in (self._wake, control.fileno()):
            self._selector.register(end, selectors.EVENT_READ)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)  # the agent decides when this process ends

    def run(self) -> None:
        """Serve; then kill what is left."""
        try:
            while self._serve():
                pass
        finally:
            for pid in self._pids.values():
                _kill_group(pid, signal.SIGKILL)

    def _serve(self) -> bool:
        ready = {key.fd: key.data for key, _ in self._selector.select()}
        for fd, name in ready.items():
            if name in self._outputs and not self._outputs[name].take():
                self._selector.unregister(fd)  # what is closed is always ready
        if self._wake in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self._wake, 4096)
            self._reap()
        if self._control.fileno() not in ready:
            return True
        data = self._control.recv(1 << 16)
        if not data:
            return False
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            self._obey(json.loads(line))
        return True

    def _obey(self, order: dict[str, Any]) -> None:
        name = str(order["name"])
        match order["order"]:
            case "start":
                self._start(name, order)
            case "signal":
                pid = self._pids.get(name)
                if pid is not None:
                    _kill_group(pid, int(order["number"]))

    def _start(self, name: str, order: dict[str, Any]) -> None:
        try:
            output, target = Output.opened(str(order["log"])) if order["log"] != os.devnull else (None, _nothing(os.O_WRONLY))
        except OSError as error:
            self._tell(event="failed", name=name, error=f"{order['log']}: {error.strerror}")
            return
        try:
            pid = os.fork()
        except OSError as error:
            os.close(target)
            if output is not None:
                output.close()
            self._tell(event="failed", name=name, error=str(error))
            return
        if pid == 0:
            self._become(order, target)
        os.close(target)
        if output is not None:
            self._outputs[name] = output
            self._selector.register(output.source, selectors.EVENT_READ, name)
        with contextlib.suppress(OSError):  # the child does it, too; whoever comes first
            os.setpgid(pid, pid)
        self._pids[name], self._names[pid] = pid, name
        self._tell(event="started", name=name, pid=pid)

    def _become(self, order: dict[str, Any], target: int) -> None:
        """In the child: be the program, with its output at `target`. Never returns."""
        code = 127
        try:
            _prepare(order, target)
            self._selector.close()
            for output in self._outputs.values():
                os.close(output.source)
            self._control.close()
            os.close(self._wake)
            if order["program"] == "web":
                os.environ.clear()
                os.environ.update(order["environment"])
                code = web.main(order["environment"])
            else:
                os.execvpe(order["argv"][0], order["argv"], order["environment"])
        except OSError as error:
            os.write(2, f"cannot start {order.get('argv')}: {error.strerror}\n".encode())
        except BaseException:
            os.write(2, traceback.format_exc().encode())
            code = 1
        finally:
            os._exit(code)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            name = self._names.pop(pid, None)
            if name is not None:
                del self._pids[name]
                _kill_group(pid, signal.SIGKILL)  # what the program left behind goes with it
                self._finish_output(name)
                self._tell(event="exited", name=name, code=os.waitstatus_to_exitcode(status))

    def _finish_output(self, name: str) -> None:
        """Keep the last words of a program before anybody hears of its end."""
        output = self._outputs.pop(name, None)
        if output is not None:
            with contextlib.suppress(KeyError):
                self._selector.unregister(output.source)
            output.close()

    def _tell(self, **event: Any) -> None:
        self._control.sendall(json.dumps(event).encode() + b"\n")


def _prepare(order: dict[str, Any], target: int) -> None:
    """Detach the child from the launcher: own group, own output, default signals, and death with its parent."""
    os.setpgid(0, 0)
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    for descriptor, source in ((0, _nothing(os.O_RDONLY)), (1, target), (2, target)):
        os.dup2(source, descriptor)
    os.chdir(order["directory"])


def _nothing(mode: int) -> int:
    return os.open(os.devnull, mode)


def _kill_group(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def main() -> None:
    """Serve the agent on the inherited socket whose number is the only argument."""
    control = socket.socket(fileno=int(sys.argv[1]))
    gc.collect()
    gc.freeze()  # forked programs share these pages as long as nobody writes to them
    Launcher(control).run()


if __name__ == "__main__":
    main()
