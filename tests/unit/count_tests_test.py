"""The closing line of a run counts each test once, by how it ended last."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.count_tests import main

FAILURE, ERROR, SKIPPED = "<failure/>", "<error/>", "<skipped/>"


def report(folder: Path, name: str, *cases: tuple[str, str]) -> str:
    """Write a JUnit report of tests and what is said of each; return its path."""
    rows = "".join(f'<testcase classname="t" name="{test}">{ends}</testcase>' for test, ends in cases)
    path = folder / f"{name}.xml"
    path.write_text(f"<testsuites><testsuite>{rows}</testsuite></testsuites>")
    return str(path)


def test_all_reports_are_added_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fast = report(tmp_path, "fast", ("a", ""), ("b", SKIPPED))
    slow = report(tmp_path, "slow", ("c", ""))
    assert main([fast, slow]) == 0
    assert capsys.readouterr().out == "2 passed, 0 failed, 1 skipped\n"


@pytest.mark.parametrize("ends", [FAILURE, ERROR, FAILURE + ERROR])
def test_a_test_that_failed_fails_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str], ends: str) -> None:
    assert main([report(tmp_path, "fast", ("a", ends), ("b", ""))]) == 1
    assert capsys.readouterr().out == "1 passed, 1 failed, 0 skipped\n"


def test_one_whose_process_ended_has_failed_though_another_process_ran_it_again(tmp_path: Path) -> None:
    assert main([report(tmp_path, "fast", ("a", FAILURE), ("a", ""))]) == 1


def test_what_passed_by_itself_later_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fast = report(tmp_path, "fast", ("a", FAILURE), ("b", ""))
    again = report(tmp_path, "fast.again", ("a", ""), ("b", ""))
    assert main([again, fast]) == 0
    assert capsys.readouterr().out == "failed beside others, and passed by themselves: t::a\n2 passed, 0 failed, 0 skipped\n"


def test_what_failed_twice_has_failed(tmp_path: Path) -> None:
    assert main([report(tmp_path, "fast", ("a", FAILURE)), report(tmp_path, "fast.again", ("a", FAILURE))]) == 1
