"""What every verb needs: storage, registry, clock, and who is asking.

Owns the context of a call and the rules about namespaces and names that all verbs share. Must not: implement a verb.
"""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import yaml

from kube.clock import Clock
from sandbox.apiserver import failures
from sandbox.apiserver.golang import go_kind, syntax_error
from sandbox.apiserver.protobuf import MEDIA_TYPE, decode_protobuf
from sandbox.apiserver.requests import Address, Request
from sandbox.apiserver.resources import Body, Registry, Resource
from sandbox.apiserver.storage import Storage, Stored

NAMESPACES = "namespaces"
_YAML_TYPES = ("application/yaml", "application/apply-patch+yaml", "text/yaml")
_TYPE_META = 'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'
_SUFFIX_LETTERS = "bcdfghjklmnpqrstvwxz2456789"


@dataclass(slots=True)
class Core:
    """The state behind the API."""

    storage: Storage
    registry: Registry
    clock: Clock
    random: random.Random = field(default_factory=random.Random)
    skew_seconds: float = 0.0
    """Added to the clock wherever the server stamps a time: a fault switch."""
    service_network: str = "127.96.0.0/16"
    """Where Services get their addresses."""

    @property
    def metadata_schema(self) -> Mapping[str, Any]:
        """The schema of `metadata`, the same for every kind."""
        namespaces = self.registry.find("", "v1", NAMESPACES)
        schema: Mapping[str, Any] = namespaces.schema["properties"]["metadata"] if namespaces else {}
        return schema

    def now(self) -> datetime:
        """Return the server's idea of the time."""
        moment = self.clock.now()
        return datetime.fromtimestamp(moment.timestamp() + self.skew_seconds, UTC) if self.skew_seconds else moment

    def timestamp(self) -> str:
        """Return now as objects carry it."""
        return self.now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def new_uid(self) -> str:
        """Return a fresh object uid."""
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def name_suffix(self) -> str:
        """Return five letters for `generateName`."""
        return "".join(self.random.choices(_SUFFIX_LETTERS, k=5))


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request to one resource."""

    core: Core
    request: Request
    address: Address
    resource: Resource
    warnings: list[str] = field(default_factory=list)

    @property
    def key(self) -> tuple[str, str]:
        """Namespace and name from the path."""
        return self.address.namespace, self.address.name

    @property
    def dry_run(self) -> bool:
        """Whether nothing may be persisted (`dryRun=All`)."""
        return bool(self.request.query.get("dryRun"))

    @property
    def manager(self) -> str:
        """The field manager: the parameter, or the first part of the user agent."""
        named = self.request.query.get("fieldManager")
        return named or self.request.headers.get("user-agent", "").split("/")[0] or "unknown"

    def found(self) -> Stored:
        """Return the object of the path.

        Raises:
            Refusal: 404 when it is not there.
        """
        stored = self.core.storage.get(self.resource.store, self.key)
        if stored is None:
            raise failures.not_found(self.resource.target(self.address.name))
        return stored


def decode(request: Request, wanted: str = "object") -> Any:
    """Return the body of a request, JSON or YAML; `wanted` says in refusals what it should have been.

    Raises:
        Refusal: 400 when it is neither, or empty.
    """
    kind = request.headers.get("content-type", "").split(";")[0].strip()
    if kind == MEDIA_TYPE:
        return decode_protobuf(request.body)
    if request.method != "PATCH" and kind not in (*_YAML_TYPES, "application/json", ""):
        raise failures.unsupported_media_type(("application/json", "application/yaml", MEDIA_TYPE))
    try:
        if kind in _YAML_TYPES:
            return _jsonable(yaml.load(request.body, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
        return json.loads(request.body)
    except (ValueError, yaml.YAMLError) as error:
        text = request.body.decode(errors="replace")
        if request.method == "PATCH" and kind not in _YAML_TYPES:
            raise failures.bad_request(f"error decoding patch: {syntax_error(text)}") from None
        if kind in _YAML_TYPES:
            raise failures.bad_request(f"error decoding YAML: error converting YAML to JSON: yaml: {_yaml_error(error)}") from None
        raise failures.unrecognized(request.body, wanted, syntax_error(text)) from None


def decode_options(request: Request) -> Any:
    """Return the `DeleteOptions` in the body of a request, None when it has none.

    Raises:
        Refusal: 500 when the body is something else: the real server did not expect that.
    """
    if not request.body:
        return None
    try:
        found = json.loads(request.body)
    except ValueError:
        why = syntax_error(request.body.decode(errors="replace"))
        raise failures.unexpected(f"couldn't get version/kind; json parse error: {why}") from None
    if isinstance(found, dict) and found.get("kind", "DeleteOptions") not in ("DeleteOptions", ""):
        version = found.get("apiVersion", "")
        raise failures.unexpected(
            f'no kind "{found["kind"]}" is registered for version "{version}" in scheme "pkg/runtime/scheme.go:110"'
        )
    return found


def _yaml_error(error: Exception) -> str:
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    return f"line {mark.line}: {problem}" if mark and problem else str(error)


def _jsonable(value: Any) -> Any:
    """Turn YAML's dates back into the text they were written as."""
    if isinstance(value, dict):
        return {str(key): _jsonable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_jsonable(item) for item in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if value.tzinfo else value.isoformat() + "Z"
    return value.isoformat() if hasattr(value, "isoformat") else value


def checked_object(call: Call, obj: Any) -> Body:
    """Return the body as an object of the call's resource and namespace.

    Raises:
        Refusal: 400 when kind, apiVersion, name or namespace contradict the path.
    """
    if not isinstance(obj, dict):
        why = f"json: cannot unmarshal {go_kind(obj)} into Go value of type {_TYPE_META}"
        raise failures.unrecognized(call.request.body, call.resource.kind, why)
    resource = call.resource
    obj.setdefault("apiVersion", resource.api_version)
    obj.setdefault("kind", resource.kind)
    if (obj["apiVersion"], obj["kind"]) != (resource.api_version, resource.kind):
        raise _of_another_kind(call, obj)
    metadata = obj.get("metadata") or {}
    if not isinstance(metadata, dict):
        into = f"Go {'value' if resource.custom else f'struct field {resource.kind}.metadata'} of type v1.ObjectMeta"
        raise unreadable(call, obj, f"json: cannot unmarshal {go_kind(metadata)} into {into}")
    obj["metadata"] = dict(metadata)
    _check_place(call, obj["metadata"])
    return obj


def is_patch(call: Call) -> bool:
    """Tell whether an object is the result of a patch, and not what a client has sent as a whole."""
    kind = call.request.headers.get("content-type", "")
    return call.request.method == "PATCH" and not kind.startswith("application/apply-patch")


def unreadable(call: Call, obj: Mapping[str, Any], why: str) -> failures.Refusal:
    """Return the refusal of an object that is none of the resource's kind."""
    if is_patch(call):
        return failures.not_decoded(obj, why)
    kind = obj.get("kind", call.resource.kind)
    version = str(obj.get("apiVersion", call.resource.api_version)).rpartition("/")[2]
    return failures.bad_request(f'{kind} in version "{version}" cannot be handled as a {call.resource.kind}: {why}')


def _of_another_kind(call: Call, obj: Mapping[str, Any]) -> failures.Refusal:
    resource, (given, kind) = call.resource, (obj["apiVersion"], obj["kind"])
    if resource.custom and given == resource.api_version:
        target = failures.Target(resource.group, resource.plural, str(kind), str((obj.get("metadata") or {}).get("name", "")))
        return failures.not_valid(target, [failures.invalid("kind", kind, f"must be {resource.kind}")])
    if resource.custom:
        return failures.bad_request(
            f"the API version in the data ({given}) does not match the expected API version ({resource.api_version})"
        )
    known = call.core.registry.by_kind(str(given), str(kind))
    if known is not None and known.custom:
        return failures.bad_request(
            f"the API version in the data ({given}, Kind={kind}) does not match the expected API version "
            f"({resource.api_version}, Kind={resource.kind})"
        )
    if known is None:
        return unreadable(call, obj, f'no kind "{kind}" is registered for version "{given}" in scheme "pkg/runtime/scheme.go:110"')
    group = resource.group.partition(".")[0] or "core"
    return unreadable(call, obj, f"converting ({known.version}.{known.kind}) to ({group}.{resource.kind}): unknown conversion")


def _check_place(call: Call, metadata: Body) -> None:
    address = call.address
    if not call.resource.namespaced:
        metadata.pop("namespace", None)
    elif metadata.get("namespace", address.namespace) not in ("", address.namespace):
        raise failures.bad_request("the namespace of the provided object does not match the namespace sent on the request")
    else:
        metadata["namespace"] = address.namespace
    if address.name and metadata.setdefault("name", address.name) != address.name:
        raise failures.bad_request(
            f"the name of the object ({metadata['name']}) does not match the name on the URL ({address.name})"
        )


def require_scope(call: Call) -> None:
    """Check that the path names a namespace exactly when one object of a namespaced resource is meant.

    Raises:
        Refusal: 404, as for any path that is not served.
    """
    address = call.address
    if address.namespace and not call.resource.namespaced:
        raise failures.no_such_resource()
    if call.resource.namespaced and not address.namespace and (address.name or call.request.method == "POST"):
        if call.resource.custom:
            raise failures.no_such_page()
        raise failures.no_such_resource() if address.name else failures.method_not_allowed()


def require_open_namespace(call: Call, name: str) -> None:
    """Check that the namespace of a new object exists and is not on its way out.

    Raises:
        Refusal: 404 or 403.
    """
    if not call.resource.namespaced:
        return
    namespace = call.address.namespace
    stored = call.core.storage.get(NAMESPACES, ("", namespace))
    if stored is None:
        raise failures.not_found(failures.Target("", "namespaces", "Namespace", namespace))
    if stored.body["metadata"].get("deletionTimestamp"):
        refusal = failures.forbidden(
            call.resource.target(name),
            f"unable to create new content in namespace {namespace} because it is being terminated",
        )
        cause = {
            "reason": "NamespaceTerminating",
            "message": f"namespace {namespace} is being terminated",
            "field": "metadata.namespace",
        }
        refusal.details = {**(refusal.details or {}), "causes": [cause]}
        raise refusal


def without(mapping: Mapping[str, Any], *names: str) -> Body:
    """Return a shallow copy that lacks some keys."""
    return {key: value for key, value in mapping.items() if key not in names}


def copied(value: Any) -> Any:
    """Return a deep copy of JSON data; several times faster than `copy.deepcopy`."""
    if isinstance(value, dict):
        return {key: copied(item) for key, item in value.items()}
    if isinstance(value, list):
        return [copied(item) for item in value]
    return value
