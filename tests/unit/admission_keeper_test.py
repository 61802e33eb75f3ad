"""The webhook's certificate: made once for all replicas, trusted before it is served, renewed in time."""

from __future__ import annotations

import asyncio
import base64
import ssl
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kube.client import Client
from kube.clock import SystemClock
from kube.kinds import NAMESPACE, SECRET, ObjectRef
from rollouts.admission.certificates import AUTHORITIES, CERTIFICATE, RENEWED_BEFORE, VALID, Certificate, is_due, issue
from rollouts.admission.keeper import CONFIGURATION, DEFAULT_NAME, Keeper
from sandbox.apiserver.inprocess import InProcessTransport
from sandbox.apiserver.installing import install_all
from sandbox.apiserver.server import ApiServer

START = datetime(2026, 1, 31, 12, tzinfo=UTC)
NAMES = ("rollouts-webhook.shop.svc", "localhost")
NAME_OF_US = {"namespace": "shop", "name": DEFAULT_NAME}


@dataclass
class Calendar(SystemClock):
    """A clock whose date is set by hand."""

    date: datetime = START

    def now(self) -> datetime:
        return self.date


def configuration(*services: dict[str, str]) -> dict[str, Any]:
    """Return a configuration with a webhook for each service."""
    rules = [{"apiGroups": ["argoproj.io"], "apiVersions": ["v1alpha1"], "operations": ["CREATE"], "resources": ["rollouts"]}]
    rest = {"admissionReviewVersions": ["v1"], "sideEffects": "None", "rules": rules}
    hooks = [{"name": f"h{at}.argoproj.io", "clientConfig": {"service": one}, **rest} for at, one in enumerate(services)]
    return {"metadata": {"name": DEFAULT_NAME}, "webhooks": hooks}


@dataclass
class Scene:
    """A cluster, and replicas that look after one certificate."""

    client: Client
    folder: Path
    clock: Calendar = field(default_factory=Calendar)

    def replica(self, name: str) -> Keeper:
        place = self.folder / name
        place.mkdir()
        return Keeper(self.client, self.clock, "shop", place)

    async def secret(self) -> dict[str, str]:
        return dict((await self.client.get(SECRET, "shop", DEFAULT_NAME))["data"])

    async def bundles(self) -> list[str]:
        hooks = (await self.client.get(CONFIGURATION, "", DEFAULT_NAME))["webhooks"]
        return [hook["clientConfig"].get("caBundle", "") for hook in hooks]


@asynccontextmanager
async def scene(folder: Path, *services: dict[str, str]) -> AsyncIterator[Scene]:
    server = ApiServer(seed=1)
    await install_all(server)
    client = Client(InProcessTransport(server, user="controller"))
    await client.create(NAMESPACE, {"metadata": {"name": "shop"}})
    if services:
        await client.create(CONFIGURATION, configuration(*services))
    try:
        yield Scene(client, folder)
    finally:
        await client.close()


async def greeted(server_file: Path, bundle: str) -> str:
    """Connect as the API server does, by the Service's name; return whose certificate was shown."""
    served, asking = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context()
    served.load_cert_chain(server_file)
    asking.load_verify_locations(cadata=base64.b64decode(bundle).decode())
    incoming, outgoing, back, forth = ssl.MemoryBIO(), ssl.MemoryBIO(), ssl.MemoryBIO(), ssl.MemoryBIO()
    client = asking.wrap_bio(incoming, outgoing, server_hostname=NAMES[0])
    server = served.wrap_bio(back, forth, server_side=True)
    for _ in range(4):
        for side in (client, server):
            with suppress(ssl.SSLWantReadError):
                side.do_handshake()
            back.write(outgoing.read())
            incoming.write(forth.read())
    return str(client.getpeercert())


async def test_one_certificate_is_made_for_all_replicas_and_the_api_server_trusts_it(tmp_path: Path) -> None:
    async with scene(tmp_path, NAME_OF_US) as found:
        first, second = found.replica("a"), found.replica("b")
        await first.look()
        made = await found.secret()
        await second.look()
        assert await found.secret() == made
        assert await found.bundles() == [made[AUTHORITIES]]
        files = [await one.file() for one in (first, second)]
        assert files[0].read_bytes() == files[1].read_bytes()
        assert stat.S_IMODE(files[0].stat().st_mode) == 0o600


async def test_the_certificate_is_for_the_name_of_the_service(tmp_path: Path) -> None:
    async with scene(tmp_path, NAME_OF_US) as found:
        found.clock.date = datetime.now(UTC)
        keeper = found.replica("a")
        await keeper.look()
        assert NAMES[0] in await greeted(await keeper.file(), (await found.bundles())[0])


