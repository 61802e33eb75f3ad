"""What a trace shows of a reconcile: what it was about, what it did and asked, and how that ended."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import pytest
from kube_cluster import Cluster, child, cluster, ref
from kube_fakes import ScriptedTransport, ok, refusal
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from traces_seen import Seen, attributes

from kube import logs, spans
from kube.client import Client
from kube.errors import ApiError, Fenced, Unreachable
from kube.kinds import CONFIG_MAP, ObjectRef
from kube.objects import Key
from kube.plan import Delete, Effect, Evict, Observation, Patch, Plan, Stage
from kube.tracing import Untraced
from sandbox.apiserver.faults import Fault

pytestmark = pytest.mark.looptime
SECRET = "sesame-open"
LOOK = "reconcile Widget"


def shipping(scene: Cluster, *, name: str = "child") -> Any:
    """A reconcile that makes a config map, asks for an effect, and says in the status when both are done."""

    def reconcile(key: Key, observations: Sequence[Observation], now: datetime) -> Plan | None:
        root = scene.widgets.store.get(*key)
        if root is None or (root.get("status") or {}).get("done"):
            return None
        if scene.maps.store.get("default", name) is None:
            return Plan(stages=(Stage("first", (child(root, name, {"token": SECRET}),)),))
        effect = Effect("measure/errors/1", {"url": f"https://user:{SECRET}@prometheus"})
        if not observations:
            return Plan(effects=(effect,))
        return Plan(status={"done": True, "said": SECRET}, consumed=(effect.id,))

    return reconcile


async def test_what_a_reconcile_writes_asks_and_starts_stands_below_it() -> None:
    seen = Seen()

    async def measure(key: Key, effect: Effect) -> str:
        await scene.client.get(CONFIG_MAP, "default", "child")
        return SECRET

    async with cluster(tracer=seen.tracer) as scene:
        await scene.widget()
        scene.control(shipping(scene), perform=measure)
        await asyncio.sleep(5)
        assert (await scene.get())["status"]["done"]
    maps, widgets = "/api/v1/namespaces/{namespace}/configmaps", "/apis/shop.example/v1/namespaces/{namespace}/widgets"
    assert seen.paths(f"POST {maps}") == {(LOOK, "create configmaps", f"POST {maps}")}
    assert seen.paths(f"GET {maps}/{{name}}") == {(LOOK, "effect measure", f"GET {maps}/{{name}}")}
    assert seen.paths(f"PATCH {widgets}/{{name}}/status") == {
        (LOOK, "patch widgets/status", f"PATCH {widgets}/{{name}}/status"),
    }
    assert seen.paths("GET /api/v1/configmaps") == {("GET /api/v1/configmaps",)}
    assert {outcome for name in (LOOK, "create configmaps", "effect measure") for outcome in seen.outcomes(name)} == {
        ("done", "UNSET")
    }


async def test_a_reconcile_says_which_object_it_looked_at_and_what_it_planned() -> None:
    seen = Seen()
    async with cluster(tracer=seen.tracer) as scene:
        await scene.widget()
        scene.control(shipping(scene))
        await asyncio.sleep(5)
    first, *_ = seen.named(LOOK)
    said = attributes(first)
    assert said.pop("rollouts.queue.wait_seconds") >= 0
    assert said == {
        "rollouts.object.kind": "Widget",
        "k8s.namespace.name": "default",
        "rollouts.object.name": "a",
        "rollouts.controller": "widgets",
        "rollouts.reconcile.id": "1",
        "rollouts.plan.stages": ("first",),
        "rollouts.plan.writes": 1,
        "rollouts.plan.effects": 0,
        "rollouts.plan.events": 0,
        "rollouts.outcome": "done",
    }
    [write] = seen.named("create configmaps")
    assert attributes(write) == {
        "rollouts.write.verb": "create",
        "rollouts.write.resource": "configmaps",
        "rollouts.object.kind": "ConfigMap",
        "k8s.namespace.name": "default",
        "rollouts.object.name": "child",
        "rollouts.outcome": "done",
    }


async def test_writes_that_go_out_together_and_requests_that_are_sent_again_stand_where_they_belong() -> None:
    seen = Seen()

    async with cluster(tracer=seen.tracer) as scene:
        root = await scene.widget()
        scene.server.faults.set(Fault(action="too-many-requests", verb="create", resource="configmaps", times=1))
        plan = Plan(stages=(Stage("both", (child(root, "one"), child(root, "two"))),))
        scene.control(lambda key, observations, now: plan if not scene.maps.store.all() else None)
        await asyncio.sleep(5)
    posts = seen.named("POST /api/v1/namespaces/{namespace}/configmaps")
    assert {seen.path(span)[:2] for span in posts} == {(LOOK, "create configmaps")}
    assert sorted(attributes(span)["http.response.status_code"] for span in posts) == [201, 201, 429]
    assert sorted(attributes(span)["rollouts.object.name"] for span in seen.named("create configmaps")) == ["one", "two"]


async def test_the_wait_for_a_worker_is_told() -> None:
    """One worker, and a first object that takes it for three seconds."""
    seen = Seen()

    async with cluster(tracer=seen.tracer) as scene:
        scene.server.faults.set(Fault(action="delay", verb="patch", resource="widgets", seconds=3, times=1))
        for name in ("a", "b"):
            await scene.widget(name)
        scene.control(lambda key, observations, now: Plan(status={"done": True}), workers=1)
        await asyncio.sleep(10)
    waits = {
        attributes(span)["rollouts.object.name"]: attributes(span)["rollouts.queue.wait_seconds"] for span in seen.named(LOOK)[:2]
    }
    assert waits["a"] < 1
    assert waits["b"] == pytest.approx(3, abs=0.5)


def failing(scene: Cluster) -> None:
    scene.server.faults.set(Fault(action="error", verb="patch", resource="widgets", times=1))


def conflicting(scene: Cluster) -> None:
    scene.server.faults.set(Fault(action="conflict", verb="patch", resource="widgets", times=1))


def losing_the_lease(scene: Cluster) -> None:
    scene.leading = False


@pytest.mark.parametrize(
    ("happening", "outcome", "status"),
    [
        pytest.param(failing, "failed", "ERROR", id="the server refuses"),
        pytest.param(conflicting, "outdated", "UNSET", id="somebody was quicker"),
        pytest.param(losing_the_lease, "not leading", "UNSET", id="another replica leads"),
    ],
)
async def test_only_what_went_wrong_is_an_error(happening: Callable[[Cluster], None], outcome: str, status: str) -> None:
    seen = Seen()
    async with cluster(tracer=seen.tracer) as scene:
        await scene.widget()
        happening(scene)
        scene.control(lambda key, observations, now: Plan(status={"done": True}))
        await asyncio.sleep(5)
    assert seen.outcomes(LOOK)[0] == (outcome, status)
    for write in seen.outcomes("patch widgets/status")[:1]:
        assert write == (outcome, status)


async def test_a_plan_that_cannot_be_made_is_an_error_without_its_text() -> None:
    seen = Seen()

    def broken(key: Key, observations: Sequence[Observation], now: datetime) -> Plan | None:
        raise ValueError(f"bad token {SECRET}")

    async with cluster(tracer=seen.tracer) as scene:
        await scene.widget()
        scene.control(broken)
        await asyncio.sleep(0.1)
    first, *_ = seen.named(LOOK)
    assert (first.status.status_code.name, first.status.description) == ("ERROR", "ValueError")
    assert not [text for text in seen.texts() if SECRET in text]


async def test_an_effect_that_fails_is_an_error_and_one_that_nobody_waits_for_any_more_is_not() -> None:
    seen = Seen()

    async def perform(key: Key, effect: Effect) -> None:
        if effect.id == "call/slow":
            await asyncio.Event().wait()
        raise ValueError(SECRET)

    def reconcile(key: Key, observations: Sequence[Observation], now: datetime) -> Plan | None:
        return Plan(effects=(Effect("call/slow", None), Effect("ask/badly", None)))

    async with cluster(tracer=seen.tracer) as scene:
        await scene.widget()
        scene.control(reconcile, perform=perform)
        await asyncio.sleep(0.5)
    assert seen.outcomes("effect ask")[0] == ("failed", "ERROR")
    assert seen.outcomes("effect call") == [("cancelled", "UNSET")]
    assert not [text for text in seen.texts() if SECRET in text]


async def test_no_span_holds_a_body_a_value_or_an_address_and_no_name_of_a_span_an_object() -> None:
    seen = Seen()
    async with cluster(tracer=seen.tracer) as scene:
        for name in ("unmistakable-1", "unmistakable-2"):
            await scene.widget(name)
            scene.control(shipping(scene, name=f"{name}-map"))
        await asyncio.sleep(5)
    told = list(seen.texts())
    assert not [text for text in told for secret in (SECRET, "sesame", "user:") if secret in text]
    assert [text for text in told if '"server.address": "cluster.example"' in text]
    assert not [span.name for span in seen.spans if "unmistakable" in span.name or "default" in span.name]


@pytest.mark.parametrize("sampled", [pytest.param(True, id="a trace that is kept"), pytest.param(False, id="one that is not")])
async def test_a_log_line_names_the_trace_it_is_found_by(sampled: bool) -> None:
    seen = Seen() if sampled else Seen(ALWAYS_OFF)
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.JsonFormat())
    handler.addFilter(logs.Context())
    logging.getLogger("kube.controller").addHandler(handler)
    try:
        async with cluster(tracer=seen.tracer) as scene:
            await scene.widget()
            failing(scene)
            scene.control(lambda key, observations, now: Plan(status={"done": True}))
            await asyncio.sleep(0.01)
    finally:
        logging.getLogger("kube.controller").removeHandler(handler)
    [line] = [json.loads(one) for one in stream.getvalue().splitlines() if "reconcile failed" in one]
    found = [f"{span.context.trace_id:032x}" for span in seen.named(LOOK)[:1] if span.context]
    assert [line["trace_id"]] == found if sampled else "trace_id" not in line


async def test_the_server_is_told_which_request_it_is_part_of() -> None:
    seen, script = Seen(), ScriptedTransport([ok({"kind": "ConfigMap", "metadata": {"name": "a"}})])
    client = Client(spans.TracedTransport(script, tracer=seen.tracer, server="http://127.0.0.1:6443"))
    await client.get(CONFIG_MAP, "shop", "a")
    [span] = seen.spans
    assert span.context is not None
    told = script.sent[0].headers["traceparent"].split("-")
    assert told[:3] == ["00", f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}"]
    assert int(told[3], 16) & 1, "the trace is kept"
    assert (span.kind.name, attributes(span)) == (
        "CLIENT",
        {
            "http.request.method": "GET",
            "url.template": "/api/v1/namespaces/{namespace}/configmaps/{name}",
            "server.address": "127.0.0.1",
            "server.port": 6443,
            "http.response.status_code": 200,
        },
    )


@pytest.mark.parametrize(
    ("answer", "kind", "status"),
    [
        pytest.param(refusal(422, "Invalid", f"token: {SECRET}"), "422", "ERROR", id="a refusal"),
        pytest.param(refusal(404, "NotFound"), "404", "ERROR", id="nothing there"),
        pytest.param(Unreachable(f"to {SECRET}", maybe_applied=True), "Unreachable", "ERROR", id="no answer"),
        pytest.param(Fenced("POST"), "Fenced", "UNSET", id="kept back by the fence"),
    ],
)
async def test_a_request_without_a_good_answer_says_which_kind_of_error_it_met(answer: Any, kind: str, status: str) -> None:
    seen = Seen()
    client = Client(spans.TracedTransport(ScriptedTransport([answer]), tracer=seen.tracer, server="https://cluster.example"))
    with pytest.raises(ApiError):
        await client.create(CONFIG_MAP, {"metadata": {"namespace": "shop", "name": "a"}, "data": {"token": SECRET}})
    [span] = seen.spans
    assert (attributes(span)["error.type"], span.status.status_code.name) == (kind, status)
    assert SECRET not in span.to_json()


@pytest.mark.parametrize(
    ("path", "template"),
    [
        pytest.param("/api/v1/pods", "/api/v1/pods", id="all of a kind"),
        pytest.param("/api/v1/namespaces/shop/pods/web-1", "/api/v1/namespaces/{namespace}/pods/{name}", id="a pod"),
        pytest.param(
            "/api/v1/namespaces/shop/pods/web-1/eviction", "/api/v1/namespaces/{namespace}/pods/{name}/eviction", id="a subresource"
        ),
        pytest.param("/apis/apps/v1/namespaces/shop/deployments", "/apis/apps/v1/namespaces/{namespace}/deployments", id="a group"),
        pytest.param("/api/v1/namespaces/shop", "/api/v1/namespaces/{name}", id="a namespace"),
        pytest.param(
            "/apis/argoproj.io/v1alpha1/clusteranalysistemplates/errors",
            "/apis/argoproj.io/v1alpha1/clusteranalysistemplates/{name}",
            id="an object of the whole cluster",
        ),
        pytest.param(
            "/api/v1/namespaces/shop/services/web/proxy/users/7",
            "/api/v1/namespaces/{namespace}/services/{name}/proxy",
            id="what a proxy leads to",
        ),
        pytest.param("/apis/apps/v1", "/apis/apps/v1", id="discovery of a group"),
        pytest.param("/apis", "/apis", id="discovery"),
        pytest.param("/openapi/v3/apis/apps/v1", "/openapi", id="what is no object"),
    ],
)
def test_a_path_is_told_without_names(path: str, template: str) -> None:
    assert spans.template_of(path) == template


POD = ObjectRef(CONFIG_MAP, "shop", "a")


@pytest.mark.parametrize(
    ("write", "name"),
    [
        pytest.param(Patch(ref=POD, patch={"data": {}}), "patch configmaps", id="a patch"),
        pytest.param(Patch(ref=POD, patch={}, subresource="scale"), "patch configmaps/scale", id="a patch of a subresource"),
        pytest.param(Delete(ref=POD, uid="1"), "delete configmaps", id="a deletion"),
        pytest.param(Evict(ref=POD, uid="1"), "evict configmaps", id="an eviction"),
    ],
)
def test_a_write_is_called_after_verb_and_resource(write: Any, name: str) -> None:
    assert spans.of_write(write).name == name


async def test_where_nobody_asked_for_traces_nothing_stands_between() -> None:
    async def work(*_: Any) -> None:
        pass

    def reconcile(key: Key, observations: Sequence[Observation], now: datetime) -> Plan | None:
        return None

    off, kind = Untraced(), ref().kind
    assert spans.traced(work, tracer=off, beginning=spans.of_write) is work
    assert spans.effects(work, tracer=off, root=kind) is work
    assert spans.plans(reconcile, tracer=off) is reconcile
    assert spans.reconciles(work, tracer=off, controller="widgets", root=kind, waited_seconds=lambda _: 0.0) is work
