"""The requests that upstream's kubectl plugin sends (spec/rollout.md 4), without any of our own command line in between.

People keep the plugin they have installed: its patches go to the status first and to the spec second, and must do the same here.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, TypeAlias

import pytest
from sandbox_shop import deploy, quickstart
from sandbox_terminal import Tool, eventually

from kube.config import load
from kube.errors import Conflict
from kube.kinds import ANALYSIS_RUN, POD, REPLICA_SET, ROLLOUT, ObjectRef
from kube.objects import Object, annotations_of, format_time, labels_of, name_of
from kube.quick import QuickClient
from kube.requests import JSON_PATCH
from sandbox.cluster import Cluster

Step: TypeAlias = dict[str, Any]
STEPS: list[Step] = [{"setWeight": 25}, {"pause": {}}, {"setWeight": 75}, {"pause": {}}]
REVISION = "rollout.argoproj.io/revision"
HASH = "rollouts-pod-template-hash"


class Plugin:
    """A Rollout `shop` as upstream's plugin reads and patches it."""

    def __init__(self, client: QuickClient, namespace: str) -> None:
        self.client, self.namespace = client, namespace
        self.ref = ObjectRef(ROLLOUT, namespace, "shop")

    def get(self) -> Object:
        return self.client.get(ROLLOUT, self.namespace, "shop")

    def patch_status(self, **fields: Any) -> None:
        self.client.patch(self.ref, {"status": fields}, subresource="status")

    def patch_spec(self, **fields: Any) -> None:
        self.client.patch(self.ref, {"spec": fields})

    def set_image(self, image: str) -> None:
        """Replace the whole object as it was read, again when somebody else was faster."""
        for _ in range(5):
            rollout = self.get()
            rollout["spec"]["template"]["spec"]["containers"][0]["image"] = image
            try:
                self.client.replace(ROLLOUT, rollout)
            except Conflict:
                continue
            return
        raise AssertionError("five conflicts in a row")

    def until(self, *, phase: str, step: int | None = None, image: str | None = None) -> Object:
        """Wait until the controller has seen the spec, and the update is where it is said to be."""

        def there() -> Object:
            rollout = self.get()
            status = rollout.get("status") or {}
            seen = str(status.get("observedGeneration")) == str(rollout["metadata"]["generation"])
            right = status.get("phase") == phase and step in (None, status.get("currentStepIndex"))
            return rollout if seen and right and image in (None, self.stable_image(status)) else {}

        return eventually(there, what=f"{phase} at step {step}")

    def stable_image(self, status: dict[str, Any]) -> str:
        """Return the image of the stable version."""
        sets = self.client.list(REPLICA_SET, self.namespace, label_selector=f"{HASH}={status.get('stableRS')}").items
        return str(sets[0]["spec"]["template"]["spec"]["containers"][0]["image"]) if sets else ""


def later_than(moment: str) -> str:
    """Return the time, or nothing as long as it is not later."""
    now = format_time(datetime.now(UTC))
    return now if now > moment else ""


@pytest.fixture
def plugin(cluster: Cluster, kubectl: Tool, namespace: str) -> Iterator[Plugin]:
    """The shop at version 1, healthy."""
    deploy(kubectl, namespace, quickstart(namespace, steps=STEPS, analysis=False))
    with QuickClient(load(str(cluster.kubeconfig))) as client:
        found = Plugin(client, namespace)
        found.until(phase="Healthy", image="shop:1")
        yield found


def test_set_image_replaces_the_whole_object_and_promote_clears_one_pause_after_the_other(plugin: Plugin) -> None:
    plugin.set_image("shop:2")
    plugin.until(phase="Paused", step=1)
    plugin.patch_status(pauseConditions=None)
    plugin.until(phase="Paused", step=3)
    plugin.patch_status(pauseConditions=None)
    plugin.until(phase="Healthy", step=4, image="shop:2")


def test_a_full_promotion_skips_what_is_left(plugin: Plugin) -> None:
    plugin.set_image("shop:2")
    plugin.until(phase="Paused", step=1)
    plugin.patch_status(promoteFull=True)
    status = plugin.until(phase="Healthy", image="shop:2")["status"]
    assert "promoteFull" not in status


