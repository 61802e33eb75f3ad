"""docs/upstream-complaints.md names tests as proof: each of them must be there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
TEXT = (TESTS.parent / "docs" / "upstream-complaints.md").read_text()
ROWS = [line for line in TEXT.partition("## Not yet")[0].splitlines() if line.startswith("|")]
CLAIMS = [row for row in ROWS if not row.startswith(("| complaint", "|---"))]


@pytest.mark.parametrize("row", [pytest.param(row, id=row.split("|")[1].strip()[:60]) for row in CLAIMS])
def test_every_claim_is_proven_by_a_test_that_is_there(row: str) -> None:
    proof = re.search(r"`([a-z0-9_/]+_test\.py)::(test_\w+)`", row)
    assert proof, "the row names no test"
    file, function = proof.groups()
    assert re.search(rf"^(async )?def {function}\(", (TESTS / file).read_text(), re.MULTILINE), f"{file} has no {function}"
