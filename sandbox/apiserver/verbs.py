"""The API verbs on resources: from a call to its answer.

Owns formats of bodies and answers. Must not: hold the rules of writing, deleting or reading; see the modules of those names.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sandbox.apiserver import failures
from sandbox.apiserver.applying import apply
from sandbox.apiserver.conformance import decoded
from sandbox.apiserver.core import Call, checked_object, decode, decode_options, without
from sandbox.apiserver.deleting import delete, options_of, success
from sandbox.apiserver.failures import Refusal
from sandbox.apiserver.golang import go_kind
from sandbox.apiserver.patching import apply_json_patch, merge
from sandbox.apiserver.reads import list_body, list_page, stale_get
from sandbox.apiserver.requests import Answer, json_answer
from sandbox.apiserver.storage import Stored, encode
from sandbox.apiserver.strategic import strategic_merge
from sandbox.apiserver.tables import list_renderer, single_renderer
from sandbox.apiserver.writing import create, update

MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"


def answer(call: Call, stored: Stored, *, status: int = 200) -> Answer:
    """Return an object in the form that the client accepts."""
    render = single_renderer(call)
    return Answer(status=status, body=render(stored), headers=_warning_headers(call))


def _warning_headers(call: Call) -> Mapping[str, str]:
    return {"Warning": ", ".join(f"299 - {json.dumps(text)}" for text in call.warnings)} if call.warnings else {}


def read_one(call: Call, *, stale: int = 0) -> Answer:
    """GET of one object."""
    return answer(call, stale_get(call, stale))


def read_many(call: Call, *, stale: int = 0) -> Answer:
    """GET of a collection."""
    page = list_page(call, stale=stale)
    as_list = list_renderer(call)
    body = as_list(page) if as_list else list_body(call, page, [_item(call, stored) for stored in page.items])
    return Answer(body=body, headers=_warning_headers(call))


def _item(call: Call, stored: Stored) -> bytes:
    """Return an object as lists hold it: only custom ones say there again what they are."""
    body = call.resource.read(stored.body)
    return single_renderer(call)(stored) if call.resource.custom else encode(without(body, "apiVersion", "kind"))


def create_one(call: Call) -> Answer:
    """POST of a new object."""
    obj = checked_object(call, decode(call.request, call.resource.kind))
    stored = create(call, decoded(call, obj))
    return answer(call, stored, status=201)


def update_one(call: Call) -> Answer:
    """PUT of a whole object."""
    obj = checked_object(call, decode(call.request, call.resource.kind))
    old = call.core.storage.get(call.resource.store, call.key)
    if old is None:
        if call.resource.strategy.made_by_update and not call.address.subresource and not obj["metadata"].get("resourceVersion"):
            return answer(call, create(call, decoded(call, obj)), status=201)
        raise failures.not_found(call.resource.target(call.address.name))
    if call.resource.custom and not obj["metadata"].get("resourceVersion"):
        error = failures.invalid("metadata.resourceVersion", 0, "must be specified for an update")
        raise failures.not_valid(replace(call.resource.target(call.address.name), kind=call.resource.plural), [error])
    return answer(call, update(call, old, decoded(call, obj)))


def patch_one(call: Call) -> Answer:
    """PATCH in any of the four formats."""
    kind = call.request.headers.get("content-type", "").split(";")[0].strip()
    if kind not in (MERGE_PATCH, JSON_PATCH, APPLY_PATCH) and (kind != STRATEGIC_PATCH or call.resource.custom):
        raise failures.unsupported_media_type((JSON_PATCH, MERGE_PATCH, APPLY_PATCH) if call.resource.custom else ())
    body = decode(call.request)
    if kind == APPLY_PATCH:
        stored, made = apply(call, body)
        return answer(call, stored, status=201 if made else 200)
    old = call.found()
    current = call.resource.read(old.body)
    patched = _patched(call, kind, current, body)
    _keep_uid(call, current, patched)
    obj = checked_object(call, patched)
    if kind != JSON_PATCH and "resourceVersion" not in ((body.get("metadata") or {}) if isinstance(body, dict) else {}):
        obj["metadata"]["resourceVersion"] = ""
    return answer(call, update(call, old, decoded(call, obj)))


def _patched(call: Call, kind: str, current: Mapping[str, Any], body: Any) -> Any:
    if kind == JSON_PATCH:
        return apply_json_patch(current, body)
    if not isinstance(body, Mapping):
        raise failures.bad_request(
            f"error decoding patch: json: cannot unmarshal {go_kind(body)} into Go value of type map[string]interface {{}}"
        )
    return merge(current, body) if kind == MERGE_PATCH else strategic_merge(call.resource.schema, current, body)


def _keep_uid(call: Call, current: Mapping[str, Any], patched: Any) -> None:
    """Refuse a patch that gives an object another uid; a whole object that does is told as a conflict."""
    metadata = patched.get("metadata") if isinstance(patched, Mapping) else None
    wanted = metadata.get("uid") if isinstance(metadata, Mapping) else None
    if wanted and wanted != current["metadata"]["uid"]:
        error = failures.invalid("metadata.uid", wanted, "field is immutable")
        raise failures.not_valid(call.resource.target(call.address.name), [error, error])


def delete_one(call: Call) -> Answer:
    """DELETE of one object."""
    options = options_of(call, decode_options(call.request))
    old = call.found()
    last, is_gone = delete(call, old, options)
    if is_gone and not call.resource.strategy.graceful and call.resource.store != "services":
        return json_answer(success(call, last), headers=_warning_headers(call))
    return answer(call, last)


def delete_many(call: Call) -> Answer:
    """DELETE of a collection, as far as selectors go."""
    options = options_of(call, decode_options(call.request))
    page = list_page(call)
    for stored in page.items:
        try:
            delete(call, stored, options)
        except Refusal as refusal:
            if refusal.code != 404:
                raise
    return Answer(body=list_body(call, page, [_item(call, stored) for stored in page.items]), headers=_warning_headers(call))
