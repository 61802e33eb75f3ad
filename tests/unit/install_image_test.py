"""The image: what it is made of is in the repository, and it runs as the manifests say."""

from __future__ import annotations

import json
import re
import tomllib
from importlib.util import find_spec
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
LINES = (ROOT / "Dockerfile").read_text().replace("\\\n", " ").splitlines()


def instructions(name: str) -> list[str]:
    """Return what follows an instruction, each time it is there."""
    return [line.partition(" ")[2].strip() for line in LINES if line.startswith(f"{name} ")]


def pod() -> dict[str, object]:
    found = yaml.safe_load((ROOT / "config/manager/deployment.yaml").read_text())["spec"]["template"]["spec"]
    assert isinstance(found, dict)
    return found


def test_every_package_is_copied_and_nothing_that_is_not_there() -> None:
    include = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"]["include"]
    copied = {name for line in instructions("COPY") if not line.startswith("--") for name in line.split()[:-1]}
    assert {name.rstrip("*") for name in include} <= copied
    assert [name for name in copied if not (ROOT / name).exists()] == []
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert copied == kept


def test_links_between_packages_lead_to_what_is_copied() -> None:
    copied = {name for line in instructions("COPY") if not line.startswith("--") for name in line.split()[:-1]}
    links = [path for name in copied for path in (ROOT / name).rglob("*") if path.is_symlink()]
    assert links
    assert all(path.resolve().relative_to(ROOT).parts[0] in copied for path in links)


def test_it_runs_as_the_user_of_the_deployment() -> None:
    [user] = instructions("USER")
    security = pod()["securityContext"]
    assert isinstance(security, dict)
    assert user == f"{security['runAsUser']}:{security['runAsGroup']}"


def test_it_starts_a_module_that_is_there() -> None:
    [entry] = instructions("ENTRYPOINT")
    *_, flag, module = json.loads(entry)
    assert flag == "-m"
    assert find_spec(module) is not None


def test_nothing_is_built_from_an_image_of_any_version() -> None:
    versions = dict(line.split("=") for line in instructions("ARG"))
    bases = [line.split()[0] for line in instructions("FROM")]
    assert bases[-1] == "scratch"
    assert all(re.fullmatch(r"docker\.io/library/python:\$\{PYTHON\}-slim-\$\{DEBIAN\}", base) for base in bases[:-1])
    assert re.fullmatch(r"3\.\d+", versions["PYTHON"])
    assert "latest" not in (ROOT / "Dockerfile").read_text()
