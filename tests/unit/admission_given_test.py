"""A certificate that somebody else looks after: served when it is there and when it changes, and never touched."""

from __future__ import annotations

import asyncio
import base64
import ssl
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kube.client import Client
from kube.clock import SystemClock
from kube.errors import NotFound
from kube.kinds import NAMESPACE, SECRET, ObjectRef
from rollouts.admission.certificates import CERTIFICATE, KEY, BadCertificate, Certificate, issue
from rollouts.admission.given import Reader
from sandbox.apiserver.inprocess import InProcessTransport
from sandbox.apiserver.server import ApiServer

GIVEN = ObjectRef(SECRET, "shop", "given")


@dataclass
class Impatient(SystemClock):
    """A clock whose seconds are over at once."""

    waited: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when somebody waited."""

    async def sleep(self, seconds: float) -> None:
        self.waited.set()
        await asyncio.sleep(0)


@dataclass
class Scene:
    """A cluster, and who serves what others put there."""

    client: Client
    reader: Reader
    clock: Impatient

    async def put(self, data: dict[str, str]) -> None:
        """Store the Secret as cert-manager does, which names authorities when it has some."""
        try:
            await self.client.patch(GIVEN, {"data": data})
        except NotFound:
            body = {"metadata": {"name": "given", "namespace": "shop"}, "type": "kubernetes.io/tls", "data": data}
            await self.client.create(SECRET, body)

    async def version(self) -> str:
        return str((await self.client.get(SECRET, "shop", "given"))["metadata"]["resourceVersion"])


@asynccontextmanager
async def scene(folder: Path) -> AsyncIterator[Scene]:
    client = Client(InProcessTransport(ApiServer(seed=1)))
    await client.create(NAMESPACE, {"metadata": {"name": "shop"}})
    clock = Impatient()
    try:
        yield Scene(client, Reader(client, clock, "shop", folder, "given"), clock)
    finally:
        await client.close()


def made() -> Certificate:
    return issue(("rollouts-webhook.shop.svc",), datetime.now(UTC))


async def test_what_somebody_made_is_served_and_left_alone(tmp_path: Path) -> None:
    async with scene(tmp_path) as found:
        one = made()
        await found.put({key: value for key, value in one.data().items() if key != "ca.crt"})
        before = await found.version()
        await found.reader.look()
        file = await found.reader.file()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(file)
        assert one.certificate in file.read_bytes()
        assert await found.version() == before


async def test_a_renewed_one_takes_its_place(tmp_path: Path) -> None:
    async with scene(tmp_path) as found:
        await found.put(made().data())
        await found.reader.look()
        renewed = made()
        await found.put(renewed.data())
        await found.reader.look()
        assert renewed.certificate in (await found.reader.file()).read_bytes()


BROKEN = [
    pytest.param({KEY: None}, "no 'tls.key'; it must be of the type kubernetes.io/tls", id="no key"),
    pytest.param({CERTIFICATE: "###"}, "base64", id="no base64"),
    pytest.param({CERTIFICATE: base64.b64encode(b"none").decode()}, "do not fit", id="no certificate"),
    pytest.param({KEY: made().data()[KEY]}, "do not fit", id="the key of another one"),
]


@pytest.mark.parametrize(("change", "told"), BROKEN)
async def test_what_cannot_be_used_is_told_and_the_one_before_is_still_served(
    tmp_path: Path, change: dict[str, Any], told: str
) -> None:
    async with scene(tmp_path) as found:
        one = made()
        data = one.data()
        await found.put(data)
        await found.reader.look()
        await found.client.delete(GIVEN)
        body = {"metadata": {"name": "given", "namespace": "shop"}, "type": "Opaque"}
        await found.client.create(SECRET, {**body, "data": {key: value for key, value in (data | change).items() if value}})
        with pytest.raises(BadCertificate, match=told):
            await found.reader.look()
        assert one.certificate in (await found.reader.file()).read_bytes()


async def test_it_is_waited_for_and_that_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with scene(tmp_path) as found:
        with caplog.at_level("INFO"):
            task = asyncio.create_task(found.reader.run())
            try:
                async with asyncio.timeout(20):
                    await found.clock.waited.wait()
                    await found.put(made().data())
                    assert (await found.reader.file()).exists()
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        assert caplog.messages == [
            "Secret shop/given is not there yet: nothing is checked when it is applied until somebody makes it",
            "the webhook serves the certificate of Secret shop/given",
        ]
