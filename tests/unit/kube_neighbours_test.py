"""Before a controller works it looks who else does: in other namespaces, too, and without an election as well."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from kube_cluster import Cluster, cluster
from kube_fakes import Coarse, LoopClock

from kube.client import Client
from kube.kinds import LEASE, NAMESPACE, ObjectRef
from kube.leases import LEASE_NAME, HeldByStranger
from kube.neighbours import Neighbourhood
from sandbox.apiserver.faults import Fault
from sandbox.apiserver.inprocess import InProcessTransport

pytestmark = pytest.mark.looptime
STRANGER = "argo-rollouts-7d9f_0d1e"
OUR_OTHER = "rollouts/pod-2_77aa"


async def holds(scene: Cluster, namespace: str, holder: str, *, alive: bool) -> None:
    """Have somebody hold a lease in a namespace, and renew it while alive."""
    if namespace != "default":
        await scene.user.create(NAMESPACE, {"metadata": {"name": namespace}})
    spec = {"holderIdentity": holder, "leaseDurationSeconds": 15, "renewTime": "2026-01-01T00:00:00.000000Z"}
    await scene.user.create(LEASE, {"metadata": {"name": LEASE_NAME, "namespace": namespace}, "spec": spec})

    async def renew() -> None:
        for second in range(2, 60, 2):
            await asyncio.sleep(2)
            renewed = {"spec": {"renewTime": f"2026-01-01T00:00:{second:02}.000000Z"}}
            await scene.user.patch(ObjectRef(LEASE, namespace, LEASE_NAME), renewed)

    if alive:
        scene.run(renew())


async def verdict(
    scene: Cluster, namespaces: tuple[str, ...] = ("",), *, elects: bool = True, clock: LoopClock | None = None
) -> tuple[str, float]:
    """Return why it may not work (nothing: it may), and after how long that is known."""
    client = Client(InProcessTransport(scene.server, user="one"), clock=scene.clock)
    own = ObjectRef(LEASE, "default", LEASE_NAME)
    neighbours = Neighbourhood(client, own=own, namespaces=namespaces, clock=clock or scene.clock, elects=elects)
    began = scene.clock.monotonic()
    try:
        await neighbours.leave_or_stay()
    except HeldByStranger as error:
        return str(error), scene.clock.monotonic() - began
    return "", scene.clock.monotonic() - began


@pytest.mark.parametrize(
    ("namespace", "holder", "options", "says"),
    [
        pytest.param("argo-rollouts", STRANGER, {}, "--leader-election-namespace argo-rollouts", id="Argo Rollouts elsewhere"),
        pytest.param("argo-rollouts", STRANGER, {"namespaces": ("argo-rollouts",)}, "--take-over", id="where we look after things"),
        pytest.param("default", STRANGER, {"elects": False}, "without --no-leader-elect", id="Argo Rollouts, and we elect nobody"),
        pytest.param("default", OUR_OTHER, {"elects": False}, "another replica", id="a replica of ours, and we elect nobody"),
    ],
)
async def test_a_live_controller_of_the_same_objects_is_found_within_seconds(
    namespace: str, holder: str, options: dict[str, object], says: str
) -> None:
    async with cluster() as scene:
        await holds(scene, namespace, holder, alive=True)
        why, seconds = await verdict(scene, **options)  # type: ignore[arg-type]
        assert holder in why
        assert says in why
        assert seconds < 4


@pytest.mark.parametrize(
    ("namespace", "holder", "options"),
    [
        pytest.param("default", STRANGER, {}, id="in its own namespace, where the election sees to it"),
        pytest.param("team-b", OUR_OTHER, {}, id="another installation of ours, for another namespace"),
        pytest.param("team-b", STRANGER, {"namespaces": ("team-a",)}, id="Argo Rollouts for another namespace"),
        pytest.param("argo-rollouts", "", {}, id="a lease that was given back"),
    ],
)
async def test_others_are_not_waited_for(namespace: str, holder: str, options: dict[str, object]) -> None:
    async with cluster() as scene:
        await holds(scene, namespace, holder, alive=True)
        assert await verdict(scene, **options) == ("", 0)  # type: ignore[arg-type]


@pytest.mark.parametrize("clock", [LoopClock, Coarse])
async def test_a_controller_that_is_gone_is_waited_for_as_long_as_its_lease(clock: Callable[[], LoopClock]) -> None:
    async with cluster() as scene:
        await holds(scene, "argo-rollouts", STRANGER, alive=False)
        why, seconds = await verdict(scene, clock=clock())
        assert why == ""
        assert seconds == pytest.approx(15, abs=1)


async def test_a_lease_that_somebody_deletes_is_waited_for_no_longer() -> None:
    async with cluster() as scene:
        await holds(scene, "argo-rollouts", STRANGER, alive=False)
        looked = asyncio.create_task(verdict(scene))
        await asyncio.sleep(3)
        await scene.user.delete(ObjectRef(LEASE, "argo-rollouts", LEASE_NAME))
        why, seconds = await asyncio.wait_for(looked, 60)
        assert why == ""
        assert seconds == pytest.approx(3, abs=1.5)


async def test_a_server_that_is_away_is_asked_again() -> None:
    async with cluster() as scene:
        await holds(scene, "argo-rollouts", STRANGER, alive=True)
        scene.server.faults.set(Fault(action="drop-before", user="one", times=8))
        why, _ = await verdict(scene)
        assert STRANGER in why
