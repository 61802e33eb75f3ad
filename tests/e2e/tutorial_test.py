"""The tutorial and the page about the sandbox work as printed: the commands do, in order, what is shown of their output."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(sh|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
END = "--- end of block"


@dataclass(frozen=True)
class Step:
    """Commands, and the lines that the page shows of their output."""

    commands: str
    shown: tuple[str, ...] = ()


def steps(text: str) -> list[Step]:
    found: list[Step] = []
    for language, body in BLOCK.findall(text):
        if language == "sh":
            found.append(Step(body))
        else:
            found[-1] = Step(found[-1].commands, tuple(body.splitlines()))
    return found


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    found = {**os.environ, "PATH": path, "XDG_STATE_HOME": str(tmp_path / "home"), "KUBECACHEDIR": str(tmp_path / "cache")}
    yield found
    subprocess.run(["rollouts", "sandbox", "down"], env=found, check=True, capture_output=True)


def plain(text: str) -> str:
    return re.sub(r"[ \t]+", " ", text)


@pytest.mark.slow
@pytest.mark.usefixtures("with_prometheus")
@pytest.mark.timeout(240)
@pytest.mark.parametrize("page", ["tutorial", "sandbox"])
def test_the_commands_of_a_page_do_what_it_says(environment: dict[str, str], tmp_path: Path, page: str) -> None:
    told = steps((ROOT / "docs" / f"{page}.md").read_text())
    assert len(told) > 8
    folder = tmp_path / "checkout"
    folder.mkdir()
    (folder / "examples").symlink_to(ROOT / "examples")
    script = "set -e\n" + "".join(f"{step.commands}echo; echo '{END} {number}'\n" for number, step in enumerate(told))
    done = subprocess.run(["bash", "-c", script], env=environment, cwd=folder, capture_output=True, text=True, timeout=220)
    outputs = re.split(rf"^{END} \d+$", done.stdout, flags=re.MULTILINE)
    assert done.returncode == 0, done.stdout + done.stderr
    for step, output in zip(told, outputs, strict=False):
        for line in step.shown:
            assert plain(line) in plain(output), f"{step.commands}does not show {line!r} but:\n{output}"
    assert [one.name for one in folder.iterdir()] == ["examples"]
