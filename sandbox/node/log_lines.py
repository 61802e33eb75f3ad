"""From a log file to what a client asked for: lines since a time, the last ones, with or without their times.

Pure. Owns the reading of the form that outputs.py writes. Must not: open files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from kube.objects import parse_time
from sandbox.node.outputs import NANOSECONDS, stamp

_WHOLE = ("tailLines", "limitBytes", "sinceSeconds")


class BadQuery(ValueError):
    """A log was asked for in a way that cannot be served; the text goes to the client."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What of a log is asked for."""

    since: str = ""
    """The earliest time, as it stands in the file; empty for all."""
    tail: int | None = None
    """How many of the last lines; those before `since` are not sent."""
    limit: int | None = None
    """How many bytes at most."""
    times: bool = False
    """Whether each line begins with its time."""

    @classmethod
    def of(cls, query: Mapping[str, str], now: datetime) -> Wanted:
        """Read the parameters of a request.

        Raises:
            BadQuery: one of them cannot be read.
        """
        numbers = {name: query[name] for name in _WHOLE if query.get(name)}
        wrong = [name for name, text in numbers.items() if not text.isdecimal()]
        if wrong:
            raise BadQuery(f"{' and '.join(wrong)} must be whole numbers")
        if query.get("sinceTime") and "sinceSeconds" in numbers:
            raise BadQuery("at most one of sinceTime or sinceSeconds may be specified")
        since = ""
        if "sinceSeconds" in numbers:
            since = _stamp(now.timestamp() - int(numbers["sinceSeconds"]))
        elif query.get("sinceTime"):
            since = _stamp(_moment(query["sinceTime"]).timestamp())
        tail, limit = (int(numbers[name]) if name in numbers else None for name in ("tailLines", "limitBytes"))
        return cls(since=since, tail=tail, limit=limit, times=query.get("timestamps") in ("true", "1"))


def _moment(text: str) -> datetime:
    try:
        found = parse_time(text)
    except ValueError:
        found = None
    if found is None:
        raise BadQuery(f"sinceTime {text!r} is no time; write it like 2026-08-01T12:00:00Z")
    return found


def _stamp(seconds: float) -> str:
    return stamp(max(0, int(seconds * NANOSECONDS)))


class LineReader:
    """Turns the bytes of a file, as they come, into the output that is wanted. One reader reads one file from its beginning."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._rest = b""
        self._inside = False
        """Whether the last piece left its line open."""

    def first(self, data: bytes) -> bytes:
        """Return what is there already: the last lines only if so wanted, and not more than the limit."""
        lines = _joined(self._pieces(data))
        if self._wanted.tail is not None:
            lines = lines[-self._wanted.tail :] if self._wanted.tail else []
        text = b"".join(self._shown(moment, line, opens=True) for moment, line in lines)
        return text if self._wanted.limit is None else text[: self._wanted.limit]

    def more(self, data: bytes) -> bytes:
        """Return what was added since."""
        found = []
        for moment, text in self._pieces(data):
            found.append(self._shown(moment, text, opens=not self._inside))
            self._inside = not text.endswith(b"\n")
        return b"".join(found)

    def _pieces(self, data: bytes) -> Iterator[tuple[bytes, bytes]]:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            moment, _, tagged = line.partition(b" ")
            tag, _, text = tagged.partition(b" ")
            yield moment, text if tag == b"P" else text + b"\n"

    def _shown(self, moment: bytes, text: bytes, *, opens: bool) -> bytes:
        if moment < self._wanted.since.encode():
            return b""
        return moment + b" " + text if self._wanted.times and opens else text


def _joined(pieces: Iterator[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Put the pieces of a line together, under the time of the first."""
    lines: list[tuple[bytes, bytes]] = []
    for moment, text in pieces:
        if lines and not lines[-1][1].endswith(b"\n"):
            lines[-1] = (lines[-1][0], lines[-1][1] + text)
        else:
            lines.append((moment, text))
    return lines
