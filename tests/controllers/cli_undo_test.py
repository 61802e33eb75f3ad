"""`undo` while somebody else is at work on the same Rollout."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cli_commands_test import image_of, revision, rollouts, shop, stored

from kube.config import load
from kube.kinds import ROLLOUT, ObjectRef
from kube.objects import Object
from kube.quick import QuickClient
from rollouts.cli.session import Cluster, Session


@pytest.fixture
def meanwhile(config: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Patches that somebody else sends between the command's reading and its writing, one each time."""
    edits: list[Any] = []

    class Late(QuickClient):
        def patch(self, ref: ObjectRef, patch: Any, **options: Any) -> Object:
            if edits:
                super().patch(ref, edits.pop())
            return super().patch(ref, patch, **options)

    with Late(load(str(config))) as client:
        rollout = stored(client, shop())
        revision(client, rollout, 1, "web:1")
        revision(client, rollout, 2, "web:2")
        monkeypatch.setattr(Session, "open", lambda _: Cluster(client, "default"))
        yield edits


def test_an_edit_of_something_else_meanwhile_is_kept(meanwhile: list[Any], config: Path) -> None:
    meanwhile.append({"spec": {"replicas": 7}})
    assert rollouts("undo", "shop") == 0
    with QuickClient(load(str(config))) as client:
        assert client.get(ROLLOUT, "default", "shop")["spec"]["replicas"] == 7
        assert image_of(client) == "web:1"


def test_an_edit_of_the_template_meanwhile_is_not_overwritten(
    meanwhile: list[Any],
    config: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    meanwhile.append({"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "web:3"}]}}}})
    assert rollouts("undo", "shop") == 1
    assert "was changed meanwhile, so nothing is undone" in capsys.readouterr().err
    with QuickClient(load(str(config))) as client:
        assert image_of(client) == "web:3"
