"""The tests of a run that failed, in a file that pytest takes as an argument: `pytest @FILE`.

pytest's own `--last-failed` forgets a test whose process had to be ended and that passed in another one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest


@dataclass
class Failed:
    """A plugin that writes the ids of tests, one a line; none when the run broke off, and the ends of others are unknown."""

    path: Path
    most_crashes: float
    """After more processes than these have ended, the run breaks off."""
    ids: dict[str, None] = field(default_factory=dict)
    _crashes: int = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a test that failed, or whose process ended."""
        self._crashes += report.when not in ("setup", "call", "teardown")
        if report.failed:
            self.ids[report.nodeid] = None

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """Write them."""
        whole = exitstatus == pytest.ExitCode.TESTS_FAILED and self._crashes <= self.most_crashes
        self.path.write_text("".join(f"{one}\n" for one in self.ids) if whole else "")
