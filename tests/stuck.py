"""A last resort for a test that hangs where its time-out does not reach it: in a teardown, say, after the time-out was used up."""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

CLEARING_UP = 120.0
"""Seconds that a test has left to clear up once its time-out has passed."""


@contextmanager
def ended_if_stuck(item: pytest.Item, stderr: int) -> Iterator[None]:
    """End the process of a test that goes on long after its time-out; say on `stderr` which one it was and where it stood."""

    def end() -> None:
        os.write(stderr, f"\n{item.nodeid} is stuck; its process is ended. Where it stood:\n".encode())
        faulthandler.dump_traceback(file=stderr)
        with open(stderr, "w", closefd=False) as shown:
            for task in [one for one in gc.get_objects() if isinstance(one, asyncio.Task) and not one.done()]:
                task.print_stack(file=shown)
        os._exit(1)

    timer = threading.Timer(allowed(item) + CLEARING_UP, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def allowed(item: pytest.Item) -> float:
    """Return the time-out of a test in seconds."""
    mark = item.get_closest_marker("timeout")
    return float(mark.args[0] if mark else item.config.getini("timeout"))
