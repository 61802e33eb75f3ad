"""Subresources other than `status`: which function serves which.

Owns the table of them. Must not: implement one.
"""

from __future__ import annotations

from sandbox.apiserver import failures
from sandbox.apiserver.core import Call, checked_object, copied, decode, require_scope
from sandbox.apiserver.evictions import bind, evict
from sandbox.apiserver.logs import pod_log
from sandbox.apiserver.requests import Answer, Streamed
from sandbox.apiserver.scaling import scale_verb
from sandbox.apiserver.verbs import answer
from sandbox.apiserver.writing import save


async def serve_subresource(call: Call, verb: str) -> Answer | Streamed:
    """Answer a request to a subresource.

    Raises:
        Refusal: 404 or 405 when there is no such thing, else as the subresource does.
    """
    name = call.address.subresource
    require_scope(call)
    if name not in call.resource.subresources:
        raise failures.no_such_resource()
    match name, verb:
        case "scale", _:
            return scale_verb(call, verb)
        case "eviction", "create":
            return evict(call)
        case "binding", "create":
            return bind(call)
        case "log", "get":
            return await pod_log(call)
        case "finalize", "update":
            return _finalize(call)
        case "exec" | "attach" | "portforward", _:
            raise failures.bad_request(
                f"the sandbox's pods are local processes; {name} is not served, use the logs or the pod's address"
            )
    raise failures.method_not_allowed()


def _finalize(call: Call) -> Answer:
    """Replace `spec.finalizers` of a namespace; a namespace on its way out that has none left is removed."""
    wanted = checked_object(call, decode(call.request))
    old = call.found()
    version = wanted["metadata"].get("resourceVersion")
    if version and version != old.body["metadata"]["resourceVersion"]:
        raise failures.conflict(call.resource.target(call.address.name))
    body = copied(old.body)
    finalizers = (wanted.get("spec") or {}).get("finalizers") or []
    body["spec"] = {**body.get("spec", {}), "finalizers": finalizers} if finalizers else {}
    return answer(call, save(call, call.key, body))
