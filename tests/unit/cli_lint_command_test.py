"""`lint` as people call it: files, folders and standard input; what is said where, and how it ends."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from rollouts.cli.files import LARGEST_BYTES
from rollouts.cli.main import run

GOOD = """\
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: shop}
spec:
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec: {containers: [{name: web, image: "web:1"}]}
  strategy:
    canary:
      steps:
      - setWeight: 20
"""
BAD = GOOD.replace("setWeight", "setWieght")
ROUTED = GOOD.replace(
    "      steps:",
    "      stableService: a\n      canaryService: b\n      trafficRouting: {nginx: {stableIngress: web}}\n      steps:",
)
INGRESS = """\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec: {rules: [{http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: other, port: {number: 80}}}}]}}]}
"""


def lint(*paths: object) -> int:
    """Run the command on files."""
    return run(["lint", *(word for path in paths for word in ("-f", str(path)))], prog="rollouts")


def written(folder: Path, **files: str) -> Path:
    """Write `name=text` as `name.yaml`, with `__` for a folder."""
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_a_good_file_prints_nothing_on_standard_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(tmp_path, shop=f"{GOOD}---\n{INGRESS}")
    assert lint(tmp_path / "shop.yaml") == 0
    assert capsys.readouterr() == ("", "2 checked, none with problems\n")


def test_each_problem_has_file_and_line_and_the_last_line_counts_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(tmp_path, good=GOOD, bad=f"{GOOD}---\n{BAD}", broken="a: [")
    assert lint(*(tmp_path / f"{name}.yaml" for name in ("good", "bad", "broken"))) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        f'Error: {tmp_path}/bad.yaml:25: Rollout "shop": unknown field "spec.strategy.canary.steps[0].setWieght"; '
        "did you mean setWeight?",
        f"{tmp_path}/broken.yaml:2:1: is no YAML: did not find expected node content while parsing a flow node",
        "3 checked, 1 with problems; 1 file could not be read",
    ]


def test_a_folder_is_searched_to_the_bottom(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(tmp_path, good=GOOD, deep__er__bad=BAD, **{".git__bad": BAD})
    (tmp_path / "note.txt").write_text("a: [")
    (tmp_path / "also.json").write_text('{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}')
    assert lint(tmp_path) == 1
    err = capsys.readouterr().err
    assert f"{tmp_path}/deep/er/bad.yaml:12:" in err
    assert err.endswith("\n3 checked, 1 with problems\n")


def test_files_of_one_folder_are_checked_together_and_others_by_themselves(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(tmp_path, dev__ingress=INGRESS, prod__ingress=INGRESS.replace("other", "a"), dev__shop=ROUTED, prod__shop=ROUTED)
    assert lint(tmp_path / "dev" / "shop.yaml", tmp_path / "dev" / "ingress.yaml") == 0, "each file by itself"
    assert lint(tmp_path) == 1
    err = capsys.readouterr().err
    assert f"{tmp_path}/dev/shop.yaml:" in err
    assert "no rules using service a" in err
    assert f"{tmp_path}/prod/" not in err


def test_what_is_no_object_is_left_out_of_a_folder_but_not_of_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(tmp_path, values="image: web:1", shop=GOOD)
    assert lint(tmp_path) == 0
    assert capsys.readouterr().err.splitlines() == [
        f"Note: {tmp_path}/values.yaml:1: no Kubernetes object, left out",
        "1 checked, none with problems",
    ]
    assert lint(tmp_path / "values.yaml") == 1


def test_standard_input_is_checked_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(BAD))
    assert lint("-") == 1
    assert "standard input:12: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "said"),
    [
        pytest.param("nowhere.yaml", "cannot be read: No such file", id="no file"),
        pytest.param("binary.yaml", "cannot be read: it is no UTF-8 text", id="no text"),
        pytest.param("empty", "holds no .yaml, .yml, .json file", id="a folder without manifests"),
    ],
)
def test_what_cannot_be_read_fails(tmp_path: Path, name: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    assert lint(tmp_path / name) == 1
    err = capsys.readouterr().err
    assert said in err
    assert "\n0 checked, none with problems" in err


def test_what_is_far_too_large_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("a" * (LARGEST_BYTES + 1)))
    assert lint("-") == 1
    assert "standard input is larger than 16 MiB" in capsys.readouterr().err


def test_a_note_is_no_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(tmp_path, shop=GOOD.replace("      steps:", "      maxSurge: 0\n      maxUnavailable: 0\n      steps:"))
    assert lint(tmp_path / "shop.yaml") == 0
    note, closing = capsys.readouterr().err.splitlines()
    assert note.startswith(f'Note: {tmp_path}/shop.yaml:12: Rollout "shop": spec.strategy.canary.maxUnavailable: ')
    assert closing == "1 checked, none with problems"
