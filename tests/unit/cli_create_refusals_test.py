"""What `create -f` refuses before it asks a cluster, in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollouts.cli.main import run

HEAD = "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(HEAD.replace("Rollout", "Rolout"), "did you mean Rollout?", id="a kind misspelt"),
        pytest.param(HEAD.replace("v1alpha1", "v1"), "did you mean Rollout of argoproj.io/v1alpha1?", id="another version"),
        pytest.param("apiVersion: v1\nkind: Pod", "creates of v1/Pod unsupported; use kubectl create\n", id="another kind"),
        pytest.param("[x]", "creates of documents that are no objects unsupported", id="no object"),
        pytest.param(f"{HEAD}metadata: [x]", "a Rollout needs metadata with a name", id="a list for metadata"),
        pytest.param(HEAD, "a Rollout needs metadata with a name", id="no metadata"),
        pytest.param(f"{HEAD}kind: Rollout", 'shop.yaml:3: key "kind" is there twice, first in line 2', id="a key twice"),
        pytest.param("a: [", "shop.yaml:2:1: is no YAML", id="no YAML"),
    ],
)
def test_what_cannot_be_created_is_one_line(tmp_path: Path, text: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "shop.yaml").write_text(text + "\n")
    assert run(["-s", "http://127.0.0.1:9", "create", "-f", str(tmp_path / "shop.yaml")], prog="rollouts") == 1
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1
