"""The `log` subresource: fetched from the node agent that runs the pod.

Owns finding the agent: the node's InternalIP and `status.daemonEndpoints.kubeletEndpoint.Port`. Must not: keep logs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.apiserver import failures
from sandbox.apiserver.core import Call
from sandbox.apiserver.requests import Answer, Streamed


def agent_url(call: Call) -> str:
    """Return where the logs of a pod's container are: `http://ADDRESS:PORT/containerLogs/NAMESPACE/POD/CONTAINER`.

    Raises:
        Refusal: 400 when the container is not named and there are several, or the pod runs nowhere yet; 404; 500 when the
            node has no address.
    """
    pod = call.found().body
    container = _container(call, pod)
    node_name = pod["spec"].get("nodeName")
    if not node_name:
        raise failures.bad_request(f'container "{container}" in pod "{call.address.name}" is waiting to start: no host assigned')
    node = call.core.storage.get("nodes", ("", node_name))
    if node is None:
        raise failures.not_found(failures.Target("", "nodes", "Node", node_name))
    status = node.body.get("status") or {}
    addresses = {item["type"]: item["address"] for item in status.get("addresses") or ()}
    port = ((status.get("daemonEndpoints") or {}).get("kubeletEndpoint") or {}).get("Port")
    address = addresses.get("InternalIP") or addresses.get("Hostname")
    if not address or not port:
        raise failures.internal_error(
            f"node {node_name} does not say where its agent listens (status.addresses, status.daemonEndpoints)"
        )
    return f"http://{address}:{port}/containerLogs/{call.address.namespace}/{call.address.name}/{container}"


def _container(call: Call, pod: Mapping[str, Any]) -> str:
    spec = pod["spec"]
    names = [item["name"] for item in spec.get("containers") or ()]
    every = [*names, *(item["name"] for item in spec.get("initContainers") or ())]
    asked = call.request.query.get("container", "")
    if not asked and len(every) > 1:
        detail = f"a container name must be specified for pod {call.address.name}, choose one of: [{' '.join(names)}]"
        inits = every[len(names) :]
        raise failures.bad_request(detail + (f" or one of the init containers: [{' '.join(inits)}]" if inits else ""))
    if asked and asked not in every:
        raise failures.bad_request(f"container {asked} is not valid for pod {call.address.name}")
    return asked or every[0]


async def pod_log(call: Call) -> Answer | Streamed:
    """Answer with the log, as it comes when the request says `follow=true`."""
    from sandbox.apiserver.agent_log import AgentLog  # brings an HTTP client, which most servers never need

    query = {key: value for key, value in call.request.query.items() if key != "container"}
    if call.request.headers.get("kubectl-command") == "kubectl run":
        query["follow"] = "true"  # it could not attach and shows the log instead: the whole one, as it comes
    return Streamed(chunks=await AgentLog.opened(agent_url(call), query), content_type="text/plain")
