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

    def metadata(self) -> dict[str, Any]:
        """Return the `ListMeta`."""
        found: dict[str, Any] = {"resourceVersion": str(self.revision)}
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
        field_predicate(query.get("fieldSelector", ""), call.resource.field_labels),
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
    if match and not version:
        raise failures.bad_request("resourceVersionMatch is forbidden unless resourceVersion is provided")
    if token:
        if version not in ("", "0"):
            raise failures.bad_request("specifying resource version is not allowed when using continue")
        return _read_token(token)
    if not version or version == "0":
        return storage.revision, None
    wanted = call.request.number("resourceVersion") or 0
    if match == "Exact":
        return wanted, None
    if wanted > storage.revision:
        raise failures.Refusal(
            504, "Timeout", f"Too large resource version: {wanted}, current: {storage.revision}", retry_after_seconds=1
        )
    return storage.revision, None


def _read_token(token: str) -> tuple[int, Key]:
    try:
        read = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        return int(read["rv"]), (str(read["start"][0]), str(read["start"][1]))
    except (ValueError, KeyError, IndexError, TypeError):
        raise failures.bad_request("continue key is not valid: use the one that the last page returned") from None


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
    head: Mapping[str, Any] = {"kind": f"{resource.kind}List", "apiVersion": resource.api_version, "metadata": page.metadata()}
    return encode(head)[:-1] + b',"items":[' + b",".join(rendered) + b"]}"


def wanted_watch(call: Call, render: Callable[[Stored], bytes]) -> Wanted:
    """Return what a watch request asks for.

    Raises:
        Refusal: 400 for parameters that contradict each other.
    """
    request = call.request
    version = request.query.get("resourceVersion", "")
    initial = request.flag("sendInitialEvents")
    if "sendInitialEvents" in request.query and request.query.get("resourceVersionMatch") != "NotOlderThan":
        raise failures.bad_request("resourceVersionMatch must be NotOlderThan when sendInitialEvents is given")
    begin_here = version in ("", "0") or initial
    after = None if begin_here and ("sendInitialEvents" not in request.query or initial) else request.number("resourceVersion") or 0
    if after == 0:
        after = call.core.storage.revision
    return Wanted(
        resource=call.resource,
        namespace=call.address.namespace,
        name=call.address.name,
        matches=predicate_of(call),
        after=after,
        initial_end=initial,
        bookmarks=request.flag("allowWatchBookmarks"),
        timeout_seconds=float(request.number("timeoutSeconds") or 1800),
        render=render,
    )
