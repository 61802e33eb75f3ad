"""Asking a part whether it is up.

Owns one small HTTP request. Must not: start anything, or decide how long to wait.
"""

from __future__ import annotations

import http.client
import json
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sandbox.cluster.topology import Ready

TIMEOUT_SECONDS = 2.0


def is_ready(ready: Ready, log: Path) -> bool:
    """Tell whether a part says that it is up; False while nobody answers. `log` has what it wrote since it started."""
    if ready.line:
        return ready.line in log.read_text()
    if ready.file is not None:
        return ready.file.exists()
    if ready.kubeconfig is not None:
        return _reads(ready, ready.kubeconfig)
    try:
        status, body = _get(ready)
    except (OSError, http.client.HTTPException):
        return False
    return status == 200 and (not ready.condition or _has_condition(body, ready.condition))


def _reads(ready: Ready, kubeconfig: Path) -> bool:
    """Ask an API server to which there may be other ways than a token."""
    from kube.config import load  # reads YAML, which others need not wait for
    from kube.errors import ApiError
    from kube.quick import QuickClient

    with QuickClient(load(str(kubeconfig)), timeout_seconds=TIMEOUT_SECONDS) as client:
        try:
            found = client.read(ready.url)
        except ApiError:
            return False
    return not ready.condition or _has_condition(json.dumps(found).encode(), ready.condition)


def _get(ready: Ready) -> tuple[int, bytes]:
    place = urlsplit(ready.url)
    connection = _connection(place.hostname or "", place.port, ready.authority)
    try:
        connection.request("GET", place.path, headers={"authorization": f"Bearer {ready.token}"} if ready.token else {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _connection(host: str, port: int | None, authority: Path | None) -> http.client.HTTPConnection:
    if authority is None:
        return http.client.HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)
    context = ssl.create_default_context(cafile=str(authority))
    return http.client.HTTPSConnection(host, port, timeout=TIMEOUT_SECONDS, context=context)


def _has_condition(body: bytes, name: str) -> bool:
    found: Any = json.loads(body)
    conditions = (found.get("status") or {}).get("conditions") or ()
    return any(one.get("type") == name and one.get("status") == "True" for one in conditions)
