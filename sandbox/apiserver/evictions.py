"""The `eviction` and `binding` subresources of pods.

Owns the budget arithmetic of an eviction request. Must not: compute disruption statuses; the budget controller is a client.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kube.selectors import selects
from sandbox.apiserver import failures
from sandbox.apiserver.core import Call, copied, decode
from sandbox.apiserver.deleting import check_preconditions, delete, is_dry_run
from sandbox.apiserver.ownership import track_server
from sandbox.apiserver.requests import Answer, json_answer
from sandbox.apiserver.storage import Stored

BUDGETS = "poddisruptionbudgets.policy"
_CREATED = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


def evict(call: Call) -> Answer:
    """Delete a pod unless a disruption budget says no.

    Raises:
        Refusal: 429 when the budget is used up, 404, 409 when a precondition does not hold.
    """
    body = decode(call.request)
    options = dict(body.get("deleteOptions") or {})
    if (body.get("metadata") or {}).get("name") != call.address.name:
        raise failures.bad_request("name in URL does not match name in Eviction object")
    pod = call.found()
    budgets = _budgets_of(call, pod) if _counts(pod.body) else []
    if len(budgets) > 1:
        raise failures.unexpected(
            "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
        )
    needs_budget = bool(budgets) and not _may_go_unhealthy(budgets[0], pod)
    if needs_budget:
        _check(budgets[0])
    dry_run = is_dry_run(call, options)
    check_preconditions(call, pod, options)
    delete(call, pod if dry_run else _condemned(call, pod), options)
    if needs_budget and not dry_run:
        _charge(call, budgets[0], pod)
    return json_answer(_CREATED, status=201)


def _may_go_unhealthy(budget: Stored, pod: Stored) -> bool:
    """Tell whether a budget lets a pod go without being charged, because nobody is served by it."""
    conditions = (pod.body.get("status") or {}).get("conditions") or ()
    if any(item.get("type") == "Ready" and item.get("status") == "True" for item in conditions):
        return False
    status, policy = budget.body.get("status") or {}, (budget.body.get("spec") or {}).get("unhealthyPodEvictionPolicy")
    wanted = status.get("desiredHealthy", 0)
    return policy == "AlwaysAllow" or (wanted > 0 and status.get("currentHealthy", 0) >= wanted)


def _condemned(call: Call, pod: Stored) -> Stored:
    """Note in the pod's status that it goes because of an eviction."""
    body = copied(pod.body)
    condition: dict[str, Any] = {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}
    condition |= {"message": "Eviction API: evicting", "lastProbeTime": None, "lastTransitionTime": call.core.timestamp()}
    status = body.setdefault("status", {})
    others = [item for item in status.get("conditions") or () if item.get("type") != "DisruptionTarget"]
    status["conditions"] = [*others, condition]
    return call.core.storage.put("pods", call.key, body)


def _counts(pod: Mapping[str, Any]) -> bool:
    """Tell whether the pod is a healthy one that a budget protects."""
    phase = (pod.get("status") or {}).get("phase")
    return phase not in ("Succeeded", "Failed", "Pending") and not pod["metadata"].get("deletionTimestamp")


def _budgets_of(call: Call, pod: Stored) -> list[Stored]:
    namespace = pod.body["metadata"].get("namespace")
    labels = pod.body["metadata"].get("labels") or {}
    return [
        stored
        for (where, _), stored in sorted(call.core.storage.current(BUDGETS).items())
        if where == namespace and selects(stored.body.get("spec", {}).get("selector"), labels)
    ]


def _check(budget: Stored) -> None:
    metadata, status = budget.body["metadata"], budget.body.get("status") or {}
    observed, allowed = status.get("observedGeneration", 0), status.get("disruptionsAllowed", 0)
    name = metadata["name"]
    if observed < metadata.get("generation", 0):
        detail = f"The disruption budget {name} is still being processed by the server."
        raise _refused(detail, retry_after_seconds=10)
    if allowed <= 0:
        healthy, wanted = status.get("currentHealthy", 0), status.get("desiredHealthy", 0)
        raise _refused(
            f"The disruption budget {name} needs {wanted} healthy pods and has {healthy} currently", retry_after_seconds=None
        )


def _refused(detail: str, *, retry_after_seconds: int | None) -> failures.Refusal:
    message = "Cannot evict pod as it would violate the pod's disruption budget."
    cause = {"reason": "DisruptionBudget", "message": detail}
    return failures.too_many_requests(message, retry_after_seconds=retry_after_seconds, causes=[cause])


def _charge(call: Call, budget: Stored, pod: Stored) -> None:
    """Take one disruption off the budget at once, so that the next request sees it."""
    body = copied(budget.body)
    status = body.setdefault("status", {})
    status["disruptionsAllowed"] = status.get("disruptionsAllowed", 0) - 1
    status.setdefault("disruptedPods", {})[pod.body["metadata"]["name"]] = call.core.timestamp()
    enough = status["disruptionsAllowed"] > 0
    condition = {
        "type": "DisruptionAllowed",
        "status": "True" if enough else "False",
        "reason": "SufficientPods" if enough else "InsufficientPods",
        "message": "",
        "observedGeneration": status.get("observedGeneration", 0),
        "lastTransitionTime": call.core.timestamp(),
    }
    others = [item for item in status.get("conditions") or () if item.get("type") != "DisruptionAllowed"]
    status["conditions"] = [*others, condition]
    if (resource := call.core.registry.find("policy", "v1", "poddisruptionbudgets")) is not None:
        track_server(call.core, resource, budget.body, body)
    call.core.storage.put(BUDGETS, (body["metadata"]["namespace"], body["metadata"]["name"]), body)


def bind(call: Call) -> Answer:
    """Give a pod its node, as a scheduler does.

    Raises:
        Refusal: 409 when it has one already.
    """
    target = (decode(call.request).get("target") or {}).get("name")
    pod = call.found()
    body = copied(pod.body)
    if not target:
        raise failures.not_valid(failures.Target("", "bindings", "Binding", call.address.name), [failures.required("target.name")])
    if body["spec"].get("nodeName"):
        name = call.address.name
        raise failures.conflict(
            failures.Target("", "pods/binding", "Pod", name), f'pod {name} is already assigned to node "{body["spec"]["nodeName"]}"'
        )
    body["spec"]["nodeName"] = target
    conditions = [item for item in body.setdefault("status", {}).get("conditions") or () if item.get("type") != "PodScheduled"]
    scheduled = {"type": "PodScheduled", "status": "True", "lastProbeTime": None, "lastTransitionTime": call.core.timestamp()}
    body["status"]["conditions"] = [*conditions, scheduled]
    if not call.dry_run:
        call.core.storage.put("pods", call.key, body)
    return json_answer(_CREATED, status=201)
