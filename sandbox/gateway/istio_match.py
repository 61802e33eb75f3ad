"""Istio's request matches as Envoy's.

Owns `http[].match[]` of a VirtualService. Must not: know routes or destinations.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kube.objects import Object
from sandbox.gateway.canary import TOKEN, is_regex
from sandbox.gateway.world import Json, Notes

ANY: Json = {"prefix": "/"}
MESH = "mesh"
SPECIAL = {"method": ":method", "authority": ":authority", "scheme": ":scheme"}


@dataclass(frozen=True, slots=True)
class Entry:
    """How a request comes in: `mesh` or a Gateway as `namespace/name`, and on which port."""

    gateway: str
    port: int


class Unserved(ValueError):
    """A match that this gateway cannot decide; its route is left out, with the reason."""


def matches(http: Mapping[str, Any], entry: Entry, *, owner: Object, notes: Notes) -> list[Json]:
    """Return Envoy matches for an http route, any of which will do; none when it is not for this entry."""
    wanted = http.get("match") or ()
    if not wanted:
        return [dict(ANY)]
    found = []
    for one in wanted:
        if _is_for(one, entry, owner):
            try:
                found.append(_match(one))
            except Unserved as error:
                notes.add(owner, f"a match of http route {http.get('name') or '(unnamed)'} is left out: {error}")
    return found


def gateway_names(names: Iterable[Any], owner: Object) -> list[str]:
    """Spell Gateways out as `namespace/name`; `mesh` stays."""
    own = str(owner["metadata"].get("namespace") or "")
    return [MESH if name == MESH else str(name) if "/" in str(name) else f"{own}/{name}" for name in names]


def _is_for(match: Mapping[str, Any], entry: Entry, owner: Object) -> bool:
    gateways = gateway_names(match.get("gateways") or (), owner)
    if gateways and entry.gateway not in gateways:
        return False
    port = match.get("port")
    return not port or port == entry.port


def _match(match: Mapping[str, Any]) -> Json:
    for key in ("sourceLabels", "sourceNamespace"):
        if match.get(key):
            raise Unserved(f"{key} asks who is calling, which this gateway does not know")
    found: Json = _path(match.get("uri") or {}, ignore_case=bool(match.get("ignoreUriCase")))
    headers = [_header(SPECIAL[key], match[key]) for key in SPECIAL if match.get(key)]
    headers += [_header(_token(name), value or {}) for name, value in (match.get("headers") or {}).items()]
    headers += [{**_header(_token(name), value or {}), "invert_match": True} for name, value in _without(match)]
    if headers:
        found["headers"] = headers
    query = [_query(name, value or {}) for name, value in (match.get("queryParams") or {}).items()]
    if query:
        found["query_parameters"] = query
    return found


def _without(match: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    return (match.get("withoutHeaders") or {}).items()


def _path(uri: Mapping[str, Any], *, ignore_case: bool) -> Json:
    kind, value = _kind(uri)
    case: Json = {"case_sensitive": False} if ignore_case else {}
    match kind:
        case "exact":
            return {"path": value, **case}
        case "prefix":
            return {"prefix": value, **case}
        case "regex":
            return {"safe_regex": {"regex": value}}
    return dict(ANY)


def _header(name: str, value: Mapping[str, Any]) -> Json:
    kind, text = _kind(value)
    if kind == "":
        return {"name": name.lower(), "present_match": True}
    return {"name": name.lower(), "string_match": _string(kind, text)}


def _query(name: str, value: Mapping[str, Any]) -> Json:
    if not name:
        raise Unserved("a query parameter without a name")
    kind, text = _kind(value)
    return {"name": name, "present_match": True} if kind == "" else {"name": name, "string_match": _string(kind, text)}


def _string(kind: str, text: str) -> Json:
    return {"safe_regex": {"regex": text}} if kind == "regex" else {kind: text}


def _kind(value: Mapping[str, Any]) -> tuple[str, str]:
    """Return which of exact, prefix and regex is given, and its text; both empty when none is."""
    for kind in ("exact", "prefix", "regex"):
        text = value.get(kind)
        if text is None:
            continue
        if kind == "regex" and (not text or not is_regex(str(text))):
            raise Unserved(f"{text!r} is no RE2 expression")
        if kind == "prefix" and not text:
            return "", ""
        return kind, str(text)
    return "", ""


def _token(name: str) -> str:
    if not re.fullmatch(TOKEN, name.removeprefix(":")):
        raise Unserved(f"{name!r} is not a header name")
    return name
