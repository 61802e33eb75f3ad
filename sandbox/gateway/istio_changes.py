"""What a VirtualService's route changes about a request: path, Host, headers, patience; redirects and direct answers.

Owns these fields of `http[]` as Envoy's. Must not: know destinations. Values that Envoy would refuse raise `ValueError`
here, since Envoy would refuse the whole table with them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sandbox.gateway.canary import TOKEN, is_regex
from sandbox.gateway.envoy import SAFE_RETRIES, answer
from sandbox.gateway.world import Json

DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?")
LONGEST_SECONDS = 365 * 86400.0
LONGEST_BODY = 4096
MOST_RETRIES = 100
TEXT = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")
HOST_NAMES = ("host", ":authority")


def retries(wanted: Mapping[str, Any] | None) -> Json:
    """Return the retry policy. Without one, only requests that reached nobody are tried again.

    Raises:
        ValueError: a number or duration cannot be read.
    """
    if not wanted:
        return SAFE_RETRIES
    attempts = int(wanted.get("attempts") or 0)
    if attempts <= 0:
        return {"retry_on": SAFE_RETRIES["retry_on"], "num_retries": 0}
    found: Json = {"retry_on": _text(wanted.get("retryOn") or SAFE_RETRIES["retry_on"]), "num_retries": min(attempts, MOST_RETRIES)}
    each = seconds(wanted.get("perTryTimeout"))
    return {**found, "per_try_timeout": each} if each else found


def rewrite(wanted: Mapping[str, Any], match: Json) -> Json:
    """Return how path and Host are rewritten. A prefix replaces the part that matched.

    Raises:
        ValueError: a broken expression, or a value that no request can carry.
    """
    found: Json = {}
    if wanted.get("authority"):
        found["host_rewrite_literal"] = _text(wanted["authority"])
    if wanted.get("uri"):
        uri = _text(wanted["uri"])
        regex = match.get("safe_regex")
        found |= {"regex_rewrite": {"pattern": regex, "substitution": uri}} if regex else {"prefix_rewrite": uri}
    by_regex = wanted.get("uriRegexRewrite")
    if by_regex:
        if not is_regex(str(by_regex["match"])):
            raise ValueError(f"{by_regex['match']!r} is no RE2 expression")
        found["regex_rewrite"] = {"pattern": {"regex": str(by_regex["match"])}, "substitution": str(by_regex["rewrite"])}
    return found


def redirect(wanted: Mapping[str, Any]) -> Json:
    """Return a redirect; a code that is none of the five becomes 301.

    Raises:
        ValueError: a value that no answer can carry.
    """
    codes = {301: "MOVED_PERMANENTLY", 302: "FOUND", 303: "SEE_OTHER", 307: "TEMPORARY_REDIRECT", 308: "PERMANENT_REDIRECT"}
    found: Json = {"response_code": codes.get(int(wanted.get("redirectCode") or 301), "MOVED_PERMANENTLY")}
    for ours, theirs in (("uri", "path_redirect"), ("authority", "host_redirect"), ("scheme", "scheme_redirect")):
        if wanted.get(ours):
            found[theirs] = _text(wanted[ours])
    if wanted.get("port"):
        found["port_redirect"] = min(65535, int(wanted["port"]))
    return found


def direct_answer(wanted: Mapping[str, Any]) -> Json:
    """Return an answer from the proxy itself.

    Raises:
        ValueError: the status is not one, or the body is too long.
    """
    status, text = int(wanted.get("status") or 0), str((wanted.get("body") or {}).get("string") or "")
    if not 200 <= status < 600 or len(text.encode()) >= LONGEST_BODY:
        raise ValueError(f"a direct answer needs a status from 200 to 599, and a body under {LONGEST_BODY} bytes")
    return answer(status, text)


def host_change(headers: Mapping[str, Any]) -> Json:
    """Return the Host rewrite that setting the header `host` or `:authority` means."""
    for name, value in ((headers.get("request") or {}).get("set") or {}).items():
        if name.lower() in HOST_NAMES:
            return {"host_rewrite_literal": _text(value)}
    return {}


def header_changes(headers: Mapping[str, Any]) -> Json:
    """Return Envoy's header fields for `headers.request` and `headers.response`: set, add, remove.

    The Host is not among them: it cannot be removed, and setting it is `host_change`.

    Raises:
        ValueError: a name or a value that no header can have.
    """
    found: Json = {}
    for side in ("request", "response"):
        changes = headers.get(side) or {}
        added = [_header(name, value, "OVERWRITE_IF_EXISTS_OR_ADD") for name, value in _entries(changes, "set")]
        added += [_header(name, value, "APPEND_IF_EXISTS_OR_ADD") for name, value in _entries(changes, "add")]
        if added:
            found[f"{side}_headers_to_add"] = added
        removed = [name for name in changes.get("remove") or () if TOKEN.fullmatch(name) and name.lower() not in HOST_NAMES]
        if removed:
            found[f"{side}_headers_to_remove"] = removed
    return found


def _entries(changes: Mapping[str, Any], key: str) -> list[tuple[str, Any]]:
    return [(name, value) for name, value in (changes.get(key) or {}).items() if name.lower() not in HOST_NAMES]


def _text(value: Any) -> str:
    text = str(value)
    if not TEXT.fullmatch(text):
        raise ValueError(f"{text!r} holds a control character")
    return text


def _header(name: str, value: Any, action: str) -> Json:
    if not TOKEN.fullmatch(name):
        raise ValueError(f"{name!r} is not a header name")
    return {"header": {"key": name, "value": _text(value).replace("%", "%%")}, "append_action": action}


def seconds(text: Any) -> str:
    """Read a duration as Istio writes it (`1m30s`, `0.5s`, `200ms`) as Envoy's `90s`; empty when there is none.

    Raises:
        ValueError: it is not a duration.
    """
    if not text:
        return ""
    found = DURATION.fullmatch(str(text))
    if found is None or not any(found.groups()):
        raise ValueError(f"{text!r} is not a duration such as 1m30s")
    total = sum(float(part or 0) * unit for part, unit in zip(found.groups(), (3600, 60, 1, 0.001), strict=True))
    total = min(total, LONGEST_SECONDS)
    return f"{total:.9f}".rstrip("0").rstrip(".") + "s"
