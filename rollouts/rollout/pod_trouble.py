"""Why a pod does not run, in one short line: an image that cannot be pulled, a container that ends again and again, no node.

Pure. Must not: know a Rollout.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from analysis.run.verdicts import cut
from kube.objects import Object

_CHARACTERS = 160
_IMAGE_REASONS = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError"})
_OTHER_REASONS = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError", "StartError"})
_WRAPPING = re.compile(
    r"""^(?:rpc\ error:.*?desc\ =\ |Error\ response\ from\ daemon:\ |(?:ErrImagePull|ImagePullBackOff):[ ]
        |Back-off\ pulling\ image\ [^:]*"[^"]*":?\ ?
        |failed\ to\ [a-z ]+"[^"]*":\ )""",
    re.VERBOSE,
)
"""What kubelets and runtimes put around the cause, one around the other."""


def pod_trouble(pod: Object) -> str | None:
    """Say why a container of a pod does not run: `reason: cause`; None when none is stuck."""
    status = pod.get("status") or {}
    containers = (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ()))
    return next((text for one in containers if (text := _container_trouble(one))), None) or _unschedulable(status)


def _container_trouble(container: Mapping[str, Any]) -> str:
    state = container.get("state") or {}
    waiting = state.get("waiting") or {}
    reason, message = str(waiting.get("reason") or ""), str(waiting.get("message") or "")
    if reason in _IMAGE_REASONS:
        return _image_trouble(reason, message, str(container.get("image") or ""))
    if reason in _OTHER_REASONS:
        return _line(reason, message)
    if reason == "CrashLoopBackOff":
        return _line(reason, _ending(container, container.get("lastState") or {}))
    ended = state.get("terminated") or {}
    return _line(str(ended.get("reason") or "Error"), _ending(container, state)) if ended.get("exitCode") else ""


def _image_trouble(reason: str, message: str, image: str) -> str:
    """Name the image once, and the cause without what it is wrapped in."""
    cause = _cause(message)
    if not image:
        return _line(reason, message)
    return _line(reason, cause) if image in cause else _line(reason, f'image "{image}"', cause)


def _ending(container: Mapping[str, Any], state: Mapping[str, Any]) -> str:
    """Say how a container ended last, as far as that is known."""
    name, ended, restarts = container.get("name", "?"), state.get("terminated") or {}, int(container.get("restartCount") or 0)
    code = f"exit code {ended['exitCode']}" if ended.get("exitCode") is not None else ""
    how = ", ".join(filter(None, (code, str(ended.get("reason") or "").replace("Error", ""))))
    times = f" after {restarts} restart{'s' if restarts != 1 else ''}" if restarts else ""
    message = f": {ended['message']}" if ended.get("message") else ""
    return f"container {name} ended{times}" + (f" ({how})" if how else "") + message


def _cause(message: str) -> str:
    """Return what is left of an image pull's message without what it is wrapped in, again and again."""
    text = " ".join(message.split())
    while (shorter := _WRAPPING.sub("", text, count=1).strip()) != text:
        text = shorter
    return text


def _unschedulable(status: Mapping[str, Any]) -> str | None:
    return next(_scheduling_troubles(status), None)


def _scheduling_troubles(status: Mapping[str, Any]) -> Iterator[str]:
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            yield _line(str(condition.get("reason") or "Unschedulable"), str(condition.get("message") or ""))


def _line(*parts: str) -> str:
    return cut(": ".join(" ".join(part.split()) for part in parts if part), _CHARACTERS)
