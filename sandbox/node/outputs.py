"""What programs write, kept with the time of each line: the pipes the launcher reads, and the files it fills.

Owns the form of a log file: `TIME F text` is a line, `TIME P text` a piece of one that goes on (or never ended), with TIME in UTC
to the nanosecond, always as long. Must not: know programs, or serve logs.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

CHUNK = 1 << 16
LONGEST_LINE = 1 << 14
"""Bytes after which a line is written in pieces, as container runtimes do."""
NANOSECONDS = 1_000_000_000


def stamp(nanoseconds: int) -> str:
    """Write a moment, in nanoseconds since 1970, so that the order of texts is the order of times.

    >>> stamp(1_500_000_000)
    '1970-01-01T00:00:01.500000000Z'
    """
    seconds, rest = divmod(nanoseconds, NANOSECONDS)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"


def stamped(pending: bytes, data: bytes, moment: str) -> tuple[bytes, bytes]:
    r"""Return what goes to the file, and what waits for the rest of its line.

    >>> stamped(b"ha", b"lf\nmore", "T")
    (b'T F half\n', b'more')
    """
    *lines, rest = (pending + data).split(b"\n")
    head = moment.encode()
    written = [b"%b F %b\n" % (head, line) for line in lines]
    if len(rest) >= LONGEST_LINE:
        written.append(b"%b P %b\n" % (head, rest))
        rest = b""
    return b"".join(written), rest


@dataclass(slots=True)
class Output:
    """The output of one program."""

    source: int
    """Where it is read, without blocking."""
    _file: int
    _pending: bytes = field(default=b"", repr=False)

    @classmethod
    def opened(cls, path: str) -> tuple[Output, int]:
        """Return the output that goes to a file, and the descriptor that the program is to write to.

        Raises:
            OSError: there is no descriptor left, or the file cannot be written.
        """
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            source, target = os.pipe()
        except OSError:
            os.close(file)
            raise
        os.set_blocking(source, False)
        return cls(source, file), target

    def take(self) -> bool:
        """Keep what is there now; False when nothing will come any more."""
        return self._read() != b""

    def close(self) -> None:
        """Keep the rest, a line without an end included, and let go."""
        while self._read():
            pass
        if self._pending:
            self._write(b"%b P %b\n" % (stamp(time.time_ns()).encode(), self._pending))
        os.close(self.source)
        os.close(self._file)

    def _read(self) -> bytes | None:
        """Return and keep what was written; None when nothing was, empty when nobody is left to write."""
        try:
            data = os.read(self.source, CHUNK)
        except BlockingIOError:
            return None
        written, self._pending = stamped(self._pending, data, stamp(time.time_ns()))
        self._write(written)
        return data

    def _write(self, data: bytes) -> None:
        with suppress(OSError):  # a full disk costs lines of a log, not the programs of the whole node
            while data:
                data = data[os.write(self._file, data) :]
