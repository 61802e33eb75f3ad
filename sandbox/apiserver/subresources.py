"""Subresources other than `status`: which function serves which.

Owns the table of them. Must not: implement one.
"""

from __future__ import annotations

import json

from sandbox.apiserver import failures
from sandbox.apiserver.core import Call, checked_object, copied, decode, require_scope
from sandbox.apiserver.evictions import bind, evict
from sandbox.apiserver.logs import pod_log
from sandbox.apiserver.requests import Answer, Request, Streamed
from sandbox.apiserver.scaling import scale_verb
from sandbox.apiserver.verbs import answer
from sandbox.apiserver.writing import save

_CONTAINER_COMMANDS = frozenset({"exec", "attach", "port-forward", "cp"})


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
            raise _needs_a_container(name)
        case "token", _:
            raise failures.bad_request(
                "the sandbox issues no service account tokens; use one that the server was started with, as kubeconfigs do"
            )
    raise failures.method_not_allowed()


def refuse_container_commands(request: Request) -> None:
    """Refuse what kubectl asks before it enters a container: the connection it would open next fails without a reason.

    A pod that `kubectl run` wants to talk to is refused before it is made.

    Raises:
        Refusal: 400, with what to do instead.
    """
    command = request.headers.get("kubectl-command", "").removeprefix("kubectl ")
    if command in _CONTAINER_COMMANDS:
        raise _needs_a_container(command)
    if command == "run" and _keeps_input(request):
        raise failures.bad_request(
            "the sandbox's pods are local processes without a terminal: run with -i or -t is not served. "
            "`kubectl run --attach` instead shows what the command prints"
        )


def _keeps_input(request: Request) -> bool:
    """Tell whether kubectl makes a pod to talk to. It sends JSON; what is no pod is judged where it is made."""
    if request.method != "POST" or not request.body.startswith(b"{"):
        return False
    try:
        containers = json.loads(request.body)["spec"]["containers"]
        return any(container.get("stdin") or container.get("tty") for container in containers)
    except (ValueError, LookupError, TypeError, AttributeError):
        return False


def _needs_a_container(name: str) -> failures.Refusal:
    return failures.bad_request(
        f"the sandbox's pods are local processes: {name} is not served. Read `kubectl logs`, or talk to the pod's address "
        "(`kubectl get pods -o wide`) from this machine"
    )


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
