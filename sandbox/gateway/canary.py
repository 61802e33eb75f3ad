"""ingress-nginx's canary annotations as routes: header first, then cookie, then weight (spec/parts.md, nginx).

Owns the policy of one canary Ingress. Must not: know hosts, paths or Services; `translate_ingress` joins the two.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import re2

from kube.objects import Object, annotations_of
from sandbox.gateway.envoy import Share, forward, route
from sandbox.gateway.world import Json, Notes

TIMEOUT = "60s"
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Who goes to the canary. A header or cookie that decides nothing leaves it to the next in line."""

    header: str = ""
    header_value: str = ""
    header_pattern: str = ""
    cookie: str = ""
    weight: int = 0
    total: int = 100


def is_canary(ingress: Object, prefix: str) -> bool:
    """Tell whether an Ingress is a canary of another."""
    return annotations_of(ingress).get(f"{prefix}/canary") == "true"


def policy_of(ingress: Object, *, prefix: str, notes: Notes) -> Policy:
    """Read the annotations. What cannot be served is left out and noted; the rest counts."""
    values = {
        key.removeprefix(f"{prefix}/canary-"): str(value)
        for key, value in annotations_of(ingress).items()
        if key.startswith(f"{prefix}/canary-")
    }
    total = _number(values, "weight-total", ingress=ingress, notes=notes)
    return Policy(
        header=_token(values, "by-header", ingress=ingress, notes=notes),
        header_value=values.get("by-header-value", ""),
        header_pattern=_pattern(values, ingress=ingress, notes=notes),
        cookie=_token(values, "by-cookie", ingress=ingress, notes=notes),
        weight=_number(values, "weight", ingress=ingress, notes=notes),
        total=total if total > 100 else 100,
    )


def canary_routes(match: Json, policy: Policy, *, stable: str, canary: str, metadata: Mapping[str, str]) -> list[Json]:
    """Return the routes of one path whose backend has a canary, in the order they are asked."""

    def to(cluster: str, header: Json) -> Json:
        narrowed = {**match, "headers": [*match.get("headers", ()), header]}
        return route(narrowed, forward([Share(cluster=cluster)], timeout=TIMEOUT), metadata=metadata)

    found = [to(canary if wins else stable, header) for header, wins in [*_by_header(policy), *_by_cookie(policy)]]
    weight = min(policy.weight, policy.total)
    shares = [Share(cluster=stable, weight=policy.total - weight), Share(cluster=canary, weight=weight)]
    return [*found, route(match, forward(shares, timeout=TIMEOUT), metadata=metadata)]


def _by_header(policy: Policy) -> Iterable[tuple[Json, bool]]:
    """Yield header matches and whether they choose the canary. A value beats a pattern, and both switch always/never off."""
    if not policy.header:
        return
    if policy.header_value:
        yield _exactly(policy.header, policy.header_value), True
    elif policy.header_pattern:
        yield _matching(policy.header, f".*(?:{policy.header_pattern}).*"), True
    else:
        yield _exactly(policy.header, "always"), True
        yield _exactly(policy.header, "never"), False


def _by_cookie(policy: Policy) -> Iterable[tuple[Json, bool]]:
    if policy.cookie:
        name = re.escape(policy.cookie)
        for value, wins in (("always", True), ("never", False)):
            yield _matching("cookie", rf"(?:.*;\s*)?(?i:{name})={value}(?:\s*;.*)?"), wins


def _exactly(name: str, value: str) -> Json:
    return {"name": name.lower(), "string_match": {"exact": value}}


def _matching(name: str, pattern: str) -> Json:
    return {"name": name.lower(), "string_match": {"safe_regex": {"regex": pattern}}}


def _number(values: Mapping[str, str], key: str, *, ingress: Object, notes: Notes) -> int:
    text = values.get(key, "0").strip()
    if text.isdecimal() and int(text) < 2**31:
        return int(text)
    notes.add(ingress, f"canary-{key}: {text!r} is not a number from 0 on; taken as 0")
    return 0


def _token(values: Mapping[str, str], key: str, *, ingress: Object, notes: Notes) -> str:
    text = values.get(key, "")
    if not text or TOKEN.fullmatch(text):
        return text
    notes.add(ingress, f"canary-{key}: {text!r} is not a name that a header or cookie can have; left out")
    return ""


def _pattern(values: Mapping[str, str], *, ingress: Object, notes: Notes) -> str:
    text = values.get("by-header-pattern", "")
    if not text or is_regex(f".*(?:{text}).*"):
        return text
    notes.add(ingress, f"canary-by-header-pattern: {text!r} is no RE2 expression (no look-around, no back-references); left out")
    return ""


def is_regex(pattern: str) -> bool:
    """Tell whether Envoy's expression engine takes the pattern."""
    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(pattern, options)
    except re2.error:
        return False
    return True