async def test_a_renewed_certificate_is_trusted_beside_the_old_one(tmp_path: Path) -> None:
    """Another replica serves the old one until it looks: both are trusted all the time."""
    async with scene(tmp_path, NAME_OF_US) as found:
        found.clock.date = datetime.now(UTC) - VALID + RENEWED_BEFORE
        ahead, behind = found.replica("a"), found.replica("b")
        await ahead.look()
        await behind.look()
        old = (await behind.file()).read_bytes()
        found.clock.date += VALID - RENEWED_BEFORE + timedelta(minutes=1)
        await ahead.look()
        assert (await ahead.file()).read_bytes() != old
        [bundle] = await found.bundles()
        for replica in (ahead, behind):
            assert NAMES[0] in await greeted(await replica.file(), bundle)
        await behind.look()
        assert (await behind.file()).read_bytes() == (await ahead.file()).read_bytes()


async def test_authorities_that_ran_out_are_trusted_no_more(tmp_path: Path) -> None:
    async with scene(tmp_path, NAME_OF_US) as found:
        keeper = found.replica("a")
        counts = []
        for _ in range(6):
            await keeper.look()
            counts.append(base64.b64decode((await found.bundles())[0]).count(b"BEGIN CERTIFICATE"))
            found.clock.date += VALID - RENEWED_BEFORE + timedelta(minutes=1)
        assert counts == [1, 2, 2, 2, 2, 2]


async def test_nothing_is_written_while_everything_is_well(tmp_path: Path) -> None:
    async with scene(tmp_path, NAME_OF_US) as found:
        keeper = found.replica("a")
        await keeper.look()
        version = (await found.client.get(CONFIGURATION, "", DEFAULT_NAME))["metadata"]["resourceVersion"]
        file = (await keeper.file()).stat()
        await keeper.look()
        assert (await found.client.get(CONFIGURATION, "", DEFAULT_NAME))["metadata"]["resourceVersion"] == version
        assert (await keeper.file()).stat() == file


async def test_only_webhooks_that_lead_to_us_are_given_our_authority(tmp_path: Path) -> None:
    async with scene(tmp_path, {"namespace": "others", "name": DEFAULT_NAME}, NAME_OF_US) as found:
        await found.replica("a").look()
        foreign, ours = await found.bundles()
        assert foreign == ""
        assert ours == (await found.secret())[AUTHORITIES]


async def test_a_bundle_that_somebody_removed_is_put_back(tmp_path: Path) -> None:
    async with scene(tmp_path, NAME_OF_US) as found:
        keeper = found.replica("a")
        await keeper.look()
        [bundle] = await found.bundles()
        await found.client.patch(ObjectRef(CONFIGURATION, "", DEFAULT_NAME), configuration(NAME_OF_US))
        await keeper.look()
        assert await found.bundles() == [bundle]


async def test_without_a_configuration_nothing_is_served_and_it_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with scene(tmp_path) as found:
        keeper = found.replica("a")
        with caplog.at_level("INFO"):
            await keeper.look()
            await keeper.look()
        assert [text for text in caplog.messages if "there is no ValidatingWebhookConfiguration" in text] == [
            f"there is no ValidatingWebhookConfiguration {DEFAULT_NAME}: nothing is checked when it is applied"
        ]
        assert not list((tmp_path / "a").iterdir())


BROKEN = [
    pytest.param({"data": {CERTIFICATE: "bm9uZQ=="}}, id="a certificate that is none"),
    pytest.param({"data": {AUTHORITIES: None}}, id="an authority that is gone"),
    pytest.param({"data": {AUTHORITIES: base64.b64encode(issue(NAMES, START).authorities).decode()}}, id="a foreign authority"),
    pytest.param({"data": issue(("elsewhere",), START).data()}, id="a certificate of other names"),
]


@pytest.mark.parametrize("change", BROKEN)
async def test_what_cannot_be_used_is_made_anew(tmp_path: Path, change: dict[str, Any]) -> None:
    async with scene(tmp_path, NAME_OF_US) as found:
        keeper = found.replica("a")
        await keeper.look()
        await found.client.patch(ObjectRef(SECRET, "shop", DEFAULT_NAME), change)
        await keeper.look()
        secret = await found.secret()
        assert not is_due(Certificate.of(secret), keeper.names, START)
        assert await found.bundles() == [secret[AUTHORITIES]]


async def test_two_replicas_that_start_at_once_end_with_one_certificate(tmp_path: Path) -> None:
    async with scene(tmp_path, NAME_OF_US) as found:
        replicas = [found.replica(name) for name in "abc"]
        tasks = [asyncio.create_task(one.run()) for one in replicas]
        async with asyncio.timeout(20):
            files = [await one.file() for one in replicas]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert len({file.read_bytes() for file in files}) == 1
        assert await found.bundles() == [(await found.secret())[AUTHORITIES]]


def test_a_key_is_never_shown() -> None:
    made = issue(NAMES, START)
    assert "PRIVATE" in made.key.decode()
    assert "PRIVATE" not in repr(made)
