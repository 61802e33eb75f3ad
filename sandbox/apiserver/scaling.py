"""The `scale` subresource: replicas by whatever path a resource keeps them at.

Owns the translation between an object and `autoscaling/v1` Scale. Must not: write; see writing.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.apiserver import failures
from sandbox.apiserver.core import Call, copied, decode
from sandbox.apiserver.golang import go_kind
from sandbox.apiserver.patching import apply_json_patch, merge
from sandbox.apiserver.requests import Answer, json_answer
from sandbox.apiserver.resources import Body, Scale
from sandbox.apiserver.storage import Stored
from sandbox.apiserver.writing import update


def _at(obj: Mapping[str, Any], path: str) -> Any:
    value: Any = obj
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _selector(call: Call, body: Mapping[str, Any], scale: Scale) -> str:
    if call.resource.custom:
        return str(_at(body, scale.selector) or "") if scale.selector else ""
    selector = _at(body, "spec.selector") or {}
    terms = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for item in selector.get("matchExpressions") or ():
        values = ",".join(item.get("values") or ())
        form = {"In": "{0} in ({1})", "NotIn": "{0} notin ({1})", "Exists": "{0}", "DoesNotExist": "!{0}"}[item["operator"]]
        terms.append(form.format(item["key"], values))
    return ",".join(terms)


def scale_of(call: Call, stored: Stored) -> Body:
    """Return an object's Scale.

    Raises:
        Refusal: 404 when the resource has none.
    """
    scale = call.resource.scale
    if scale is None:
        raise failures.no_such_resource()
    metadata = stored.body["metadata"]
    kept = {
        name: metadata[name] for name in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp") if name in metadata
    }
    status: Body = {"replicas": _at(stored.body, scale.status_replicas) or 0}
    if selector := _selector(call, stored.body, scale):
        status["selector"] = selector
    replicas = _at(stored.body, scale.replicas)
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": kept,
        "spec": {"replicas": replicas} if replicas else {},
        "status": status,
    }


def scale_verb(call: Call, verb: str) -> Answer:
    """Serve get, update and patch of a Scale.

    Raises:
        Refusal: as for the object itself.
    """
    old = call.found()
    current = scale_of(call, old)
    if verb == "get":
        return json_answer(current)
    if verb not in ("update", "patch"):
        raise failures.method_not_allowed()
    wanted = _wanted(call, verb, current)
    replicas = (wanted.get("spec") or {}).get("replicas", 0)
    if not isinstance(replicas, int) or isinstance(replicas, bool) or replicas < 0:
        raise _refused(call, wanted, replicas)
    obj = copied(call.resource.read(old.body))
    _set(obj, call.resource.scale.replicas if call.resource.scale else "", replicas)
    version = (wanted.get("metadata") or {}).get("resourceVersion")
    obj["metadata"]["resourceVersion"] = version or ""
    return json_answer(scale_of(call, update(call, old, obj)))


def _refused(call: Call, wanted: Body, replicas: Any) -> failures.Refusal:
    if not isinstance(replicas, int) or isinstance(replicas, bool):
        kind, place = go_kind(replicas), "Go struct field ScaleSpec.spec.replicas of type int32"
        return failures.not_decoded(wanted, f"json: cannot unmarshal {kind} into {place}")
    if call.resource.custom:
        error = failures.invalid(".spec.replicas", replicas, "should be a non-negative integer")
        return failures.not_valid(call.resource.target(call.address.name), [error])
    error = failures.invalid("spec.replicas", replicas, "must be greater than or equal to 0")
    return failures.not_valid(failures.Target("autoscaling", "scales", "Scale", call.address.name), [error])


def _wanted(call: Call, verb: str, current: Body) -> Body:
    body = decode(call.request)
    if verb == "update":
        wanted = body
    else:
        kind = call.request.headers.get("content-type", "").split(";")[0].strip()
        wanted = apply_json_patch(current, body) if kind == "application/json-patch+json" else merge(current, body)
        if kind != "application/json-patch+json" and "resourceVersion" not in (body.get("metadata") or {}):
            wanted = {**wanted, "metadata": {**wanted["metadata"], "resourceVersion": ""}}
    if not isinstance(wanted, dict) or wanted.get("kind", "Scale") != "Scale":
        raise failures.bad_request("the object of the scale subresource must be an autoscaling/v1 Scale")
    return wanted


def _set(obj: Body, path: str, value: Any) -> None:
    *parents, last = path.split(".")
    for part in parents:
        obj = obj.setdefault(part, {})
    obj[last] = value
