"""What of a log is shown: since when, how many lines, with or without times; and that no byte of it is lost or made up."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.node.log_lines import BadQuery, LineReader, Wanted
from sandbox.node.outputs import LONGEST_LINE, Output, stamped

NOW = datetime(2026, 8, 1, 12, 0, 10, tzinfo=UTC)
LOG = b"".join(b"2026-08-01T12:00:%02d.000000000Z F line %d\n" % (second, second) for second in range(5))


def shown(query: dict[str, str], log: bytes = LOG) -> bytes:
    return LineReader(Wanted.of(query, NOW)).first(log)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param({"tailLines": "2"}, b"line 3\nline 4\n", id="the last lines"),
        pytest.param({"tailLines": "0"}, b"", id="no line"),
        pytest.param({"tailLines": "99"}, b"line 0\nline 1\nline 2\nline 3\nline 4\n", id="more lines than there are"),
        pytest.param({"sinceSeconds": "7"}, b"line 3\nline 4\n", id="the last seven seconds"),
        pytest.param({"sinceTime": "2026-08-01T12:00:04Z"}, b"line 4\n", id="since a moment, itself included"),
        pytest.param({"sinceTime": "2026-08-01T14:00:04+02:00"}, b"line 4\n", id="a moment of another time zone"),
        pytest.param({"sinceTime": "2026-08-01T12:00:03Z", "tailLines": "9"}, b"line 3\nline 4\n", id="the last lines since then"),
        pytest.param({"tailLines": "1", "timestamps": "true"}, b"2026-08-01T12:00:04.000000000Z line 4\n", id="with times"),
        pytest.param({"limitBytes": "9"}, b"line 0\nli", id="a limit in the middle of a line"),
    ],
)
def test_a_log_is_cut_as_asked(query: dict[str, str], expected: bytes) -> None:
    assert shown(query) == expected


@pytest.mark.parametrize(
    ("query", "says"),
    [
        pytest.param({"tailLines": "-1"}, "tailLines must be whole numbers", id="a negative number"),
        pytest.param({"sinceTime": "yesterday"}, "write it like 2026-08-01T12:00:00Z", id="no time"),
        pytest.param({"sinceTime": "2026-08-01T12:00:00Z", "sinceSeconds": "1"}, "at most one of", id="both"),
    ],
)
def test_what_cannot_be_read_is_refused_with_what_to_write(query: dict[str, str], says: str) -> None:
    with pytest.raises(BadQuery, match=says):
        shown(query)


@given(st.lists(st.binary(max_size=40)), st.integers(0, 3000))
def test_whatever_is_written_is_read_again_byte_by_byte_however_it_comes(chunks: list[bytes], cut: int) -> None:
    log, pending = b"", b""
    for chunk in chunks:
        written, pending = stamped(pending, chunk, "T" * 30)
        log += written
    log += b"%b P %b\n" % (b"T" * 30, pending) if pending else b""
    reader = LineReader(Wanted())
    assert reader.first(log) == b"".join(chunks)
    follower = LineReader(Wanted())
    assert follower.more(log[:cut]) + follower.more(log[cut:]) == b"".join(chunks)


def test_a_very_long_line_has_one_time_and_is_one_line() -> None:
    log, pending = stamped(b"", b"x" * LONGEST_LINE, "2026-08-01T12:00:00.000000000Z")
    more, _ = stamped(pending, b"end\nnext\n", "2026-08-01T12:00:01.000000000Z")
    assert shown({"tailLines": "2"}, log + more) == b"x" * LONGEST_LINE + b"end\nnext\n"
    assert shown({"timestamps": "true"}, log + more).count(b"2026-08-01") == 2


def test_the_last_words_of_a_program_are_kept_without_an_end_of_line(tmp_path: Path) -> None:
    output, target = Output.opened(str(tmp_path / "0.log"))
    os.write(target, b"one\ntwo")
    os.close(target)
    output.close()
    assert shown({}, (tmp_path / "0.log").read_bytes()) == b"one\ntwo"
