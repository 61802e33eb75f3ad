"""docs/sandbox.md tells what is compared, and what is known to differ: as the cases are, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from differential_cases import AREAS
from differential_known import DIFFERENCES, KNOWN, Difference

PAGE = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text()
SECTION = PAGE.partition("## What is compared with a real API server")[2].partition("\n## ")[0]


def test_the_page_lists_every_area_with_its_number_of_cases() -> None:
    rows = re.findall(r"^\| ([a-z ]+) \| (\d+) \| (\d+) \|", SECTION, re.MULTILINE)

    assert rows == [(area, str(len(cases)), str(sum(case.title in KNOWN for case in cases))) for area, cases in AREAS.items()]


@pytest.mark.parametrize("found", DIFFERENCES, ids=lambda found: found.area)
def test_the_page_gives_the_reason_of_every_known_difference(found: Difference) -> None:
    assert f"- **{found.area}**: {found.reason}. Cases: {'; '.join(found.titles)}." in SECTION


def test_every_known_difference_is_of_a_case_and_titles_are_unique() -> None:
    titles = [case.title for cases in AREAS.values() for case in cases]

    assert set(KNOWN) <= set(titles)
    assert len(titles) == len(set(titles))
