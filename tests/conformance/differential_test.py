"""Each recorded case is sent to the embedded API server and to a real one: they answer the same."""

from __future__ import annotations

import pytest
from differential_cases import AREAS
from differential_known import KNOWN
from differential_normal import Compare
from differential_requests import Case

pytest_plugins = ["differential_fixture"]

CASES = [pytest.param(case, id=f"{area}: {case.title}") for area, cases in AREAS.items() for case in cases]


@pytest.mark.parametrize("case", CASES)
def test_both_servers_answer_the_same(compare: Compare, case: Case) -> None:
    found = compare(case)

    if case.title in KNOWN:
        assert found, f"this case no longer differs: take it out of the known differences ({KNOWN[case.title]})"
    else:
        assert not found, f"the servers differ:\n{found}"
