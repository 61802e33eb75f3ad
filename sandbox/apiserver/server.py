"""The API server: takes requests, returns answers, whatever carries them.

Owns routing, authentication, counting, and the state behind it. Must not: open sockets; see http.py and inprocess.py.
"""

from __future__ import annotations

import base64
import random
from collections.abc import Callable, Mapping

from kube.clock import Clock, SystemClock
from sandbox.apiserver import failures
from sandbox.apiserver.builtin import builtin_resources
from sandbox.apiserver.core import Call, Core, require_scope
from sandbox.apiserver.counting import RequestCounts
from sandbox.apiserver.failures import Refusal
from sandbox.apiserver.faults import Faults, Matched
from sandbox.apiserver.forms import check_form, in_form
from sandbox.apiserver.hooks import Hooks
from sandbox.apiserver.openapi import OpenApi
from sandbox.apiserver.options import check_options
from sandbox.apiserver.pages import page_of
from sandbox.apiserver.reads import wanted_watch
from sandbox.apiserver.requests import Address, Answer, Request, Streamed, address_of, json_answer, verb_of
from sandbox.apiserver.resources import Registry
from sandbox.apiserver.storage import Storage
from sandbox.apiserver.subresources import refuse_container_commands, serve_subresource
from sandbox.apiserver.tables import single_renderer
from sandbox.apiserver.verbs import create_one, delete_many, delete_one, patch_one, read_many, read_one, update_one
from sandbox.apiserver.watching import Watch

_VERBS: Mapping[str, Callable[[Call], Answer]] = {
    "create": create_one,
    "update": update_one,
    "patch": patch_one,
    "delete": delete_one,
    "deletecollection": delete_many,
}


class ApiServer:
    """A Kubernetes API server in memory.

    Args:
        clock: what every time stamp, bookmark and timeout is read from.
        tokens: bearer tokens and the users they stand for; None lets everybody in as `admin`.
        history: how many changes of one resource are kept for watches.
        seed: makes uids and generated names repeatable.
        service_network: the loopback network (/16) that Services get their addresses from.
    """

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        tokens: Mapping[str, str] | None = None,
        history: int = 4096,
        seed: int | None = None,
        service_network: str = "127.96.0.0/16",
    ) -> None:
        self.storage = Storage(history=history)
        self.registry = Registry(builtin_resources())
        self.core = Core(self.storage, self.registry, clock or SystemClock(), random.Random(seed), service_network=service_network)
        self.openapi = OpenApi(self.registry)
        self.counts = RequestCounts()
        self.faults = Faults(self.core)
        self._tokens = None if tokens is None else dict(tokens)
        self._hooks = Hooks(self.core)
        self._hooks.create_defaults()

    def admit(self, path: str, headers: Mapping[str, str]) -> tuple[str, str]:
        """Return who sent a request, and the path without credentials.

        The token is a bearer token, the password of basic authentication, or the path begins with `/token/TOKEN`: kubectl sends
        no bearer token without TLS, but keeps user, password and path of the server's address. Everybody may impersonate anybody.

        Raises:
            Refusal: 401 when the token is missing or unknown.
        """
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if path.startswith("/token/"):
            token, _, rest = path.removeprefix("/token/").partition("/")
            scheme, path = "bearer", f"/{rest}"
        elif scheme.lower() == "basic":
            scheme, token = "bearer", _password(token)
        if self._tokens is None:
            return headers.get("impersonate-user", "admin"), path
        user = self._tokens.get(token) if scheme.lower() == "bearer" else None
        if user is None:
            raise Refusal(401, "Unauthorized", "Unauthorized")
        return headers.get("impersonate-user", user), path

    async def handle(self, request: Request) -> Answer | Streamed:
        """Answer a request.

        Raises:
            Dropped: a fault asks that the connection be cut.
        """
        try:
            check_form(request)
            return in_form(request, await self._handle(request))
        except Refusal as refusal:
            return in_form(request, refused(refusal))

    async def _handle(self, request: Request) -> Answer | Streamed:
        address = address_of(request.path)
        if address is None:
            self.counts.note(request.user, request.method.lower(), request.path)
            return page_of(self, request)
        verb = verb_of(request, address)
        self.counts.note(request.user, verb, "/".join(filter(None, (address.plural, address.subresource))))
        matched = await self.faults.before(request, address, verb)
        answer = await self._serve(request, address, verb, matched)
        return await self.faults.after(matched, answer)

    async def _serve(self, request: Request, address: Address, verb: str, matched: Matched) -> Answer | Streamed:
        resource = self.registry.find(address.group, address.version, address.plural)
        if resource is None:
            raise self._unknown(address.group)
        refuse_container_commands(request)
        call = Call(core=self.core, request=request, address=address, resource=resource)
        if resource.custom:
            _check_custom(call, verb)
        if address.subresource and address.subresource != "status":
            return await serve_subresource(call, verb)
        if address.subresource not in ("", *resource.subresources):
            raise failures.no_such_resource()
        if resource.store == "endpoints":
            call.warnings.append("v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice")
        if verb not in resource.verbs or (verb == "create" and address.name) or (verb in ("update", "patch") and not address.name):
            raise failures.method_not_allowed()
        check_options(call, verb)
        require_scope(call)
        match verb:
            case "watch":
                return self._watch(call, matched)
            case "get":
                return read_one(call, stale=matched.stale_versions)
            case "list":
                return read_many(call, stale=matched.stale_versions)
            case "create" if resource.verbs == ("create",):
                return self._hooks.review(call)
        answer = _VERBS[verb](call)
        self._hooks.settle()
        return answer

    def _unknown(self, group: str) -> Refusal:
        """Return the refusal of a resource that there is not; of an unknown group not even a Status is made."""
        known = {resource.group for resource in self.registry.all() if not resource.custom}
        return failures.no_such_resource() if group in known else failures.no_such_page()

    def _watch(self, call: Call, matched: Matched) -> Streamed:
        watch = Watch(self.storage, self.core.clock, wanted_watch(call, single_renderer(call)))
        refusal = watch.check()
        if refusal is not None:
            raise refusal
        return Streamed(chunks=self.faults.mangled(matched, watch.chunks()))


def _check_custom(call: Call, verb: str) -> None:
    """Refuse what cannot be done with custom objects, in words of their own."""
    address, resource = call.address, call.resource
    if address.subresource and address.subresource not in resource.subresources:
        raise failures.not_found(resource.target(address.name))
    if verb in ("update", "patch") and not address.name:
        raise failures.bad_request("name must be provided")
    if address.subresource and verb in ("create", "delete"):
        message = f'{verb} is not supported on resources of kind "{resource.resource_name}"'
        raise failures.Refusal(405, "MethodNotAllowed", message, details=resource.target().details())


def _password(encoded: str) -> str:
    """Return the password of a basic authorization, empty when it is none."""
    try:
        return base64.b64decode(encoded, validate=True).decode().partition(":")[2]
    except ValueError:
        return ""


def refused(refusal: Refusal) -> Answer:
    """Return the answer that a refusal is."""
    if refusal.details is None and refusal.code == 404 and not refusal.reason:
        return Answer(status=404, body=refusal.message.encode(), content_type="text/plain; charset=utf-8")
    headers = {} if refusal.retry_after_seconds is None else {"Retry-After": str(refusal.retry_after_seconds)}
    return json_answer(refusal.status(), status=refusal.code, headers=headers)
