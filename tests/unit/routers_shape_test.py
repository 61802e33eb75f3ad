"""What other people wrote is read as far as it can be, and counts as absent where it cannot."""

from __future__ import annotations

from typing import Any

import pytest

from routers.shape import controllers, owners_in

US: dict[str, Any] = {"kind": "Rollout", "uid": "us", "controller": True}


@pytest.mark.parametrize(
    ("references", "uids"),
    [
        pytest.param([US], ["us"], id="ours"),
        pytest.param([{"uid": "friend"}, US], ["us"], id="one that owns beside us"),
        pytest.param([US, {**US, "uid": "them"}], ["us", "them"], id="two that say so, as a manifest may"),
        pytest.param([{**US, "controller": False}], [], id="an owner that does not control"),
        pytest.param([{**US, "uid": 7}], [""], id="a uid that is none, which is not ours"),
        pytest.param(None, [], id="nobody"),
        pytest.param("Rollout", [], id="owners that are no list"),
        pytest.param(["Rollout", None, US], ["us"], id="elements that are no owners"),
    ],
)
def test_who_controls_an_object_is_read_whatever_shape_it_has(references: Any, uids: list[str]) -> None:
    assert controllers({"metadata": {"ownerReferences": references}}) == uids


@pytest.mark.parametrize("obj", [None, [], {}, {"metadata": None}, {"metadata": "name"}])
def test_an_object_without_metadata_has_no_owners(obj: Any) -> None:
    assert owners_in(obj) == []
    assert controllers(obj) == []
