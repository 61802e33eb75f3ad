"""The webhook as the API server meets it: reviews over TLS, served by kopf, answered from our checks."""

from __future__ import annotations

import asyncio
import gc
import socket
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web

from kube.config import Connection
from kube.kinds import ROLLOUT, Kind
from kube.objects import Object
from kube.shell import Webhook, operate
from rollouts.admission.certificates import issue

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # kopf's own deprecations are not ours to mend
]
GROUP = {"groupVersion": "argoproj.io/v1alpha1", "version": "v1alpha1"}
KIND = {"name": "rollouts", "singularName": "rollout", "kind": "Rollout", "namespaced": True, "verbs": ["get", "list", "watch"]}
ANSWERS: dict[str, Any] = {
    "/version": {"major": "1", "minor": "34", "gitVersion": "v1.34.0"},
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/apis": {"kind": "APIGroupList", "groups": [{"name": "argoproj.io", "versions": [GROUP], "preferredVersion": GROUP}]},
    "/apis/argoproj.io/v1alpha1": {"kind": "APIResourceList", "resources": [KIND]},
}


def judge(kind: Kind, new: Object, old: Object | None) -> tuple[str, tuple[str, ...]]:
    """Refuse what is bad, and warn of what was bad before."""
    assert kind == ROLLOUT
    return "it is bad" if new["spec"].get("bad") else "", ("it was bad",) if old and old["spec"].get("bad") else ()


@dataclass
class Asking:
    """The API server's side."""

    session: ClientSession
    url: str
    context: ssl.SSLContext

    async def ask(self, new: dict[str, Any], old: dict[str, Any] | None = None, *, plural: str = "rollouts") -> tuple[int, Any]:
        """Return the HTTP status and the answer to a review."""
        request = {
            "uid": "42",
            "operation": "UPDATE" if old else "CREATE",
            "resource": {"group": "argoproj.io", "version": "v1alpha1", "resource": plural},
            "userInfo": {"username": "person"},
            "object": new,
            "oldObject": old,
            "dryRun": True,
        }
        review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
        async with self.session.post(self.url, json=review, ssl=self.context, server_hostname="rollouts-webhook.shop.svc") as found:
            return found.status, (await found.json())["response"] if found.status == 200 else None


def shop(uid: str = "1", **spec: Any) -> dict[str, Any]:
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": {"name": "shop", "uid": uid}, "spec": spec}


@asynccontextmanager
async def discovery(*, known: bool = True) -> AsyncIterator[str]:
    """Serve what kopf asks when it starts; unless `known`, no definition of ours is there."""
    answers = ANSWERS if known else {**ANSWERS, "/apis": {"kind": "APIGroupList", "groups": []}, "/apis/argoproj.io/v1alpha1": {}}

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        return web.json_response(answers.get(request.path) or {"resources": []})

    runner = web.ServerRunner(web.Server(handler), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def serving(folder: Path, *, known: bool = True) -> AsyncIterator[Asking]:
    """Run an operator with the webhook until the context ends."""
    made = issue(("rollouts-webhook.shop.svc",), datetime.now(UTC))
    file = folder / "webhook.pem"
    file.write_bytes(made.key + made.certificate)

    async def certificate() -> Path:
        return file

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    webhook = Webhook(kinds=(ROLLOUT,), judge=judge, certificate=certificate, host="127.0.0.1", port=port)
    stop, forever = asyncio.Event(), asyncio.Event()
    async with discovery(known=known) as url, ClientSession() as session:
        connection = Connection(server=url, token="t")

        async def manage() -> None:
            await forever.wait()

        task = asyncio.create_task(operate(manage, connection=connection, webhook=webhook, stop=stop))
        try:
            async with asyncio.timeout(60):
                while not await listens(port):
                    assert not task.done(), task
                yield Asking(
                    session, f"https://127.0.0.1:{port}/specs", ssl.create_default_context(cadata=made.authorities.decode())
                )
        finally:
            stop.set()
            await task


async def listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        await asyncio.sleep(0.02)
        return False
    writer.close()
    return True


async def test_reviews_are_answered_over_tls(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        assert await server.ask(shop()) == (200, {"uid": "42", "allowed": True})
        refused = {"uid": "42", "allowed": False, "status": {"message": "it is bad", "code": 422}}
        assert await server.ask(shop(bad=True)) == (200, refused)
        mended = {"uid": "42", "allowed": True, "warnings": ["it was bad"]}
        assert await server.ask(shop(), shop(bad=True)) == (200, mended)
        assert await server.ask(shop(bad=True), shop(bad=True)) == (200, {**refused, "warnings": ["it was bad"]})
        assert await server.ask(shop(bad=True), plural="others") == (200, {"uid": "42", "allowed": True}), "nobody judges that"


async def test_a_kind_whose_definition_comes_later_is_answered_for(tmp_path: Path) -> None:
    async with serving(tmp_path, known=False) as server:
        _, answer = await server.ask(shop(bad=True))
        assert (answer["allowed"], answer["status"]["message"]) == (False, "it is bad")


async def test_what_is_no_review_is_an_error_of_whoever_asks(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        bodies: list[Any] = [{}, {"request": None}, [], {"request": {"uid": 1}}]
        for body in bodies:
            place = server.session.post(server.url, json=body, ssl=server.context, server_hostname="rollouts-webhook.shop.svc")
            async with place as found:
                assert found.status == 400, body
        assert (await server.ask(shop()))[0] == 200, "and others are answered"


async def test_nothing_is_remembered_of_what_was_asked_about(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        for number in range(20):
            await server.ask(shop(str(number)), shop(str(number)))
        gc.collect()
        kinds = Counter(type(one).__name__ for one in gc.get_objects())
        assert kinds["ResourceMemory"] == 0
