"""How long one plan takes: a routed Rollout with ten ReplicaSets and a hundred pods, first sync and in mid-update.

Run it: `python bench/plan.py [--rounds 2000]`. Prints p50 and p99 in milliseconds of processor time,
gathering and planning together.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

sys.path.insert(0, str(Path(__file__).parents[1]))

from rollouts.rollout.gather import gather
from rollouts.rollout.plan import plan
from tests.model import World
from tests.shops import nginx_shop

KEY = ("default", "shop")
TARGET_MILLISECONDS = 1.0
STEPS: list[dict[str, Any]] = [{"setWeight": weight} for weight in (5, 10, 20, 40, 60)] + [{"pause": {}}, {"setWeight": 80}]
CONTAINER = {
    "ports": [{"name": "http", "containerPort": 8080}],
    "env": [{"name": f"SETTING_{number}", "value": str(number)} for number in range(20)],
    "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
    "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 5},
}


def with_container(world: World) -> None:
    """Give the pods a container of ordinary size."""
    container = {**world.rollout()["spec"]["template"]["spec"]["containers"][0], **CONTAINER}
    world.put({**world.rollout(), "spec": {**world.rollout()["spec"], "template": with_spec(world, container)}})


def with_spec(world: World, container: dict[str, Any]) -> dict[str, Any]:
    template = world.rollout()["spec"]["template"]
    return {**template, "spec": {**template["spec"], "containers": [container]}}


def first_sync() -> World:
    """A Rollout that nobody has looked at."""
    world = nginx_shop(STEPS, deployed=False, replicas=60)
    with_container(world)
    return world


def in_mid_update() -> World:
    """Ten revisions, of which the last is at 60 %: nearly a hundred pods."""
    world = first_sync()
    world.settle()
    for number in range(2, 10):
        world.set_image(f"shop:{number}")
        world.settle()
        world.patch_status({"promoteFull": True})
        world.settle()
        world.wait(31)
    world.set_image("shop:10")
    world.settle()
    return world


def after_a_new_template() -> World:
    """The same, and the template was just changed: every ReplicaSet is compared with it."""
    world = in_mid_update()
    world.set_image("shop:11")
    return world


def measured(world: World, rounds: int) -> list[float]:
    """Return the milliseconds of each plan, sorted; what reading the clock costs (much, in some sandboxes) is taken off."""
    times, clock = [], min(-time.thread_time() + time.thread_time() for _ in range(1000)) * 1000
    for _ in range(rounds):
        begun = time.thread_time()
        snapshot = gather(world.stores, KEY)
        assert snapshot is not None
        plan(snapshot, world.now)
        times.append((time.thread_time() - begun) * 1000 - clock)
    return sorted(times)


@click.command()
@click.option("--rounds", default=2000, help="Plans to make of each kind.")
def main(rounds: int) -> None:
    """Print one line for each situation."""
    situations: dict[str, Callable[[], World]] = {
        "first sync": first_sync,
        "in mid-update": in_mid_update,
        "after a new template": after_a_new_template,
    }
    for name, make in situations.items():
        times = measured(make(), rounds)
        p50, p99 = times[len(times) // 2], times[int(len(times) * 0.99)]
        verdict = "" if p99 < TARGET_MILLISECONDS else f"  (over the target of {TARGET_MILLISECONDS} ms)"
        click.echo(f"{name:24} p50 {p50:6.3f} ms   p99 {p99:6.3f} ms{verdict}")


if __name__ == "__main__":
    main()
