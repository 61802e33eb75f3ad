"""What a sandbox brought into a cluster that was there already, written down as it comes, and taken out again.

Owns that list, which outlives a crash, and the taking out. Must not: touch an object that was there before, or one that took the
name of an object of ours since.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from kube.config import load
from kube.errors import Conflict, NotFound, Unreachable
from kube.kinds import CUSTOM_RESOURCE_DEFINITION, INGRESS, JOB, NODE, POD, REPLICA_SET, Kind, ObjectRef
from kube.objects import Object, controller_of, name_of, namespace_of, uid_of
from kube.quick import QuickClient
from sandbox.cluster.state import BROUGHT, SandboxError, replace

GROUP = "argoproj.io"
OWNERS = frozenset({"Rollout", "AnalysisRun", "Experiment"})
"""Whose objects go with our definitions; others of the group (Workflows, Applications) keep theirs."""
GONE_SECONDS = 60.0
POLL_SECONDS = 0.2
NUDGE_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Brought:
    """One object of ours."""

    ref: ObjectRef
    uid: str


@dataclass(frozen=True, slots=True)
class Journal:
    """The list in the state folder of a sandbox: a kubeconfig to reach the cluster with, and a line for each object."""

    state: Path

    @property
    def folder(self) -> Path:
        """Where it is."""
        return self.state / BROUGHT

    @property
    def exists(self) -> bool:
        """Whether something was brought somewhere and not taken out yet."""
        return self.folder.exists()

    def begin(self, kubeconfig: str) -> None:
        """Say which cluster it is."""
        self.folder.mkdir(parents=True, mode=0o700)
        replace(self.folder / "kubeconfig", kubeconfig)

    def note(self, kind: Kind, stored: Object) -> None:
        """Write down an object that was created."""
        line = {"kind": asdict(kind), "namespace": namespace_of(stored), "name": name_of(stored), "uid": uid_of(stored)}
        with (self.folder / "objects").open("a") as file:
            file.write(json.dumps(line) + "\n")

    def read(self) -> list[Brought]:
        """Return the objects, oldest first; a line that a crash cut off is left out."""
        try:
            lines = (self.folder / "objects").read_text().splitlines(keepends=True)
        except FileNotFoundError:
            return []
        found = [json.loads(line) for line in lines if line.endswith("\n")]
        return [Brought(ObjectRef(Kind(**one["kind"]), one["namespace"], one["name"]), one["uid"]) for one in found]


def take_out(state: Path) -> None:
    """Remove what the sandbox of a folder brought into a cluster, and wait until it is gone; nothing to do for most sandboxes.

    Definitions go with their objects, and with these what they control. Pods on our node are dropped: nobody runs them any more.

    Raises:
        SandboxError: something does not go within a minute, or the cluster does not answer; the list is kept, so that it can be
            tried again.
        ApiError: the cluster refuses; the same.
    """
    journal = Journal(state)
    if not journal.exists:
        return
    objects = journal.read()
    if objects:
        try:
            with QuickClient(load(str(journal.folder / "kubeconfig")), field_manager="rollouts-sandbox") as client:
                _take_out(client, objects)
        except Unreachable as error:
            raise SandboxError(
                f"what was brought into a cluster cannot be taken out of it: {error}; run `rollouts sandbox down` when it answers "
                f"or, if that cluster is gone for good, remove {journal.folder}"
            ) from None
    shutil.rmtree(journal.folder)
    with suppress(OSError):
        state.rmdir()  # where nothing else is in it


def _take_out(client: QuickClient, objects: Sequence[Brought]) -> None:
    if any(one.ref.kind == CUSTOM_RESOURCE_DEFINITION and one.ref.name == f"rollouts.{GROUP}" for one in objects):
        _end_what_is_controlled(client)
    for one in reversed(objects):
        with suppress(NotFound, Conflict):  # gone, or replaced by somebody else
            client.delete(one.ref, uid=one.uid)
    nodes = [one.ref.name for one in objects if one.ref.kind == NODE]
    began = nudged = time.monotonic()
    while left := [one for one in objects if _is_there(client, one)] + _drop_pods(client, nodes):
        now = time.monotonic()
        if now > began + GONE_SECONDS:
            names = ", ".join(str(one.ref) for one in left[:5])
            raise SandboxError(f"still in the cluster after {GONE_SECONDS:.0f} s: {names}; run `rollouts sandbox down` again")
        if now > nudged + NUDGE_SECONDS:
            _nudge(client, left)
            nudged = now
        time.sleep(POLL_SECONDS)


def _nudge(client: QuickClient, left: Iterable[Brought]) -> None:
    """Touch definitions that are going: their objects sometimes cannot be listed at first (`storage is (re)initializing`), and an
    API server waits longer before each further attempt, a minute at last, unless they change."""
    for one in left:
        if one.ref.kind == CUSTOM_RESOURCE_DEFINITION:
            with suppress(NotFound, Conflict):
                note = {"metadata": {"annotations": {"rollouts/nudged": str(time.monotonic_ns())}}}
                client.patch(one.ref, note, uid=one.uid)


def _end_what_is_controlled(client: QuickClient) -> None:
    """Delete what Rollouts control before their definition goes: no garbage collector finds the owners of a kind that is gone."""
    for kind in (REPLICA_SET, JOB, INGRESS):
        for one in client.list(kind).items:
            owner = controller_of(one)
            if owner and str(owner.get("apiVersion", "")).startswith(f"{GROUP}/") and owner.get("kind") in OWNERS:
                with suppress(NotFound, Conflict):
                    client.delete(ObjectRef(kind, namespace_of(one), name_of(one)), uid=uid_of(one))


def _drop_pods(client: QuickClient, nodes: Iterable[str]) -> list[Brought]:
    found = [one for node in nodes for one in client.list(POD, field_selector=f"spec.nodeName={node}").items]
    for one in found:
        with suppress(NotFound, Conflict):
            client.delete(ObjectRef(POD, namespace_of(one), name_of(one)), uid=uid_of(one), grace_seconds=0)
    return [Brought(ObjectRef(POD, namespace_of(one), name_of(one)), uid_of(one)) for one in found]


def _is_there(client: QuickClient, one: Brought) -> bool:
    try:
        return uid_of(client.get(one.ref.kind, one.ref.namespace, one.ref.name)) == one.uid
    except NotFound:
        return False
