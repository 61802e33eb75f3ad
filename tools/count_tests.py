"""Add up JUnit reports and print the closing line of a run: `N passed, N failed, N skipped`.

Owns what counts when a test ran more than once: within a report its worst end, of several reports (a tier's, then that of the tests
which were run again) the last.
"""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

ENDS = ("passed", "skipped", "failed")
"""From the best to the worst."""
AGAIN = ".again"
"""What the name of a report of tests that were run again ends with, before the suffix."""


def main(paths: list[str]) -> int:
    """Print the totals of the reports; return 1 when anything failed."""
    totals, mended = Counter[str](), []
    reports = [Path(path) for path in paths]
    for report in [one for one in reports if not one.stem.endswith(AGAIN)]:
        ends = read(report)
        again = report.with_name(f"{report.stem}{AGAIN}{report.suffix}")
        if again in reports:
            second = read(again)
            mended += [test for test, end in second.items() if (ends.get(test), end) == ("failed", "passed")]
            ends |= second
        totals.update(ends.values())
    if mended:
        print(f"failed beside others, and passed by themselves: {', '.join(sorted(mended))}")
    print(", ".join(f"{totals[end]} {end}" for end in ("passed", "failed", "skipped")))
    return 1 if totals["failed"] else 0


def read(report: Path) -> dict[str, str]:
    """Return how each test of a report ended."""
    ends: dict[str, str] = {}
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        name = f"{case.get('classname')}::{case.get('name')}"
        found = {child.tag for child in case}
        end = "failed" if found & {"failure", "error"} else "skipped" if "skipped" in found else "passed"
        ends[name] = max(ends.get(name, end), end, key=ENDS.index)
    return ends


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
