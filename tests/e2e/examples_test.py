"""Every example applies as it is and ends as its README says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from sandbox_terminal import Tool, eventually

from sandbox.cluster import Cluster

EXAMPLES = Path(__file__).parents[2] / "examples"
ENDS = re.compile(r"^- `(\S+)` ends (\w+)", re.MULTILINE)
TRAFFIC = re.compile(r"^Traffic: `(\S+)`", re.MULTILINE)
NEEDS_PROMETHEUS = ("quickstart-nginx", "quickstart-istio", "background-analysis")
ROLLOUT = "jsonpath={.items[0].metadata.name} {.items[0].spec.template.spec.containers[0].name}"


@dataclass(frozen=True)
class Told:
    """What the README of an example says: which images are shipped, how each ends, and what the traffic asks for."""

    ends: tuple[tuple[str, str], ...]
    traffic: str


def told_in(folder: Path) -> Told:
    text = (folder / "README.md").read_text()
    traffic = TRAFFIC.search(text)
    return Told(tuple(ENDS.findall(text)), traffic.group(1) if traffic else "")


@contextmanager
def load(rollouts: Tool, cluster: Cluster, name: str) -> Iterator[None]:
    """Send traffic, and expect that none of it was lost."""
    if not name:
        yield
        return
    with rollouts.start("sandbox", "load", name, "--rps", "60", "--state", str(cluster.state.path)) as running:
        try:
            yield
        finally:
            running.terminate()
            text, errors = running.communicate()
    assert running.returncode == 0, text[-500:] + errors


@pytest.mark.slow
@pytest.mark.parametrize("folder", sorted(one.parent for one in EXAMPLES.glob("*/README.md")), ids=lambda folder: folder.name)
def test_an_example_ends_as_its_readme_says(folder: Path, cluster: Cluster, kubectl: Tool, rollouts: Tool) -> None:
    if folder.name in NEEDS_PROMETHEUS and not cluster.prometheus_url:
        pytest.skip("Prometheus is not installed")
    told = told_in(folder)
    assert told.ends, "the README must say how it ends"
    kubectl("apply", "-f", str(folder))
    try:
        name, container = kubectl("get", "rollouts", "-o", ROLLOUT).split()
        kubectl("wait", "--for=condition=Healthy", f"rollout/{name}", "--timeout=30s")
        with load(rollouts, cluster, told.traffic):
            for image, end in told.ends:
                rollouts("set", "image", name, f"{container}={image}")
                assert end_of(rollouts, name) == end, rollouts("get", "rollout", name)
    finally:
        kubectl("delete", "-f", str(folder), "--wait=false")
        eventually(lambda: not kubectl("get", "rollouts,pods", "-o", "name"), what="everything of the example is gone")


def end_of(rollouts: Tool, name: str) -> str:
    """Wait for the end of an update and return the phase in which it ended."""
    return rollouts.run("status", name, "--timeout", "90s").stdout.split("\n")[-2].split(" - ")[0]
