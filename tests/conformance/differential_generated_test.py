"""Sequences of requests that nobody thought of: both servers answer the same to each."""

from __future__ import annotations

import os
from typing import Any

from differential_normal import Compare
from differential_objects import config_map, container, rollout, service, workload
from differential_requests import JSON, STRATEGIC, Ask, apply, case, create, delete, get, patch, replace
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest_plugins = ["differential_fixture"]

EXAMPLES = int(os.environ.get("ROLLOUTS_DIFFERENTIAL_EXAMPLES", "60"))
TEXTS = st.sampled_from(["1", "2", ""])
FEW = st.dictionaries(st.sampled_from(["x", "y", "z"]), TEXTS, max_size=2)
MANAGERS = st.sampled_from(["one", "two", "three"])
SERVICES: list[dict[str, Any]] = [{}, {"selector": {"v": "2"}}, {"type": "NodePort"}, {"sessionAffinity": "ClientIP"}]
CONTAINERS: list[dict[str, Any]] = [{}, {"env": [{"name": "A", "value": "1"}]}, {"ports": [{"containerPort": 80}]}]
POLICIES: list[dict[str, Any]] = [
    {},
    {"propagationPolicy": "Foreground"},
    {"propagationPolicy": "Orphan"},
    {"gracePeriodSeconds": 0},
]
MAYBE_DRY = st.sampled_from([{}, {}, {}, {"dryRun": "All"}])


@st.composite
def metadata(draw: st.DrawFn) -> dict[str, Any]:
    """Return labels, annotations and finalizers, some of them or none."""
    found: dict[str, Any] = {}
    if draw(st.booleans()):
        found["labels"] = draw(FEW)
    if draw(st.booleans()):
        found["annotations"] = draw(FEW)
    if draw(st.integers(0, 3)) == 0:
        found["finalizers"] = draw(st.lists(st.sampled_from(["a.io/b", "c.io/d"]), min_size=1, max_size=2, unique=True))
    return found


@st.composite
def objects(draw: st.DrawFn, plural: str, *, whole: bool) -> dict[str, Any]:
    """Return an object of a kind; one that is applied may say less than a whole one."""
    meta = draw(metadata())
    match plural:
        case "configmaps":
            return config_map("a", meta=meta, **draw(FEW))
        case "services":
            made = service("a", **draw(st.sampled_from(SERVICES)))
            return {**made, "metadata": {"name": "a", **meta}}
    replicas = draw(st.sampled_from([{}, {"replicas": 1}, {"replicas": 0}]))
    if plural == "rollouts":
        steps = draw(st.lists(st.sampled_from([{"setWeight": 5}, {"setWeight": 50}, {"pause": {}}]), max_size=3))
        made = rollout("a", meta=meta, **replicas, strategy={"canary": {"steps": steps}})
        kept = {"strategy": made["spec"]["strategy"]}
    else:
        main = container("main", **draw(st.sampled_from(CONTAINERS)))
        containers = draw(st.sampled_from([[main], [main, container("side")], [container("side"), main]]))
        made = workload("Deployment", "a", meta=meta, **replicas)
        made["spec"]["template"]["spec"]["containers"] = containers
        kept = {"template": {"spec": {"containers": containers}}}
    return made if whole or draw(st.booleans()) else {**made, "spec": {**replicas, **kept}}


@st.composite
def merges(draw: st.DrawFn, plural: str) -> dict[str, Any]:
    """Return a merge patch: some fields set, some taken away."""
    values = st.one_of(st.none(), TEXTS)
    few = st.dictionaries(st.sampled_from(["x", "y", "z"]), values, max_size=2)
    where = draw(st.sampled_from(["labels", "annotations", "spec", "finalizers"]))
    if where == "finalizers":
        return {"metadata": {"finalizers": draw(st.sampled_from([None, [], ["a.io/b"]]))}}
    if where != "spec":
        return {"metadata": {where: draw(st.one_of(st.none(), few))}}
    if plural == "configmaps":
        return {"data": draw(st.one_of(st.none(), few))}
    if plural == "services":
        return {"spec": {"selector": draw(st.one_of(st.none(), few))}}
    return {"spec": {"replicas": draw(st.sampled_from([0, 1, 2, None]))}}


@st.composite
def writes(draw: st.DrawFn, plural: str) -> Ask:
    """Return one request that would change something."""
    path, dry = f"{plural}/a", draw(MAYBE_DRY)
    match draw(
        st.sampled_from(["create", "replace", "merge", "merge", "apply", "apply", "apply", "json", "status", "scale", "delete"])
    ):
        case "create":
            return create(plural, draw(objects(plural, whole=True)), fieldManager=draw(MANAGERS), **dry)
        case "replace":
            return replace(path, draw(objects(plural, whole=True)), fieldManager=draw(MANAGERS), **dry)
        case "merge":
            return patch(path, draw(merges(plural)), fieldManager=draw(MANAGERS), **dry)
        case "apply":
            return apply(path, draw(objects(plural, whole=False)), draw(MANAGERS), force=draw(st.booleans()), **dry)
        case "json":
            operation = draw(st.sampled_from(["add", "remove", "replace", "test"]))
            return patch(
                path, [{"op": operation, "path": "/metadata/labels/x", "value": draw(TEXTS)}], JSON, fieldManager=draw(MANAGERS)
            )
        case "status":
            return patch(f"{path}/status", {"status": {"replicas": draw(st.integers(0, 2))}}, fieldManager=draw(MANAGERS))
        case "scale" if plural == "deployments":
            return patch(f"{path}/scale", {"spec": {"replicas": draw(st.integers(0, 2))}}, fieldManager=draw(MANAGERS))
    return delete(path, **draw(st.sampled_from(POLICIES)), **dry)


@st.composite
def asks(draw: st.DrawFn, plural: str) -> Ask:
    """Return one request: mostly a write, sometimes a look."""
    if draw(st.integers(0, 4)):
        return draw(writes(plural))
    selector = draw(
        st.sampled_from(
            [{}, {"labelSelector": "x=1"}, {"labelSelector": "!x"}, {"fieldSelector": "metadata.name=a"}, {"limit": "1"}]
        )
    )
    return get(plural, **selector)


@st.composite
def histories(draw: st.DrawFn) -> list[Ask]:
    """Return a sequence of requests about one object."""
    plural = draw(st.sampled_from(["configmaps", "services", "deployments", "rollouts"]))
    first = create(plural, draw(objects(plural, whole=True)), fieldManager="one")
    strategic = patch(f"{plural}/a", {"metadata": {"labels": {"s": "1"}}}, STRATEGIC)
    return [first, *draw(st.lists(asks(plural), min_size=1, max_size=6)), strategic, get(f"{plural}/a")]


@given(history=histories())
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize="ROLLOUTS_DIFFERENTIAL_EXAMPLES" not in os.environ,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_both_servers_answer_any_sequence_of_requests_the_same(compare: Compare, history: list[Ask]) -> None:
    found = compare(case("a generated sequence", *history))

    sent = "\n".join(f"{number}. {ask} {ask.body}" for number, ask in enumerate(history, 1))
    assert not found, f"the servers differ:\n{found}\n\nwhat was sent:\n{sent}"
