"""The `log` subresource: fetched from the node agent that runs the pod.

Owns finding the agent: the node's InternalIP and `status.daemonEndpoints.kubeletEndpoint.Port`. Must not: keep logs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sandbox.apiserver import failures
from sandbox.apiserver.core import Call
from sandbox.apiserver.requests import Answer, Streamed

if TYPE_CHECKING:
    import aiohttp


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
    import aiohttp  # not needed by a server that runs in process

    url = agent_url(call)
    query = {key: value for key, value in call.request.query.items() if key != "container"}
    timeout = aiohttp.ClientTimeout(total=None, connect=5)
    lines = _Log(url, query, aiohttp.ClientSession(timeout=timeout))
    try:
        await lines.open()
    except (aiohttp.ClientError, TimeoutError) as error:
        await lines.aclose()
        raise failures.internal_error(f"Get {url!r}: {error}") from None
    except BaseException:
        await lines.aclose()
        raise
    return Streamed(chunks=lines, content_type="text/plain")


class _Log:
    """The body of an agent's answer; closing it closes the connection, whether or not anything was read."""

    def __init__(self, url: str, query: Mapping[str, str], session: aiohttp.ClientSession) -> None:
        self._url, self._query, self._session = url, query, session
        self._response: aiohttp.ClientResponse | None = None

    async def open(self) -> None:
        """Send the request.

        Raises:
            Refusal: the agent's own refusal.
        """
        self._response = await self._session.get(self._url, params=self._query)
        if self._response.status != 200:
            text = await self._response.text()
            detail = text.strip() or f"the node agent answered {self._response.status}"
            raise failures.Refusal(self._response.status, "InternalError", detail)

    def __aiter__(self) -> _Log:
        return self

    async def __anext__(self) -> bytes:
        chunk = await self._response.content.readany() if self._response is not None else b""
        if not chunk:
            await self.aclose()
            raise StopAsyncIteration
        return chunk

    async def aclose(self) -> None:
        """Let go of the connection."""
        if self._response is not None:
            self._response.close()
        await self._session.close()
