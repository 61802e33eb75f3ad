"""The tests of a run that failed, in a file that pytest takes as an argument: `pytest @FILE`.

pytest's own `--last-failed` forgets a test whose process had to be ended and that passed in another one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest


@dataclass
class Failed:
    """A plugin that writes the ids of tests, one a line."""

    path: Path
    ids: dict[str, None] = field(default_factory=dict)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a test that failed, or whose process ended."""
        if report.failed:
            self.ids[report.nodeid] = None

    def pytest_sessionfinish(self) -> None:
        """Write them."""
        self.path.write_text("".join(f"{one}\n" for one in self.ids))