def test_promoting_what_a_user_paused_lets_it_go_on_and_skips_a_step(plugin: Plugin) -> None:
    plugin.set_image("shop:2")
    plugin.until(phase="Paused", step=1)
    plugin.patch_spec(paused=True)
    plugin.until(phase="Paused", step=1)
    plugin.patch_status(pauseConditions=None, currentStepIndex=2)
    plugin.patch_spec(paused=False)
    plugin.until(phase="Paused", step=3)


def test_abort_takes_back_and_retry_begins_again(plugin: Plugin) -> None:
    plugin.set_image("shop:2")
    plugin.until(phase="Paused", step=1)
    plugin.patch_status(abort=True)
    status = plugin.until(phase="Degraded", image="shop:1")["status"]
    assert status["abort"] is True
    assert "abortedAt" in status
    plugin.patch_status(abort=False)
    status = plugin.until(phase="Paused", step=1)["status"]
    assert not status.get("abort")


def test_undo_replaces_the_template_with_that_of_an_older_revision(plugin: Plugin) -> None:
    plugin.set_image("shop:2")
    plugin.until(phase="Paused", step=1)
    plugin.patch_status(promoteFull=True)
    plugin.until(phase="Healthy", image="shop:2")
    sets = plugin.client.list(REPLICA_SET, plugin.namespace).items
    first = next(one for one in sets if annotations_of(one)[REVISION] == "1")
    template = dict(first["spec"]["template"])
    template["metadata"] = {"labels": {key: value for key, value in labels_of(template).items() if key != HASH}}
    patch = [{"op": "replace", "path": "/spec/template", "value": template}]
    plugin.client.patch(plugin.ref, patch, content_type=JSON_PATCH)
    plugin.until(phase="Paused", step=1)
    again = {annotations_of(one)[REVISION]: name_of(one) for one in plugin.client.list(REPLICA_SET, plugin.namespace).items}
    assert again["3"] == name_of(first)


def test_restart_replaces_every_pod(plugin: Plugin) -> None:
    pods = plugin.client.list(POD, plugin.namespace).items
    before = {name_of(one) for one in pods}
    youngest = max(one["metadata"]["creationTimestamp"] for one in pods)
    # Times are whole seconds, and a pod of the same second as `restartAt` is not older than it.
    now = eventually(lambda: later_than(youngest), what="a second later than the pods' creation")
    plugin.patch_spec(restartAt=now)

    def replaced() -> bool:
        pods = plugin.client.list(POD, plugin.namespace).items
        return not before & {name_of(one) for one in pods} and len(pods) == len(before)

    eventually(replaced, what="every pod is another one")
    assert plugin.until(phase="Healthy", image="shop:1")["status"]["restartedAt"] == now


def test_terminate_ends_an_analysis(plugin: Plugin) -> None:
    metric = {"name": "always", "interval": "1h", "successCondition": "true"}
    metric["provider"] = {"prometheus": {"address": "http://127.0.0.1:9", "query": "vector(1)"}}  # type: ignore[assignment]
    plugin.client.create(
        ANALYSIS_RUN,
        {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "AnalysisRun",
            "metadata": {"name": "odd", "namespace": plugin.namespace},
            "spec": {"metrics": [metric]},
        },
    )
    ref = ObjectRef(ANALYSIS_RUN, plugin.namespace, "odd")
    eventually(lambda: plugin.client.get(*_place(ref)).get("status"), what="it is measured")
    plugin.client.patch(ref, {"spec": {"terminate": True}})
    found = eventually(lambda: _ended(plugin.client.get(*_place(ref))), what="it ends")
    assert found["status"]["phase"] in ("Successful", "Error", "Inconclusive")


def _place(ref: ObjectRef) -> tuple[Any, str, str]:
    return ref.kind, ref.namespace, ref.name


def _ended(run: Object) -> Object:
    return run if (run.get("status") or {}).get("phase") not in (None, "Pending", "Running") else {}
