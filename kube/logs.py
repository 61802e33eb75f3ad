"""Log lines that say which object and which reconcile they are about, as text or as JSON.

Owns the set-up of logging. Must not: log bodies, headers or credentials; nobody hands them to it.
"""

from __future__ import annotations

import json
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TextIO

from kube.errors import InvalidConfig

subject: ContextVar[str] = ContextVar("subject", default="")
"""The object that the current task works on, as `Rollout shop/web`."""
reconcile_id: ContextVar[str] = ContextVar("reconcile_id", default="")
"""Which round of work; the same on all lines of one reconcile."""
trace_id: ContextVar[str] = ContextVar("trace_id", default="")
"""By which number that round is found in the traces; empty when there are none."""

LEVELS = ("debug", "info", "warning", "warn", "error")


class Context(logging.Filter):
    """Adds the object, the reconcile and its trace to each record."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Note them; every record passes."""
        record.subject = subject.get()
        record.reconcile_id = reconcile_id.get()
        record.trace_id = trace_id.get()
        return True


class TextFormat(logging.Formatter):
    """`12:00:01.250 INFO kube.executor Rollout shop/web [4f] text`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line, followed by the trace of an exception."""
        moment = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        about = getattr(record, "subject", "")
        numbers = " ".join(filter(None, (getattr(record, "reconcile_id", ""), getattr(record, "trace_id", ""))))
        parts = [moment, record.levelname, record.name, about, f"[{numbers}]" if numbers else "", record.getMessage()]
        line = " ".join(part for part in parts if part)
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonFormat(logging.Formatter):
    """One JSON object per line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line."""
        fields = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "msg": record.getMessage(),
            "object": getattr(record, "subject", ""),
            "reconcile": getattr(record, "reconcile_id", ""),
            "trace_id": getattr(record, "trace_id", ""),
            "error": self.formatException(record.exc_info) if record.exc_info else "",
        }
        return json.dumps({name: value for name, value in fields.items() if value}, ensure_ascii=False)


def set_up(*, level: str = "info", style: str = "text", stream: TextIO | None = None) -> None:
    """Send the log of the whole process to a stream, standard error when none is given.

    Raises:
        InvalidConfig: the level or the style is none that there is.
    """
    if level.lower() not in LEVELS:
        raise InvalidConfig(f"there is no log level {level!r}; choose one of {', '.join(LEVELS)}")
    if style not in ("text", "json"):
        raise InvalidConfig(f"there is no log format {style!r}; choose text or json")
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormat() if style == "json" else TextFormat())
    handler.addFilter(Context())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel({"warn": "WARNING"}.get(level.lower(), level.upper()))
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
