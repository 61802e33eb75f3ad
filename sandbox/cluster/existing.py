"""A cluster that is there already: which one is meant, and whether a sandbox may serve it.

Owns reading the person's kubeconfig, and the looks before anything is started. Must not: change that file or the cluster.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from kube.clock import SystemClock
from kube.config import load, merge, select
from kube.errors import InvalidConfig, NotFound
from kube.kinds import LEASE, NODE, ObjectRef
from kube.leases import LEASE_NAME, Sightings, holder_of
from kube.objects import Object, name_of, namespace_of
from kube.quick import QuickClient
from sandbox.cluster.account import SERVICE_ACCOUNT
from sandbox.cluster.kubeconfig import Given
from sandbox.cluster.state import SandboxError

VARIABLE = "KUBECONFIG"
LEASE_SECONDS = 15.0
LOOK_SECONDS = 0.5


def given_cluster(context: str | None, environment: Mapping[str, str] = os.environ) -> Given:
    """Return the cluster of a context of the files that `KUBECONFIG` names, the current one when none is given.

    Raises:
        SandboxError: the variable is not set, or there is no such context; the text says what to do.
    """
    named = environment.get(VARIABLE)
    if not named:
        raise SandboxError(
            f"--control-plane existing serves the cluster of {VARIABLE}, which is not set; export it, and start again"
        )
    paths = [Path(part).expanduser() for part in named.split(os.pathsep) if part]
    if not (found := [path for path in paths if path.is_file()]):
        raise SandboxError(f"{VARIABLE}={named}: there is no such file")
    try:
        merged = merge(found)
        connection = select(merged, context)
    except InvalidConfig as error:
        raise SandboxError(f"{VARIABLE}={named}: {error}") from None
    names = merged["contexts"][connection.context]
    user = merged["users"].get(str(names.get("user") or ""), {})
    cluster = merged["clusters"][names["cluster"]]
    return Given(server=connection.server, namespace=connection.namespace, cluster=cluster, user=user)


def refuse_what_would_be_in_the_way(client: QuickClient, server: str) -> None:
    """Look whether somebody else runs pods or Rollouts there.

    Raises:
        SandboxError: somebody does; the text says what to do.
        ApiError: the API server does not answer, or lets this person not look.
    """
    if own := [name_of(node) for node in client.list(NODE).items if _takes_pods(node)]:
        raise SandboxError(
            f"the cluster at {server} has nodes of its own ({', '.join(own[:3])}{', ...' if own[3:] else ''}) for the pods that a "
            "sandbox's node would take; cordon them (kubectl cordon NAME), or use a cluster without nodes, such as that of "
            "`rollouts sandbox up --control-plane real --bare`"
        )
    if lease := _renewed(client):
        raise SandboxError(
            f"a controller of Rollouts is at work in the cluster at {server}: {holder_of(lease)!r} renews Lease "
            f"{namespace_of(lease)}/{name_of(lease)}; stop it (kubectl -n {namespace_of(lease)} scale deployment argo-rollouts "
            "--replicas=0, or rollouts-controller) and start the sandbox again"
        )


def has_manager(client: QuickClient) -> bool:
    """Tell whether a controller manager works there: it gives every namespace an account."""
    try:
        client.get(SERVICE_ACCOUNT, "default", "default")
    except NotFound:
        return False
    return True


def client_of(kubeconfig: Path) -> QuickClient:
    """Return a client with the rights of the person."""
    return QuickClient(load(str(kubeconfig)), field_manager="rollouts-sandbox")


def _takes_pods(node: Object) -> bool:
    conditions: Iterable[Mapping[str, str]] = (node.get("status") or {}).get("conditions") or ()
    ready = any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)
    return ready and not (node.get("spec") or {}).get("unschedulable")


def _renewed(client: QuickClient) -> Object | None:
    """Return the lease of a controller that is alive: one that changes while it is looked at, whatever its times say."""
    seen: dict[ObjectRef, Sightings] = {}
    while True:
        held = [one for one in client.list(LEASE, field_selector=f"metadata.name={LEASE_NAME}").items if holder_of(one)]
        for lease in held:
            ref = ObjectRef(LEASE, namespace_of(lease), name_of(lease))
            sightings = seen.setdefault(ref, Sightings(SystemClock(), otherwise_seconds=LEASE_SECONDS))
            sightings.note(lease)
            if sightings.renewed:
                return lease
        if not held or not any(one.left_seconds() for one in seen.values()):
            return None
        time.sleep(LOOK_SECONDS)
