"""What users are told about a spec that cannot be acted upon: which field, what is wrong with it, and what to do."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollouts.rollout.problems import invalid_text
from rollouts.rollout.validation import Problem, validate

CANARY = "spec.strategy.canary"
NGINX = {"nginx": {"stableIngress": "web"}}
ISTIO = {"istio": {"virtualService": {"name": "web"}}}
SUBSETS = {
    "istio": {
        "virtualService": {"name": "web"},
        "destinationRule": {"name": "web", "canarySubsetName": "canary", "stableSubsetName": "stable"},
    }
}
SERVICES = {"canaryService": "web-canary", "stableService": "web-stable"}


def a_rollout(**spec: Any) -> dict[str, Any]:
    whole: dict[str, Any] = {
        "replicas": 3,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web", "tier": "front"}},
            "spec": {"containers": [{"name": "web", "image": "web:1"}]},
        },
        "strategy": {"canary": {}},
    }
    merged = {key: value for key, value in (whole | spec).items() if value is not None}
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": {"name": "web"}, "spec": merged}


def a_canary(*steps: Any, **canary: Any) -> dict[str, Any]:
    return a_rollout(strategy={"canary": ({"steps": list(steps)} if steps else {}) | canary})


def a_routed(*steps: Any, **canary: Any) -> dict[str, Any]:
    return a_canary(*steps, **({"trafficRouting": NGINX} | SERVICES | canary))


def a_template(**template: Any) -> dict[str, Any]:
    return a_rollout(template=a_rollout()["spec"]["template"] | template)


def a_pod(**pod: Any) -> dict[str, Any]:
    return a_template(spec={"containers": [{"name": "web", "image": "web:1"}]} | pod)


def told(rollout: dict[str, Any]) -> list[str]:
    return [str(problem) for problem in validate(rollout)]


FINE = {
    "a bare canary": a_canary(),
    "a strategy with everything that needs routing": a_routed(
        {"setCanaryScale": {"replicas": 2}},
        {"setWeight": 100},
        {"pause": {}},
        abortScaleDownDelaySeconds=0,
        scaleDownDelaySeconds=0,
        minPodsPerReplicaSet=2,
        replicaProgressThreshold={"type": "Percent", "value": 100},
    ),
    "the least and the most of a scale": a_routed(
        {"setCanaryScale": {"replicas": 0}}, {"setCanaryScale": {"weight": 0}}, {"setCanaryScale": {"weight": 100}}
    ),
    "a copy of all and of none": a_canary(
        {"setMirrorRoute": {"name": "a", "match": [{"path": {"prefix": "/"}}], "percentage": 0}},
        {"setMirrorRoute": {"name": "a", "match": [{"method": {"exact": "GET"}}], "percentage": 100}},
        trafficRouting=ISTIO | {"managedRoutes": [{"name": "a"}]},
        **SERVICES,
    ),
    "zero wherever zero has a meaning": a_rollout(
        minReadySeconds=0,
        revisionHistoryLimit=0,
        rollbackWindow={"revisions": 0},
        analysis={"successfulRunHistoryLimit": 0, "unsuccessfulRunHistoryLimit": 0},
        strategy={"canary": {"scaleDownDelayRevisionLimit": 0, "steps": [{"setWeight": 0}]}},
    ),
    "a deadline one second after ready": a_rollout(minReadySeconds=5, progressDeadlineSeconds=6),
    "thresholds of one pod": a_canary(replicaProgressThreshold={"type": "Pods", "value": 1}),
    "all may be missing": a_canary(maxUnavailable="100%"),
    "pauses in every form": a_canary({"pause": {"duration": 30}}, {"pause": {"duration": "30"}}, {"pause": {"duration": "1h30m"}}),
    "surge and unavailable both zero": a_canary(maxSurge=0, maxUnavailable="0"),
    "shares with and without the sign": a_canary(maxSurge="150%", maxUnavailable="25"),
    "istio between services": a_canary(trafficRouting=ISTIO, **SERVICES),
    "istio between subsets needs no services": a_canary(trafficRouting=SUBSETS),
    "weights beyond 100 with nginx": a_routed({"setWeight": 700}, trafficRouting=NGINX | {"maxTrafficWeight": 1000}),
    "a header route that is managed": a_canary(
        {"setHeaderRoute": {"name": "mine", "match": [{"headerName": "x", "headerValue": {"exact": "1"}}]}},
        {"setHeaderRoute": {"name": "mine"}},
        trafficRouting=ISTIO | {"managedRoutes": [{"name": "mine"}]},
        **SERVICES,
    ),
    "a dynamic stable version": a_routed(dynamicStableScale=True),
    "not dynamic, said without routing": a_canary(dynamicStableScale=False),
    "background analysis from the last step": a_canary(
        {"setWeight": 5}, {"pause": {}}, analysis={"templates": [{"templateName": "ok"}], "startingStep": 1}
    ),
    "one template of a name in both scopes": a_canary(
        {"analysis": {"templates": [{"templateName": "ok"}, {"templateName": "ok", "clusterScope": True}]}}
    ),
    "an analysis without templates is none": a_canary(analysis={}),
    "selection by expressions": a_rollout(
        selector={
            "matchExpressions": [
                {"key": "app", "operator": "In", "values": ["web"]},
                {"key": "tier", "operator": "Exists"},
                {"key": "app", "operator": "NotIn", "values": ["api"]},
                {"key": "gone", "operator": "DoesNotExist"},
            ]
        }
    ),
    "fields of newer versions": a_canary({"setWeight": 1, "laterField": 1}, laterField={}),
    "no replicas": a_rollout(replicas=0),
    "null is left out": a_rollout(strategy={"canary": {"trafficRouting": None, "steps": None}, "blueGreen": None}),
}


@pytest.mark.parametrize("rollout", FINE.values(), ids=FINE.keys())
def test_a_spec_that_makes_sense_has_no_problems(rollout: dict[str, Any]) -> None:
    assert told(rollout) == []


WORKLOAD = [
    (a_rollout(selector=None), "spec.selector: Required value: a Rollout needs a selector", "no selector"),
    (a_rollout(selector={}), "spec.selector: Invalid value: {}: must not be empty", "an empty selector"),
    (
        a_rollout(selector={"matchLabels": {"app": "api"}}),
        'spec.template.metadata.labels: Invalid value: {"app": "web", "tier": "front"}: spec.selector does not match',
        "a selector for other pods",
    ),
    (
        a_rollout(selector={"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]}),
        "spec.template.metadata.labels: Invalid value:",
        "an expression that excludes the pods",
    ),
    (
        a_rollout(selector={"matchExpressions": [{"key": "app", "operator": "Like"}]}),
        'spec.selector.matchExpressions[0].operator: Invalid value: "Like": must be In, NotIn, Exists or DoesNotExist',
        "an unknown operator",
    ),
    (
        a_rollout(selector={"matchExpressions": [{"key": "app", "operator": "Exists", "values": ["x"]}]}),
        "spec.selector.matchExpressions[0].values: Forbidden: operator Exists takes no values",
        "values that are not asked for",
    ),
    (a_rollout(template=None), "spec.template: Required value:", "no template"),
    (a_template(metadata="x"), "spec.template.metadata: Invalid value:", "metadata that is a text"),
    (a_template(metadata={"labels": {"app": 1}}), "spec.template.metadata.labels: Invalid value:", "a label that is a number"),
    (
        a_template(metadata={"labels": {"app": "web"}, "annotations": []}),
        "spec.template.metadata.annotations: Invalid value: []",
        "annotations that are a list",
    ),
    (a_template(spec=None), "spec.template.spec: Required value:", "no pod spec"),
    (a_pod(containers=[]), "spec.template.spec.containers: Required value:", "no containers"),
    (a_pod(containers=["web"]), "spec.template.spec.containers[0]: Invalid value:", "a container that is a text"),
    (a_pod(containers=[{"name": "web"}]), "spec.template.spec.containers[0].image: Required value:", "no image"),
    (a_pod(containers=[{"name": "", "image": "a"}]), "spec.template.spec.containers[0].name: Required value:", "an empty name"),
    (a_pod(containers=[{"name": "a", "image": ""}]), "spec.template.spec.containers[0].image: Required value:", "an empty image"),
    (a_pod(containers=[{"image": "a"}]), "spec.template.spec.containers[0].name: Required value:", "no name"),
    (
        a_pod(containers=[{"name": "a", "image": "a"}] * 2),
        'spec.template.spec.containers[1].name: Invalid value: "a": is used twice',
        "a name twice",
    ),
    (a_pod(restartPolicy="Never"), "spec.template.spec.restartPolicy: Invalid value:", "pods that end"),
    (a_pod(activeDeadlineSeconds=5), "spec.template.spec.activeDeadlineSeconds: Forbidden:", "pods with a deadline"),
    (a_rollout(replicas=-1), "spec.replicas: Invalid value: -1: must be greater than or equal to 0", "negative replicas"),
    (a_rollout(revisionHistoryLimit=-1), "spec.revisionHistoryLimit: Invalid value: -1", "a negative history"),
    (a_rollout(rollbackWindow={"revisions": -1}), "spec.rollbackWindow.revisions: Invalid value: -1", "a negative window"),
    (
        a_rollout(analysis={"unsuccessfulRunHistoryLimit": -1}),
        "spec.analysis.unsuccessfulRunHistoryLimit: Invalid value: -1",
        "a negative history of runs",
    ),
    (
        a_rollout(minReadySeconds=600),
        "spec.progressDeadlineSeconds: Invalid value: 600: must be greater than minReadySeconds (600)",
        "ready later than the default deadline",
    ),
    (a_rollout(restartAt="tomorrow"), 'spec.restartAt: Invalid value: "tomorrow"', "a restart that is no time"),
    (a_rollout(restartAt="2026-01-31"), 'spec.restartAt: Invalid value: "2026-01-31"', "a restart on a day"),
    (a_rollout(strategy=None), "spec.strategy: Required value:", "no strategy"),
    (a_rollout(strategy={}), "spec.strategy: Required value:", "an empty strategy"),
]
STRATEGY = [
    (
        a_canary(canaryService="web", stableService="web"),
        f'{CANARY}.stableService: Invalid value: "web": must be another Service than canaryService',
        "one Service for both",
    ),
    (a_canary(maxSurge=-1), f"{CANARY}.maxSurge: Invalid value: -1", "a negative surge"),
    (a_canary(maxSurge="some"), f'{CANARY}.maxSurge: Invalid value: "some"', "a surge that is no number"),
    (a_canary(maxSurge=""), f'{CANARY}.maxSurge: Invalid value: ""', "an empty surge"),
    (a_canary(maxUnavailable="-5%"), f'{CANARY}.maxUnavailable: Invalid value: "-5%"', "a negative share"),
    (a_canary(maxUnavailable="101"), f'{CANARY}.maxUnavailable: Invalid value: "101"', "more than all, without the sign"),
    (
        a_canary(scaleDownDelaySeconds=5),
        f"{CANARY}.scaleDownDelaySeconds: Forbidden: can only be used with trafficRouting",
        "a delay without routing",
    ),
    (a_canary(abortScaleDownDelaySeconds=5), f"{CANARY}.abortScaleDownDelaySeconds: Forbidden:", "an abort delay without routing"),
    (a_canary(dynamicStableScale=True), f"{CANARY}.dynamicStableScale: Forbidden:", "a dynamic stable version without routing"),
    (a_canary(minPodsPerReplicaSet=2), f"{CANARY}.minPodsPerReplicaSet: Forbidden:", "a least number of pods without routing"),
    (a_routed(scaleDownDelaySeconds=-5), f"{CANARY}.scaleDownDelaySeconds: Invalid value: -5", "a negative delay"),
    (a_routed(minPodsPerReplicaSet=-1), f"{CANARY}.minPodsPerReplicaSet: Invalid value: -1", "a negative least number"),
    (
        a_routed(dynamicStableScale=True, scaleDownDelaySeconds=5),
        f"{CANARY}.scaleDownDelaySeconds: Forbidden: cannot be used with dynamicStableScale",
        "a delay for pods that go at once",
    ),
    (
        a_canary(replicaProgressThreshold={"type": "Most", "value": 1}),
        f'{CANARY}.replicaProgressThreshold.type: Invalid value: "Most": must be Percent or Pods',
        "an unknown threshold",
    ),
    (
        a_canary(replicaProgressThreshold={"type": "Percent", "value": 101}),
        f"{CANARY}.replicaProgressThreshold.value: Invalid value: 101",
        "a threshold above all",
    ),
    (
        a_canary(replicaProgressThreshold={"type": "Pods", "value": 0}),
        f"{CANARY}.replicaProgressThreshold.value: Invalid value: 0",
        "a threshold of nothing",
    ),
    (
        a_canary({"setWeight": 5}, analysis={"templates": [{"templateName": "x"}], "startingStep": 1}),
        f"{CANARY}.analysis.startingStep: Invalid value: 1: must be the position of a step, counted from 0; the last step is 0",
        "an analysis that starts after the end",
    ),
    (
        a_canary(analysis={"templates": [{"templateName": "x"}], "startingStep": 1}),
        f"{CANARY}.analysis.startingStep: Invalid value: 1: must be the position of a step, counted from 0; there are no steps",
        "an analysis that starts at a step of none",
    ),
    (
        a_canary({"setWeight": 5}, analysis={"startingStep": 0}),
        f"{CANARY}.analysis.templates: Required value:",
        "an analysis that starts with nothing",
    ),
]
STEPS = [
    (a_canary({}), "steps[0]: Invalid value: {}: a step does exactly one thing: it has none of setWeight, pause", "no key"),
    (a_canary({"setwieght": 5}), 'steps[0]: Invalid value: {"setwieght": 5}: a step does exactly one thing', "a misspelt key"),
    (
        a_canary({"setWeight": 5}, {"setWeight": 5, "pause": {}}),
        'steps[1]: Invalid value: {"setWeight": 5, "pause": {}}: a step does exactly one thing: it has setWeight and pause',
        "two keys",
    ),
    (a_canary({"setWeight": 101}), "steps[0].setWeight: Invalid value: 101: must be between 0 and 100", "too much weight"),
    (a_canary({"setWeight": -1}), "steps[0].setWeight: Invalid value: -1", "negative weight"),
    (
        a_routed({"setWeight": 1001}, trafficRouting=NGINX | {"maxTrafficWeight": 1000}),
        "steps[0].setWeight: Invalid value: 1001: must be between 0 and 1000",
        "too much of a larger total",
    ),
    (a_canary({"pause": {"duration": "soon"}}), 'steps[0].pause.duration: Invalid value: "soon": "soon" is not a', "no duration"),
    (a_canary({"pause": {"duration": -5}}), "steps[0].pause.duration: Invalid value: -5", "a negative pause"),
    (
        a_canary({"setCanaryScale": {"replicas": 1}}),
        "steps[0].setCanaryScale: Forbidden: can only be used with trafficRouting",
        "a scale without routing",
    ),
    (
        a_routed({"setCanaryScale": {"replicas": 1, "weight": 5}}),
        'steps[0].setCanaryScale: Invalid value: {"replicas": 1, "weight": 5}: takes one of',
        "two scales",
    ),
    (
        a_routed({"setCanaryScale": {"weight": 5, "matchTrafficWeight": True}}),
        "steps[0].setCanaryScale: Invalid value:",
        "a scale that also follows the traffic",
    ),
    (a_routed({"setCanaryScale": {"replicas": -1}}), "steps[0].setCanaryScale.replicas: Invalid value: -1", "negative pods"),
    (a_routed({"setCanaryScale": {"weight": 101}}), "steps[0].setCanaryScale.weight: Invalid value: 101", "more than all pods"),
    (a_canary({"setMirrorRoute": {}}), "steps[0].setMirrorRoute.name: Required value: is required", "a copy without a name"),
    (
        a_canary({"setMirrorRoute": {"name": 5}}),
        "steps[0].setMirrorRoute.name: Invalid value: 5: must be a string",
        "a number for a name",
    ),
    (a_canary({"analysis": {}}), "steps[0].analysis.templates: Required value:", "an analysis of nothing"),
    (
        a_canary({"analysis": {"templates": [{"templateName": "a"}, {"templateName": "a"}]}}),
        'steps[0].analysis.templates[1].templateName: Invalid value: "a": is named twice',
        "a template twice",
    ),
    (
        a_canary({"analysis": {"templates": [{"clusterScope": True}]}}),
        "steps[0].analysis.templates[0].templateName: Required value:",
        "a template without a name",
    ),
    (
        a_canary(
            {
                "analysis": {
                    "templates": [{"templateName": "a"}],
                    "args": [{"name": "x", "valueFrom": {"podTemplateHashValue": "New"}}],
                }
            }
        ),
        'steps[0].analysis.args[0].valueFrom.podTemplateHashValue: Invalid value: "New": must be Stable or Latest',
        "a hash of an unknown version",
    ),
    (a_canary({"setHeaderRoute": {"name": "x"}}), "steps[0].setHeaderRoute: Forbidden: can only", "a route without routing"),
    (
        a_routed({"setHeaderRoute": {"name": "mine"}}),
        'steps[0].setHeaderRoute.name: Invalid value: "mine": is not in trafficRouting.managedRoutes',
        "a route that is not managed",
    ),
    (a_routed({"setHeaderRoute": {}}), "steps[0].setHeaderRoute.name: Required value:", "a route without a name"),
    (
        a_routed(
            {"setHeaderRoute": {"name": "a", "match": [{"headerName": "x", "headerValue": {"exact": "1", "prefix": "2"}}]}},
            trafficRouting=ISTIO | {"managedRoutes": [{"name": "a"}]},
        ),
        "steps[0].setHeaderRoute.match[0].headerValue: Invalid value:",
        "two ways to compare",
    ),
    (
        a_routed(
            {"setMirrorRoute": {"name": "a", "match": [{}], "percentage": 101}},
            trafficRouting=ISTIO | {"managedRoutes": [{"name": "a"}]},
        ),
        "steps[0].setMirrorRoute.percentage: Invalid value: 101",
        "a copy of more than all",
    ),
    (
        a_routed(
            {"setMirrorRoute": {"name": "a", "match": [{"headers": {"x": {}}}]}},
            trafficRouting=ISTIO | {"managedRoutes": [{"name": "a"}]},
        ),
        "steps[0].setMirrorRoute.match[0].headers.x: Invalid value: {}",
        "a header compared with nothing",
    ),
]
ROUTING = [
    (a_canary(trafficRouting={}, **SERVICES), "trafficRouting: Required value: names no router", "no router"),
    (
        a_canary(trafficRouting=NGINX),
        "canaryService: Required value: nginx tells the versions apart",
        "nginx without a canary Service",
    ),
    (
        a_canary(trafficRouting=NGINX, canaryService="c"),
        "stableService: Required value: nginx tells the versions apart",
        "nginx without a stable Service",
    ),
    (a_canary(trafficRouting=ISTIO), "canaryService: Required value: istio tells", "istio without Services or subsets"),
    (a_routed(trafficRouting={"nginx": {}}), "trafficRouting.nginx.stableIngress: Required value:", "nginx without an Ingress"),
    (
        a_routed(trafficRouting={"nginx": {"stableIngress": "a", "stableIngresses": ["b"]}}),
        "trafficRouting.nginx: Invalid value:",
        "both ways to name Ingresses",
    ),
    (
        a_routed(trafficRouting={"nginx": {"stableIngresses": ["a", "b", "a"]}}),
        'trafficRouting.nginx.stableIngresses[2]: Invalid value: "a": is named twice',
        "an Ingress twice",
    ),
    (
        a_routed(trafficRouting={"istio": {}}),
        "trafficRouting.istio.virtualService: Required value:",
        "istio without VirtualService",
    ),
    (
        a_routed(trafficRouting={"istio": {"virtualService": {"name": "a"}, "virtualServices": [{"name": "b"}]}}),
        "trafficRouting.istio: Invalid value:",
        "both ways to name VirtualServices",
    ),
    (
        a_routed(trafficRouting={"istio": {"virtualServices": [{"name": "b"}, {"name": "b"}]}}),
        'trafficRouting.istio.virtualServices[1].name: Invalid value: "b": is named twice',
        "a VirtualService twice",
    ),
    (
        a_routed(
            trafficRouting={
                "istio": {
                    "virtualService": {"name": "a"},
                    "destinationRule": {"name": "a", "canarySubsetName": "x", "stableSubsetName": "x"},
                }
            }
        ),
        'trafficRouting.istio.destinationRule.canarySubsetName: Invalid value: "x": must be another subset',
        "one subset for both",
    ),
    (
        a_routed(trafficRouting=ISTIO | {"maxTrafficWeight": 1000}),
        "trafficRouting.maxTrafficWeight: Forbidden: only nginx has weights other than percentages",
        "istio counts to 100",
    ),
    (
        a_routed(trafficRouting=NGINX | {"maxTrafficWeight": 0}),
        "trafficRouting.maxTrafficWeight: Invalid value: 0",
        "a total of nothing",
    ),
    (
        a_routed(trafficRouting=ISTIO | {"managedRoutes": [{"name": "a"}, {"name": "a"}]}),
        'trafficRouting.managedRoutes[1].name: Invalid value: "a": is named twice',
        "a managed route twice",
    ),
]
WRONG = [
    *(pytest.param(rollout, text, id=name) for rollout, text, name in (*WORKLOAD, *STRATEGY)),
    *(pytest.param(rollout, f"{CANARY}.{text}", id=name) for rollout, text, name in (*STEPS, *ROUTING)),
]


@pytest.mark.parametrize(("rollout", "text"), WRONG)
def test_users_are_told_the_field_and_what_is_wrong(rollout: dict[str, Any], text: str) -> None:
    assert any(one.startswith(text) for one in told(rollout)), told(rollout)


def test_both_strategies_at_once_are_refused() -> None:
    both = a_rollout(strategy={"canary": {}, "blueGreen": {"activeService": "a"}})
    assert "spec.strategy: Invalid value: canary and blueGreen exclude each other; remove one" in told(both)


MALFORMED = {
    "no spec": {"metadata": {"name": "web"}},
    "a spec that is a text": {"metadata": {"name": "web"}, "spec": "x"},
    "steps that are an object": a_rollout(strategy={"canary": {"steps": {}}}),
    "a step that is a text": a_canary("setWeight"),
    "a pause that is a number": a_canary({"pause": 5}),
    "routing that is a text": a_canary(trafficRouting="nginx"),
    "a weight that is a text": a_canary({"setWeight": "5"}),
    "a template that is a list": a_rollout(template=[1]),
    "a selector that is a text": a_rollout(selector="app=web"),
    "a label that is a number": a_rollout(selector={"matchLabels": {"app": 1}}),
}


@pytest.mark.parametrize("rollout", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_wrong_shape_is_a_problem_and_no_exception(rollout: dict[str, Any]) -> None:
    assert told(rollout) != []
    assert all(one.startswith("spec") for one in told(rollout))


@given(
    st.sampled_from(list(FINE.values())),
    st.data(),
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=3)
    | st.just([])
    | st.just({})
    | st.just([{}])
    | st.just({"": None}),
)
def test_whatever_stands_in_place_of_a_field_nothing_is_raised(rollout: dict[str, Any], data: st.DataObject, anything: Any) -> None:
    broken = copy.deepcopy(rollout)
    node: Any = broken["spec"]
    while True:
        key = data.draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
        if not isinstance(node[key], dict | list) or not node[key] or data.draw(st.booleans()):
            break
        node = node[key]
    node[key] = anything
    assert all(one.startswith("spec") for one in told(broken))


def test_the_condition_tells_which_rollout_and_which_fields() -> None:
    text = invalid_text("web", validate(a_rollout(replicas=-1, selector={})))
    assert text.startswith(
        'The Rollout "web" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0; spec.selec'
    )


def test_of_many_problems_the_first_are_told_and_the_rest_counted() -> None:
    problems = [Problem(f"spec.f{number}", "is wrong", number) for number in range(7)]
    text = invalid_text("web", problems)
    assert "spec.f4: Invalid value: 4: is wrong; and 2 more" in text
    assert "spec.f5" not in text
    assert "more" not in invalid_text("web", problems[:5])


def test_a_long_value_is_cut() -> None:
    assert len(str(Problem("spec.x", "is long", "x" * 10_000))) < 200
