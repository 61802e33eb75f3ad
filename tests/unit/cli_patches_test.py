"""What promote, abort, retry, pause, restart, undo and set image write: the patches that other controllers and tools expect."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from cli_objects import HASH, metadata, replica_set, rollout

from kube.kinds import DEPLOYMENT, ROLLOUT
from rollouts.cli import patches
from rollouts.cli.patches import Change, Refused
from rollouts.cli.templates import (
    POD_TEMPLATE,
    AlreadyThere,
    image_patch,
    read_images,
    template_path,
    undo_template,
    workload_of,
)

STEPS = [{"setWeight": 20}, {"pause": {}}, {"setWeight": 60}]
UPDATING = {"currentStepIndex": 1, "currentPodHash": "bbb", "stableRS": "aaa"}
PAUSED = UPDATING | {"pauseConditions": [{"reason": "CanaryPauseStep"}], "controllerPause": True}
INCONCLUSIVE = PAUSED | {"canary": {"currentStepAnalysisRunStatus": {"status": "Inconclusive"}}}
UNPAUSE = {"spec": {"paused": False}}
CLEARED = {"status": {"pauseConditions": None}}
NEXT = {"status": {"pauseConditions": None, "currentStepIndex": 2}}
FULL = {"status": {"promoteFull": True}}


@pytest.mark.parametrize(
    ("status", "spec", "flags", "expected"),
    [
        pytest.param(
            PAUSED, {}, {}, Change(status=CLEARED, unified=UNPAUSE | CLEARED), id="a pause step: clear the pause, keep the step"
        ),
        pytest.param(
            PAUSED,
            {"paused": True},
            {},
            Change(status=CLEARED, spec=UNPAUSE, unified=UNPAUSE | CLEARED),
            id="paused by a person too",
        ),
        pytest.param(
            UPDATING, {}, {}, Change(status=NEXT, unified=UNPAUSE | NEXT), id="no pause, an analysis say: to the next step"
        ),
        pytest.param(
            UPDATING, {"paused": True}, {}, Change(status=NEXT, spec=UNPAUSE, unified=UNPAUSE | NEXT), id="paused by a person alone"
        ),
        pytest.param(
            INCONCLUSIVE,
            {},
            {},
            Change(
                status={"status": {"pauseConditions": None, "controllerPause": False, "currentStepIndex": 2}},
                unified=UNPAUSE | {"status": {"pauseConditions": None, "controllerPause": False, "currentStepIndex": 2}},
            ),
            id="an inconclusive analysis: over it",
        ),
        pytest.param(
            UPDATING | {"currentStepIndex": 3},
            {},
            {},
            Change(
                status={"status": {"pauseConditions": None, "currentStepIndex": 3}},
                unified=UNPAUSE | {"status": {"pauseConditions": None, "currentStepIndex": 3}},
            ),
            id="past the last step there is no further one",
        ),
        pytest.param(UPDATING, {}, {"full": True}, Change(status=FULL, unified=FULL), id="full"),
        pytest.param(
            UPDATING,
            {"paused": True},
            {"full": True},
            Change(status=FULL, spec=UNPAUSE, unified=FULL | UNPAUSE),
            id="full while paused",
        ),
        pytest.param(UPDATING | {"stableRS": "bbb"}, {}, {"full": True}, Change(), id="full when it is promoted already"),
        pytest.param(PAUSED, {}, {"skip_step": True}, Change(status=NEXT, unified=NEXT), id="deprecated: skip the step"),
        pytest.param(
            PAUSED,
            {},
            {"skip_all": True},
            Change(
                status={"status": {"pauseConditions": None, "currentStepIndex": 3}},
                unified={"status": {"pauseConditions": None, "currentStepIndex": 3}},
            ),
            id="deprecated: skip all steps",
        ),
    ],
)
def test_promote_writes_just_what_lets_the_update_go_on(
    status: dict[str, Any], spec: dict[str, Any], flags: dict[str, bool], expected: Change
) -> None:
    assert patches.promote(rollout(canary={"steps": STEPS}, status=status, **spec), **flags) == expected


def test_promoting_a_canary_without_steps_only_unpauses_it() -> None:
    assert patches.promote(rollout(status=UPDATING)) == Change()
    assert patches.promote(rollout(status=UPDATING, paused=True)) == Change(spec=UNPAUSE, unified=UNPAUSE)


@pytest.mark.parametrize(
    ("spec", "flags", "text"),
    [
        pytest.param({}, {"skip_step": True, "skip_all": True}, "at the same time", id="both flags"),
        pytest.param({}, {"skip_step": True}, "without steps", id="no steps"),
        pytest.param({"strategy": {"blueGreen": {}}}, {"skip_all": True}, "bluegreen", id="blue-green"),
    ],
)
def test_promote_refuses_flags_that_make_no_sense(spec: dict[str, Any], flags: dict[str, bool], text: str) -> None:
    with pytest.raises(Refused, match=text):
        patches.promote(rollout(status=UPDATING, **spec), **flags)


def test_a_restart_is_written_in_utc() -> None:
    at = datetime(2026, 1, 8, 14, 0, 0, 5, tzinfo=timezone(timedelta(hours=2)))
    assert patches.restart(at) == Change(spec={"spec": {"restartAt": "2026-01-08T12:00:00Z"}})
    assert at.astimezone(UTC).hour == 12


CONTAINERS = [{"name": "web", "image": "web:1", "ports": [{"containerPort": 80}]}, {"name": "proxy", "image": "proxy:1"}]


def shop(**spec: Any) -> dict[str, Any]:
    """Return a Rollout with two containers and an init container."""
    return rollout(template={"spec": {"containers": CONTAINERS, "initContainers": [{"name": "init", "image": "init:1"}]}}, **spec)


@pytest.mark.parametrize(
    ("arguments", "images"),
    [
        pytest.param(("web=web:2",), {"initContainers": ["init:1"], "containers": ["web:2", "proxy:1"]}, id="one"),
        pytest.param(("web=a:2", "init=b:2"), {"initContainers": ["b:2"], "containers": ["a:2", "proxy:1"]}, id="two"),
        pytest.param(("*=a:2",), {"initContainers": ["a:2"], "containers": ["a:2", "a:2"]}, id="all"),
        pytest.param(("*=a:2", "web=b:3"), {"initContainers": ["a:2"], "containers": ["b:3", "a:2"]}, id="all but one"),
        pytest.param(
            ("web=reg:5000/web@sha256:ab=",),
            {"initContainers": ["init:1"], "containers": ["reg:5000/web@sha256:ab=", "proxy:1"]},
            id="signs in it",
        ),
    ],
)
def test_set_image_changes_images_and_nothing_else(arguments: tuple[str, ...], images: dict[str, list[str]]) -> None:
    patch = image_patch(shop(), ROLLOUT, read_images(arguments))
    changed = patch["spec"]["template"]["spec"]
    before = shop()["spec"]["template"]["spec"]
    assert {key: [one["image"] for one in changed.get(key, before[key])] for key in before} == images
    assert changed.get("containers", CONTAINERS)[0].get("ports") == [{"containerPort": 80}]


def test_setting_the_image_that_is_there_writes_nothing() -> None:
    assert image_patch(shop(), ROLLOUT, {"web": "web:1"}) == {}


def test_set_image_of_a_pod_template_is_written_where_it_has_its_template() -> None:
    assert image_patch({"template": {"spec": {"containers": CONTAINERS[1:]}}}, POD_TEMPLATE, {"proxy": "p:2"}) == {
        "template": {"spec": {"containers": [{"name": "proxy", "image": "p:2"}]}}
    }
    assert template_path(DEPLOYMENT) == ("spec", "template")


@pytest.mark.parametrize("argument", ["web", "web=", "=web:1"])
def test_an_image_argument_of_another_form_is_refused(argument: str) -> None:
    with pytest.raises(Refused, match="CONTAINER=IMAGE"):
        read_images([argument])


def test_an_unknown_container_is_named() -> None:
    with pytest.raises(Refused, match='unable to find container named "wbe"'):
        image_patch(shop(), ROLLOUT, {"wbe": "x"})


@pytest.mark.parametrize(
    ("reference", "ref"),
    [
        pytest.param(None, "Rollout demo/shop", id="its own template"),
        pytest.param({"kind": "Deployment", "name": "web"}, "Deployment demo/web", id="a Deployment"),
        pytest.param({"kind": "PodTemplate", "name": "web"}, "PodTemplate demo/web", id="a PodTemplate"),
    ],
)
def test_the_template_is_changed_where_it_is(reference: dict[str, Any] | None, ref: str) -> None:
    assert str(workload_of(rollout(workloadRef=reference))) == ref


def test_a_reference_to_another_kind_is_refused() -> None:
    with pytest.raises(Refused, match="StatefulSet"):
        workload_of(rollout(workloadRef={"kind": "StatefulSet", "name": "x"}))


def revisions() -> list[dict[str, Any]]:
    """Return three revisions as the controller keeps them, and one of another Rollout."""
    sets = [replica_set(pod_hash, number, 1, image=f"shop:{number}") for pod_hash, number in (("aaa", 1), ("bbb", 2), ("ccc", 3))]
    for one in sets:
        one["spec"]["template"]["metadata"] = {"labels": {"app": "shop", HASH: one["metadata"]["labels"][HASH]}}
    foreign = replica_set("ddd", 9, 1)
    foreign["metadata"]["ownerReferences"] = metadata("x", owner="uid-cart")["ownerReferences"]
    return [*sets, foreign]


def template(image: str) -> dict[str, Any]:
    """Return a template as its user wrote it."""
    return {"metadata": {"labels": {"app": "shop"}}, "spec": {"containers": [{"name": "web", "image": image}]}}


@pytest.mark.parametrize(
    ("revision", "image"), [pytest.param(0, "shop:2", id="the one before"), pytest.param(1, "shop:1", id="by number")]
)
def test_undo_brings_back_a_template_as_it_was_written(revision: int, image: str) -> None:
    assert undo_template(rollout(), template("shop:3"), revisions(), revision=revision) == template(image)


def test_undo_leaves_out_what_the_controller_had_put_in() -> None:
    """Ephemeral metadata and the anti-affinity to the other version belong to a role, not to the template."""
    by_hash = {"labelSelector": {"matchExpressions": [{"key": HASH, "operator": "NotIn", "values": ["aaa"]}]}}
    own = {"labelSelector": {"matchLabels": {"app": "cart"}}}
    sets = revisions()[:2] + revisions()[2:]
    old = sets[1]
    old["metadata"]["annotations"]["rollout.argoproj.io/ephemeral-metadata"] = '{"labels": {"role": "canary"}}'
    old["spec"]["template"]["metadata"]["labels"]["role"] = "canary"
    old["spec"]["template"]["spec"]["affinity"] = {
        "podAntiAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": [by_hash],
            "preferredDuringSchedulingIgnoredDuringExecution": [{"podAffinityTerm": by_hash}, {"podAffinityTerm": own}],
        }
    }
    restored = undo_template(rollout(), template("shop:3"), sets, revision=2)
    assert restored["metadata"]["labels"] == {"app": "shop"}
    assert restored["spec"]["affinity"] == {
        "podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"podAffinityTerm": own}]}
    }


@pytest.mark.parametrize(
    ("sets", "revision", "text"),
    [
        pytest.param([], 0, "no revision found", id="none"),
        pytest.param(revisions()[:1], 0, "no rollout history", id="only one"),
        pytest.param(revisions(), 7, "unable to find specified revision 7 in history", id="unknown"),
        pytest.param(revisions(), 9, "unable to find specified revision 9", id="another rollout's"),
    ],
)
def test_undo_says_which_revision_is_missing(sets: list[Any], revision: int, text: str) -> None:
    with pytest.raises(Refused, match=text):
        undo_template(rollout(), template("shop:3"), sets, revision=revision)


def test_undo_to_what_is_there_already_is_skipped() -> None:
    with pytest.raises(AlreadyThere, match=r"skipped rollback \(current template already matches revision 3\)"):
        undo_template(rollout(), template("shop:3"), revisions(), revision=3)
