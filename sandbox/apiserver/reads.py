"""Reading: get, list with pages and snapshots, and what a watch asks for.

Owns selectors, paging tokens and resourceVersion semantics of reads. Must not: change anything.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.apiserver import failures
from sandbox.apiserver.core import Call
from sandbox.apiserver.golang import syntax_error
from sandbox.apiserver.requests import Request
from sandbox.apiserver.resources import METADATA_FIELDS
from sandbox.apiserver.selectors import Predicate, both, field_predicate, label_predicate
from sandbox.apiserver.storage import Key, Stored, encode
from sandbox.apiserver.watching import Wanted


@dataclass(frozen=True, slots=True)
class Page:
    """Some objects of one snapshot, in order of namespace and name."""

    items: Sequence[Stored]
    revision: int
    token: str = ""
    remaining: int | None = None

    def metadata(self, *, custom: bool = False) -> dict[str, Any]:
        """Return the `ListMeta`; lists of custom objects say also that there is nothing to continue with."""
        found: dict[str, Any] = {**({"continue": ""} if custom else {}), "resourceVersion": str(self.revision)}
        if self.token:
            found["continue"] = self.token
            if self.remaining is not None:
                found["remainingItemCount"] = self.remaining
        return found


def predicate_of(call: Call) -> Predicate | None:
    """Return the test that the selectors of a request make, None without selectors."""
    query = call.request.query
    return both(
        label_predicate(query.get("labelSelector", "")),
        field_predicate(
            query.get("fieldSelector", ""),
            call.resource.field_labels,
            plain=not call.resource.custom and call.resource.field_labels == METADATA_FIELDS,
        ),
    )


def list_page(call: Call, *, stale: int = 0) -> Page:
    """Return the objects that a list request asks for.

    Args:
        call: the request.
        stale: answer from this many versions ago, as a lagging cache would: a fault switch.

    Raises:
        Refusal: 400 for contradicting parameters, 410 when the page's snapshot is gone.
    """
    request, storage = call.request, call.core.storage
    limit = request.number("limit") or 0
    revision, after = _snapshot_of(call)
    if stale and not after:
        revision = max(revision - stale, 1)
    objects = storage.at(call.resource.store, revision)
    matches = predicate_of(call)
    keys = sorted(key for key in objects if _covers(call, key) and (after is None or key > after))
    found = [(key, objects[key]) for key in keys if matches is None or matches(objects[key].body)]
    if not limit or len(found) <= limit:
        return Page([stored for _, stored in found], revision)
    rest = len(found) - limit if matches is None else None
    return Page([stored for _, stored in found[:limit]], revision, _token(revision, found[limit - 1][0]), rest)


def _covers(call: Call, key: Key) -> bool:
    address = call.address
    return (not address.namespace or key[0] == address.namespace) and (not address.name or key[1] == address.name)


def _token(revision: int, last: Key) -> str:
    raw = json.dumps({"v": "meta.k8s.io/v1", "rv": revision, "start": last}, separators=(",", ":"))
    return base64.urlsafe_b64encode(raw.encode()).decode().rstrip("=")


def _snapshot_of(call: Call) -> tuple[int, Key | None]:
    """Return the version to answer from, and the key of a continued list to go on after."""
    query, storage = call.request.query, call.core.storage
    token = query.get("continue", "")
    version, match = query.get("resourceVersion", ""), query.get("resourceVersionMatch", "")
    _check_match(call, match, version)
    if token:
        if version not in ("", "0"):
            raise failures.bad_request("specifying resource version is not allowed when using continue")
        return _read_token(token)
    if not version or version == "0":
        return storage.revision, None
    wanted = _version_of(version)
    if match == "Exact":
        return wanted, None
    if wanted > storage.revision:
        cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
        message = f"Timeout: Too large resource version: {wanted}, current: {storage.revision}"
        raise failures.Refusal(504, "Timeout", message, details={"causes": [cause]}, retry_after_seconds=1)
    return storage.revision, None


def _check_match(call: Call, match: str, version: str) -> None:
    if not match:
        return
    token, known = call.request.query.get("continue", ""), ("Exact", "NotOlderThan", "")
    field, error = "resourceVersionMatch", None
    if not version:
        error = failures.forbidden_field(field, "resourceVersionMatch is forbidden unless resourceVersion is provided")
    elif token:
        error = failures.forbidden_field(field, "resourceVersionMatch is forbidden when continue is provided")
    elif match not in known:
        error = failures.unsupported(field, match, known)
    elif match == "Exact" and version == "0":
        error = failures.forbidden_field(field, 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"')
    if error is not None:
        raise failures.bad_option("ListOptions", error)


def _check_watch(request: Request) -> None:
    match, initial = request.query.get("resourceVersionMatch", ""), "sendInitialEvents" in request.query
    field = "resourceVersionMatch"
    if initial and match != "NotOlderThan":
        error = failures.forbidden_field(field, "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan")
        raise failures.bad_option("ListOptions", error)
    if match and not initial:
        error = failures.forbidden_field(field, "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided")
        raise failures.bad_option("ListOptions", error)


def _version_of(text: str) -> int:
    """Read a version.

    Raises:
        Refusal: 400 when it is no number.
    """
    if not text.isdecimal():
        error = failures.invalid("resourceVersion", text, f'strconv.ParseUint: parsing "{text}": invalid syntax')
        raise failures.bad_request(f"invalid resource version: {error}")
    return int(text)


def _read_token(token: str) -> tuple[int, Key]:
    try:
        read = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        return int(read["rv"]), (str(read["start"][0]), str(read["start"][1]))
    except (ValueError, KeyError, IndexError, TypeError):
        raise failures.bad_request(f"invalid continue token: continue key is not valid: {_broken(token)}") from None


def _broken(token: str) -> str:
    try:
        text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode("latin-1")
    except ValueError:
        return "it is no base64"
    return syntax_error(text) or "it is not the one that the last page returned"


def stale_get(call: Call, stale: int) -> Stored:
    """Return the object of the path as it was `stale` versions ago.

    Raises:
        Refusal: 404 when it was not there.
    """
    storage = call.core.storage
    stored = storage.at(call.resource.store, max(storage.revision - stale, 1)).get(call.key) if stale else call.found()
    if stored is None:
        raise failures.not_found(call.resource.target(call.address.name))
    return stored


def list_body(call: Call, page: Page, rendered: Sequence[bytes]) -> bytes:
    """Return the JSON of a list from items that are JSON already."""
    resource = call.resource
    head: Mapping[str, Any] = {
        "kind": f"{resource.kind}List",
        "apiVersion": resource.api_version,
        "metadata": page.metadata(custom=resource.custom),
    }
    return encode(head)[:-1] + b',"items":[' + b",".join(rendered) + b"]}"


def wanted_watch(call: Call, render: Callable[[Stored], bytes]) -> Wanted:
    """Return what a watch request asks for.

    Raises:
        Refusal: 400 for parameters that contradict each other.
    """
    request = call.request
    version = request.query.get("resourceVersion", "")
    initial = request.flag("sendInitialEvents")
    _check_watch(request)
    if version and not version.isdecimal():
        error = failures.invalid("resourceVersion", version, f'strconv.ParseUint: parsing "{version}": invalid syntax')
        raise failures.unexpected(str(error))
    begin_here = version in ("", "0") or initial
    after = None if begin_here and ("sendInitialEvents" not in request.query or initial) else _version_of(version or "0")
    if after == 0:
        after = call.core.storage.revision
    return Wanted(
        resource=call.resource,
        namespace=call.address.namespace,
        name=call.address.name,
        matches=predicate_of(call),
        after=after,
        initial_end=initial and request.flag("allowWatchBookmarks"),
        bookmarks=request.flag("allowWatchBookmarks"),
        timeout_seconds=float(request.number("timeoutSeconds") or 1800),
        render=render,
    )
